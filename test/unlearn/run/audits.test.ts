// Audits of a run with a toy laboratory: made after the cells, each kept under its own key, banks trained once; and with the
// real parts, a small network from recipe to results.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import type { Parts } from '../../../unlearn/run/parts.ts';
import { run } from '../../../unlearn/run.ts';
import { toyParts, toyRecipe } from './toy.ts';

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'lethe-audits-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const results = () => JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));

async function go(change: object, parts: Partial<Parts> = {}, signal?: AbortSignal) {
  const did: string[] = [];
  const toy = toyParts({ onWork: (what) => did.push(what) });
  const outcome = await run(toyRecipe(change), { out, signal, parts: { ...toy, ...parts } });
  return { outcome, did };
}
const audited = { audits: ['cka', { name: 'rmia', options: { gamma: 2 } }], bank: { pairs: 1 } };
const probing = { audits: [...audited.audits, { name: 'zrf', label: 'doubt' }], bank: { pairs: 1 } };

describe('audits of a run', () => {
  it('come after all cells, with banks that several share, and are part of the rows', async () => {
    const { did } = await go(audited);
    expect(did.slice(-10)).toEqual([
      'bank references',
      'bank retrains',
      ...Array(4).fill(['audit cka', 'audit rmia']).flat(),
    ]);
    const { runs, recipe } = results();
    expect(recipe.bank).toEqual({ pairs: 1, retrains: 2 });
    expect(recipe.audits.map((one: { label: string }) => one.label)).toEqual(['cka', 'rmia']);
    for (const { audits } of runs) {
      expect(Object.keys(audits)).toEqual(['cka', 'rmia']);
      expect(audits.rmia).toMatchObject({
        name: 'rmia',
        options: { gamma: 2 },
        notes: ['references retrains'],
      });
      expect(audits.rmia.key).toBeUndefined();
    }
  });

  it('are made once: again only those that are new, or whose options are', async () => {
    await go(audited);
    expect((await go(audited)).did).toEqual([]);
    const { did, outcome } = await go(probing);
    expect(did).toEqual(Array(4).fill('audit doubt'));
    expect(outcome.plan.every(({ state }) => state === 'audit')).toBe(true);
    const other = await go({ ...audited, audits: ['cka', { name: 'rmia', options: { gamma: 3 } }] });
    expect(other.did).toEqual(Array(4).fill('audit rmia'));
    expect(Object.keys(results().runs[0].audits)).toEqual(['cka', 'rmia']);
  });

  it('go on where a run was stopped between two of them', async () => {
    const stop = new AbortController();
    const { audit } = toyParts();
    let made = 0;
    const stopping: Parts['audit'] = (task) =>
      audit({
        ...task,
        onFinding: async (one, finding) => {
          await task.onFinding(one, finding);
          if (++made === 3) stop.abort();
          stop.signal.throwIfAborted();
        },
      });
    await expect(go(audited, { audit: stopping }, stop.signal)).rejects.toThrow(/goes on from here/);
    // Three of eight are kept.
    expect((await go(audited)).did).toEqual([
      'audit rmia',
      ...Array(2).fill(['audit cka', 'audit rmia']).flat(),
    ]);
  });

  it('that fail leave the others, and the report, as they are', async () => {
    const { audit } = toyParts();
    const failing: Parts['audit'] = async (task) => {
      if (task.method?.label === 'finetune') throw new LetheError('data', 'no such luck');
      return audit(task);
    };
    const { outcome } = await go(audited, { audit: failing });
    expect(outcome.failures).toEqual([{ cell: 'seed-0-finetune', reason: 'no such luck' }]);
    const { runs } = results();
    expect(runs.map((one: { audits?: object }) => one.audits !== undefined)).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it('get the same rows of other seeds, and of one seed the further retrained models', async () => {
    const asked: Record<string, unknown> = {};
    const { audit } = toyParts();
    const watching: Parts['audit'] = async (task) => {
      const { own, retrain } = task.subjects.repeats;
      asked[`${task.seed} ${task.method?.label}`] = [own.length, retrain.length, task.again];
      return audit(task);
    };
    const change = { ...audited, audits: ['klomSeeds'] };
    await go({ ...change, seeds: [0, 1, 2] }, { audit: watching });
    expect(asked['1 finetune']).toEqual([2, 2, false]);
    expect(asked['2 retrain']).toEqual([2, 2, false]);
    await go(change, { audit: watching });
    expect([asked['0 finetune'], asked['0 retrain']]).toEqual([
      [0, 0, false],
      [0, 0, true],
    ]);
    // Several seeds of a method on one original are not several trainings.
    const nested = [0, 1].map((unlearn) => ({ train: 0, unlearn }));
    await go({ ...change, seeds: nested }, { audit: watching });
    expect(asked['0 finetune']).toEqual([0, 0, false]);
    expect(asked['0 retrain']).toEqual([0, 0, true]);
  });

  it('whose record was changed are made again, and nothing else is', async () => {
    await go(audited);
    const file = join(out, 'cells', 'seed-0-finetune.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"gamma":2', '"gamma":4'));
    expect((await go(audited)).did).toEqual(['audit cka', 'audit rmia']);
  });

  it('are refused where the recipe names none that there is', async () => {
    await expect(go({ audits: ['prob'] })).rejects.toThrow(/audits\.0: expected the name of an audit/);
    await expect(go({ audits: ['cka', 'cka'] })).rejects.toThrow(/"cka" is taken/);
    await expect(go({ audits: [{ name: 'rmia', options: { gama: 1 } }] })).rejects.toThrow(/gama/);
  });
});

it('a small network, from recipe to findings', async () => {
  const recipe = {
    name: 'small',
    dataset: { name: 'glyphs', options: { trainSize: 200, testSize: 200 } },
    forget: { class: 1 },
    model: { name: 'mlp', options: { hidden: [8] } },
    train: { epochs: 2, batchSize: 16 },
    methods: [
      { name: 'finetune', options: { epochs: 1 } },
      { name: 'sisa', options: { shards: 2, slices: 1 } },
    ],
    audits: ['cka', 'rmia', 'ulira', 'membershipProbe', 'prototypes', 'klomSeeds'],
    bank: { pairs: 2, retrains: 2 },
    device: 'cpu',
  };
  await run(recipe, { out });
  const { runs } = results();
  // The picture of the features, which several networks that vote have not.
  const { embedding } = runs[0].exhibits;
  expect(new Set(embedding.set)).toEqual(new Set(['forget', 'gone', 'kept']));
  expect(embedding.x.length).toBe(embedding.label.length);
  expect(embedding.x.length).toBeLessThanOrEqual(400);
  expect(embedding.about).toMatch(/^First two principal components of the 8 features/);
  expect(runs[3].exhibits.embedding).toBeUndefined();
  const [original, retrain, finetune, sisa] = runs.map((one: { audits: object }) => one.audits);
  expect(original.cka.values.cka).toBeGreaterThan(0);
  // Beside another retrain, never beside itself.
  expect(retrain.cka.values.cka).toBeLessThan(1);
  expect(original.rmia.values.rmia_auc).toBeGreaterThanOrEqual(0);
  expect(finetune.ulira.failed).toBeUndefined();
  // The original unlearns nothing on references; of retrain no method is run, and further ones are too few here.
  expect(original.ulira.values.ulira_auc).toBeGreaterThan(0);
  expect(retrain.ulira.failed).toBeUndefined();
  expect(retrain.ulira.notes.join(' ')).toContain('take more retrained models');
  // Each audit of retrain is made of further retrained models, too.
  for (const name of ['cka', 'rmia', 'prototypes', 'klomSeeds']) {
    expect(retrain[name].again).toHaveLength(2);
    expect(finetune[name].again).toBeUndefined();
  }
  const values = [retrain.prototypes.values, ...retrain.prototypes.again];
  expect(new Set(values.map(({ prototypes_forget }) => prototypes_forget)).size).toBeGreaterThan(1);
  expect(finetune.klomSeeds.values.klom_shared).not.toBeNull();
  expect(sisa.cka.failed).toMatch(/needs a single network/);
  expect(original.membershipProbe.failed).toMatch(/is for forgotten samples/);
  for (const value of Object.values(sisa.cka.values)) expect(value).toBeNull();
});
