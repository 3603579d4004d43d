// The data of a run: wrong labels, what is held out of them, forget sets by scores, and the metric that knows what is right.

import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { datasets, mislabel } from '../../../unlearn/data/index.ts';
import { predict } from '../../../unlearn/predict.ts';
import { variantsOf } from '../../../unlearn/recipe/vary.ts';
import { checkRecipe, parseRecipe } from '../../../unlearn/recipe.ts';
import { factsOf } from '../../../unlearn/report/facts.ts';
import { defaultParts } from '../../../unlearn/run/default-parts.ts';
import { basisOf } from '../../../unlearn/run/plan.ts';
import { summarise, summaryLines } from '../../../unlearn/run/summary.ts';
import { readRecipe } from '../../../unlearn/run.ts';
import { toParts } from '../../../unlearn/weights.ts';
import { collect, source } from '../../bytes.ts';
import { refuses, scratch } from '../data/helpers.ts';

const options = { trainSize: 200, testSize: 20 };
const recipeOf = (change: object = {}) =>
  checkRecipe({
    name: 'wrong',
    dataset: { name: 'glyphs', options, mislabelled: { share: 0.2, seed: 5 } },
    forget: { mislabelled: true },
    model: { name: 'mlp', options: { hidden: [4] }, normalisation: 'none' },
    methods: [{ name: 'finetune' }],
    device: 'reference',
    ...change,
  });
const parts = defaultParts();
const recipe = recipeOf();

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

describe('wrong labels in a recipe', () => {
  it('are those of the library, and told at the start', async () => {
    const runData = await parts.load(recipe);
    const clean = await datasets.load('glyphs', options);
    const wrong = mislabel(clean, { share: 0.2, seed: 5 });
    expect(runData.dataset.hash).toBe(wrong.hash);
    expect(runData.manifest.ids).toEqual([...(wrong.mislabelled?.keys() ?? [])]);
    expect(runData.dataset.test.labels).toEqual(clean.test.labels);
    const count = runData.forget.size;
    expect(summaryLines(summarise(runData))).toEqual([
      `data: glyphs, 220 samples in 10 classes: 200 for training (${Math.min(...counts(wrong.train.labels))} to ${Math.max(...counts(wrong.train.labels))} of each class, ${count} with a wrong label), 20 set aside for testing`,
      `to forget: ${count} training samples`,
    ]);
    const keys = [recipe, recipeOf({ dataset: { ...recipe.dataset, mislabelled: { share: 0.2 } } })];
    const bases = await Promise.all(
      keys.map(async (one) => basisOf(one, await parts.load(one), { backend: 'x', dtype: 'y' }, '1').base),
    );
    expect(bases[0]).not.toEqual(bases[1]);
  });

  it('of held-out images are right again, and those are not among the wrong ones', async () => {
    const { dataset, validation, forget } = await parts.load(recipeOf({ validation: 0.3 }));
    const all = (await parts.load(recipe)).dataset;
    const clean = await datasets.load('glyphs', options);
    const right = new Map([...clean.train.ids].map((id, i) => [id, clean.train.labels[i]]));
    const held = validation!;
    expect([...held.labels]).toEqual([...held.ids].map((id) => right.get(id)));
    expect([...held.ids].some((id) => all.mislabelled?.has(id))).toBe(true);
    expect([...forget.ids]).toEqual([...dataset.mislabelled!.keys()]);
    expect([...forget.ids].filter((id) => held.ids.includes(id))).toEqual([]);
    expect(forget.size).toBe([...all.mislabelled!.keys()].filter((id) => !held.ids.includes(id)).length);
    expect(dataset.notes.at(-1)).toMatch(/ held out for validation, with their right labels$/);
  });

  it('a share of them is drawn anew by each forget seed', async () => {
    const part = recipeOf({ forget: { mislabelled: true, ratio: 0.5 }, seeds: [1, 2] });
    const first = await parts.load(part);
    const seeds = (seed: number) => ({ seed, train: seed, forget: seed, unlearn: seed });
    const [one, two] = [1, 2].map((seed) => parts.draw(part, first, seeds(seed)).manifest.ids);
    expect(one).toEqual(first.manifest.ids);
    expect(two).not.toEqual(one);
    expect(two.every((id) => first.dataset.mislabelled?.has(id))).toBe(true);
  });
});

const counts = (labels: Int32Array) => {
  const found = new Array(10).fill(0);
  for (const label of labels) found[label]++;
  return found;
};

describe('corrected', () => {
  it('is the accuracy on what was forgotten under the right labels', async () => {
    const runData = await parts.load(recipe);
    const model = lt.nn.models.mlp({ classes: 10, hidden: [4] });
    const variables = lt.scope(() => model.init(lt.random.key(2), [1, 32, 32, 3]));
    const logits = await predict(model, variables, runData.forget);
    const weights = source(await collect(toParts(model, variables, [32, 32, 3])));
    const measure = async (of: typeof recipe, on = runData) => {
      const task = { recipe: of, runData: on, seed: 0, onProgress: () => {} };
      return (await parts.evaluate({ ...task, weights })).metrics;
    };
    const clean = await datasets.load('glyphs', options);
    const right = new Map([...clean.train.ids].map((id, i) => [id, clean.train.labels[i]]));
    const hits = [...runData.forget.ids].filter((id, row) => {
      const answers = [...logits.subarray(10 * row, 10 * row + 10)];
      return answers.indexOf(Math.max(...answers)) === right.get(id);
    });
    const found = await measure(recipe);
    expect(found.corrected).toBeCloseTo((100 * hits.length) / runData.forget.size, 10);
    const others = recipeOf({ dataset: { name: 'glyphs', options }, forget: { class: 3 } });
    expect((await measure(others, await parts.load(others))).corrected).toBeNull();
    // Wrong labels elsewhere in the data say nothing of what is forgotten.
    const rightOnes = [...runData.dataset.train.ids].filter((id) => !runData.dataset.mislabelled?.has(id));
    const sound = recipeOf({ forget: { ids: rightOnes.slice(0, 20) } });
    expect((await measure(sound, await parts.load(sound))).corrected).toBeNull();
  });
});

describe('scores in a recipe', () => {
  const text = (forget: string) =>
    `name: s\ndataset: { name: glyphs, options: { trainSize: 40, testSize: 20 } }\nforget: ${forget}\nmodel: { name: mlp }\nmethods: [{ name: finetune }]\n`;

  it('lie beside the recipe, and choose what is forgotten for all seeds', async () => {
    const folder = await scratch({
      'my.yaml': text('{ scores: in/s.csv, take: lowest, ratio: 0.1, seed: 3 }'),
      'in/s.csv': `id,score\n${Array.from({ length: 40 }, (_, id) => `${id},${id}`).join('\n')}\n`,
    });
    const recipe = await readRecipe(join(folder, 'my.yaml'));
    expect(recipe.forget.scores).toBe(relative('.', join(folder, 'in/s.csv')));
    const runData = await parts.load(recipe);
    expect(runData.manifest.ids).toEqual([0, 1, 2, 3]);
    expect(checkRecipe(recipe)).toEqual(recipe);
  });

  it('are looked for beside the recipe in the runs of vary, too', async () => {
    const runs = [
      { label: 'a', set: { forget: { scores: 'a.csv', ratio: 0.1 } } },
      { label: 'b', set: { 'forget.scores': 'in/b.csv' } },
    ];
    const whole = `${text('{ scores: s.csv, ratio: 0.1 }')}\nvary: ${JSON.stringify({ about: 'file', runs })}\n`;
    const folder = await scratch({ 'my.yaml': whole });
    const recipe = await readRecipe(join(folder, 'my.yaml'));
    const files = [recipe, ...variantsOf(recipe).map((one) => one.recipe)].map(({ forget }) => forget.scores);
    expect(files).toEqual(['s.csv', 'a.csv', 'in/b.csv'].map((file) => relative('.', join(folder, file))));
  });

  it('that are not there are one error with the command that makes them', async () => {
    const folder = await scratch({ 'my.yaml': text('{ scores: s.csv, ratio: 0.1 }') });
    const recipe = await readRecipe(join(folder, 'my.yaml'));
    const line =
      /^forget\.scores: no file .*s\.csv; it is made by: lethe memorisation RECIPE --out .*s\.csv$/;
    await refuses(() => parts.load(recipe), 'value', line);
    const shipped = { ...(await readRecipe('forget-memorised')), dataset: recipe.dataset };
    const command = 'lethe memorisation forget-memorised --out forget-memorised.csv';
    await expect(parts.load(shipped)).rejects.toThrow(
      `forget.scores: no file forget-memorised.csv; it is made by: ${command}`,
    );
    writeFileSync(join(folder, 's.csv'), 'id,score\n0,high\n');
    await refuses(() => parts.load(recipe), 'data', /s\.csv: line 2: the score of id 0/);
  });

  it.each([
    ['{ scores: s.csv }', 'forget.scores: expected ratio beside it'],
    ['{ scores: s.csv, ratio: 1 }', 'forget.ratio: expected a number between 0 and 1'],
    ['{ scores: s.csv, ratio: 0.1, take: most }', 'forget.take: no such choice "most"'],
    [
      '{ scores: s.csv, ratio: 0.1, withinClass: 3 }',
      'withinClass belongs to ratio; expected it only beside',
    ],
    ['{ ratio: 0.1, take: lowest }', 'take belongs to scores; expected it only beside'],
    [
      '{ scores: s.csv, ratio: 0.1, ids: [1] }',
      'expected exactly one of class, ratio, ids, files, person, mislab',
    ],
    ['{ mislabelled: true }', 'forget.mislabelled: expected dataset.mislabelled beside it'],
    ['{ mislabelled: false }', 'forget.mislabelled: expected true, got false'],
  ])('%s is refused', (forget, message) => {
    let said = '';
    try {
      parseRecipe(text(forget));
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toContain(message);
  });
});

it.each([
  [{ mislabelled: true }, 'the training data with wrong labels'],
  [{ mislabelled: true, ratio: 0.5 }, 'a random 50 % of the training data with wrong labels'],
  [{ scores: 's.csv', ratio: 0.1 }, 'the 10 % of the training data with the highest scores'],
  [{ scores: 's.csv', ratio: 0.1, take: 'lowest' }, 'the 10 % of the training data with the lowest scores'],
  [{ ratio: 0.1 }, 'a random 10 % of the training data'],
])('the report of %j is about %s', (spec, words) => {
  const environment = { forget: { spec, kind: 'samples', classes: [] } };
  const { title } = factsOf({ version: 1, recipe: {}, device: {}, environment, runs: [] });
  expect(title).toBe(`Forgetting ${words}`);
});
