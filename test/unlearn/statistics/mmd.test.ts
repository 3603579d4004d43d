// The kernel tests beside an independent computation, and how often they reject where it is known how often they should.

import { describe, expect, it } from 'vitest';
import { type AtScale, relativeMmd, twoSampleMmd } from '../../../unlearn/statistics/mmd.ts';
import type { Points } from '../../../unlearn/statistics/rbf.ts';
import { oracle, rowsOf } from './oracle.ts';
import { draws } from './samples.ts';

const { d, own, retrain, original, scales } = oracle.relative;
const sets = [own, retrain, original].map((values) => rowsOf(values, d));

describe('the three-sample test', () => {
  it('has the statistic, variance and p of the formulas at each bandwidth', () => {
    const found = relativeMmd(sets[0], sets[1], sets[2]);
    for (const [i, wanted] of (scales as AtScale[]).entries())
      for (const name of ['scale', 'statistic', 'variance', 'p', 'toRetrain', 'toOriginal'] as const)
        expect(found.scales[i][name]).toBeCloseTo(wanted[name], 9);
    expect(found.scales[0].statistic).toBeLessThan(0);
    expect(found.nearer).toBe('retrain');
    // Bonferroni over three bandwidths; the mirrored test is the test with the two exchanged.
    expect(found.p).toBe(Math.min(1, 3 * Math.min(...found.scales.map(({ p }) => p))));
    const mirrored = relativeMmd(sets[0], sets[2], sets[1]);
    expect(mirrored.p).toBeCloseTo(found.mirrored, 12);
    expect(mirrored.mirrored).toBeCloseTo(found.p, 12);
    expect(mirrored.nearer).toBe('original');
  });

  it('cannot tell where all three agree, and finds each of the two in its own place', () => {
    const [, r, o] = sets;
    expect(relativeMmd(r, r, r)).toMatchObject({ p: 1, mirrored: 1, nearer: null });
    expect(relativeMmd(r, r, o).nearer).toBe('retrain');
    expect(relativeMmd(o, r, o).nearer).toBe('original');
    expect(() => relativeMmd(rowsOf([1, 2, 3], 1), r, o)).toThrow('expected three sets of at least 4 x 1');
  });

  // Three models whose answers to a query share what is the query's, as those of real models do.
  const rejections = (place: number, repeats: number): number => {
    const { normal } = draws(11 + Math.round(100 * place));
    const cloud = (shared: Float64Array, shift: number): Points => ({
      x: shared.map((value) => value + 0.7 * normal() + shift),
      n: 50,
      d: 3,
    });
    let rejected = 0;
    for (let i = 0; i < repeats; i++) {
      const shared = Float64Array.from({ length: 150 }, () => normal());
      const [r, o] = [cloud(shared, -0.6), cloud(shared, 0.6)];
      const [{ p }] = relativeMmd(cloud(shared, -0.6 + 1.2 * place), r, o).scales;
      if (p <= 0.05) rejected++;
    }
    return (100 * rejected) / repeats;
  };

  it('rejects about 5 % on the boundary, none at retrain, nearly all at the original', () => {
    const boundary = rejections(0.5, 100);
    // 100 draws of 5 %: 1 to 10 in 97 of 100 cases.
    expect(boundary).toBeGreaterThanOrEqual(1);
    expect(boundary).toBeLessThanOrEqual(10);
    expect(rejections(0, 15)).toBe(0);
    expect(rejections(1, 15)).toBe(100);
  });
});

describe('the two-sample test over models', () => {
  const group = (n: number, shift: number, seed: number): Points => {
    const { normal } = draws(seed);
    return { x: Float64Array.from({ length: n * 5 }, () => normal() + shift), n, d: 5 };
  };

  it('is MMD^2 without bias, and counts the relabellings that give as much', () => {
    const [a, b] = [group(8, 0, 1), group(8, 3, 2)];
    const { statistic, p } = twoSampleMmd(a, b, { permutations: 199 });
    // Two clouds that far apart: no relabelling but those that exchange the groups gives as much.
    expect(p).toBeCloseTo(1 / 200, 12);
    const rows = [a, b].flatMap(({ x }) => Array.from({ length: 8 }, (_, i) => x.subarray(5 * i, 5 * i + 5)));
    const square = (i: number, j: number) => rows[i].reduce((sum, v, c) => sum + (v - rows[j][c]) ** 2, 0);
    const pairs = rows
      .flatMap((_, i) => rows.slice(i + 1).map((_, j) => square(i, i + 1 + j)))
      .sort((u, v) => u - v);
    const median = (pairs[59] + pairs[60]) / 2;
    const mean = (from: number, other: number) => {
      const all: number[] = [];
      for (let i = from; i < from + 8; i++)
        for (let j = other; j < other + 8; j++) if (i !== j) all.push(Math.exp(-square(i, j) / (2 * median)));
      return all.reduce((u, v) => u + v) / all.length;
    };
    expect(statistic).toBeCloseTo(mean(0, 0) + mean(8, 8) - 2 * mean(0, 8), 12);
  });

  it('rejects at most about 5 % where the groups are alike', () => {
    let rejected = 0;
    for (let i = 0; i < 200; i++)
      if (twoSampleMmd(group(8, 0, 100 + i), group(8, 0, 900 + i), { permutations: 99, seed: i }).p <= 0.05)
        rejected++;
    // 200 draws of 5 %: 4 to 16 in 95 of 100 cases.
    expect(rejected).toBeGreaterThan(2);
    expect(rejected).toBeLessThan(18);
  });
});
