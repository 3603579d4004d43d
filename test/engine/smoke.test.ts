// The shortest walk through the engine that touches every layer of it.
import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../index.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

test('values, gradients, batching and compilation agree', async () => {
  const x = lt.tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(await x.add(1).mul(2).array()).toEqual([
    [4, 6],
    [8, 10],
  ]);
  const f = (a: lt.Tensor) => a.mul(a).sum();
  expect(await lt.grad(f)(x).array()).toEqual([
    [2, 4],
    [6, 8],
  ]);
  expect(await lt.jit(lt.grad(f))(x).array()).toEqual([
    [2, 4],
    [6, 8],
  ]);
  expect(await lt.vmap(lt.grad(f))(x).array()).toEqual([
    [2, 4],
    [6, 8],
  ]);
  const g = (a: lt.Tensor) => a.pow(3).sum();
  expect(await lt.hvp(g, [x], [lt.onesLike(x)]).array()).toEqual([
    [6, 12],
    [18, 24],
  ]);
  expect(
    await lt
      .grad((a: lt.Tensor) => lt.grad(g)(a).sum())(x)
      .array(),
  ).toEqual([
    [6, 12],
    [18, 24],
  ]);
});

test('a small CNN: per-sample gradients sum to the gradient, eager and compiled', async () => {
  const [k1, k2, k3, k4] = lt.random.split(lt.random.key(1), 4);
  const params = { w: lt.random.normal(k1, [3, 3, 2, 4]), d: lt.random.normal(k2, [36, 3]) };
  const x = lt.random.normal(k3, [5, 6, 6, 2]);
  const y = lt.random.randint(k4, [5], 0, 3);
  const logits = (p: typeof params, xs: lt.Tensor) => {
    const h = lt.maxPool2d(lt.conv2d(xs, p.w, { padding: 'same' }).relu(), { size: 2, stride: 2 });
    return lt.matmul(h.reshape([xs.shape[0], -1]), p.d);
  };
  const loss = (p: typeof params, xs: lt.Tensor, ys: lt.Tensor) => lt.crossEntropy(logits(p, xs), ys);
  const one = (p: typeof params, xs: lt.Tensor, ys: lt.Tensor) =>
    loss(p, xs.reshape([1, 6, 6, 2]), ys.reshape([1]));
  const whole = lt.grad(loss)(params, x, y);
  const per = lt.vmap(lt.grad(one), { inAxes: [null, 0, 0] })(params, x, y);
  const compiled = lt.jit(lt.vmap(lt.grad(one), { inAxes: [null, 0, 0] }))(params, x, y);
  for (const k of ['w', 'd'] as const) {
    const a = await whole[k].data();
    const b = await per[k].mean(0).data();
    const c = await compiled[k].mean(0).data();
    for (let i = 0; i < a.length; i++) {
      expect(Math.abs(a[i] - b[i])).toBeLessThan(1e-12);
      expect(Math.abs(b[i] - c[i])).toBeLessThan(1e-12);
    }
  }
});
