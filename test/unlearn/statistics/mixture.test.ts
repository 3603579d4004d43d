// The share of non-members beside an independent computation, and on mixtures whose share is known.

import { expect, it } from 'vitest';
import { mixture } from '../../../unlearn/statistics/mixture.ts';
import type { Points } from '../../../unlearn/statistics/rbf.ts';
import { oracle, rowsOf } from './oracle.ts';
import { draws } from './samples.ts';

it.each(['gaussian', 'linear'] as const)(
  'has the share and the residual of the formulas, %s kernel',
  (kernel) => {
    const { d, forget, members, others } = oracle.mixture;
    const [F, M, N] = [forget, members, others].map((values) => rowsOf(values, d));
    const found = mixture(F, M, N, { kernel, bootstraps: 20, permutations: 99 });
    expect(found.share).toBeCloseTo(oracle.mixture[kernel].share, 10);
    expect(found.residual).toBeCloseTo(oracle.mixture[kernel].residual, 10);
  },
);

const cloud = (n: number, seed: number, shift: (row: number) => number): Points => {
  const { normal } = draws(seed);
  return { x: Float64Array.from({ length: 3 * n }, (_, i) => normal() + shift(Math.floor(i / 3))), n, d: 3 };
};
const quick = { bootstraps: 100, permutations: 199 };
const M = cloud(100, 1, () => 0);
const N = cloud(100, 2, () => 1.5);

it.each([0, 0.25, 0.5, 0.75, 1])('recovers a share of %d', (share) => {
  const F = cloud(100, 3, (row) => (row < 100 * share ? 1.5 : 0));
  const found = mixture(F, M, N, quick);
  expect(found.answers).toBe(true);
  expect(Math.abs(found.share - share)).toBeLessThan(0.1);
  expect(found.shareInterval[0]).toBeLessThan(share);
  expect(found.shareInterval[1]).toBeGreaterThan(share);
  expect(Math.abs(found.residual)).toBeLessThan(0.05);
});

it('has a large residual where the samples are neither, and no answer where members and others are alike', () => {
  expect(
    mixture(
      cloud(100, 4, () => -3),
      M,
      N,
      quick,
    ).residual,
  ).toBeGreaterThan(0.5);
  expect(
    mixture(
      M,
      cloud(100, 5, () => 0),
      cloud(100, 6, () => 0),
      quick,
    ),
  ).toMatchObject({ answers: false });
  expect(() =>
    mixture(
      M,
      N,
      cloud(3, 7, () => 0),
    ),
  ).toThrow('expected at least 4 rows of 3, got 3 x 3');
});
