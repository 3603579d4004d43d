// The bound on (epsilon, delta): true where the divergence is known in closed form, and not above it.

import { expect, it } from 'vitest';
import { normalCdf } from '../../../unlearn/statistics/distributions.ts';
import { hockeyStick } from '../../../unlearn/statistics/hockeyStick.ts';
import type { Points } from '../../../unlearn/statistics/rbf.ts';
import { draws } from './samples.ts';

const line = (n: number, shift: number, seed: number): Points => {
  const { normal } = draws(seed);
  return { x: Float64Array.from({ length: n }, () => normal() + shift), n, d: 1 };
};

// E_gamma between N(0, 1) and N(r, 1): the hockey-stick divergence of a shifted normal.
const exact = (r: number, epsilon: number) =>
  normalCdf(r / 2 - epsilon / r) - Math.exp(epsilon) * normalCdf(-r / 2 - epsilon / r);

it.each([
  [2, 0],
  [2, 1],
  [1, 0],
])(
  'of two normals %d apart at epsilon %d comes near the divergence and bounds it from below',
  (r, epsilon) => {
    const found = hockeyStick(line(4000, 0, 1), line(4000, r, 2), { gamma: Math.exp(epsilon) });
    expect(exact(2, 1)).toBeCloseTo(0.509862, 5);
    expect(Math.abs(found.delta - exact(r, epsilon))).toBeLessThan(0.04);
    expect(found.low).toBeLessThan(exact(r, epsilon));
    expect(found.low).toBeGreaterThan(exact(r, epsilon) - 0.1);
  },
);

it('sets of unequal sizes move nothing, and equal distributions bound nothing', () => {
  const found = hockeyStick(line(4000, 0, 3), line(800, 2, 4));
  expect(Math.abs(found.delta - exact(2, 0))).toBeLessThan(0.05);
  let wrong = 0;
  for (let i = 0; i < 60; i++)
    if (hockeyStick(line(60, 0, 10 + i), line(60, 0, 500 + i), { seed: i }).low > 0) wrong++;
  expect(wrong).toBeLessThanOrEqual(6);
  expect(() => hockeyStick(line(3, 0, 1), line(9, 0, 2))).toThrow('at least 4 rows');
});
