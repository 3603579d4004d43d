// Damaged weights: by hand, and what must hold of any.
import { beforeAll, expect, test } from 'vitest';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { damages, quantised, withoutSmallest } from '../../unlearn/damage.ts';
import { disposeAll, tinyCnn, valuesOf } from './problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const small = (): Variables => ({
  params: {
    a: { weight: lt.tensor([7, -3.4, 0.6, 0.4], { shape: [2, 2] }), bias: lt.tensor([0.123, -4]) },
    b: { weight: lt.tensor([0.14, -0.045, 0, 0.021], { shape: [4, 1] }) },
  },
  state: { mean: lt.tensor([0.77]) },
});

test('rounds each tensor to its own grid, and leaves vectors and state', async () => {
  const variables = small();
  const found = quantised(variables, 4);
  const values = await valuesOf(found);
  // Steps 7 / 7 and 0.14 / 7.
  expect(values['params.a.weight']).toEqual([7, -3, 1, 0]);
  [0.14, -0.04, 0, 0.02].forEach((v, i) => expect(values['params.b.weight'][i]).toBeCloseTo(v, 12));
  expect([values['params.a.bias'], values['state.mean']]).toEqual([[0.123, -4], [0.77]]);
  disposeAll(found);
  disposeAll(variables);
});

test('b bits leave 2^b - 1 values or fewer, none further off than half a step; zeros stay', async () => {
  const model = tinyCnn();
  const variables = model.init(lt.random.key(4), [1, 6, 6, 1]);
  const before = await valuesOf(variables);
  for (const bits of [2, 4, 8]) {
    const found = quantised(variables, bits);
    const after = await valuesOf(found);
    for (const path of ['params.conv.weight', 'params.fc.weight']) {
      const step = Math.max(...before[path].map(Math.abs)) / (2 ** (bits - 1) - 1);
      expect(new Set(after[path].map((v) => Math.round(v / step))).size).toBeLessThanOrEqual(2 ** bits - 1);
      after[path].forEach((v, i) => {
        expect(Math.abs(v - before[path][i])).toBeLessThanOrEqual(step / 2 + 1e-12);
        expect(Math.abs(v / step - Math.round(v / step))).toBeLessThan(1e-9);
      });
    }
    disposeAll(found);
  }
  const zeros = { params: { weight: lt.zeros([2, 2]) }, state: {} };
  const found = quantised(zeros, 4);
  expect((await valuesOf(found))['params.weight'].map(Math.abs)).toEqual([0, 0, 0, 0]);
  for (const all of [found, zeros, variables]) disposeAll(all);
});

test('the smallest weights of all tensors together are set to 0', async () => {
  const variables = small();
  const found = await withoutSmallest(variables, 0.5);
  const values = await valuesOf(found);
  // Of 8 weights 4 go: 0, 0.021, 0.045, 0.14.
  expect(values['params.a.weight']).toEqual([7, -3.4, 0.6, 0.4]);
  expect(values['params.b.weight']).toEqual([0, 0, 0, 0]);
  expect([values['params.a.bias'], values['state.mean']]).toEqual([[0.123, -4], [0.77]]);
  disposeAll(found);
  disposeAll(variables);
});

test('all of them give networks of the same form, leave the given one alone, and free what they made', async () => {
  const model = tinyCnn();
  const variables = model.init(lt.random.key(4), [1, 6, 6, 1]);
  const before = await valuesOf(variables);
  const leaks = await lt.findLeaks(async () => {
    for (const damage of Object.values(damages)) {
      const found = await damage(variables);
      const after = await valuesOf(found);
      expect(Object.keys(after)).toEqual(Object.keys(before));
      expect(after).not.toEqual(before);
      disposeAll(found);
    }
  });
  expect(leaks).toEqual([]);
  expect(await valuesOf(variables)).toEqual(before);
  disposeAll(variables);
});

test('what is out of range is refused', async () => {
  const variables = small();
  expect(() => quantised(variables, 1)).toThrow('quantised: expected 2 to 16 bits, got 1');
  await expect(withoutSmallest(variables, 1.5)).rejects.toThrow('expected a share from 0 to 1, got 1.5');
  disposeAll(variables);
});
