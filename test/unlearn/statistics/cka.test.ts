// Linear CKA beside whole kernel matrices, and what it must not see.

import { expect, it } from 'vitest';
import { linearCka } from '../../../unlearn/statistics/cka.ts';
import { oracle, rowsOf } from './oracle.ts';
import { draws } from './samples.ts';

const a = rowsOf(oracle.cka.a, 6);
const b = rowsOf(oracle.cka.b, 4);

it('is that of the kernel matrices, with and without bias', () => {
  expect(linearCka(a, b)).toBeCloseTo(oracle.cka.unbiased, 10);
  expect(linearCka(a, b, { biased: true })).toBeCloseTo(oracle.cka.biased, 10);
});

it('is 1 for a representation and its rotation, scaled and moved, and NaN where nothing varies', () => {
  const turned = rowsOf(
    Array.from({ length: b.n }).flatMap((_, t) => {
      const [p, q, r, s] = b.x.subarray(4 * t, 4 * t + 4);
      return [3 * (0.6 * p - 0.8 * q) + 5, 3 * (0.8 * p + 0.6 * q), 3 * s, -3 * r];
    }),
    4,
  );
  expect(linearCka(b, turned)).toBeCloseTo(1, 10);
  expect(linearCka(b, rowsOf(new Array(25).fill(2), 1))).toBeNaN();
  expect(() => linearCka(a, rowsOf([1, 2, 3], 1))).toThrow('same 4 samples or more, got 25, 3');
});

it('without bias is about 0 for wide representations that have nothing in common; with it, it is not', () => {
  const { normal } = draws(8);
  const noise = () =>
    rowsOf(
      Array.from({ length: 40 * 60 }, () => normal()),
      60,
    );
  const pairs = Array.from({ length: 10 }, () => [noise(), noise()]);
  const mean = (biased: boolean) =>
    pairs.reduce((sum, [x, y]) => sum + linearCka(x, y, { biased }) / pairs.length, 0);
  expect(Math.abs(mean(false))).toBeLessThan(0.03);
  expect(mean(true)).toBeGreaterThan(0.5);
});
