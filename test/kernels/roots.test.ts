// Roots at sizes and with options that the samples of the primitives are too small for: tiles with a rest, cut sums,
// long rows, many updates of one place, epilogues and prologues. Expected values are the reference backend's.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, stridesOf } from '../../engine/dtype.ts';
import type { Loop, Program, RootName } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import {
  distance,
  execute,
  float,
  int,
  program,
  type Result,
  randomFloats,
  randomInts,
  rootProgram,
  sameBits,
  slot,
  step,
  type Value,
} from '../native/support.ts';
import { describeGpu, open } from './support.ts';

const reference = createReferenceBackend();
const f32 = (...shape: number[]): Result => ({ shape, dtype: 'float32' });
const i32 = (...shape: number[]): Result => ({ shape, dtype: 'int32' });

describeGpu('roots', () => {
  let gpu: Backend;
  /** The same device, taken for a real GPU: other tiles, more invocations. */
  let staged: Backend;
  let plain: Backend;
  beforeAll(async () => {
    gpu = await open();
    staged = await open({ limits: { software: false } });
    plain = await open({ limits: { subgroup: 0 } });
  });
  afterAll(async () => {
    await gpu.close();
    await staged.close();
    await plain.close();
  });

  async function compare(p: Program, inputs: readonly Value[], bound: number, on = gpu): Promise<void> {
    const want = await execute(reference, p, inputs);
    const got = await execute(on, p, inputs);
    got.forEach((g, k) => {
      expect(distance(g, want[k])).toBeLessThanOrEqual(bound);
    });
    expect(sameBits(await execute(on, p, inputs), got)).toBe(true);
  }
  const root = (name: RootName, params: object, inputs: Value[], outputs: Result[], bound = 0, on = gpu) =>
    compare(rootProgram(name, params, inputs, outputs), inputs, bound, on);

  const multiplies = async (backend: Backend, sizes: number[][]): Promise<void> => {
    for (const [b, m, n, k, ta, tb] of sizes) {
      const [transposeA, transposeB] = [ta === 1, tb === 1];
      const x = randomFloats(transposeA ? [b, k, m] : [b, m, k], 1, 1);
      const y = randomFloats(transposeB ? [b, n, k] : [b, k, n], 2, 1);
      const p = rootProgram('dot', { transposeA, transposeB }, [x, y], [f32(b, m, n)]);
      await compare(p, [x, y], 2e-8 * (k + 500), backend);
    }
  };
  it('multiplies matrices of any size, either operand transposed, sums cut where they are long', () =>
    multiplies(gpu, [
      [2, 13, 21, 17, 0, 0],
      [2, 13, 21, 17, 1, 1],
      [1, 70, 68, 36, 0, 1],
      [1, 70, 68, 36, 1, 0],
      [1, 3, 4, 1500, 0, 0],
    ]));
  it('does so where invocations cannot hand values around', () =>
    multiplies(plain, [
      [1, 70, 68, 36, 0, 1],
      [1, 13, 21, 17, 1, 0],
    ]));
  it('does so by the tiles for a GPU', async () => {
    await multiplies(staged, [
      [2, 13, 21, 17, 0, 0],
      [1, 70, 68, 36, 0, 1],
      [1, 70, 68, 36, 1, 0],
      [1, 70, 33, 36, 1, 1],
      [1, 3, 4, 1500, 0, 0],
    ]);
  });

  // biome-ignore format: one line

  const taps = { stride: [2, 1], padding: [[1, 0], [2, 1]], dilation: [1, 2] } as const;
  const convolves = async (
    backend: Backend,
    channels: number,
    filters: number,
    groups: number,
  ): Promise<void> => {
    const params = { ...taps, groups, inputSize: [9, 8], kernelSize: [3, 2] };
    const x = randomFloats([2, 3, 9, 8, channels], 1, 1);
    const w = randomFloats([2, 3, 2, channels / groups, filters], 2, 1);
    const dy = randomFloats([2, 3, 4, 9, filters], 3, 1);
    const run = (name: RootName, a: Value, b: Value, shape: Shape) =>
      compare(rootProgram(name, params, [a, b], [f32(...shape)]), [a, b], 2e-5, backend);
    await run('conv', x, w, dy.shape);
    await run('convGradInput', dy, w, x.shape);
    await run('convGradWeight', x, dy, w.shape);
  };
  for (const [channels, filters, groups] of [
    [4, 6, 2],
    [8, 8, 1],
    [3, 20, 1],
    [6, 6, 6],
  ])
    it(`convolves three ways with ${channels} channels, ${filters} filters and ${groups} groups`, () =>
      convolves(gpu, channels, filters, groups));
  it('convolves three ways by the tiles for a GPU', async () => {
    await convolves(staged, 8, 8, 2);
    await convolves(staged, 3, 5, 1);
  });

  const attends = async (backend: Backend, sees: string, d: number, c: number): Promise<void> => {
    const [b, n, m] = [2, 70, 39];
    const [q, k, v] = [
      [b, n, d],
      [b, m, d],
      [b, m, c],
    ].map((s, i) => randomFloats(s, i + 1, 1));
    const l = randomFloats([b, n], 4, 1);
    const [hidden, lean] = [4, 9].map((every) => {
      const bias = randomFloats([b, m], 5, 1);
      for (let j = 0; j < bias.data.length; j += every) bias.data[j] = Number.POSITIVE_INFINITY;
      return bias;
    });
    const params = { scale: 1 / Math.sqrt(d), sees };
    await root('attention', params, [q, k, hidden, v], [f32(b, n, c), f32(b, n)], 2e-5, backend);
    const factors = [5, 4, 3].flatMap((e, f) => [
      randomFloats([b, n, e], 6 + f, 1),
      randomFloats([b, m, e], 9 + f, 1),
    ]);
    for (const count of [0, 1, 3])
      await root(
        'attentionSum',
        params,
        [q, k, l, lean, v, ...factors.slice(0, 2 * count)],
        [f32(b, n, c)],
        1e-4,
        backend,
      );
  };
  it('attends to keys with any number of factors', () => attends(gpu, 'past', 5, 3));
  it('attends to tiles of keys that a workgroup shares, or does not where they are too long', async () => {
    await attends(staged, 'all', 8, 70);
    await attends(staged, 'past', 5, 4);
    await attends(staged, 'future', 140, 3);
    const tight = await open({ limits: { software: false, workgroupBytes: 128 } });
    await attends(tight, 'all', 5, 3);
    await tight.close();
  });

  it('adds up weight gradients over many pixels in parts', async () => {
    // biome-ignore format: one line
    const plain = { stride: [1, 1], padding: [[1, 1], [1, 1]], dilation: [1, 1], groups: 1, kernelSize: [3, 3] };
    const x = randomFloats([1, 4, 24, 24, 4], 1, 1);
    const dy = randomFloats([1, 4, 24, 24, 8], 2, 1);
    await root('convGradWeight', plain, [x, dy], [f32(1, 3, 3, 4, 8)], 5e-5);
  });

  const dense = (slotIndex: number, shape: Shape) => ({
    slot: slotIndex,
    dtype: 'float32' as DType,
    strides: stridesOf(shape),
    offset: 0,
  });
  it('runs prologues and epilogues with residual, bias and relu, storing the raw result or not, in place or not', async () => {
    for (const n of [20, 19])
      for (const keep of [false, true])
        for (const inPlace of [false, true]) {
          const [m, k] = [35, 18];
          const [a, b, residual, bias] = [[m, k], [k, n], [m, n], [n]].map((s, i) =>
            randomFloats(s, i + 1, 1),
          );
          // biome-ignore format: one line
          const prologue: Loop = { shape: [m, k], inputs: [dense(0, [m, k])], steps: [step('relu', [0])], stores: [], reductions: [] };
          const epilogue: Loop = {
            shape: [m, n],
            inputs: [dense(2, [m, n]), { slot: 3, dtype: 'float32', strides: [0, 1], offset: 0 }],
            steps: [step('add', [2, 1]), step('add', [3, 0]), step('relu', [4])],
            stores: [{ value: 5, slot: 4 }],
            reductions: [],
          };
          const outputs = [f32(m, n), ...(keep ? [f32(m, n)] : [])];
          const p = program({
            slots: [
              ...[a, b, residual, bias].map((v, i) => slot('input', v, i)),
              ...outputs.map((o, i) => slot('output', o, i)),
            ],
            instructions: [
              {
                kind: 'op',
                op: 'dot',
                params: { transposeA: false, transposeB: false },
                inputs: [
                  { slot: -1, shape: [m, k], dtype: 'float32' },
                  { slot: 1, shape: [k, n], dtype: 'float32' },
                ],
                outputs: [{ slot: keep ? 5 : -1, shape: [m, n], dtype: 'float32' }],
                prologues: [prologue, null],
                epilogue,
              },
            ],
          });
          const inputs = [a, b, residual, bias];
          const want = await execute(reference, p, inputs);
          const got = await execute(gpu, inPlace ? { ...p, donations: [[0, 2]] } : p, inputs);
          got.forEach((g, i) => {
            expect(distance(g, want[i])).toBeLessThan(1e-5);
          });
        }
  });

  it('reduces rows, columns, both and neither, in one stage and in two', async () => {
    // biome-ignore format: one line
    for (const shape of [[3, 5000], [5000, 3], [7, 30, 40]])
      for (let mask = 0; mask < 2 ** shape.length; mask++) {
        const axes = shape.flatMap((_, d) => ((mask >> d) & 1 ? [d] : []));
        const kept = shape.filter((_, d) => !axes.includes(d));
        const x = randomFloats(shape, mask + 1, 1);
        await root('sum', { axes }, [x], [f32(...kept)], 2e-4);
        await root('max', { axes }, [x], [f32(...kept)]);
        if (axes.length > 0) await root('moments', { axes }, [x], [f32(...kept), f32(...kept)], 2e-6);
      }
    const whole = randomInts([37, 50], 3, -1e9, 1e9);
    for (const op of ['sum', 'max', 'min'] as const) await root(op, { axes: [1] }, [whole], [i32(37)]);
    const holes = randomFloats([4, 300], 1);
    holes.data[7] = NaN;
    for (const op of ['sum', 'max', 'min'] as const) await root(op, { axes: [1] }, [holes], [f32(4)], 1e-5);
  });

  it('finds mean and variance far from zero, of one number, and of what is not finite', async () => {
    for (const on of [gpu, plain, staged])
      // biome-ignore format: one line
      for (const [shape, axes] of [[[3, 5000], [1]], [[5000, 3], [0]], [[7, 30, 40], [0, 1]], [[4, 8, 9, 64], [0, 1, 2]]]) {
        const kept = shape.filter((_, d) => !axes.includes(d));
        const p = rootProgram('moments', { axes }, [f32(...shape)], [f32(...kept), f32(...kept)]);
        const near = randomFloats(shape, 5, 1);
        const moved = { ...near, data: near.data.map((v) => 1e4 + v) };
        const [[mean, variance], [wantMean, wantVariance]] = [
          await execute(on, p, [moved]),
          await execute(reference, p, [moved]),
        ];
        mean.forEach((m, k) => {
          expect(Math.abs(Number(m) - Number(wantMean[k]))).toBeLessThan(2e-3);
          expect(Number(variance[k]) / Number(wantVariance[k])).toBeCloseTo(1, 4);
        });
        const same = { ...near, data: near.data.map(() => 0.1) };
        const flat = await execute(on, p, [same]);
        for (const m of flat[0]) expect(m).toBe(Math.fround(0.1));
        for (const v of flat[1]) expect(v).toBe(0);
        for (const [special, want] of [[Infinity, Infinity], [-Infinity, -Infinity], [NaN, NaN]]) {
          for (const at of [0, near.data.length >> 1, near.data.length - 1]) {
            const data = near.data.slice();
            data[at] = special;
            const [m, v] = await execute(on, p, [{ ...near, data }]);
            const k = m.findIndex((x) => !Number.isFinite(x));
            expect([m[k], v[k]]).toEqual([want, NaN]);
            expect([...m, ...v].filter((x) => !Number.isFinite(x)).length).toBe(2);
          }
        }
      }
  });

  it('reduces without subgroups, and with the workgroups of a GPU, to the same within rounding', async () => {
    for (const on of [plain, staged])
      // biome-ignore format: one line
      for (const [shape, axes] of [[[3, 5000], [1]], [[3, 300], [1]], [[5000, 3], [0]], [[700, 40], [0]], [[9, 24], [1]]]) {
        const kept = shape.filter((_, d) => !axes.includes(d));
        const x = randomFloats(shape, 4, 1);
        await compare(rootProgram('sum', { axes }, [x], [f32(...kept)]), [x], 2e-4, on);
        await compare(rootProgram('min', { axes }, [x], [f32(...kept)]), [x], 0, on);
      }
  });

  it('finds the first extreme, NaN counting as one', async () => {
    const x = randomInts([4, 300, 3], 3, -9, 9);
    const y = float(x.shape, x.data);
    y.data.set([NaN, NaN], 100);
    for (const axis of [0, 1, 2])
      for (const op of ['argmax', 'argmin'] as const) {
        const shape = x.shape.toSpliced(axis, 1);
        await root(op, { axis }, [x], [i32(...shape)]);
        await root(op, { axis }, [y], [i32(...shape)]);
      }
  });

  it('runs sums both ways, sorts stably with NaN last, short and long rows', async () => {
    // biome-ignore format: one line
    for (const [shape, axis] of [[[3, 300], 1], [[70, 5], 0], [[2, 1500], 1]] as const)
      for (const reverse of [false, true])
        await root('cumsum', { axis, reverse }, [randomFloats(shape, 2, 1)], [f32(...shape)], 1e-5);
    for (const n of [1, 17, 600, 1500]) {
      const y = float([3, n], randomInts([3, n], n, -6, 6).data);
      if (n > 1) y.data.set([NaN, -0, 0, Infinity, -Infinity], 3);
      await root('sort', {}, [y], [f32(3, n), i32(3, n)]);
      await root('sort', {}, [int([3, n], randomInts([3, n], n, -6, 6).data)], [i32(3, n), i32(3, n)]);
    }
  });

  it('gathers and scatters along every axis, indices out of range included', async () => {
    const x = randomFloats([5, 9, 7], 1);
    for (const axis of [0, 1, 2]) {
      const size = x.shape[axis];
      const indices = randomInts([4, 30], axis + 1, -2, size + 2);
      const shape = [...x.shape.slice(0, axis), 4, 30, ...x.shape.slice(axis + 1)];
      await root('gather', { axis }, [x, indices], [f32(...shape)]);
      await root('scatter', { axis, size }, [randomFloats(shape, 9), indices], [f32(...x.shape)], 2e-6);
      const along = x.shape.map((n, d) => (d === axis ? 40 : n));
      const at = randomInts(along, axis + 5, -2, size + 2);
      await root('gatherAlong', { axis }, [x, at], [f32(...along)]);
      await root('scatterAlong', { axis, size }, [randomFloats(along, 11), at], [f32(...x.shape)], 2e-6);
    }
  });

  it('pools with overlap, uneven padding and NaN', async () => {
    // biome-ignore format: one line
    const params = { size: [3, 2], stride: [2, 2], padding: [[1, 1], [0, 1]], inputSize: [7, 6] };
    const x = float([2, 7, 6, 20], randomInts([2, 7, 6, 20], 1, -5, 5).data);
    x.data.set([NaN, -Infinity], 123);
    await root('maxPool', params, [x], [f32(2, 4, 3, 20), i32(2, 4, 3, 20)]);
    await root('sumPool', params, [x], [f32(2, 4, 3, 20)], 1e-6);
    await root('sumPoolTranspose', params, [randomFloats([2, 4, 3, 20], 2)], [f32(2, 7, 6, 20)], 1e-6);
  });

  it('draws the bits of every other backend; normals within 6e-7 of the reference', async () => {
    const key: Value = { shape: [2, 2], dtype: 'uint32', data: Uint32Array.of(1, 2, 4294967295, 77) };
    for (const n of [1, 6, 5000]) {
      const out = (dtype: DType): Result => ({ shape: [2, n], dtype });
      await root('random', { shape: [n], distribution: 'bits' }, [key], [out('uint32')]);
      await root('random', { shape: [n], distribution: 'uniform' }, [key], [out('float32')]);
      await root('random', { shape: [n], distribution: 'normal' }, [key], [out('float32')], 6e-7);
    }
  });

  it('moves data with more groups than one dimension holds', async () => {
    const n = 65535 * 64 * 4 + 64;
    const p = rootProgram('iota', { shape: [n], axis: 0, dtype: 'int32' }, [], [i32(n)]);
    const [got] = await execute(gpu, p, []);
    expect([got[5], got[n - 1]]).toEqual([5, n - 1]);
  });
});
