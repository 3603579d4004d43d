// Transformations of transformations, against derivatives worked out by hand.

import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference', dtype: 'float64' }));

const close = async (got: lt.Tensor, want: lt.Tensor | readonly number[], limit = 1e-10) => {
  const [a, b] = [await got.data(), want instanceof lt.Tensor ? await want.data() : want];
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i]), `element ${i}`).toBeLessThanOrEqual(limit);
};
const points = [-1.5, -0.25, 0.5, 2];

test('sin to order 4, by every mixture of forward and reverse', async () => {
  const reverse = (f: (x: lt.Tensor) => lt.Tensor) => lt.grad(f) as (x: lt.Tensor) => lt.Tensor;
  const forward = (f: (x: lt.Tensor) => lt.Tensor) => (x: lt.Tensor) =>
    lt.jvp(f, [x], [lt.onesLike(x)])[1] as lt.Tensor;
  const derivatives = [
    Math.sin,
    Math.cos,
    (x: number) => -Math.sin(x),
    (x: number) => -Math.cos(x),
    Math.sin,
  ];
  for (let mixture = 0; mixture < 16; mixture++) {
    let f: (x: lt.Tensor) => lt.Tensor = lt.sin;
    for (let order = 1; order <= 4; order++) {
      f = (mixture >> (order - 1)) % 2 ? reverse(f) : forward(f);
      for (const p of points) await close(f(lt.tensor(p)), [derivatives[order](p)]);
    }
    await close(lt.jit(f)(lt.tensor(0.75)), [Math.sin(0.75)]);
    await close(lt.vmap(f)(lt.tensor(points)), points.map(Math.sin));
    await close(lt.jit(lt.vmap(f))(lt.tensor(points)), points.map(Math.sin));
  }
});

test('tangents of different transformations are not confused', async () => {
  // d/dx [ x * d/dy (x + y) ] = 1, not 2.
  const f = (x: lt.Tensor) =>
    lt.mul(x, lt.jvp((y: lt.Tensor) => lt.add(x, y), [lt.tensor(1)], [lt.tensor(1)])[1]);
  await close(lt.jvp(f, [lt.tensor(3)], [lt.tensor(1)])[1], [1]);
  await close(lt.grad(f)(lt.tensor(3)), [1]);
  const g = (x: lt.Tensor) => lt.mul(x, lt.grad((y: lt.Tensor) => lt.mul(x, y))(lt.tensor(5)));
  await close(lt.grad(g)(lt.tensor(3)), [6]);
});

test('vmap of vmap, over different axes, is the outer product', async () => {
  const [a, b] = [lt.tensor([1, 2, 3]), lt.tensor([10, 20])];
  const outer = lt.vmap((x: lt.Tensor) => lt.vmap((y: lt.Tensor) => lt.mul(x, y))(b))(a);
  await close(outer, [10, 20, 20, 40, 30, 60]);
  const flipped = lt.vmap((x: lt.Tensor) => lt.vmap((y: lt.Tensor) => lt.mul(x, y))(b), { outAxes: 1 })(a);
  expect(flipped.shape).toEqual([2, 3]);
  await close(flipped, [10, 20, 30, 20, 40, 60]);
  const negative = lt.vmap((x: lt.Tensor) => lt.sum(x), { inAxes: -1 })(outer);
  await close(negative, [60, 120]);
});

test('vmap takes trees, numbers, unbatched arguments and results', async () => {
  const f = lt.vmap(
    (p: { w: lt.Tensor; b: lt.Tensor }, x: lt.Tensor, k: number) => [
      lt.add(lt.mul(p.w, x), p.b),
      lt.mul(p.b, k),
    ],
    {
      inAxes: [{ w: 0, b: null }, 0, null],
      outAxes: [0, null],
    },
  );
  const [y, z] = f({ w: lt.tensor([1, 2]), b: lt.tensor(10) }, lt.tensor([3, 4]), 2);
  await close(y, [13, 18]);
  await close(z, [20]);
  expect(() => lt.vmap((p: { w: lt.Tensor }) => p.w, { inAxes: [{ v: 0 }] })({ w: lt.tensor([1]) })).toThrow(
    "vmap: inAxes[0] names 'v', the value is {w: *}",
  );
});

test('jvp of vmap, vmap of jvp, jacobians', async () => {
  const f = (x: lt.Tensor) => lt.sin(lt.mul(x, x));
  const x = lt.tensor(points);
  const want = points.map((p) => 2 * p * Math.cos(p * p));
  await close(lt.jvp(lt.vmap(f), [x], [lt.onesLike(x)])[1], want);
  await close(lt.vmap((t: lt.Tensor) => lt.jvp(f, [t], [lt.onesLike(t)])[1])(x), want);
  const rows = lt.vmap((v: lt.Tensor) => lt.jvp(f, [x], [v])[1])(lt.eye(4));
  const [, pull] = lt.vjp(f, x);
  const columns = lt.vmap((v: lt.Tensor) => pull(v)[0])(lt.eye(4));
  await close(rows, columns);
  await close(rows.sum(0), want);
});

test('grad of a jitted function, jit of grad, vmap of jit', async () => {
  const f = lt.jit((x: lt.Tensor) => lt.sum(lt.mul(lt.exp(x), x)));
  const want = points.map((p) => Math.exp(p) * (1 + p));
  await close(lt.grad(f)(lt.tensor(points)), want);
  await close(lt.jit(lt.grad(f))(lt.tensor(points)), want);
  await close(lt.vmap(lt.grad(f))(lt.tensor(points).reshape([2, 2])), want);
  await close(
    lt.vmap(f)(lt.tensor(points).reshape([4, 1])),
    points.map((p) => p * Math.exp(p)),
  );
});

test('valueAndGrad with auxiliary values, several arguments, leaves that share a gradient', async () => {
  const f = (p: { a: lt.Tensor; b: lt.Tensor }, x: lt.Tensor) => {
    const y = lt.add(p.a, p.b);
    return [lt.sum(lt.mul(y, x)), { y }] as const;
  };
  const p = { a: lt.tensor([1, 2]), b: lt.tensor([3, 4]) };
  const [[loss, aux], [gp, gx]] = lt.valueAndGrad(f, { argnums: [0, 1], hasAux: true })(p, lt.tensor([5, 6]));
  await close(loss, [56]);
  await close(aux.y, [4, 6]);
  await close(gx, [4, 6]);
  await close(gp.a, [5, 6]);
  gp.a.dispose();
  await close(gp.b, [5, 6]);
});

test('hvp of several arguments agrees with the Hessian', async () => {
  const f = (x: lt.Tensor, y: lt.Tensor) => lt.sum(lt.mul(lt.mul(x, x), y));
  const [x, y] = [lt.tensor([1, 2]), lt.tensor([3, 4])];
  const [hx, hy] = lt.hvp(f, [x, y], [lt.tensor([1, 0]), lt.tensor([0, 1])]);
  await close(hx, [6, 4]);
  await close(hy, [2, 0]);
});

test('a pullback may be called again, under other transformations, and gives null for integers', async () => {
  const [y, pull] = lt.vjp(
    (x: lt.Tensor, i: lt.Tensor) => lt.take(lt.square(x), i),
    lt.tensor(points),
    lt.tensor([0, 3], { dtype: 'int32' }),
  );
  await close(y, [2.25, 4]);
  for (const scale of [1, 2]) {
    const [gx, gi] = pull(lt.tensor([scale, scale]));
    await close(gx, [-3 * scale, 0, 0, 4 * scale]);
    expect(gi).toBeNull();
  }
  await close(lt.grad((c: lt.Tensor) => lt.sum(pull(c)[0]))(lt.tensor([1, 1])), [-3, 4]);
});

test('gradients of what does not depend on the argument are zeros', async () => {
  await close(lt.grad((_x: lt.Tensor) => lt.tensor(3))(lt.tensor([1, 2])), [0, 0]);
  await close(lt.grad((x: lt.Tensor) => lt.sum(lt.floor(x)))(lt.tensor([1.5, 2.5])), [0, 0]);
  await close(lt.jvp((_x: lt.Tensor) => 4, [lt.tensor(1)], [lt.tensor(1)])[1], [0]);
});

test('an index out of range takes no part in the derivative', async () => {
  const at = lt.tensor([0, 7, -1], { dtype: 'int32' });
  const scattered = (u: lt.Tensor) => lt.sum(lt.square(lt.scatterAdd(lt.zeros([3]), at, u)));
  await close(lt.grad(scattered)(lt.tensor([1, 2, 3])), [2, 0, 0]);
  await close(lt.grad((u: lt.Tensor) => lt.sum(lt.grad(scattered)(u)))(lt.tensor([1, 2, 3])), [2, 0, 0]);
});

test('whole-number arithmetic wraps exactly', async () => {
  const x = lt.tensor([65537, -2147483648, 123456789], { dtype: 'int32' });
  await close(
    lt.mul(x, lt.tensor([65537, 3, 987654321], { dtype: 'int32' })),
    [131073, -2147483648, -67153019],
  );
  const u = lt.tensor([4294967295, 2654435769], { dtype: 'uint32' });
  await close(lt.mul(u, u), [1, Number((2654435769n * 2654435769n) % 4294967296n)]);
});

const waves = (shape: number[], f: number) =>
  lt.tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * f)),
    { shape },
  );
const turned = (x: lt.Tensor) =>
  x.ndim < 2 ? x : lt.transpose(x, [...x.shape.keys()].slice(0, -2).concat(x.ndim - 1, x.ndim - 2));

test.each([
  [
    [3, 4],
    [5, 4],
  ],
  [
    [2, 3, 4],
    [5, 4],
  ],
  [
    [2, 3, 4],
    [2, 5, 4],
  ],
  [
    [3, 4],
    [2, 1, 5, 4],
  ],
  [[4], [5, 4]],
  [[3, 4], [4]],
])(
  'a product with a matrix as it lies, %j by %j, is the product with its transpose, and so are the derivatives',
  async (s, t) => {
    const [a, b] = [waves(s, 1.3), waves(t, 0.7)];
    const given = (x: lt.Tensor, y: lt.Tensor) => lt.sum(lt.sin(lt.matmul(x, y, { transposeB: true })));
    const plain = (x: lt.Tensor, y: lt.Tensor) => lt.sum(lt.sin(lt.matmul(x, turned(y))));
    await close(lt.matmul(a, b, { transposeB: true }), lt.matmul(a, turned(b)));
    const [got, want] = [given, plain].map((f) => lt.grad(f, [0, 1])(a, b) as lt.Tensor[]);
    await close(got[0], want[0]);
    await close(got[1], want[1]);
  },
);

test('attention is a softmax of scaled products, weighing values; what the mask leaves out has no part in it', async () => {
  const [q, k, v] = [waves([2, 3, 4], 1.1), waves([2, 5, 4], 0.6), waves([2, 5, 6], 0.9)];
  const mask = lt
    .tensor(
      Array.from({ length: 15 }, (_, i) => (i % 4 === 1 ? 0 : 1)),
      { shape: [3, 5] },
    )
    .greater(0.5);
  const got = await lt.attention(q, k, v, { mask }).data();
  const [x, y, z, m] = await Promise.all([q, k, v, mask].map((t) => t.data()));
  const want: number[] = [];
  for (let b = 0; b < 2; b++)
    for (let i = 0; i < 3; i++) {
      const weights = Array.from({ length: 5 }, (_, j) => {
        let score = 0;
        for (let d = 0; d < 4; d++) score += x[(b * 3 + i) * 4 + d] * y[(b * 5 + j) * 4 + d];
        return m[i * 5 + j] ? Math.exp(score / 2) : 0;
      });
      const total = weights.reduce((a, w) => a + w, 0);
      for (let d = 0; d < 6; d++)
        want.push(weights.reduce((a, w, j) => a + (w / total) * z[(b * 5 + j) * 6 + d], 0));
    }
  expect(got.length).toBe(want.length);
  want.forEach((w, n) => {
    expect(Math.abs(got[n] - w)).toBeLessThan(1e-12);
  });
  await lt.checkGradients(
    (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) => lt.sum(lt.sin(lt.attention(a, b, c, { mask }))),
    [q, k, v],
  );
});
