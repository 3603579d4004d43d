// Where operations are easily wrong, on every backend: statistics of numbers far from zero, the ends of intervals, rows with
// nothing in them, sizes beyond any memory; and derivatives there.

import { beforeAll, describe, expect, test } from 'vitest';
import { allocate, below } from '../../engine/dtype.ts';
import * as lt from '../../index.ts';
import { describeBackends, epsilonOf } from '../conformance/support.ts';

const extremes = (data: Iterable<number>): [number, number] => {
  let [least, most] = [Infinity, -Infinity];
  for (const v of data) [least, most] = [Math.min(least, v), Math.max(most, v)];
  return [least, most];
};
const average = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;

describeBackends(
  ({ float }) => {
    // In float64 there is the reference only, whose plain loop is as exact as it is.
    test.skipIf(float === 'float64').each([1, 3, 63, 65, 777, 1000])(
      'statistics of %i times one number: itself, and no variance',
      async (n) => {
        for (const value of [1 / 3, 0.1, -7.77, 1234.567, 10000.1, 3300000.25, 1e-5]) {
          const x = lt.full([n, 3], value, float);
          const columns = lt.batchNorm(x);
          expect([...(await columns.mean.data())]).toEqual([...(await lt.full([3], value, float).data())]);
          expect([...(await columns.variance.data())]).toEqual([0, 0, 0]);
          const row = x.slice([0, 0], [n, 1]).reshape([1, n]);
          expect(await lt.variance(row, 1).item()).toBe(0);
          for (const y of [columns.output, lt.layerNorm(row)])
            expect(extremes(await y.data()).map(Math.abs)).toEqual([0, 0]);
        }
      },
    );

    test('an infinity among the numbers is their mean, and they have no variance', async () => {
      const { mean, variance } = lt.batchNorm(lt.full([70, 2], Infinity, float).sub(lt.eye(70, 2)));
      expect([...(await mean.data())]).toEqual([Infinity, Infinity]);
      expect([...(await variance.data())]).toEqual([NaN, NaN]);
    });

    test.each([0, 1e2, 1e4, 1e5])('the variance of numbers at %f with deviation 1', async (far) => {
      for (const n of [100, 1000]) {
        const noise = await lt.random.normal(lt.random.key(n), [n], float).data();
        const x = allocate(float, n);
        x.set([...noise].map((v) => far + v));
        const mean = average([...x]);
        const want = average([...x].map((v) => (v - mean) ** 2));
        const row = lt.tensor(x, { shape: [1, n], dtype: float });
        const columns = lt.concat([row, row, row]).transpose();
        for (const v of [lt.variance(row, 1), lt.variance(columns, 0)])
          expect(Math.abs((await v.data())[0] / want - 1)).toBeLessThan(16 * epsilonOf(float));
      }
    });

    test('uniform numbers stay below the upper end where the range is small beside it', async () => {
      for (const [low, high] of [
        [4096, 4097],
        [-4097, -4096],
        [1000, 1000.5],
      ]) {
        const [least, most] = extremes(
          await lt.random.uniform(lt.random.key(5), [1 << 14], low, high).data(),
        );
        expect([least >= low, most < high]).toEqual([true, true]);
      }
    });

    test('clip hands on the derivative inside and at its bounds, outside it is that of the bound', async () => {
      const [x, low, high] = [[-2, -1, 0, 1, 2], -1, 1].map((v) => lt.tensor(v, { dtype: float }));
      const gradients = lt.jit(
        lt.grad(
          (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) => lt.clip(a, b, c).mul(lt.arange(1, 6)).sum(),
          [0, 1, 2],
        ),
      )(x, low, high) as lt.Tensor[];
      expect(await Promise.all(gradients.map((g) => g.array()))).toEqual([[0, 2, 3, 4, 0], 1, 5]);
    });

    test('a row with nothing to attend to: zeros, and no part in any derivative', async () => {
      const [q, k, v] = [1, 2, 3].map((n) => lt.random.normal(lt.random.key(n), [2, 2], float));
      const mask = lt.tensor([
        [true, true],
        [false, false],
      ]);
      const f = (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) => lt.attention(a, b, c, { mask });
      expect((await f(q, k, v).array())[1 as never]).toEqual([0, 0]);
      const loss = (...t: lt.Tensor[]) => f(t[0], t[1], t[2]).square().sum();
      const first = lt.grad(loss, [0, 1, 2]);
      const second = lt.grad(
        (...t: lt.Tensor[]) =>
          (first(...t) as lt.Tensor[]).reduce((a, g) => a.add(g.square().sum()), lt.zeros([], float)),
        [0, 1, 2],
      );
      for (const g of [first, second]) {
        const all = (await Promise.all((lt.jit(g)(q, k, v) as lt.Tensor[]).map((t) => t.data()))).map((d) => [
          ...d,
        ]);
        expect(all.flat().every(Number.isFinite)).toBe(true);
        // The second query saw nothing; the first saw both keys.
        expect(all[0].slice(2).map(Math.abs)).toEqual([0, 0]);
        expect(all[2].every((d) => d !== 0)).toBe(true);
      }
    });

    test.each([[[2 ** 32, 2 ** 32]], [[2 ** 26, 2 ** 27]], [[2 ** 23, 2 ** 23]]])(
      '%j is out of memory, and the device works on',
      async (shape) => {
        for (const ask of [() => lt.zeros(shape), () => lt.broadcastTo(lt.ones([1]), shape)])
          await expect((async () => (await ask().data()).length)()).rejects.toMatchObject({
            name: 'LetheError',
            kind: 'device',
            message: expect.stringContaining('out of memory'),
          });
        await lt.sync().catch(() => {});
        expect(await lt.ones([2]).sum().item()).toBe(2);
      },
    );
  },
  { shaders: false },
);

describe('on the reference', () => {
  beforeAll(() => lt.init({ device: 'reference', dtype: 'float64' }));

  test('second derivatives of clip, attention and topK', async () => {
    const [q, k, v] = [1, 2, 3].map((n) => lt.random.normal(lt.random.key(n), [3, 2]));
    const mask = lt.tensor([
      [true, false, true],
      [false, false, false],
      [true, true, true],
    ]);
    const both = { order: 2 } as const;
    await lt.checkGradients((a, b, c) => lt.attention(a, b, c, { mask }).sin().sum(), [q, k, v], both);
    const [low, high] = [lt.tensor(-0.4), lt.tensor(0.5)];
    await lt.checkGradients((a, b, c) => lt.clip(a, b, c).square().sin().sum(), [q, low, high], both);
    await lt.checkGradients((a) => lt.topK(a, 2).values.square().sin().sum(), [q.reshape([6])], both);
  });

  test('second derivatives of groupNorm, whose centre is no function of the input', async () => {
    const x = lt.random.normal(lt.random.key(1), [2, 3, 4]);
    const [scale, shift] = [2, 3].map((n) => lt.random.normal(lt.random.key(n), [4]));
    const perPixel = lt.random.normal(lt.random.key(4), [3, 4]);
    const both = { order: 2 } as const;
    const loss = (y: lt.Tensor) => y.sin().square().sum();
    await lt.checkGradients((a) => loss(lt.groupNorm(a, 2)), [x], both);
    await lt.checkGradients(
      (a, b, c) => loss(lt.groupNorm(a, 2, { scale: b, shift: c })),
      [x, scale, shift],
      both,
    );
    await lt.checkGradients(
      (a, b, c) => loss(lt.groupNorm(a, 2, { scale: b, shift: c })),
      [x, perPixel, shift],
      both,
    );
  });

  test('attention in float16 masks too', async () => {
    const half = (data: number[][]) => lt.tensor(data, { dtype: 'float16' });
    const mask = lt.tensor([
      [true, false],
      [false, false],
    ]);
    const f = (q: lt.Tensor) =>
      lt.attention(
        q,
        half([
          [1, 2],
          [3, 4],
        ]),
        half([
          [1, 2],
          [3, 4],
        ]),
        { mask },
      );
    expect(
      await f(
        half([
          [1, 1],
          [1, 1],
        ]),
      ).array(),
    ).toEqual([
      [1, 2],
      [0, 0],
    ]);
    expect(
      await lt
        .grad((q: lt.Tensor) => f(q).astype('float32').sum())(
          half([
            [1, 1],
            [1, 1],
          ]),
        )
        .array(),
    ).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('the largest number of a type below another', async () => {
    expect(below(1, 'float32')).toBe(1 - 2 ** -24);
    expect(below(-1, 'float32')).toBe(-1 - 2 ** -23);
    expect(below(3, 'float32')).toBe(3 - 2 ** -22);
    expect(below(0, 'float32')).toBe(-(2 ** -149));
    expect(below(0.1, 'float32')).toBe(Math.fround(0.1) - 2 ** -27);
    expect(below(0.3, 'float32')).toBe(Math.fround(0.3) - 2 ** -25);
    expect(below(1.0000001, 'float16')).toBe(1);
    expect(below(1, 'float16')).toBe(1 - 2 ** -11);
    expect(below(-2048, 'float16')).toBe(-2050);
    expect(below(1, 'float64')).toBe(1 - 2 ** -53);
    expect(below(1e300, 'float64')).toBeLessThan(1e300);
    const halves = await lt.random.uniform(lt.random.key(2), [4096], 16, 17, 'float16').data();
    expect(extremes(halves)).toEqual([16, 17 - 2 ** -6]);
  });
});
