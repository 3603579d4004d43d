// Functions given to checkpoint and customVjp that close over values of the transformations around them: a differentiated
// parameter, a batched sample, a constant. The plain function is the oracle.

import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference', dtype: 'float64' }));

type F = (...xs: lt.Tensor[]) => lt.Tensor;
type Wrap = (f: F) => F;
const plain: Wrap = (f) => f;
const remade: Wrap = (f) => lt.checkpoint(f) as F;

const same = async (got: unknown, want: unknown, limit = 1e-10): Promise<void> => {
  const [a, b] = [lt.tree.flatten(got as lt.Tensor), lt.tree.flatten(want as lt.Tensor)];
  expect(a.leaves.length).toBe(b.leaves.length);
  for (const [i, y] of a.leaves.entries()) {
    expect(y.shape).toEqual(b.leaves[i].shape);
    const [u, v] = [await y.data(), await b.leaves[i].data()];
    for (let k = 0; k < u.length; k++)
      expect(Math.abs(u[k] - v[k]), `leaf ${i} element ${k}`).toBeLessThanOrEqual(limit);
  }
};

const w = () => lt.tensor([1, 2, 3]);
const x = () => lt.tensor([1, 1, 2]);

/** Each takes the wrapper of a block; every block closes over something. */
const programs: Record<string, (c: Wrap) => unknown> = {
  'grad, one block': (c) => lt.grad((p: lt.Tensor) => c((z) => z.mul(p).sum())(p.mul(2)))(w()),
  'grad, two blocks in a row': (c) =>
    lt.grad((p: lt.Tensor) => {
      const h = c((z) => z.mul(p).relu())(x().mul(p));
      return c((z) => z.mul(p).relu())(h).sum();
    })(w()),
  'grad, the argument is a constant': (c) =>
    lt.grad((p: lt.Tensor) => c((z) => z.mul(p).sin())(x()).sum())(w()),
  'vmap of grad, over the differentiated value': (c) =>
    lt.vmap((q: lt.Tensor) => lt.grad((p: lt.Tensor) => c((z) => z.mul(p).sum())(q))(w()))(
      lt.stack([x(), x().mul(3)]),
    ),
  'vmap, over the batched value': (c) =>
    lt.vmap((q: lt.Tensor) => c((z) => z.mul(q).sum())(q.mul(2)))(lt.stack([w(), x()])),
  'vmap, over the batched value, argument shared': (c) =>
    lt.vmap((q: lt.Tensor) => c((z) => z.mul(q).sum())(w()))(lt.stack([w(), x()])),
  'grad of vmap, over both': (c) =>
    lt.grad((p: lt.Tensor) =>
      lt
        .vmap((q: lt.Tensor) => c((z) => z.mul(p).mul(q).sin().sum())(q))(lt.stack([w(), x()]))
        .sum(),
    )(w()),
  'vmap of vmap, over both batches': (c) =>
    lt.vmap((a: lt.Tensor) =>
      lt.vmap((b: lt.Tensor) => c((z) => z.mul(a).add(b))(w()))(lt.stack([w(), x()])),
    )(lt.stack([x(), w()])),
  jvp: (c) => lt.jvp((p: lt.Tensor) => c((z) => z.mul(p).sin())(x()).sum(), [w()], [x()]),
  hvp: (c) => lt.hvp((p: lt.Tensor) => c((z) => z.mul(p).mul(p).sin())(x()).sum(), [w()], [x()]),
  'grad of grad': (c) =>
    lt.grad((p: lt.Tensor) =>
      lt
        .grad((q: lt.Tensor) => c((z) => z.mul(p).mul(q).sin())(q).sum())(p)
        .square()
        .sum(),
    )(w()),
  'grad of jvp': (c) =>
    lt.grad(
      (p: lt.Tensor) => lt.jvp((q: lt.Tensor) => c((z) => z.mul(p).mul(q).sin())(q).sum(), [p], [x()])[1],
    )(w()),
  'jit of grad': (c) => lt.jit(lt.grad((p: lt.Tensor) => c((z) => z.mul(p).relu())(x().mul(p)).sum()))(w()),
  'jit of vmap of grad': (c) =>
    lt.jit(lt.vmap(lt.grad((p: lt.Tensor) => c((z) => z.mul(p).cos())(x()).sum())))(lt.stack([w(), x()])),
  'grad of jit': (c) => lt.grad(lt.jit((p: lt.Tensor) => c((z) => z.mul(p).cos())(x()).sum()))(w()),
  'jit inside a block': (c) =>
    lt.grad((p: lt.Tensor) => c((z) => lt.jit((u: lt.Tensor) => u.mul(p).cos())(z))(p).sum())(w()),
  'block in a block, the inner one over all': (c) =>
    lt.grad((p: lt.Tensor) =>
      c((z) => {
        const h = z.mul(p);
        return c((u) => u.mul(h).mul(p).sin())(z.cos()).sum();
      })(x()),
    )(w()),
  'grad inside a block': (c) =>
    lt.grad((p: lt.Tensor) => c((z) => lt.grad((u: lt.Tensor) => u.mul(p).sin().sum())(z))(p).sum())(w()),
  'a result that is the captured value itself': (c) =>
    lt.grad((p: lt.Tensor) =>
      c(() => p)(x())
        .mul(p)
        .sum(),
    )(w()),
  'no argument at all': (c) => lt.grad((p: lt.Tensor) => c(() => p.mul(p))().sum())(w()),
  'integers and numbers among the captured': (c) =>
    lt.grad((p: lt.Tensor) => {
      const at = lt.tensor([0, 2], { dtype: 'int32' });
      return c((z) => lt.take(z, at).mul(3).sum())(p.mul(p));
    })(w()),
  'stopGradient of what is captured': (c) =>
    lt.grad((p: lt.Tensor) => c((z) => z.mul(lt.stopGradient(p) as lt.Tensor))(p).sum())(w()),
  'random numbers from a captured key': (c) => {
    const key = lt.random.key(3);
    return lt.grad((p: lt.Tensor) => c((z) => z.mul(lt.random.normal(key, [3])).mul(p))(p).sum())(w());
  },
  'shapes alone': (c) =>
    lt.grad((p: lt.Tensor) => {
      const { shape } = lt.evalShape(
        c((z) => z.mul(p).sum(0, true)),
        p,
      );
      return p.mul(shape[0]).sum();
    })(w()),
};

describe('checkpoint of a closure is the function itself', () => {
  for (const [name, program] of Object.entries(programs))
    test(name, async () => {
      await same(program(remade), program(plain));
    });
});

type P = { w: lt.Tensor; g: lt.Tensor; b: lt.Tensor }[];

// A small CNN as one writes it: blocks close over their parameters, and over batch statistics on the way.
const cnn = (c: Wrap) => {
  return (params: P, images: lt.Tensor, labels: lt.Tensor): lt.Tensor => {
    let h = images;
    for (const [i, { w, g, b }] of params.entries()) {
      if (i === params.length - 1) return lt.crossEntropy(lt.matmul(lt.globalAvgPool(h), w).add(b), labels);
      h = c((z) => {
        const y = lt.conv2d(z, w, { padding: 'same' });
        const n = lt.batchNorm(y).output.mul(g).add(b);
        return lt.maxPool2d(lt.softplus(n), { size: 2, stride: 2 });
      })(h);
    }
    return h;
  };
};
const network = () => {
  const keys = lt.random.split(lt.random.key(5), 5);
  const layer = (k: lt.Tensor, shape: number[], n: number) => ({
    w: lt.random.normal(k, shape).mul(0.5),
    g: lt.ones([n]),
    b: lt.zeros([n]),
  });
  const params = [
    layer(keys[0], [3, 3, 2, 4], 4),
    layer(keys[1], [3, 3, 4, 4], 4),
    layer(keys[2], [4, 3], 3),
  ];
  return {
    params,
    images: lt.random.normal(keys[3], [4, 8, 8, 2]),
    labels: lt.random.randint(keys[4], [4], 0, 3),
  };
};

describe('blocks of a CNN that close over their parameters', () => {
  const { grad, hvp, jit, jvp, vmap } = lt;
  const n = network;
  const like = (tree: P) => lt.tree.map((t: lt.Tensor) => t.mul(0.5).add(0.25), tree);
  const ways: Record<string, (c: Wrap) => unknown> = {
    'first order': (c) => {
      const { params, images, labels } = n();
      return grad(cnn(c))(params, images, labels);
    },
    'first order, compiled': (c) => {
      const { params, images, labels } = n();
      return jit(grad(cnn(c)))(params, images, labels);
    },
    'Hessian-vector product': (c) => {
      const { params, images, labels } = n();
      return hvp((p: P) => cnn(c)(p, images, labels), [params], [like(params)]);
    },
    'reverse over reverse, compiled': (c) => {
      const { params, images, labels } = n();
      const length = (p: P): lt.Tensor =>
        lt.tree
          .flatten(grad(cnn(c))(p, images, labels))
          .leaves.reduce((sum: lt.Tensor, g: lt.Tensor) => sum.add(g.square().sum()), lt.tensor(0));
      return jit(grad(length))(params);
    },
    'per-sample gradients': (c) => {
      const { params, images, labels } = n();
      const one = (p: P, image: lt.Tensor, label: lt.Tensor) =>
        cnn(c)(p, lt.reshape(image, [1, 8, 8, 2]), lt.reshape(label, [1]));
      return jit(vmap(grad(one), { inAxes: [null, 0, 0] }))(params, images, labels);
    },
    'per-sample gradient dot v': (c) => {
      const { params, images, labels } = n();
      const losses = (p: P) =>
        vmap((image: lt.Tensor, label: lt.Tensor) =>
          cnn(c)(p, lt.reshape(image, [1, 8, 8, 2]), lt.reshape(label, [1])),
        )(images, labels);
      return jvp(losses, [params], [like(params)])[1];
    },
  };
  for (const [name, way] of Object.entries(ways))
    test(name, async () => {
      await same(way(remade), way(plain), 1e-9);
    });

  test('still keep less memory than the plain blocks', () => {
    const { params, images, labels } = n();
    const big = lt.broadcastTo(images.reshape([1, 4, 8, 8, 2]), [8, 4, 8, 8, 2]).reshape([32, 8, 8, 2]);
    const all = lt.broadcastTo(labels.reshape([1, 4]), [8, 4]).reshape([32]);
    const arena = (c: Wrap) => jit(grad(cnn(c))).program(params, big, all).arenaBytes;
    expect(arena(remade)).toBeLessThan(arena(plain));
  });

  test('per-sample gradients keep one copy of the weights that samples share', () => {
    const { params, images, labels } = n();
    const one = (p: P, image: lt.Tensor, label: lt.Tensor) =>
      cnn(remade)(p, lt.reshape(image, [1, 8, 8, 2]), lt.reshape(label, [1]));
    const text = jit(vmap(grad(one), { inAxes: [null, 0, 0] })).graph(params, images, labels);
    const barriers = text.split('\n').filter((line) => line.includes('= barrier'));
    expect(barriers.length).toBe(2);
    for (const line of barriers) expect(line).toMatch(/float64\[3, 3, [24], 4\]/);
  });
});

describe('residual blocks of the library, wrapped where they are applied', () => {
  const { nn } = lt;
  /** The layer with its block run again for the gradient. Variables, key and options are closed over, as one writes it. */
  const rerun = (layer: lt.nn.Layer, c: Wrap): lt.nn.Layer => ({
    ...layer,
    apply: (variables, z, options) =>
      c(((t: lt.Tensor) => layer.apply(variables, t, options)) as never as F)(z) as never,
  });
  const model = (c: Wrap): lt.nn.Layer => {
    const block = (filters: number, stride: number) =>
      nn.residual(
        {
          conv1: nn.conv2d(filters, { padding: 1, stride, bias: false }),
          bn1: nn.batchNorm(),
          act: nn.silu(),
          drop: nn.dropout(0.2),
          conv2: nn.conv2d(filters, { padding: 1, bias: false }),
          bn2: nn.batchNorm(),
        },
        {
          shortcut: stride === 1 ? undefined : nn.conv2d(filters, { size: 1, stride, bias: false }),
          activation: lt.silu,
        },
      );
    return nn.sequential({
      stem: nn.conv2d(4, { padding: 1 }),
      block1: rerun(block(4, 1), c),
      block2: rerun(nn.sequential([rerun(block(6, 2), c), block(6, 1)]), c),
      pool: nn.globalAvgPool(),
      fc: nn.dense(3),
    });
  };
  const [k1, k2, k3, k4] = [1, 2, 3, 4].map((n) => () => lt.random.key(n));
  const setUp = (c: Wrap) => {
    const net = model(c);
    const { params, state } = net.init(k1(), [4, 8, 8, 3]);
    const x = lt.random.normal(k2(), [4, 8, 8, 3]);
    const y = lt.random.randint(k3(), [4], 0, 3);
    const loss = (p: typeof params): [lt.Tensor, unknown] => {
      const { output, state: next } = net.apply({ params: p, state }, x, { train: true, key: k4() });
      return [lt.crossEntropy(output, y), next];
    };
    return { params, loss };
  };
  const direction = <T>(tree: T) => lt.tree.map((t: lt.Tensor) => t.mul(0.3).add(0.1), tree as unknown) as T;

  test('loss, new batch statistics and gradient', async () => {
    const of = (c: Wrap) => {
      const { params, loss } = setUp(c);
      return [
        lt.valueAndGrad(loss, { hasAux: true })(params),
        lt.jit(lt.grad(loss, { hasAux: true }))(params),
      ];
    };
    await same(of(remade), of(plain), 1e-9);
  });

  test('Hessian-vector product', async () => {
    const of = (c: Wrap) => {
      const { params, loss } = setUp(c);
      return lt.jit((v: typeof params) => lt.hvp((p: typeof params) => loss(p)[0], [params], [v]))(
        direction(params),
      );
    };
    await same(of(remade), of(plain), 1e-8);
  });
});

test('eager gradients give back what a block makes on the way, as soon as it has run', () => {
  const wide = lt.ones([1000]);
  const peak = (c: Wrap): number => {
    const before = lt.memory().buffers;
    let most = 0;
    const f = (p: lt.Tensor) => {
      let h = p;
      for (let i = 0; i < 10; i++) {
        h = c((z) => z.mul(wide).sin().mul(p).cos().mul(z))(h);
        most = Math.max(most, lt.memory().buffers - before);
      }
      return h.sum();
    };
    lt.grad(f)(wide).dispose();
    return most;
  };
  expect(peak(remade)).toBeLessThan(peak(plain) / 2);
});

describe('customVjp of a closure', () => {
  // Three times the derivative, so that the rule cannot be mistaken for it.
  const scaled = (by: () => lt.Tensor) =>
    lt.customVjp(
      function scale(t: lt.Tensor) {
        return t.mul(by());
      },
      {
        forward: (t: lt.Tensor) => [t.mul(by()), null],
        backward: (_: unknown, ct: lt.Tensor) => [ct.mul(by()).mul(3)],
      },
    ) as F;

  test('over a batched value: function and both rules see the sample', async () => {
    const batch = lt.stack([w(), x()]);
    await same(lt.vmap((q: lt.Tensor) => scaled(() => q)(w()))(batch), batch.mul(w()));
    const gradients = lt.vmap((q: lt.Tensor) => lt.grad((t: lt.Tensor) => scaled(() => q)(t).sum())(w()));
    await same(gradients(batch), batch.mul(3));
    await same(lt.jit(gradients)(batch), batch.mul(3));
    // The batch inside the differentiated function: the shared argument gets the sum over the samples.
    const outside = lt.grad((t: lt.Tensor) =>
      lt
        .vmap((q: lt.Tensor) => scaled(() => q)(t))(batch)
        .sum(),
    );
    await same(outside(w()), batch.mul(3).sum(0));
    await same(
      lt.vmap((a: lt.Tensor) =>
        lt.vmap((b: lt.Tensor) => lt.grad((t: lt.Tensor) => scaled(() => a.mul(b))(t).sum())(w()))(batch),
      )(batch),
      lt.mul(batch.reshape([2, 1, 3]), batch.reshape([1, 2, 3])).mul(3),
    );
  });

  test('over constants, inside a checkpoint, and over values of an outer derivative', async () => {
    await same(lt.grad((t: lt.Tensor) => scaled(x)(t).sum())(w()), x().mul(3));
    await same(lt.grad(lt.checkpoint((t: lt.Tensor) => scaled(x)(t).sum()))(w()), x().mul(3));
    // p belongs to the outer grad: the inner one finds 3 p, which is then differentiated like any value.
    const inner = (p: lt.Tensor) => lt.grad((t: lt.Tensor) => scaled(() => p)(t).sum())(w());
    await same(lt.grad((p: lt.Tensor) => inner(p).sum())(x()), lt.full([3], 3));
  });

  test('over the value that is being differentiated: one error that says what to do', async () => {
    const want =
      'customVjp: scale or a rule of it closes over a value that is being differentiated, for which there is no rule; pass it as an argument, or its stopGradient';
    expect(() => lt.grad((p: lt.Tensor) => scaled(() => p)(x()).sum())(w())).toThrow(want);
    expect(() => lt.grad((p: lt.Tensor) => scaled(() => p)(p).sum())(w())).toThrow(want);
    expect(() => lt.jit(lt.grad((p: lt.Tensor) => scaled(() => p)(x()).sum()))(w())).toThrow(want);
    expect(() =>
      lt.grad((p: lt.Tensor) =>
        lt
          .vmap((q: lt.Tensor) => scaled(() => p)(q))(lt.stack([x(), x()]))
          .sum(),
      )(w()),
    ).toThrow(want);
    await same(
      lt.grad((p: lt.Tensor) => {
        const constant = lt.stopGradient(p) as lt.Tensor;
        return scaled(() => constant)(p).sum();
      })(w()),
      w().mul(3),
    );
  });

  test('a forward rule must give what the function gives', () => {
    const wrong = lt.customVjp((t: lt.Tensor) => t.sum(), {
      forward: (t: lt.Tensor) => [t, null],
      backward: (_: unknown, ct: lt.Tensor) => [ct],
    });
    expect(() => lt.grad((t: lt.Tensor) => lt.sum(wrong(t)))(w())).toThrow(
      /forward of .* returns .*float64\[3\]/,
    );
  });
});

test('a value that outlives its transformation is refused by name wherever it is met', () => {
  let stolen: lt.Tensor | undefined;
  lt.grad((p: lt.Tensor) => {
    stolen = p;
    return p.sum();
  })(w());
  const dead = stolen as lt.Tensor;
  expect(() =>
    lt.grad((p: lt.Tensor) =>
      lt
        .checkpoint((_: lt.Tensor) => dead)(p)
        .sum(),
    )(w()),
  ).toThrow('has ended');
  expect(() =>
    lt.grad((p: lt.Tensor) =>
      lt
        .checkpoint((z: lt.Tensor) => z.mul(dead))(p)
        .sum(),
    )(w()),
  ).toThrow('escaped');
});
