// Three seeds: what depends on which of them, what entries share, and how results tell it.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../unlearn/run.ts';
import { summarise } from '../../../unlearn/statistics/summarise.ts';
import { unsynced, withDisk } from './crash.ts';
import { toyParts, toyRecipe } from './toy.ts';

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'lethe-seeds-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const at = (train: number, forget: number, unlearn: number) => ({ train, forget, unlearn });
const recipeOf = (seeds: unknown[], forget: object = { ratio: 0.1 }) =>
  toyRecipe({ seeds, forget, train: { epochs: 1 }, methods: [{ name: 'finetune', options: { epochs: 1 } }] });

async function go(recipe: object, prepared: string[] = []) {
  const did: string[] = [];
  const parts = toyParts({ prepared, onWork: (what) => did.push(what) });
  const outcome = await withDisk(unsynced, () => run(recipe, { out, parts }));
  return { ...outcome, did: did.filter((what) => what !== 'evaluate') };
}

describe('seeds', () => {
  it('what depends on one of them alone is made once', async () => {
    const { plan, did, results } = await go(recipeOf([0, at(0, 1, 0), at(0, 1, 2), 3]));
    expect(plan.map(({ id, weights, seed }) => [id, weights === id ? seed : weights])).toEqual([
      ['seed-0-original', 0],
      ['seed-0-retrain', 0],
      ['seed-0-finetune', 0],
      ['seed-0.1-original', 'seed-0-original'],
      ['seed-0.1-retrain', 0],
      ['seed-0.1.0-finetune', 0],
      ['seed-0.1.2-finetune', 2],
      ['seed-3-original', 3],
      ['seed-3-retrain', 3],
      ['seed-3-finetune', 3],
    ]);
    expect(did).toEqual([
      ...['original', 'retrain', 'finetune'],
      ...['retrain', 'finetune', 'finetune'],
      ...['original', 'retrain', 'finetune'],
    ]);
    const key = (id: string) => plan.find((cell) => cell.id === id)?.key;
    expect(key('seed-0.1-original')).toBe(key('seed-0-original'));
    expect(key('seed-0.1-retrain')).not.toBe(key('seed-0-retrain'));
    expect(key('seed-0.1.2-finetune')).not.toBe(key('seed-0.1.0-finetune'));

    // A whole set of rows for each entry, each beside its own retrain; a model that stands in two of them counts once.
    const rows = results!.runs.map(({ seed, method, cell, seeds }) => [seed, method, cell, seeds]);
    expect(rows).toHaveLength(12);
    expect(rows.slice(6, 9)).toEqual([
      [1002, 'original', 'seed-0.1-original', at(0, 1, 2)],
      [1002, 'retrain', 'seed-0.1-retrain', at(0, 1, 2)],
      [1002, 'finetune', 'seed-0.1.2-finetune', at(0, 1, 2)],
    ]);
    expect(summarise(results!.runs).map(({ method, n }) => [method, n])).toEqual([
      ['original', 3],
      ['retrain', 3],
      ['finetune', 4],
    ]);
    expect(results!.runs[0].metrics.avg_gap).not.toBeNaN();

    const files = readdirSync(out).filter((name) => name.startsWith('forget-manifest'));
    expect(files.sort()).toEqual([
      'forget-manifest-1.json',
      'forget-manifest-3.json',
      'forget-manifest.json',
    ]);
    const ids = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8')).ids;
    expect(ids('forget-manifest-3.json')).toEqual([3, 4]);

    expect((await go(recipeOf([0, at(0, 1, 0), at(0, 1, 2), 3]))).did).toEqual([]);
    // Those left are done under the same names.
    expect((await go(recipeOf([at(0, 1, 2), 3]))).did).toEqual([]);
  });

  it('a forget set that no seed draws is the same for all', async () => {
    const seeds = [0, at(0, 0, 1), at(2, 7, 2)];
    for (const forget of [{ class: 1 }, { ratio: 0.1, seed: 5 }]) {
      const { plan, results } = await go(recipeOf(seeds, forget));
      expect(plan.map(({ id }) => id)).toEqual([
        ...['seed-0-original', 'seed-0-retrain', 'seed-0-finetune', 'seed-0.0.1-finetune'],
        ...['seed-2-original', 'seed-2-retrain', 'seed-2-finetune'],
      ]);
      expect(results!.runs).toHaveLength(9);
      expect(readdirSync(out).filter((name) => name.startsWith('forget-manifest'))).toHaveLength(1);
    }
  });

  it('a preparation belongs to the train seed, whatever is forgotten of it', async () => {
    const recipe = toyRecipe({
      seeds: [0, at(0, 1, 4)],
      forget: { ratio: 0.1 },
      train: { epochs: 1 },
      methods: [{ name: 'boundaryShrink' }],
    });
    const { plan, did } = await go(recipe, ['boundaryShrink']);
    expect(did.filter((what) => what.startsWith('prepare'))).toEqual(['prepare boundaryShrink']);
    expect(plan.filter(({ prepared }) => prepared).map(({ id, prepared }) => [id, prepared?.id])).toEqual([
      ['seed-0-boundaryShrink', 'seed-0-boundaryShrink-prepared'],
      ['seed-0.1-boundaryShrink', 'seed-0-boundaryShrink-prepared'],
    ]);
    expect((await go(recipe, ['boundaryShrink'])).did).toEqual([]);
  });
});
