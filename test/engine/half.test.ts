// float16: its rounding, what types meet it, and that the engine keeps every value of the type a half.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { halfBits, halfToNumber, roundHalf } from '../../engine/half.ts';
import { loadSafetensors, saveSafetensors } from '../../engine/io/safetensors.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import { useBackend } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';

beforeAll(() => useBackend(createReferenceBackend()));
afterAll(() => useBackend(null));

const half = (data: Parameters<typeof lt.tensor>[0]): lt.Tensor => lt.tensor(data, { dtype: 'float16' });

describe('rounding', () => {
  test('all 65536 halves are themselves, bits and numbers', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const x = halfToNumber(bits);
      if (Number.isNaN(x)) {
        expect(Number.isNaN(roundHalf(x))).toBe(true);
        expect(halfBits(x) & 0x7fff).toBeGreaterThan(0x7c00);
      } else {
        if (!Object.is(roundHalf(x), x)) expect.fail(`${x} became ${roundHalf(x)}`);
        if (halfBits(x) !== bits) expect.fail(`${bits} became ${halfBits(x)}`);
      }
    }
  });

  test('between two neighbours the nearer one, on a tie the one with an even last bit', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
      const middle = (low + high) / 2;
      const step = high - low;
      const even = bits % 2 === 0 ? low : high;
      const got = [middle - step / 1024, middle, middle + step / 1024].map(roundHalf);
      if (got[0] !== low || got[1] !== even || got[2] !== high) expect.fail(`at ${low}: ${got}`);
      if (roundHalf(-middle) !== -even) expect.fail(`at ${-low}`);
    }
    expect(roundHalf(65519.99)).toBe(65504);
    expect(roundHalf(65520)).toBe(Infinity);
    expect(roundHalf(-1e30)).toBe(-Infinity);
    expect(roundHalf(2 ** -25)).toBe(0);
    expect(roundHalf(2 ** -25 * 1.01)).toBe(2 ** -24);
    expect(Object.is(roundHalf(-(2 ** -26)), -0)).toBe(true);
  });

  test('never further than half a step, and monotone', () =>
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        const [x, y] = [roundHalf(a), roundHalf(b)];
        if (a <= b) expect(x).toBeLessThanOrEqual(y);
        if (Number.isFinite(x)) {
          const step = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(a) || 1)) - 10);
          expect(Math.abs(x - a)).toBeLessThanOrEqual(step / 2);
        }
        expect(Object.is(halfToNumber(halfBits(a)), x)).toBe(true);
      }),
    ));
});

describe('tensors', () => {
  test('hold halves, as numbers in a Float32Array', async () => {
    const x = half([0.1, 1 / 3, 70000, -1e-9]);
    const data = await x.data();
    expect(data).toBeInstanceOf(Float32Array);
    expect([...data]).toEqual([0.0999755859375, 0.333251953125, Infinity, -0]);
    expect([...(await lt.full([2], 0.1, 'float16').data())]).toEqual([0.0999755859375, 0.0999755859375]);
    expect([...(await lt.arange(2047, 2053, 1, 'float16').data())]).toEqual([
      2047, 2048, 2048, 2050, 2052, 2052,
    ]);
  });

  test('meet float32 in float32, integers and numbers in float16', () => {
    const x = half([1, 2]);
    expect(x.add(lt.tensor([1, 2])).dtype).toBe('float32');
    expect(x.mul(2.5).dtype).toBe('float16');
    expect(x.add(lt.tensor([1, 2], { dtype: 'int32' })).dtype).toBe('float16');
    expect(lt.matmul(half([[1, 2]]), half([[1], [2]])).dtype).toBe('float16');
    expect(lt.matmul(half([[1, 2]]), lt.tensor([[1], [2]])).dtype).toBe('float32');
    expect(x.softmax().dtype).toBe('float16');
  });

  test('round after each operation, fused or not; sums are whole before they are rounded', async () => {
    const f = (x: lt.Tensor) => x.mul(0.1).add(1).sub(1).mul(10);
    const x = half(Array.from({ length: 64 }, (_, i) => i / 7));
    const eager = [...(await f(x).data())];
    const by = Array.from(await x.data(), (v) =>
      roundHalf(roundHalf(roundHalf(roundHalf(v * roundHalf(0.1)) + 1) - 1) * 10),
    );
    expect(eager).toEqual(by);
    expect([...(await lt.jit(f)(x).data())]).toEqual(eager);
    // 4096 + 1 + 1 ...: each addition alone would be lost.
    expect(
      await half([4096, ...new Array(64).fill(1)])
        .sum()
        .item(),
    ).toBe(4160);
    // The sum is beyond float16, the mean is not.
    const large = lt.full([4096], 1000, 'float16');
    expect(await large.mean().item()).toBe(1000);
    expect(
      await lt
        .jit((v: lt.Tensor) => v.mean())(large)
        .item(),
    ).toBe(1000);
    const [mean, variance] = lt.jit((v: lt.Tensor) => {
      const y = lt.batchNorm(v);
      return [y.mean, y.variance];
    })(half(Array.from({ length: 2048 }, (_, i) => 1000 + (i % 2))).reshape([2048, 1]));
    expect([mean.dtype, await mean.item(), await variance.item()]).toEqual(['float32', 1000.5, 0.25]);
  });

  test('convert is differentiable in both directions', async () => {
    const f = (x: lt.Tensor) => x.astype('float16').mul(3).astype('float32').mul(x).sum();
    const x = lt.tensor([1, 2]);
    const g = lt.grad(f)(x);
    expect([g.dtype, ...(await g.data())]).toEqual(['float32', 6, 12]);
    const [, t] = lt.jvp(f, [x], [lt.tensor([1, 0])]);
    expect([t.dtype, await t.item()]).toEqual(['float32', 6]);
    expect(lt.grad((h: lt.Tensor) => h.astype('float32').sum())(half([1])).dtype).toBe('float16');
    const there = lt.jit((h: lt.Tensor) => h.astype('float32').astype('float16'));
    expect(there.graph(half([1]))).not.toContain('convert');
    const back = lt.jit((v: lt.Tensor) => v.astype('float16').astype('float32'));
    expect([...(await back(lt.tensor([0.1])).data())]).toEqual([0.0999755859375]);
  });

  test('uniform numbers stay below 1', async () => {
    const u = await lt.random.uniform(lt.random.key(3), [1 << 14], 0, 1, 'float16').data();
    expect(Math.max(...u)).toBeLessThan(1);
    expect(Math.max(...u)).toBeGreaterThan(0.99);
    expect(u.every((v: number) => Number.isInteger(v * 2048))).toBe(true);
    expect(lt.random.normal(lt.random.key(3), [2], 'float16').dtype).toBe('float16');
  });

  test('are saved as F16 and come back', async () => {
    const bytes = await saveSafetensors({ x: half([0.1, -2, 65504]) });
    const { x } = loadSafetensors(bytes).tensors;
    expect([x.dtype, ...x.data]).toEqual(['float16', 0.0999755859375, -2, 65504]);
    expect(await saveSafetensors({ x })).toEqual(bytes);
  });

  test('a program plans two bytes for each', () => {
    const f = lt.jit((x: lt.Tensor, w: lt.Tensor) => lt.matmul(lt.matmul(x, w), w));
    const bytes = (dtype: lt.DType) => {
      const x = lt.zeros([64, 64], dtype);
      return f.program(x, x).arenaBytes;
    };
    expect([bytes('float16'), bytes('float32')]).toEqual([64 * 64 * 2, 64 * 64 * 4]);
  });

  test('a device without them says which have them', () => {
    const poor = {
      ...createReferenceBackend(),
      name: 'cpu' as const,
      supports: (d: lt.DType) => d !== 'float16',
    };
    useBackend(poor);
    try {
      const message =
        "device 'cpu' has no float16 here; device 'webgpu' has on adapters with shader-f16, and 'reference'";
      expect(() => half([1])).toThrow(message);
      expect(() => lt.zeros([2], 'float16')).toThrow(message);
      expect(() => lt.ones([2]).astype('float16')).toThrow(message);
      expect(() => lt.jit((x: lt.Tensor) => x.astype('float16').add(1))(lt.ones([2]))).toThrow(message);
    } finally {
      useBackend(createReferenceBackend());
    }
  });
});
