// Profiles: what an instruction is said to cost, how kernels become rows and a trace, and that backends time every kernel
// of what ran between start and stop, and change nothing by it.

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { profileLines, summary, timeKernels, traceOf, typicalRun } from '../../bench/profile.ts';
import { nameOf, shortest, workOf } from '../../bench/work.ts';
import type { KernelTime } from '../../engine/backend.ts';
import { device } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import { Clock } from '../../kernels/clock.ts';
import { TestWorld } from '../cli/world.ts';
import { describeGpu } from '../kernels/support.ts';
import { describeCpu } from '../native/support.ts';

afterAll(lt.close);

/** y = relu(x w + b) and its sum: a product with an epilogue, and a reduction. */
const layer = async (name: 'cpu' | 'webgpu' | 'reference') => {
  await lt.init({ device: name });
  const f = lt.jit((x: lt.Tensor, w: lt.Tensor, b: lt.Tensor) => {
    const y = lt.matmul(x, w).add(b).relu();
    return [y, y.sum()];
  });
  const args: Parameters<typeof f> = [lt.ones([6, 5]), lt.ones([5, 7]), lt.ones([7])];
  return { f, args, program: f.program(...args) };
};

describe('work', () => {
  it('counts multiply-adds, steps and every element once', async () => {
    const { program } = await layer('reference');
    const [product] = program.instructions;
    expect(product).toMatchObject({ kind: 'op', op: 'dot' });
    expect(workOf(program, product)).toEqual({
      flops: 2 * 6 * 5 * 7 + 2 * 6 * 7,
      bytes: 4 * (6 * 5 + 5 * 7 + 7 + 6 * 7),
    });
    expect(nameOf(product)).toBe('dot 6x5 5x7 -> 6x7 + add, relu');
    const normalised = lt.jit((x: lt.Tensor, w: lt.Tensor) => lt.matmul(x.sub(1).relu(), w));
    const [fused] = normalised.program(lt.ones([6, 5]), lt.ones([5, 7])).instructions;
    expect(nameOf(fused)).toBe('dot 6x5 (sub, relu) 5x7 -> 6x7');
  });
  it('on rows counts what each row hands on to itself as arithmetic only', async () => {
    await lt.init({ device: 'reference' });
    const softmax = lt.jit((x: lt.Tensor) => lt.softmax(x)).program(lt.ones([6, 5]));
    expect(softmax.instructions).toHaveLength(1);
    // Maximum, difference, exponential, sum, product, and a quotient for each row; x in, its softmax out.
    expect(workOf(softmax, softmax.instructions[0])).toEqual({ flops: 5 * 6 * 5 + 6, bytes: 2 * 4 * 6 * 5 });
    expect(nameOf(softmax.instructions[0])).toBe('6x5 by rows: reduce max, sub, exp, 3 more');
  });
  it('is bounded by arithmetic or by traffic', () => {
    const ceilings = { gflops: 100, triadGBs: 10 };
    expect(shortest({ flops: 2e9, bytes: 1e6 }, ceilings)).toBeCloseTo(0.02, 12);
    expect(shortest({ flops: 2e6, bytes: 1e9 }, ceilings)).toBeCloseTo(0.1, 12);
  });
});

describe('rows and traces', () => {
  it('are medians of runs, slowest first, kernels of an instruction together', async () => {
    const { program } = await layer('reference');
    const run = (a: number, b: number, c: number): KernelTime[] => [
      { program, instruction: 0, kernel: 'dot', start: 0, seconds: a },
      { program, instruction: 0, kernel: 'dot parts', start: a, seconds: b },
      { program, instruction: 1, kernel: 'loop reduced', start: a + b, seconds: c },
    ];
    const runs = [run(1e-6, 2e-6, 5e-6), run(2e-6, 2e-6, 6e-6), run(9e-6, 2e-6, 5e-6)];
    const { ms, rows } = summary(runs, { gflops: 1, triadGBs: 1 });
    expect(ms).toBeCloseTo(0.009, 12);
    expect(rows.map((r) => [r.count, r.ms.toFixed(6)])).toEqual([
      [1, '0.005000'],
      [1, '0.004000'],
    ]);
    const { flops, bytes } = workOf(program, program.instructions[0]);
    expect(rows[1].gflops).toBeCloseTo(flops / 4e-6 / 1e9, 9);
    expect(rows[1].gbs).toBeCloseTo(bytes / 4e-6 / 1e9, 9);
    expect(rows[1].percentOfRoofline).toBeCloseTo((100 * Math.max(flops, bytes) * 1e-9) / 4e-6, 6);
    expect(rows[0].percent + rows[1].percent).toBeCloseTo(100, 9);
    const profile = { name: 'layer', runs: 3, ms, rows, kernels: typicalRun(runs) };
    expect(profile.kernels).toBe(runs[1]);
    expect(profileLines(profile)[0]).toBe('layer: 0.009 ms in kernels, medians of 3 runs');
    const { traceEvents } = traceOf([profile], 'cpu') as { traceEvents: Record<string, unknown>[] };
    expect(traceEvents.filter((e) => e.ph === 'X').map((e) => [e.ts, e.dur, e.cat])).toEqual([
      [0, 2, 'dot'],
      [2, 2, 'dot'],
      [4, 6, 'loop'],
    ]);
  });
});

const timed = (name: 'cpu' | 'webgpu') => async (): Promise<void> => {
  const { f, args, program } = await layer(name);
  const { backend } = device();
  const plain = f(...args) as lt.Tensor[];
  let profiled: lt.Tensor[] = [];
  const times = await timeKernels(backend, () => {
    profiled = f(...args) as lt.Tensor[];
    f(...args);
    expect(() => backend.profile?.()).toThrow(/already/);
  });
  const own = times.filter((t) => t.program === program);
  expect(own).toEqual(times);
  expect(new Set(times.map((t) => t.instruction)).size).toBe(program.instructions.length);
  expect(times.length % 2).toBe(0);
  times.forEach((t, n) => {
    expect(t.seconds).toBeGreaterThanOrEqual(0);
    expect(t.start).toBeGreaterThanOrEqual(n > 0 ? times[n - 1].start : 0);
  });
  expect(times.reduce((sum, t) => sum + t.seconds, 0)).toBeGreaterThan(0);
  for (const k of [0, 1]) expect(await profiled[k].data()).toEqual(await plain[k].data());
  // What runs outside of a profile is in none.
  f(...args);
  expect(await timeKernels(backend, () => {})).toEqual([]);
};

/** A step whose arguments are given away runs in place, timed or not. */
const donated = (name: 'cpu' | 'webgpu') => async (): Promise<void> => {
  await lt.init({ device: name });
  const step = lt.jit((x: lt.Tensor) => x.mul(2).add(1), { donate: [0] });
  let x = lt.ones([1000]);
  const times = await timeKernels(device().backend, () => {
    for (let n = 0; n < 3; n++) x = step(x) as lt.Tensor;
  });
  expect(times.length).toBe(3);
  expect((await x.data())[999]).toBe(15);
};

describeCpu('the CPU', () => {
  it('times every kernel of what runs meanwhile', timed('cpu'));
  it('times programs that run in place', donated('cpu'));
  it('writes table and trace from the command line', async () => {
    const world = new TestWorld();
    const words = ['bench', 'dense', '--seconds', '0.01', '--trace', 'DIR/trace.json'];
    const { code, out } = await world.run(words);
    expect(code).toBe(0);
    expect(out).toMatch(/^dot 128x4096 4096x128 -> 128x128 {2,}1 +\d+\.\d+ +100\.0 +\d/m);
    const { traceEvents } = JSON.parse(readFileSync(world.path('trace.json'), 'utf8'));
    expect(traceEvents.filter((e: { ph: string }) => e.ph === 'X').length).toBe(1);
    world.close();
  });
});

describe('the reference', () => {
  it('cannot be asked', async () => {
    const world = new TestWorld();
    const { code, err } = await world.run([
      'bench',
      'dense',
      '--device',
      'reference',
      '--profile',
      '--seconds',
      '0.01',
    ]);
    expect(code).toBe(1);
    expect(err).toContain("device 'reference' cannot time its kernels");
    world.close();
  });
});

describeGpu('WebGPU', () => {
  it('times every kernel of what runs meanwhile', timed('webgpu'));
  it('times programs that run in place', donated('webgpu'));
  it('measures ceilings that are numbers above 0', async () => {
    await lt.init({ device: 'webgpu' });
    const ceilings = await device().backend.ceilings?.();
    expect(ceilings?.gflops).toBeGreaterThan(0);
    expect(ceilings?.triadGBs).toBeGreaterThan(0);
  });
});

it('a device without a clock says so', () => {
  expect(() => new Clock({ features: new Set() } as unknown as GPUDevice)).toThrow(
    "the device lacks the feature 'timestamp-query'",
  );
});
