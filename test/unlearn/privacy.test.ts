// The accountant against integrals, sums and known values.
import { expect, test } from 'vitest';
import {
  clippedSteps,
  descentRho,
  descentSteps,
  epsilonOf,
  erfc,
  gaussianDeviation,
  groupDelta,
  hockeyStick,
  normalTail,
  rhoOf,
} from '../../unlearn/privacy.ts';

/** Relative. */
const near = (got: number, wanted: number, tolerance: number) =>
  expect(Math.abs(got / wanted - 1)).toBeLessThan(tolerance);

test('erfc keeps its digits far out', () => {
  // Abramowitz and Stegun, table 7.1 and its continuation.
  near(erfc(0.5), 0.4795001221869535, 1e-14);
  near(erfc(2), 0.004677734981047266, 1e-12);
  near(erfc(3), 2.209049699858544e-5, 1e-13);
  near(erfc(10), 2.088487583762545e-45, 1e-12);
  near(erfc(-1), 1.842700792949715, 1e-14);
  near(normalTail(1.959963984540054), 0.025, 1e-12);
});

/** The integral of what N(0, 1) has above e^epsilon times N(r, 1), by Simpson's rule. */
function integral(epsilon: number, r: number): number {
  const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  // P is above e^epsilon Q to the left of the point where their ratio is e^epsilon.
  const [from, to, n] = [-12, r / 2 - epsilon / r, 4000];
  const h = (to - from) / n;
  const f = (x: number) => density(x) - Math.exp(epsilon) * density(x - r);
  let sum = f(from) + f(to);
  for (let i = 1; i < n; i++) sum += f(from + i * h) * (i % 2 === 1 ? 4 : 2);
  return (sum * h) / 3;
}

test.each([
  [1, 2, 0.509862],
  [1, 1, 0.126937],
])('Theta_%d(%d) = %d', (epsilon, r, value) => {
  expect(hockeyStick(epsilon, r)).toBeCloseTo(value, 6);
  near(hockeyStick(epsilon, r), integral(epsilon, r), 1e-9);
});

test('Theta is the integral elsewhere, 0 for equal Gaussians, and the total variation at epsilon 0', () => {
  for (const [epsilon, r] of [
    [0.1, 0.5],
    [3, 2],
    [8, 3],
    [1, 0.4],
  ])
    near(hockeyStick(epsilon, r), integral(epsilon, r), 1e-6);
  expect(hockeyStick(1, 0)).toBe(0);
  near(hockeyStick(0, 1), 1 - 2 * normalTail(0.5), 1e-12);
});

test.each([
  [0.2, 1],
  [2, 6],
  [2.5, 9],
  [3.9, 36],
])('at 2 C / sigma = %d it takes %d steps to epsilon 1, delta 1e-5', (ratio, steps) => {
  const found = clippedSteps({ epsilon: 1, delta: 1e-5, ratio });
  expect(found.steps).toBe(steps);
  expect(found.delta).toBeLessThanOrEqual(1e-5);
  expect(clippedSteps({ epsilon: 1, delta: 1e-5, ratio, start: 1e-6 })).toEqual({ steps: 0, delta: 1e-6 });
});

test('too little noise is an error', () => {
  expect(() => clippedSteps({ epsilon: 1, delta: 1e-5, ratio: 50 })).toThrow(
    /no certificate after 100000 steps/,
  );
});

test('rho 1 is epsilon 7.08 at delta 1e-5, and epsilon 1 needs rho 0.0306', () => {
  expect(epsilonOf(1, 1e-5)).toBeCloseTo(7.08, 2);
  expect(rhoOf(1, 1e-5)).toBeCloseTo(0.0306, 4);
  for (const epsilon of [0.1, 1, 8]) near(epsilonOf(rhoOf(epsilon, 1e-6), 1e-6), epsilon, 1e-9);
  // An upper bound on what Gaussians that far apart need: rho = r^2 / 2.
  for (const rho of [0.01, 1, 10])
    expect(hockeyStick(epsilonOf(rho, 1e-5), Math.sqrt(2 * rho))).toBeLessThanOrEqual(1e-5);
});

test('noisy descent: without weight decay the closed form, with it the sums', () => {
  const plain = { startNorm: 1, gradientNorm: 10, rate: 1e-2, decay: 0 };
  expect(descentSteps(plain)).toBe(10);
  for (const T of [1, 10, 40]) near(descentRho(plain, T), (2 + 0.2 * T) ** 2 / (2 * T), 1e-12);
  // The steps chosen are those of least noise.
  for (const T of [9, 11]) expect(descentRho(plain, T)).toBeGreaterThan(descentRho(plain, 10));
  const decayed = { startNorm: 1, gradientNorm: 10, rate: 1e-3, decay: 50 };
  expect(descentSteps(decayed)).toBe(Math.ceil(Math.log(10) / 0.05));
  // 1 / (1e-9 * 1e-3) steps would never be added up.
  expect(() => descentSteps({ startNorm: 1, gradientNorm: 1e-9, rate: 1e-3, decay: 0 })).toThrow(
    /^certified: 1000000000000 noisy steps with gradientNorm 1e-9, .* at most 1000000$/,
  );
  const [a, T] = [0.95, 20];
  const [sum, squares] = [(1 - a ** T) / (1 - a), (1 - a ** (2 * T)) / (1 - a * a)];
  near(descentRho(decayed, T), (2 * a ** T + 0.02 * sum) ** 2 / (2 * squares), 1e-12);
});

test('output noise and groups', () => {
  near(gaussianDeviation(2, 0.5, 1e-5), 4 * Math.sqrt(2 * Math.log(125_000)), 1e-12);
  // The classical deviation is no less than what the exact divergence asks.
  expect(hockeyStick(0.5, 2 / gaussianDeviation(2, 0.5, 1e-5))).toBeLessThan(1e-5);
  near(groupDelta(1, 1e-5, 1), 1e-5, 1e-12);
  // One step after the other: delta_k+1 = delta_k e^epsilon + delta.
  let sum = 0;
  for (let k = 1; k <= 6; k++) {
    sum = sum * Math.exp(0.7) + 1e-6;
    near(groupDelta(0.7, 1e-6, k), sum, 1e-12);
  }
});
