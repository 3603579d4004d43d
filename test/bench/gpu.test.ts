// The GPU bench's own arithmetic: what it calls right agrees with the engine, what it calls wrong is wrong, and its tables
// say who is faster.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attention } from '../../bench/attention.ts';
import {
  type Case,
  convolution,
  DIRECTIONS,
  disposeAll,
  elementwise,
  matmul,
  reduction,
} from '../../bench/cases.ts';
import { distance, type GpuBenchResult, type SideResult } from '../../bench/gpu/index.ts';
import { advantage, tablesOf } from '../../bench/gpu/report.ts';
import { checkOf } from '../../bench/gpu/sides.ts';
import { inputs, labels, positions, uniform } from '../../bench/inputs.ts';
import { normalisation, softmax } from '../../bench/norms.ts';
import * as lt from '../../index.ts';

describe('inputs', () => {
  it('are the same in every language: PyTorch computed these', () => {
    // bench/peers/pytorch.py, uniform(0, ...) and uniform(3, ...).
    expect([0, 1, 2, 1_000_003].map((i) => uniform(0, i))).toEqual([
      0.9470480680465698, -0.22287988662719727, 0.1884373426437378, 0.591628909111023,
    ]);
    expect([0, 1, 2, 1_000_003].map((i) => uniform(3, i))).toEqual([
      0.9864070415496826, 0.6948788166046143, -0.8689645528793335, -0.09789979457855225,
    ]);
  });
  it('fill [-scale, scale) evenly, and every label occurs', () => {
    const x = inputs(5, 40_000, 2);
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const square = x.reduce((a, b) => a + b * b, 0) / x.length;
    // Five standard deviations of the mean of so many: 2 / sqrt(3 n), and of their squares: 4 sqrt(4 / 45 / n).
    expect(Math.abs(mean)).toBeLessThan(5 * (2 / Math.sqrt(3 * x.length)));
    expect(Math.abs(square - 4 / 3)).toBeLessThan(5 * 4 * Math.sqrt(4 / 45 / x.length));
    expect(Math.max(...x)).toBeLessThan(2);
    expect(Math.min(...x)).toBeGreaterThanOrEqual(-2);
    expect(new Set(labels(1, 500))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(positions(7, 16).every((p) => p >= 0 && p < 7)).toBe(true);
  });
});

describe('what is right', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });
  afterAll(lt.close);

  const errorOf = async (c: Case): Promise<number> => {
    const prepared = c.prepare();
    const results = prepared.run();
    const result = [results].flat()[0] as lt.Tensor;
    const data = await result.data();
    expect(result.size).toBe(c.size);
    disposeAll(results);
    prepared.dispose();
    const { at } = checkOf(c);
    return distance(
      at.map((i) => Number(data[i])),
      at.map((i) => (c.exact as (i: number) => number)(i)),
    );
  };
  const shapes = [
    { c: 3, o: 8, h: 6, k: 3, stride: 1 },
    { c: 4, o: 2, h: 8, k: 3, stride: 2 },
    { c: 5, o: 3, h: 4, k: 1, stride: 2 },
  ];
  const all: Case[] = [
    matmul(5, 7, 33),
    ...shapes.flatMap((s) => DIRECTIONS.map((d) => convolution(s, d, 2))),
    attention(20, 'forward'),
    attention(20, 'gradient'),
    ...(['forward', 'gradient'] as const).flatMap((pass) => [
      softmax([3, 2, 17], { pass }),
      softmax([5, 40], { log: true, pass }),
      normalisation({ kind: 'layer', shape: [3, 4, 24] }, pass),
      normalisation({ kind: 'group', shape: [3, 4, 4, 12], groups: 4 }, pass),
      normalisation({ kind: 'batch', shape: [3, 4, 4, 12] }, pass),
    ]),
    elementwise(300, 'add'),
    elementwise(300, 'chain'),
    ...([-1, 0, 1] as const).map((axis) => reduction(9, 12, axis)),
  ];
  it.each(all.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    expect(await errorOf(c)).toBeLessThan(c.tolerance);
  });
  it('is not what another case computes', async () => {
    const [shape] = shapes;
    const c = convolution(shape, 'input', 2);
    const wrong = { ...c, exact: convolution({ ...shape, k: 1 }, 'input', 2).exact };
    expect(await errorOf(wrong)).toBeGreaterThan(c.tolerance);
  });
});

describe('tables', () => {
  const side = (name: string, ms: number | null, right: boolean | null = true): SideResult =>
    ms === null ? { side: name, ms, failure: 'out | of memory' } : { side: name, ms, right };
  const result = (...sides: SideResult[]): GpuBenchResult => ({
    machine: { processor: 'P', cores: 2 },
    adapter: { description: 'A' },
    ceilings: { Lethe: { gflops: 1000, triadGBs: 100 } },
    sides: sides.map((s) => s.side),
    dawn: { Lethe: [] },
    date: '2026-01-02T03:04:05Z',
    minutes: 1,
    results: [{ suite: 'matmul', name: 'm', gflop: 2, bytes: null, tolerance: 1e-6, sides }],
  });
  it('give the rate, its share of the ceiling and the ratio to the better peer', () => {
    const r = result(side('Lethe', 4), side('jax', 12), side('tfjs', 8));
    expect(tablesOf(r)).toContain(
      '| m | 4 ms, 500 GFLOP/s (50 %) | 12 ms, 167 GFLOP/s | 8 ms, 250 GFLOP/s | 2x |',
    );
  });
  it('leave out of the ratio a peer that is wrong or failed, and say so', () => {
    const r = result(side('Lethe', 4), side('jax', 1, false), side('tfjs', null));
    expect(advantage(r.results[0])).toBeNull();
    expect(tablesOf(r)).toContain('| 1 ms, 2 TFLOP/s, **wrong** | failed: out / of memory | - |');
  });
  it('give no ratio where Lethe itself is wrong', () => {
    expect(advantage(result(side('Lethe', 4, false), side('jax', 12)).results[0])).toBeNull();
  });
});
