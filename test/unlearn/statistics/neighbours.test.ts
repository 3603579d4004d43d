// Profiles of neighbouring classes beside an independent computation, distributions beside their definitions.

import { describe, expect, it } from 'vitest';
import { normalCdf, shareInterval } from '../../../unlearn/statistics/distributions.ts';
import { jensenShannonRows } from '../../../unlearn/statistics/divergences.ts';
import {
  centredLogits,
  meanProfile,
  meanShares,
  neighbourShares,
  separability,
  totalVariation,
} from '../../../unlearn/statistics/neighbours.ts';
import type { Outputs } from '../../../unlearn/statistics/outputs.ts';
import { oracle, rowsOf } from './oracle.ts';
import { draws } from './samples.ts';

const { n, classes, gone, logits, profile } = oracle.answers;
const whole = (set: Outputs, K: number, without: number[]) =>
  meanShares(
    neighbourShares(set, K, without),
    K,
    Array.from(set.labels, (_, i) => i),
  );
const outputs = { logits: Float32Array.from(logits as number[]), labels: new Array(n).fill(gone[0]) };

describe('profiles', () => {
  it('are the mean of what a softmax without the gone classes gives', () => {
    const found = whole(outputs, classes, gone);
    for (const [k, value] of (profile as number[]).entries()) expect(found[k]).toBeCloseTo(value, 9);
    // A network that is sure of the class that is gone still has an order of the others.
    const sure = { logits: Float32Array.from([5000, 1, 2]), labels: [0] };
    expect(whole(sure, 3, [0])[2]).toBeCloseTo(Math.E / (1 + Math.E), 9);
    const broken = { logits: Float32Array.from([Number.NaN, 1, 2]), labels: [0] };
    expect(whole(broken, 3, [0])[1]).toBeCloseTo(0.5, 12);
  });

  it('are compared by total variation', () => {
    const [a, b] = [Float64Array.of(0, 0.25, 0.75), Float64Array.of(0, 0.5, 0.5)];
    expect(totalVariation(a, b)).toBe(0.25);
    expect(Array.from(meanProfile([a, b]))).toEqual([0, 0.375, 0.625]);
  });
});

it('the zero retrain forgetting score follows from the divergence of each row', () => {
  const { others, zrf } = oracle.answers;
  const other = { logits: Float32Array.from(others as number[]), labels: outputs.labels };
  const apart = jensenShannonRows(outputs, other, classes);
  expect(1 - apart.reduce((a, b) => a + b) / n).toBeCloseTo(zrf, 9);
  const [one, two] = [
    [99, 0],
    [-Infinity, 0],
  ].map((row) => ({ logits: Float32Array.from(row), labels: [0] }));
  expect(jensenShannonRows(one, two, 2)[0]).toBeCloseTo(Math.LN2, 9);
  expect(() => jensenShannonRows(one, other, 2)).toThrow('rows of the same samples, got 1 and 12');
});

describe('separability', () => {
  const cloud = (count: number, shift: number, seed: number) => {
    const { normal } = draws(seed);
    return rowsOf(
      Array.from({ length: 2 * count }, (_, i) => normal() + (i % 2) * shift),
      2,
    );
  };
  it('is that of the best threshold between two normals, and chance between equals', () => {
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(mean(separability(cloud(600, 0, 1), cloud(400, 2, 2)))).toBeCloseTo(100 * normalCdf(1), -0.8);
    expect(Math.abs(mean(separability(cloud(400, 0, 3), cloud(400, 0, 4))) - 50)).toBeLessThan(4);
    expect(() => separability(cloud(3, 0, 1), cloud(9, 0, 2))).toThrow('at least 4 of each');
  });
  it('looks at logits without the gone classes, centred, and passes over broken rows', () => {
    const rows = {
      logits: Float32Array.from([9, 1, 3, Number.NaN, 1, 2, 0, -Infinity, 4]),
      labels: [0, 0, 0],
    };
    const { x, n: count } = centredLogits(rows, 3, [0]);
    expect(count).toBe(2);
    expect(Array.from(x)).toEqual([-1, 1, -5002, 5002]);
  });
});

describe('distributions', () => {
  it('the normal is exact to rounding, in the tails too', () => {
    for (const [x, p] of oracle.normal as [number, number][])
      expect(Math.abs(normalCdf(x) / p - 1)).toBeLessThan(1e-12);
    expect(normalCdf(Infinity)).toBe(1);
    expect(normalCdf(-60)).toBe(0);
    expect(normalCdf(Number.NaN)).toBeNaN();
  });
  it('exact intervals of shares are those of their definition', () => {
    for (const { hits, n: trials, alpha, interval } of oracle.shares) {
      const found = shareInterval(hits, trials, alpha);
      expect(found[0]).toBeCloseTo(interval[0], 10);
      expect(found[1]).toBeCloseTo(interval[1], 10);
    }
    expect(() => shareInterval(3, 2)).toThrow('expected 0 to n hits in n trials, got 3 in 2');
  });
});
