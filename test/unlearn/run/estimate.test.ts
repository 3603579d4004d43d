// Estimates count the samples that the methods really visit.

import { expect, it } from 'vitest';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import { workOf } from '../../../unlearn/run/estimate.ts';

it('passes of a method: what it sees of the forgotten and the kept samples, by its options', () => {
  const passes = (name: string, options: object = {}) => {
    const methods = [{ name, options: 'train' in options ? options : { epochs: 3, ...options } }];
    const base = { name: 'e', dataset: { name: 'glyphs' }, forget: { class: 3 }, model: { name: 'mlp' } };
    const recipe = checkRecipe({ ...base, methods });
    const method = recipe.methods.find((m) => m.name === name)!;
    const names = {
      id: '',
      label: name,
      key: '',
      evaluationKey: '',
      from: null,
      prepared: null,
      weights: '',
      entries: [],
    };
    const use = { audits: null, judge: 'test', trial: false } as const;
    const cell = { ...names, ...use, seed: 0, method };
    const { train, infer } = workOf(cell, recipe, { forget: 10, retain: 100 });
    return [train, infer];
  };
  expect(passes('retrain')).toEqual([300, 0]);
  expect(passes('finetune')).toEqual([300, 0]);
  expect(passes('randomLabels')).toEqual([330, 0]);
  expect(passes('randomLabels', { order: 'forgetOnly' })).toEqual([30, 0]);
  expect(passes('gradientAscent')).toEqual([30, 0]);
  expect(passes('boundaryShrink')).toEqual([40, 10]);
  expect(passes('boundaryExpanding', { learningRate: 0 })).toEqual([30, 0]);
  // Preparation of 110, then 100 that are left, of which ten removals reach all but 0.8^10.
  const [train] = passes('sisa', { shards: 5, slices: 1, train: { epochs: 3 } });
  expect(train).toBeCloseTo(330 + 300 * (1 - 0.8 ** 10), 9);
  // Four rotations of each, in the preparation and in a removal that may reach all.
  expect(passes('arcane', { blocks: 1, train: { epochs: 3 } })).toEqual([2520, 0]);
  // Each of 110 and of what is left looked at twice at most, for centre and distances.
  expect(passes('arcane', { oneClass: 'svdd', blocks: 1, train: { epochs: 3 } })).toEqual([630, 440]);
});
