// results.json read back: whatever is wrong in it is one error that says where, and of what is let through every form of
// the report can be made.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import { renderReport, renderTable, toCsv, toJson, toLatex } from '../../../unlearn/report/index.ts';
import { loadResults } from '../../../unlearn/run/results.ts';
import { fixture, withAudits } from '../report/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-results-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'results.json');

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
const few = withAudits(fixture('class', [0]));
const trial = {
  options: { epochs: 2, learningRate: 0.01 },
  samples: 400,
  seconds: 1.5,
  retrain: 2.5,
  alone: 4,
};
const tried = { ...trial, metrics: { ua: 4, ra: 99, va: 90, mia: null } };
const search = {
  seed: 1000,
  rule: 'retrain',
  budget: 1,
  validation: 40,
  retraining: { samples: 3600, seconds: 9.5 },
  methods: [
    {
      method: 'salun',
      ranges: { learningRate: { from: 1e-3, to: 1e-1, log: true } },
      varied: ['learningRate'],
      trials: [tried, { ...trial, retrain: null, alone: null, failed: 'the loss became NaN' }],
      best: { retrain: 0, alone: 1 },
      chosen: 0,
      notes: ['epochs cut to 2 at most'],
    },
  ],
};
const environment = { ...few.environment, methods: { mine: { title: 'Mine', kind: 'approximate' } } };
const text = JSON.stringify({ ...few, environment, search, runs: few.runs.slice(0, 3) });
const sound = () => JSON.parse(text) as { [key: string]: Json };

/** Puts a value at a path such as `runs.0.seed`; undefined removes what is there. */
function put(root: Json, at: string, value: Json | undefined): void {
  const steps = at.split('.');
  const last = steps.pop() as string;
  const inner = steps.reduce((node, step) => (node as { [key: string]: Json })[step], root) as {
    [key: string]: Json;
  };
  if (value === undefined) delete inner[last];
  else inner[last] = value;
}

async function load(value: unknown) {
  writeFileSync(path, JSON.stringify(value));
  return loadResults(path);
}

describe('results', () => {
  it('that a run wrote come back as they are', async () => {
    expect(await load(sound())).toEqual(sound());
    const bare = { version: 1, runs: [] };
    expect(await load(bare)).toEqual(bare);
  });

  it.each<[string, Json | undefined, string]>([
    ['version', 2, 'version 2; expected a results.json written by lethe run'],
    ['runs', undefined, 'runs is missing'],
    ['runs', {}, 'runs: expected a list of runs, got {}'],
    ['runs.0', null, 'runs.0: expected a map, got null'],
    ['runs.0', [], 'runs.0: expected a map, got []'],
    ['runs.0.seed', 0.5, 'runs.0.seed: expected a whole number, got 0.5'],
    ['runs.0.method', undefined, 'runs.0.method is missing'],
    ['runs.0.metrics', 'x', 'runs.0.metrics: expected a map, got "x"'],
    ['runs.2.metrics.ua', '12', 'runs.2.metrics.ua: expected a number or null, got "12"'],
    ['runs.2.cost.seconds', [], 'runs.2.cost.seconds: expected a number or null, got []'],
    ['runs.1.details', null, 'runs.1.details: expected a map, got null'],
    ['runs.1.exhibits.samples.2', null, 'runs.1.exhibits.samples.2: expected a map, got null'],
    ['runs.1.exhibits.samples.2.set', 'all', 'samples.2.set: expected "forget" or "retain", got "all"'],
    ['runs.1.exhibits.entropy', undefined, 'runs.1.exhibits.entropy is missing'],
    ['runs.1.exhibits.entropy.test', [1], 'entropy: expected one share less than edges in each set'],
    ['runs.1.exhibits.forgetPredictions.3', [1], 'forgetPredictions: expected as many columns as rows'],
    ['runs.1.exhibits.forgetPredictions', [[1]], 'runs: expected predictions over equally many classes'],
    ['runs.1.exhibits.accuracyByClass.test.3', 101, 'accuracyByClass.test.3: expected at most 100, got 101'],
    ['runs.1.exhibits.embedding.x', [1], 'expected equally many of x, y, set and label, at most 400'],
    ['runs.1.exhibits.embedding.set.0', 'all', 'expected "forget", "gone" or "kept", got "all"'],
    ['runs.1.exhibits.attention.width', 15, 'attention.width: expected at most 14, got 15'],
    [
      'runs.1.exhibits.attention.maps.2.map',
      'AA==',
      'attention: expected a byte in base64 for each place of each map',
    ],
    ['runs.1.exhibits.plane.classes', [1, 1599], 'plane: expected classes and how often, side * side in all'],
    ['runs.1.exhibits.plane.images.0.x', 2, 'images.0.x: expected at most 1, got 2'],
    ['runs.0.audits', [], 'runs.0.audits: expected a map, got []'],
    ['runs.0.audits.probe.values.probe', 'x', 'values.probe: expected a number or null, got "x"'],
    ['runs.0.audits.relearn.curves.0.points.1', [1], 'points.1'],
    ['runs.0.audits.rmia.samples.0.ids', [1], 'samples.0: expected as many scores as ids'],
    ['device', 'cpu', 'device: expected a map, got "cpu"'],
    ['search.rule', 'best', 'search.rule: expected "retrain" or "alone", got "best"'],
    ['search.methods.0.trials.1', [], 'search.methods.0.trials.1: expected a map, got []'],
    ['search.methods.0.chosen', 0.5, 'search.methods.0.chosen: expected a whole number, got 0.5'],
    ['runs.0.\u001b[2J', 1, ''],
  ])('%s = %j', async (at, value, message) => {
    const broken = sound();
    put(broken, at, value);
    if (message === '') return expect(await load(broken)).toEqual(broken);
    const error = await load(broken).catch((e) => e);
    expect(error).toBeInstanceOf(LetheError);
    expect(error.kind).toBe('data');
    expect(error.message).toContain(message);
    expect(error.message.startsWith(`${path}: `)).toBe(true);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  it('that are no file, no JSON, or nested without end', async () => {
    await expect(loadResults(folder)).rejects.toThrow(/^results: .*: not a regular file$/);
    await expect(loadResults(join(folder, 'none'))).rejects.toThrow(/^results: .*ENOENT/);
    writeFileSync(path, '{"version":1,');
    await expect(loadResults(path)).rejects.toThrow(/not JSON \(.*\); expected a results.json/);
    writeFileSync(path, `{"version":1,"runs":[],"recipe":{"a":${'['.repeat(5e4)}${']'.repeat(5e4)}}}`);
    await expect(loadResults(path)).rejects.toThrow('more than 100 maps and lists within each other');
  });

  it('changed anywhere are refused, or the report can be made of them', async () => {
    const places: string[] = [];
    const walk = (node: Json, at: string) => {
      if (at) places.push(at.slice(1));
      if (typeof node !== 'object' || node === null) return;
      // Of long lists of numbers the first two.
      for (const [i, key] of Object.keys(node).entries())
        if (!Array.isArray(node) || i < 2) walk((node as { [key: string]: Json })[key], `${at}.${key}`);
    };
    walk(sound(), '');
    const junk = fc.oneof(
      fc.constantFrom(null, undefined, -1, 1e300, '', 'x', [], {}, [null], { a: null }),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), junk, async (at, value) => {
        const broken = sound();
        put(broken, at, value as Json);
        const found = await load(broken).catch((error) => {
          expect(error).toBeInstanceOf(LetheError);
          return null;
        });
        if (found)
          for (const form of [renderReport, renderTable, toCsv, toJson, toLatex])
            expect(form(found)).not.toBe('');
      }),
      { numRuns: 200, examples: [['recipe.methods', [null]]] },
    );
  });
});
