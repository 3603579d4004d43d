// `vary`: what each run of a recipe is, and that what is wrong with one is told with its place and its name.

import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { knownMethods } from '../../../unlearn/recipe/own.ts';
import { variantOf, variantsOf } from '../../../unlearn/recipe/vary.ts';
import { checkRecipe, draftRecipe, finishRecipe, parseRecipe } from '../../../unlearn/recipe.ts';

const base = {
  name: 'shares',
  dataset: { name: 'glyphs' },
  forget: { ratio: 0.1 },
  model: { name: 'lenet' },
  train: { epochs: 3, learningRate: 0.02 },
  methods: [{ name: 'finetune' }, { name: 'salun', options: { density: 0.5 } }],
};
const runs = [
  { label: '10', at: 0.1, set: {} },
  { label: '30', at: 0.3, set: { 'forget.ratio': 0.3 } },
  { label: 'class', at: 1, set: { forget: { class: 'star' }, 'methods.salun.options.density': 0.2 } },
];
const vary = (own: readonly object[], more: object = {}) => ({
  ...base,
  ...more,
  vary: { about: 'share', runs: own },
});
const faultOf = (recipe: object): string => {
  try {
    parseRecipe(stringify(recipe), 'r.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no fault';
};
/** Of a recipe with two runs, the second of which has these values. */
const second = (set: object) => faultOf(vary([runs[0], { label: 'b', at: 2, set }]));

describe('the runs of a recipe', () => {
  it('are recipes with their own values, put in before defaults are', () => {
    const recipe = checkRecipe(
      vary([...runs, { label: 'slow', at: 2, set: { 'train.learningRate': 0.01 } }]),
    );
    const all = variantsOf(recipe);
    expect(all.map(({ label, at, recipe: { forget } }) => [label, at, forget])).toEqual([
      ['10', 0.1, { ratio: 0.1 }],
      ['30', 0.3, { ratio: 0.3 }],
      ['class', 1, { class: 'star' }],
      ['slow', 2, { ratio: 0.1 }],
    ]);
    const of = (i: number, label: string) =>
      all[i].recipe.methods.find((method) => method.label === label)?.options;
    expect([of(0, 'salun')?.density, of(2, 'salun')?.density]).toEqual([0.5, 0.2]);
    // A method that takes the rate of training takes that of its run.
    expect([of(0, 'retrain')?.learningRate, of(3, 'retrain')?.learningRate]).toEqual([0.02, 0.01]);
    for (const { label, recipe: one } of all) {
      const { set } = recipe.vary?.runs.find((run) => run.label === label) ?? { set: {} };
      expect(one).not.toHaveProperty('vary');
      expect(checkRecipe(one)).toEqual(one);
      expect(checkRecipe({ ...base, ...(label === '30' ? { forget: { ratio: 0.3 } } : {}) }).train).toEqual({
        ...one.train,
        learningRate: 0.02,
      });
      for (const key of Object.keys(set)) expect(key).not.toContain('.');
    }
    // Each by itself is what the same overrides make of the recipe.
    const overrides = ['forget={ class: star }', 'methods.salun.options.density=0.2'];
    expect(all[2].recipe).toEqual(parseRecipe(stringify(base), 'r', overrides));
  });

  it('a complete recipe is read back the same, with the same runs', () => {
    const recipe = checkRecipe(vary(runs));
    const again = checkRecipe(JSON.parse(JSON.stringify(recipe)));
    expect(again).toEqual(recipe);
    expect(variantsOf(again)).toEqual(variantsOf(recipe));
    expect(recipe.vary?.runs[0].set).toEqual({});
  });

  it('nothing of the recipe is changed by its runs, shared parts neither', () => {
    const shared = 'train: &t { epochs: 3 }\n';
    const text = `${shared}${stringify({ ...base, train: undefined, vary: { about: 'x', runs: [runs[0], { label: 'b', at: 2, set: { 'train.epochs': 7 } }] } })}`;
    const recipe = parseRecipe(text);
    expect(recipe.train.epochs).toBe(3);
    expect(variantsOf(recipe).map(({ recipe: { train } }) => train.epochs)).toEqual([3, 7]);
    const set = parseRecipe(text, 'r', ['train.epochs=9']);
    expect(variantsOf(set).map(({ recipe: { train } }) => train.epochs)).toEqual([9, 7]);
  });

  it('one of them by its label', () => {
    const recipe = checkRecipe(vary(runs));
    expect(variantOf(recipe, '30').forget).toEqual({ ratio: 0.3 });
    expect(() => variantOf(recipe, '40')).toThrow(
      'recipe shares: vary has no run "40"; expected one of 10, 30, class',
    );
    expect(() => variantsOf(checkRecipe(base))).toThrow('recipe shares: it has no vary, so it is one run');
  });
});

describe('faults', () => {
  it.each([
    ['a value', { 'forget.ratio': 2 }, 'forget.ratio: expected a number from 0 to 1, got 2'],
    [
      'a rule',
      { 'forget.ids': [1] },
      'forget: expected exactly one of class, ratio, ids, files, person, mislabelled, scores',
    ],
    ['a misspelt key', { 'train.epoch': 2 }, 'train: unknown key "epoch"; did you mean "epochs"?'],
    [
      'an option',
      { 'methods.salun.options.densty': 1 },
      'methods.1.options: unknown key "densty"; did you mean "density"?',
    ],
    [
      'an entry that is not there',
      { 'methods.scrub.options.epochs': 1 },
      '"methods.scrub.options.epochs": methods is a list of 2; expected a position from 0 to 2 or a label, got "scrub"; known: finetune, salun',
    ],
    [
      'a run of runs',
      { 'vary.about': 'y' },
      '"vary.about": a run cannot vary by itself; expected other keys',
    ],
  ])('%s: told once, at its place, with the name of the run', (_, set, message) => {
    const text = stringify(vary([runs[0], { label: 'b', at: 2, set }]));
    const line = text.split('\n').findIndex((one) => one.trim().startsWith(Object.keys(set)[0])) + 1;
    expect(second(set)).toBe(`r.yaml:${line}:9: run "b" of vary: ${message}`);
  });

  it('of the recipe itself are told once, not of each run', () => {
    expect(faultOf(vary(runs, { device: 'abacus' }))).toMatch(
      /^r\.yaml:\d+:1: device: no such choice "abacus"/,
    );
  });

  it.each([
    ['one run', [runs[0]], 'vary.runs: expected a list of 2 to 100 runs'],
    ['no label', [runs[0], { set: {} }], 'vary.runs.1.label: missing'],
    ['a path', [runs[0], { label: '../x', set: {} }], 'vary.runs.1.label: expected a label of letters'],
    ['no values', [runs[0], { label: 'x' }], 'vary.runs.1.set: missing'],
    [
      'a list of values',
      [runs[0], { label: 'x', set: [1] }],
      'vary.runs.1.set: expected a map of keys to values',
    ],
    [
      'one label twice, but for its case',
      [runs[2], { ...runs[1], label: 'Class' }],
      'vary.runs.1.label: "Class" is taken; expected a label of its own for each run',
    ],
    ['the name of a file', [runs[0], { ...runs[1], label: 'results.json' }], 'is kept for files of runs'],
    [
      'a place for some',
      [runs[0], { label: 'x', set: runs[1].set }],
      'vary.runs.1.at: expected a number for each',
    ],
    ['one place twice', [runs[0], { ...runs[1], at: 0.1 }], 'vary.runs.1.at: 0.1 is taken'],
    [
      'one run twice',
      [runs[0], { label: 'x', at: 3, set: { forget: { ratio: 0.1 }, description: 'the same' } }],
      'vary.runs.1.set: this is the run "10" again; expected runs that differ',
    ],
  ])('%s', (_, own, message) => {
    expect(faultOf(vary(own))).toContain(message);
  });
});

describe('methods of files', () => {
  // In the repository, so that `lethe` means its sources.
  const folder = fileURLToPath(new URL('../../../build/test-vary/', import.meta.url));
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const example = fileURLToPath(new URL('../../../examples/next-best.mjs', import.meta.url));
    copyFileSync(example, join(folder, 'own.mjs'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are loaded for each run, also where only a run names them', async () => {
    const own = { 'methods.2': { file: 'own.mjs', options: { epochs: 2 } } };
    const text = stringify(vary([runs[0], { label: 'own', at: 2, set: own }]));
    const draft = draftRecipe(text, 'r.yaml');
    const recipe = finishRecipe(draft, await knownMethods(draft.value, join(folder, 'r.yaml')));
    const [, { recipe: one }] = variantsOf(recipe);
    expect(one.methods.at(-1)).toMatchObject({ name: 'nextBest', options: { epochs: 2 } });
    expect(checkRecipe(recipe, 'again', await knownMethods(recipe))).toEqual(recipe);
    expect(() => parseRecipe(text)).toThrow('run "own" of vary: methods.2.file: the file was not loaded');
  });
});
