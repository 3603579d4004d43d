// float16 on the GPU: what conversion rounds to, and kernels at sizes where their ways of loading, adding up and storing
// differ. Factors are halves and sums float32, so that results lie within half a step of float16 of the exact ones.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { halfToNumber, roundHalf } from '../../engine/half.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import { useBackend } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import type { Result, Value } from '../native/support.ts';
import { comparer, halves } from './half.ts';
import { describeGpu, open } from './support.ts';

const f16 = (...shape: number[]): Result => ({ shape, dtype: 'float16' });

describeGpu('float16', () => {
  const reference = createReferenceBackend();
  const compare = comparer(reference);
  let gpu: Backend;
  let staged: Backend;
  beforeAll(async () => {
    gpu = await open();
    staged = await open({ limits: { software: false } });
  });
  afterAll(async () => {
    useBackend(null);
    await gpu.close();
    await staged.close();
  });

  it('rounds to nearest, ties to even, to infinity beyond the largest', async () => {
    useBackend(gpu);
    const numbers = [65519, 65520, -1e9, Infinity, Number.NaN, -0, 2 ** -25, 1.01 * 2 ** -25, 2 ** -26];
    for (let bits = 0; bits < 0x7bff; bits += 7) {
      const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
      const middle = (low + high) / 2;
      numbers.push(
        low,
        middle,
        -middle,
        Math.fround(middle * (1 + 2 ** -20)),
        Math.fround(middle * (1 - 2 ** -20)),
      );
    }
    const x = lt.tensor(Float32Array.from(numbers));
    const want = Array.from(await x.data(), roundHalf);
    expect([...(await x.astype('float16').data())]).toEqual(want);
    // And where the half never reaches memory.
    const kept = lt.jit((v: lt.Tensor) => v.astype('float16').astype('float32'));
    expect([...(await kept(x).data())]).toEqual(want);
  });

  it('has the bits of the reference, operation by operation', async () => {
    const f = (x: lt.Tensor, y: lt.Tensor) => x.mul(y).add(0.3).div(y.sub(2.7)).relu().sub(x);
    const results: number[][] = [];
    for (const backend of [reference, gpu]) {
      useBackend(backend);
      const [x, y] = [3, 4].map((s) =>
        lt.tensor(halves([7, 11], s).data, { shape: [7, 11], dtype: 'float16' }),
      );
      results.push([...(await f(x, y).data())], [...(await lt.jit(f)(x, y).data())]);
    }
    for (const r of results) expect(r).toEqual(results[0]);
  });

  for (const [what, backend] of [
    ['directly', () => gpu],
    ['by the tiles for a GPU', () => staged],
  ] as const) {
    it(`multiplies matrices ${what}`, async () => {
      for (const [b, m, n, k, ta, tb] of [
        [2, 13, 21, 17, 0, 0],
        [1, 70, 68, 36, 0, 1],
        [1, 36, 72, 40, 1, 0],
        [1, 3, 4, 1500, 1, 1],
      ]) {
        const x = halves(ta ? [b, k, m] : [b, m, k], 1);
        const y = halves(tb ? [b, n, k] : [b, k, n], 2);
        await compare('dot', { transposeA: ta === 1, transposeB: tb === 1 }, [x, y], f16(b, m, n), backend());
      }
    });
    it(`convolves ${what}`, async () => {
      for (const [channels, filters, groups] of [
        [8, 8, 2],
        [3, 5, 1],
      ]) {
        // biome-ignore format: one line
        const params = { stride: [2, 1], padding: [[1, 0], [2, 1]], dilation: [1, 2], groups, inputSize: [9, 8], kernelSize: [3, 2] };
        const x = halves([2, 3, 9, 8, channels], 1);
        const w = halves([2, 3, 2, channels / groups, filters], 2);
        const dy = halves([2, 3, 4, 9, filters], 3);
        await compare('conv', params, [x, w], f16(...dy.shape), backend());
        await compare('convGradInput', params, [dy, w], f16(...x.shape), backend());
        await compare('convGradWeight', params, [x, dy], f16(...w.shape), backend());
      }
    });
    it(`reduces and scatters ${what}`, async () => {
      await compare('sum', { axes: [0] }, [halves([3000, 3], 5)], f16(3), backend());
      await compare('sum', { axes: [1] }, [halves([3, 4000], 5)], f16(3), backend());
      await compare('max', { axes: [1] }, [halves([5, 2049], 6)], f16(5), backend());
      await compare('cumsum', { axis: 1, reverse: true }, [halves([3, 300], 7)], f16(3, 300), backend());
      const indices: Value = {
        shape: [500],
        dtype: 'int32',
        data: Int32Array.from({ length: 500 }, (_, i) => i % 3),
      };
      await compare('scatter', { axis: 0, size: 4 }, [halves([500, 5], 8), indices], f16(4, 5), backend());
    });
  }

  it('does without, and says so, where the device has no shader-f16', async () => {
    const poor = await open({ limits: { half: false } });
    useBackend(poor);
    expect(() => lt.zeros([2], 'float16')).toThrow(/device 'webgpu' has no float16 here/);
    expect(await lt.ones([3]).sum().item()).toBe(3);
    expect(poor.info.float16).toBe(false);
    await poor.close();
  });
});
