// Given weights with a toy laboratory: a row each, taken once, kept under the sha256 of their file; what nobody gave is not
// made up.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditRecipe, type GivenWeights, labelsOf } from '../../../unlearn/run/given.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import type { AuditTask } from '../../../unlearn/run/parts.ts';
import { loadResults } from '../../../unlearn/run/results.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { toyParts, toyRecipe } from './toy.ts';

let folder: string;
let given: GivenWeights;
const at = (name: string) => join(folder, name);
const write = (name: string, ...bytes: number[]): string => {
  writeFileSync(
    at(name),
    Uint8Array.from({ length: 64 }, (_, i) => bytes[i % bytes.length]),
  );
  return at(name);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe-given-'));
  given = {
    original: write('before.safetensors', 2, 90, 80, 3, 50),
    unlearned: [write('after.safetensors', 60, 88, 79, 70, 50), write('b.safetensors', 80, 50, 40, 90, 50)],
    retrained: [write('target.safetensors', 100, 91, 81, 95, 50)],
  };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function audit(
  weights: GivenWeights = given,
  { change = {}, ...more }: { change?: object } & Partial<Parameters<typeof run>[1]> = {},
) {
  const did: string[] = [];
  const asked: AuditTask[] = [];
  const events: RunEvent[] = [];
  const toy = toyParts({ onWork: (what) => did.push(what) });
  const parts = {
    ...toy,
    audit: (task: AuditTask) => {
      asked.push(task);
      return toy.audit(task);
    },
  };
  const onEvent = (event: RunEvent) => events.push(event);
  const outcome = await run(toyRecipe(change), { out: at('out'), parts, onEvent, given: weights, ...more });
  const notes = events.flatMap((event) => (event.type === 'note' ? [event.message] : []));
  return { ...outcome, did, asked, notes };
}

describe('given weights', () => {
  it('are rows of a run: measured, set against the retrained file, kept whole', async () => {
    const { results, plan, did } = await audit();
    expect(did).toEqual(['evaluate', 'evaluate', 'evaluate', 'evaluate']);
    expect(plan.map(({ id }) => id)).toEqual(
      ['original', 'retrain', 'after', 'b'].map((label) => `seed-0-${label}`),
    );
    const rows = Object.fromEntries(results?.runs.map((one) => [one.method, one]) ?? []);
    // Toy metrics are the first bytes: UA, RA, TA, MIA.
    expect(rows.after.metrics).toMatchObject({ ua: 60, ra: 88, ta: 79, mia: 70 });
    expect(rows.after.metrics.avg_gap).toBe((40 + 3 + 2 + 25) / 4);
    expect(rows.retrain.metrics.avg_gap).toBe(0);
    const bytes = readFileSync(at('after.safetensors'));
    expect(rows.after.given).toEqual({ file: 'after.safetensors', sha256: sha256(bytes) });
    expect(readFileSync(at('out/checkpoints/seed-0-after.safetensors')).equals(bytes)).toBe(true);
    expect(readdirSync(at('out')).sort()).toEqual(
      ['cells', 'checkpoints', 'forget-manifest.json', 'log.txt', 'report.html', 'results.json'].sort(),
    );
  });

  it('have no time, no cost, no details and no options: unknown is not 0', async () => {
    await audit();
    const { runs } = await loadResults(at('out/results.json'));
    for (const { cost, metrics, details, options } of runs) {
      expect(cost).toEqual({ seconds: null, gradientSteps: null, samplesVisited: null });
      expect(metrics.rte_seconds).toBeNull();
      expect([details, options]).toEqual([{}, {}]);
    }
  });

  it('are skipped when the files are the same, and taken again when one is not', async () => {
    const first = await audit();
    const again = await audit();
    expect(again.did).toEqual([]);
    expect(again.plan.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
    // Where a file lies does not matter.
    mkdirSync(at('moved'));
    const moved = write('moved/b.safetensors', 80, 50, 40, 90, 50);
    expect((await audit({ ...given, unlearned: [given.unlearned[0], moved] })).did).toEqual([]);
    write('b.safetensors', 81, 50, 40, 90, 50);
    await expect(audit(given, { resume: true })).rejects.toThrow(
      /holds results of other settings for seed-0-b/,
    );
    const other = await audit();
    expect(other.did).toEqual(['evaluate']);
    expect(other.results?.runs.map(({ metrics }) => metrics.ua)).toEqual([2, 100, 60, 81]);
    const keys = (plan: typeof first.plan) => plan.map(({ key }) => key);
    expect(keys(other.plan).slice(0, 3)).toEqual(keys(first.plan).slice(0, 3));
    expect(keys(other.plan)[3]).not.toBe(keys(first.plan)[3]);
  });

  it('without a retrained file have no target, and nothing is trained', async () => {
    const { results, plan, did, asked } = await audit(
      { ...given, retrained: [] },
      { change: { audits: ['probe', 'cka', 'ulira', 'neighbours'] } },
    );
    expect(plan.map(({ label }) => label)).toEqual(['original', 'after', 'b']);
    expect(did.filter((what) => what.startsWith('bank') || what === 'retrain')).toEqual([]);
    for (const { metrics } of results?.runs ?? []) expect(metrics.avg_gap).toBeNaN();
    for (const { subjects } of asked) expect([subjects.retrain, subjects.retrains]).toEqual([undefined, []]);
  });

  it('with retrain: true are set against one that is trained as the recipe says', async () => {
    const asked = { ...given, retrained: [], retrain: true };
    const { results, did, notes } = await audit(asked, { change: { audits: ['relative'] } });
    expect(did.filter((what) => !/^(evaluate|audit)/.test(what))).toEqual(['retrain', 'bank retrains']);
    const retrain = results?.runs.find(({ method }) => method === 'retrain');
    expect(retrain?.given).toBeUndefined();
    expect(retrain?.cost.gradientSteps).toBeGreaterThan(0);
    expect(notes.join()).toContain('The retrained model was trained as the recipe says');
  });

  it('further retrained files are controls of audits: no rows, and no bank in their place', async () => {
    const controls = [write('r2.safetensors', 99, 1, 1, 1, 1), write('r3.safetensors', 98, 1, 1, 1, 1)];
    const { results, plan, did, asked } = await audit(
      { ...given, retrained: [...(given.retrained ?? []), ...controls] },
      { change: { audits: ['relative'] } },
    );
    expect(results?.runs.map(({ method }) => method)).toEqual(['original', 'retrain', 'after', 'b']);
    expect(plan.slice(4).map(({ label, judge }) => [label, judge])).toEqual([
      ['retrain-2', null],
      ['retrain-3', null],
    ]);
    expect(did.filter((what) => what.startsWith('bank'))).toEqual([]);
    expect(asked).toHaveLength(4);
    for (const { subjects } of asked) {
      const firsts = await Promise.all(
        subjects.retrains.map(async (one) => ('weights' in one ? (await one.weights.read(0, 1))[0] : null)),
      );
      expect(firsts).toEqual([99, 98]);
    }
    // Its own target is the very same model.
    const own = asked[1].subjects;
    expect(own.retrain).toBe(own.own);
    // Another control is another audit.
    write('r3.safetensors', 97, 1, 1, 1, 1);
    const again = await audit(
      { ...given, retrained: [...(given.retrained ?? []), ...controls] },
      { change: { audits: ['relative'] } },
    );
    expect(again.did).toEqual(['audit relative', 'audit relative', 'audit relative', 'audit relative']);
  });

  it('the bank of references is trained for audits that can be made, and for no others', async () => {
    const banks = async (...audits: string[]) =>
      (await audit(given, { change: { audits } })).did.filter((what) => what.startsWith('bank'));
    expect(await banks('ulira', 'klom')).toEqual([]);
    expect(await banks('ulira', 'rmia')).toEqual(['bank references']);
  });

  it('of the recipe only retrain and one seed count', async () => {
    const seeds = { change: { seeds: [3, 4] } };
    const { recipe, plan } = await audit(given, { ...seeds, dryRun: true });
    expect(recipe.methods.map(({ name }) => name)).toEqual(['retrain']);
    expect(plan.map(({ id }) => id)[0]).toBe('seed-3-original');
    expect(readdirSync(folder)).not.toContain('out');
    const searching = { search: {}, methods: [{ name: 'finetune' }, { name: 'retrain', label: 'r' }], x: 1 };
    expect(auditRecipe(searching, { ids: [1] })).toEqual({
      methods: [{ name: 'retrain' }],
      forget: { ids: [1] },
      x: 1,
    });
    const own = { name: 'retrain', options: { epochs: 1 } };
    expect(auditRecipe({ methods: [own, { file: 'x.mjs' }] })).toEqual({ methods: [own] });
  });

  it('say what has to be known of them', async () => {
    // The toy finds no card in a file that begins with 1.
    const bare = write('it’s bare.safetensors', 1, 2, 3);
    const same = write('same.safetensors', 2, 90, 80, 3, 50);
    const { results, notes } = await audit({ ...given, unlearned: [bare, same] });
    const told = results?.environment as { notes: string[]; command: string; hashes: object };
    expect(told.notes).toEqual([
      'Without constants of normalisation: it’s bare.safetensors. Those of the recipe are taken (dataset: mean 0.5, deviation 0.25 for pixels in [0, 1]); what was trained with others looks worse here than it is.',
      'same is the original, byte for byte: nothing was unlearned in it.',
    ]);
    for (const note of told.notes) expect(notes).toContain(`${note}`);
    expect(told.command).toBe(
      "lethe audit recipe.yaml --original before.safetensors --unlearned 'it’s bare.safetensors' --unlearned same.safetensors --retrained target.safetensors --out out",
    );
    expect(Object.keys(told.hashes)).toEqual([
      'dataset',
      'forget',
      'original',
      'retrain',
      'it-s-bare',
      'same',
    ]);
  });

  it('are refused before anything is written where one is wrong', async () => {
    const wrong: [Partial<GivenWeights>, RegExp][] = [
      [{ original: at('none') }, /^original: could not read .*none: ENOENT/],
      [{ original: folder }, /^original: .*: not a regular file/],
      [{ unlearned: [] }, /^unlearned: no weights to audit/],
      [{ unlearned: [write('zero', 0)] }, /^unlearned: .*zero: no weights of a toy/],
      [{ retrained: [write('zero', 0)] }, /^retrained: .*zero: no weights of a toy/],
      [{ retrain: true }, /^retrained: weights are given, and are to be trained as well/],
      [
        { original: at('out/checkpoints/seed-0-original.safetensors') },
        /lies in the folder that results go to/,
      ],
    ];
    for (const [change, message] of wrong)
      await expect(audit({ ...given, ...change })).rejects.toThrow(message);
    expect(readdirSync(folder)).not.toContain('out');
  });

  it('a file that changes between the plan and its copy is not taken', async () => {
    const onEvent = (event: RunEvent) => {
      if (event.type === 'start' && event.cell === 'seed-0-after' && event.action === 'take')
        write('after.safetensors', 7, 7);
    };
    const { failures, results } = await audit(given, { onEvent });
    expect(failures).toEqual([
      {
        cell: 'seed-0-after',
        reason: expect.stringMatching(/after.safetensors: was changed while it was read/),
      },
    ]);
    expect(results?.runs.map(({ method }) => method)).toEqual(['original', 'retrain', 'b']);
    expect(readdirSync(at('out/checkpoints'))).not.toContain('seed-0-after.safetensors');
  });
});

it('names of files become labels that differ, on any disk', () => {
  const taken = ['original', 'retrain', 'retrain-2'];
  expect(
    labelsOf(
      ['x/a.safetensors', 'y/A.safetensors', 'Original.safetensors', 'retrain.bin', '-.-', 'ü ö'],
      taken,
    ),
  ).toEqual(['a', 'A-2', 'Original-2', 'retrain.bin', 'unlearned', 'unlearned-2']);
  const [long] = labelsOf([`${'n'.repeat(200)}.safetensors`], taken);
  expect(long).toMatch(/^n{56}$/);
});
