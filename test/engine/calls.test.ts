// checkpoint, customVjp and stopGradient: same values everywhere, their own behaviour under every order of transformations.

import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference', dtype: 'float64' }));

const numbers = async (x: lt.Tensor) => Array.from(await x.data());
const close = async (got: lt.Tensor, want: lt.Tensor | readonly number[], limit = 1e-10) => {
  const [a, b] = [await got.data(), want instanceof lt.Tensor ? await want.data() : want];
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i]), `element ${i}`).toBeLessThanOrEqual(limit);
};
type F = (...xs: lt.Tensor[]) => lt.Tensor;
const xs = () => lt.tensor([0.5, -1, 2]);

// A rule that cannot be mistaken for the derivative: three times it.
const tripled: F = lt.customVjp(
  function cube(x: lt.Tensor) {
    return lt.pow(x, 3);
  },
  {
    forward: (x: lt.Tensor) => [lt.pow(x, 3), { x }],
    backward: ({ x }: { x: lt.Tensor }, ct: lt.Tensor) => [lt.mul(ct, lt.mul(lt.square(x), 9))],
  },
);

test('customVjp: its rule is used by grad, jit, vmap and their mixtures', async () => {
  const x = xs();
  const want = (await numbers(x)).map((v) => 9 * v * v);
  await close(
    tripled(x),
    (await numbers(x)).map((v) => v ** 3),
  );
  const each: Record<string, F> = {
    grad: lt.grad((t: lt.Tensor) => lt.sum(tripled(t))),
    'jit of grad': lt.jit(lt.grad((t: lt.Tensor) => lt.sum(tripled(t)))),
    'vmap of grad': lt.vmap(lt.grad(tripled)),
    'jit of vmap of grad': lt.jit(lt.vmap(lt.grad(tripled))),
    'grad of vmap': lt.grad((t: lt.Tensor) => lt.sum(lt.vmap(tripled)(t))),
    'grad of vmap of vmap': lt.grad((t: lt.Tensor) =>
      lt.sum(lt.vmap(lt.vmap(tripled))(lt.reshape(t, [1, 3]))),
    ),
    'grad of jit': lt.grad(lt.jit((t: lt.Tensor) => lt.sum(tripled(t)))),
    'grad of checkpoint': lt.grad(lt.checkpoint((t: lt.Tensor) => lt.sum(tripled(t)))),
  };
  for (const [name, f] of Object.entries(each)) {
    const got = await numbers(f(x));
    got.forEach((g, i) => {
      expect(g, name).toBeCloseTo(want[i], 10);
    });
  }
});

test('customVjp: the backward rule is differentiated by grad of grad and by hvp', async () => {
  const x = xs();
  const want = (await numbers(x)).map((v) => 18 * v);
  const first = lt.grad((t: lt.Tensor) => lt.sum(tripled(t)));
  await close(lt.grad((t: lt.Tensor) => lt.sum(first(t)))(x), want);
  await close(
    lt.hvp((t: lt.Tensor) => lt.sum(tripled(t)), [x], [lt.onesLike(x)]),
    want,
  );
  await close(lt.vmap(lt.grad(lt.grad(tripled)))(x), want);
  await close(lt.jit(lt.grad((t: lt.Tensor) => lt.sum(first(t))))(x), want);
});

test('customVjp in a batch: an operand all samples share gets the sum of their gradients', async () => {
  const scaled: F = lt.customVjp((w: lt.Tensor, x: lt.Tensor) => lt.mul(w, x), {
    forward: (w: lt.Tensor, x: lt.Tensor) => [lt.mul(w, x), [w, x]],
    backward: ([w, x]: lt.Tensor[], ct: lt.Tensor) => [lt.mul(lt.mul(ct, x), 10), lt.mul(ct, w)],
  });
  const f = (w: lt.Tensor, x: lt.Tensor) => lt.sum(lt.vmap(scaled, { inAxes: [null, 0] })(w, x));
  const [w, x] = [lt.tensor(2), xs()];
  for (const g of [lt.grad(f, [0, 1]), lt.jit(lt.grad(f, [0, 1]))]) {
    const [gw, gx] = g(w, x);
    await close(gw, [15]);
    await close(gx, [2, 2, 2]);
  }
  // A gradient that does not depend on the sample counts once for each.
  const constant: F = lt.customVjp((v: lt.Tensor, t: lt.Tensor) => lt.mul(v, t), {
    forward: (v: lt.Tensor, t: lt.Tensor) => [lt.mul(v, t), null],
    backward: () => [lt.tensor(1), null],
  });
  await close(lt.grad((v: lt.Tensor) => lt.sum(lt.vmap(constant, { inAxes: [null, 0] })(v, x)))(w), [3]);
});

test('customVjp takes trees with integers and gradients that are missing', async () => {
  const pick = lt.customVjp(
    (p: { x: lt.Tensor; at: lt.Tensor }, s: lt.Tensor) => lt.mul(lt.take(p.x, p.at), s),
    {
      forward: (p: { x: lt.Tensor; at: lt.Tensor }, s: lt.Tensor) => [
        lt.mul(lt.take(p.x, p.at), s),
        { n: p.x.size },
      ],
      backward: (_: unknown, ct: lt.Tensor) => [{ x: lt.tensor([7, 7, 7]), at: null }, lt.sum(ct)],
    },
  );
  const at = lt.tensor([0, 2], { dtype: 'int32' });
  const [gx, gs] = lt.grad((x: lt.Tensor, s: lt.Tensor) => lt.sum(pick({ x, at }, s)), [0, 1])(
    xs(),
    lt.tensor(3),
  );
  await close(gx, [7, 7, 7]);
  await close(gs, [2]);
  const wrong = lt.customVjp(
    function halve(x: lt.Tensor) {
      return lt.mul(x, 0.5);
    },
    {
      forward: (x: lt.Tensor) => [lt.mul(x, 0.5), null],
      backward: (_: unknown, ct: lt.Tensor) => [lt.sum(ct)],
    },
  );
  expect(() => lt.grad((x: lt.Tensor) => lt.sum(wrong(x)))(xs())).toThrow(
    'customVjp: gradient 0 of halve is float64[], expected float64[3]',
  );
  expect(() => lt.jvp(tripled, [xs()], [xs()])).toThrow('customVjp: cube has only a reverse rule');
  expect(() => lt.vmap((x: lt.Tensor) => lt.jvp(tripled, [x], [x])[1])(xs())).toThrow(
    'cube has only a reverse rule',
  );
});

test('checkpoint changes no value and no derivative', async () => {
  const block = (x: lt.Tensor, w: lt.Tensor) => lt.tanh(lt.mul(lt.sin(lt.mul(x, w)), x));
  const kept: F = (x, w) => lt.sum(block(block(x, w), w));
  const remade: F = (x, w) => {
    const b = lt.checkpoint(block) as F;
    return lt.sum(b(b(x, w), w));
  };
  const [x, w] = [xs(), lt.tensor([1.5, -0.5, 0.25])];
  const both = [0, 1];
  const ways: Record<string, (f: F) => lt.Tensor[]> = {
    value: (f) => [f(x, w)],
    grad: (f) => lt.grad(f, both)(x, w),
    'jit of grad': (f) => lt.jit(lt.grad(f, both))(x, w),
    'vmap of grad': (f) => lt.vmap(lt.grad(f, both), { inAxes: [0, null] })(x, lt.tensor(0.5)),
    'grad of vmap': (f) =>
      lt.grad((a: lt.Tensor, b: lt.Tensor) => lt.sum(lt.vmap(f, { inAxes: [0, null] })(a, b)), both)(
        x,
        lt.tensor(0.5),
      ),
    jvp: (f) => [lt.jvp(f, [x, w], [w, x])[1]],
    'vmap of jvp': (f) => [
      lt.vmap((a: lt.Tensor) => lt.jvp(f, [a, lt.tensor(2)], [lt.tensor(1), lt.tensor(3)])[1])(x),
    ],
    hvp: (f) => lt.hvp(f, [x, w], [w, x]),
    'grad of grad': (f) => [lt.grad((a: lt.Tensor) => lt.sum(lt.sin(lt.grad(f)(a, w))))(x)],
    'grad of jvp': (f) => [lt.grad((a: lt.Tensor) => lt.jvp(f, [a, w], [w, x])[1])(x)],
  };
  for (const way of Object.values(ways)) {
    const [a, b] = [way(kept), way(remade)];
    for (const [i, y] of a.entries()) await close(b[i], y, 1e-12);
  }
});

const deep = (wrap: (f: F) => F, inner: F) => (x: lt.Tensor, w: lt.Tensor) => {
  let y = x;
  for (let i = 0; i < 4; i++)
    y = wrap((a, b) => {
      let z = lt.cos(lt.sin(a));
      for (let k = 0; k < 6; k++) z = inner(z, b);
      return z;
    })(y, w);
  return lt.sum(y);
};

test.each<[string, F, number[], number[]]>([
  ['elementwise chains around means', (a, b) => lt.sin(lt.mul(lt.sub(a, lt.mean(a)), b)), [64, 64], [64, 64]],
  ['products', (a, b) => lt.tanh(lt.matmul(a, b)), [64, 64], [64, 64]],
  ['products of sines', (a, b) => lt.tanh(lt.matmul(lt.sin(a), b)), [64, 64], [64, 64]],
  ['convolutions', (a, b) => lt.tanh(lt.conv2d(a, b, { padding: 'same' })), [1, 16, 16, 16], [3, 3, 16, 16]],
])('checkpoint makes the arena of a deep chain of %s smaller', async (_, inner, xShape, wShape) => {
  const arena = (wrap: (f: F) => F) =>
    lt.jit(lt.grad(deep(wrap, inner), [0, 1])).program(lt.ones(xShape), lt.ones(wShape)).arenaBytes;
  const [kept, remade] = [arena((f) => f), arena((f) => lt.checkpoint(f) as F)];
  expect(remade).toBeLessThan(0.5 * kept);
});

test('stopGradient holds inside every transformation', async () => {
  const f = (x: lt.Tensor) => lt.mul(x, lt.stopGradient(x) as lt.Tensor);
  const x = xs();
  await close(lt.grad((t: lt.Tensor) => lt.sum(f(t)))(x), x);
  await close(lt.vmap(lt.grad(f))(x), x);
  await close(lt.grad((t: lt.Tensor) => lt.sum(lt.vmap(f)(t)))(x), x);
  await close(lt.jvp(lt.vmap(f), [x], [lt.onesLike(x)])[1], x);
  await close(lt.jit(lt.grad((t: lt.Tensor) => lt.sum(lt.vmap(f)(t))))(x), x);
});
