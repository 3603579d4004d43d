// Scores of memorisation as a file: those of the library's functions on the recipe's data, kept over stops, and chosen from.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { bankOf, referencePlan } from '../../../unlearn/bank.ts';
import { datasets, joinSplits, loadScores, mislabel } from '../../../unlearn/data/index.ts';
import { memorisationOf } from '../../../unlearn/memorisation.ts';
import { modelFor } from '../../../unlearn/model.ts';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import { defaultParts } from '../../../unlearn/run/default-parts.ts';
import { memorise } from '../../../unlearn/run/memorise.ts';
import { refuses, scratch } from '../data/helpers.ts';

const options = { trainSize: 40, testSize: 20 };
const mislabelled = { share: 0.3, seed: 1 };
const plain = {
  name: 'heart',
  dataset: { name: 'glyphs', options, mislabelled },
  forget: { scores: 'nowhere.csv', ratio: 0.1 },
  model: { name: 'mlp', options: { hidden: [4] } },
  train: { epochs: 2, batchSize: 16, learningRate: 0.05 },
  bank: { pairs: 2 },
  methods: [{ name: 'finetune' }],
  device: 'reference',
};

let folder = '';
beforeAll(async () => {
  await lt.init({ device: 'reference' });
  folder = await scratch();
});

describe('the file', () => {
  it('has the scores of the recipe’s reference models, for each training sample', async () => {
    const out = join(folder, 'scores.csv');
    const found = await memorise(plain, { out });
    const recipe = checkRecipe(plain);
    const dataset = mislabel(await datasets.load('glyphs', options), mislabelled);
    const data = joinSplits(dataset.train, dataset.test);
    const plan = referencePlan([dataset.train, dataset.test], 4, 2 ** 40);
    const bank = await bankOf({ model: modelFor(recipe, dataset), data, plan, options: recipe.train });
    const { scores, inside, outside } = await memorisationOf(bank.references, data);
    const read = await loadScores(out);
    expect(read.ids).toEqual(dataset.train.ids);
    expect(read.scores).toEqual(scores.slice(0, 40));
    expect([...read.scores].some((score) => score !== 0)).toBe(true);
    const rows = [...read.ids].map((id, i) => [id, scores[i], inside[i], outside[i], Math.sqrt(0.25)].join());
    expect(readFileSync(out, 'utf8')).toBe(`id,score,in,out,noise\n${rows.join('\n')}\n`);
    expect(found).toMatchObject({ file: out, bank: join(folder, 'scores.bank') });
    expect(found).toMatchObject({ samples: 40, models: 4, trained: 4, noise: 0.5, sure: 0 });
    const sorted = [...scores.slice(0, 40)].sort((a, b) => a - b);
    expect(found.quantiles[0]).toEqual({ share: 0, score: sorted[0] });
    expect(found.quantiles.at(-1)).toEqual({ share: 1, score: sorted[39] });
    expect(found.quantiles.find(({ share }) => share === 0.5)?.score).toBe((sorted[19] + sorted[20]) / 2);

    const parts = defaultParts();
    const runData = await parts.load(checkRecipe({ ...plain, forget: { scores: out, ratio: 0.1 } }));
    const least = Math.min(...[...runData.manifest.ids].map((id) => scores[id]));
    expect(runData.manifest.count).toBe(4);
    expect(sorted.filter((score) => score > least).length).toBeLessThan(4);
  });

  it('is made of the models that are there, and of further ones', async () => {
    const out = join(folder, 'scores.csv');
    const again = await memorise(plain, { out });
    expect(again.trained).toBe(0);
    const more = await memorise(plain, { out, pairs: 3 });
    expect([more.trained, more.models, more.noise]).toEqual([2, 6, Math.sqrt(1 / 6)]);
    const other = join(folder, 'other.csv');
    const there = await memorise(plain, { out: other, bank: join(folder, 'scores.bank') });
    expect([there.trained, there.quantiles]).toEqual([0, again.quantiles]);
  });
});

it('a stopped call loses one model at most, and goes on to the same scores', async () => {
  const out = join(folder, 'stopped.csv');
  const controller = new AbortController();
  const stop = memorise(plain, {
    out,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === 'progress' && event.progress.fraction > 0.6) controller.abort();
    },
  });
  await refuses(() => stop, 'state', /^stopped; the same command goes on from here$/);
  expect(existsSync(out)).toBe(false);
  const { trained } = await memorise(plain, { out });
  expect(trained).toBeGreaterThan(0);
  expect(trained).toBeLessThan(3);
  const whole = await loadScores(join(folder, 'other.csv'));
  expect((await loadScores(out)).scores).toEqual(whole.scores);
});

it('other data, a folder of others and too many pairs are refused', async () => {
  const [out, bank] = [join(folder, 'x.csv'), join(folder, 'scores.bank')];
  const right = { ...plain, dataset: { name: 'glyphs', options } };
  await refuses(
    () => memorise(right, { out, bank }),
    'value',
    /scores\.bank: holds models of another recipe, data/,
  );
  await refuses(
    () => memorise(plain, { out, pairs: 0 }),
    'value',
    /^pairs: expected a whole number from 1 to 500/,
  );
  expect(existsSync(out)).toBe(false);
});
