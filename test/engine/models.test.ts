// Whole networks: Hessian-vector products and per-sample gradients of a ResNet-18 and of a CNN with max-pooling, against
// differences of gradients in float64 and against a loop over the samples. The ResNet is thin on the reference backend
// and has its full width on the CPU.

import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { describeCpu } from '../native/support.ts';

type Tree = lt.Tensor | readonly Tree[] | { readonly [k: string]: Tree };
type Loss = (params: Tree, x: lt.Tensor, y: lt.Tensor) => lt.Tensor;

interface Net {
  readonly params: Tree;
  readonly x: lt.Tensor;
  readonly y: lt.Tensor;
  readonly loss: Loss;
  /** The loss of one sample, whose statistics are those of no other. */
  readonly lossOfOne: Loss;
}

function asNet(model: lt.nn.Model, shape: readonly number[], seed: number): Net {
  const [k1, k2, k3] = lt.random.split(lt.random.key(seed), 3);
  const { params, state } = model.init(k1, shape);
  const loss =
    (options: lt.nn.ApplyOptions): Loss =>
    (p, x, y) =>
      lt.crossEntropy(model.apply({ params: p, state } as never, x, options).output, y);
  const single = loss({ train: true, frozenStatistics: true });
  return {
    params: params as Tree,
    x: lt.random.normal(k2, shape),
    y: lt.random.randint(k3, [shape[0]], 0, 5),
    loss: loss({ train: true }),
    lossOfOne: (p, x, y) => single(p, lt.expandDims(x, 0), lt.expandDims(y, 0)),
  };
}

/** ResNet-18 with `width` channels in its first stage. */
function thinResnet18(width: number, classes: number): lt.nn.Model {
  const { batchNorm, conv2d, dense, globalAvgPool, relu, residual, sequential } = lt.nn;
  const conv = (filters: number, size: number, stride: number) =>
    conv2d(filters, { size, stride, padding: (size - 1) / 2, bias: false });
  const block = (filters: number, stride: number) =>
    residual(
      {
        conv1: conv(filters, 3, stride),
        bn1: batchNorm(),
        relu: relu(),
        conv2: conv(filters, 3, 1),
        bn2: batchNorm(),
      },
      {
        shortcut: stride === 1 ? undefined : sequential([conv(filters, 1, stride), batchNorm()]),
        activation: lt.relu,
      },
    );
  const stage = (filters: number, stride: number) => sequential([block(filters, stride), block(filters, 1)]);
  return sequential({
    conv1: conv(width, 3, 1),
    bn1: batchNorm(),
    relu: relu(),
    layer1: stage(width, 1),
    layer2: stage(2 * width, 2),
    layer3: stage(4 * width, 2),
    layer4: stage(8 * width, 2),
    pool: globalAvgPool(),
    fc: dense(classes),
  });
}

type Parts = readonly ArrayLike<number>[];
const numbers = (tree: Tree): Promise<Parts> =>
  Promise.all(lt.tree.flatten<lt.Tensor>(tree as never).leaves.map((t) => t.data()));
/** Largest difference, relative to the largest expected element. */
const errorOf = (got: Parts, want: Parts): number => {
  let [scale, worst] = [0, 0];
  want.forEach((w, k) => {
    expect(got[k].length).toBe(w.length);
    for (let i = 0; i < w.length; i++) {
      scale = Math.max(scale, Math.abs(w[i]));
      worst = Math.max(worst, Math.abs(got[k][i] - w[i]));
    }
  });
  expect(scale).toBeGreaterThan(0);
  return worst / scale;
};
const like = (params: Tree, seed: number): Tree => {
  const { leaves } = lt.tree.flatten<lt.Tensor>(params as never);
  const keys = lt.random.split(lt.random.key(seed), leaves.length);
  let next = 0;
  return lt.tree.map(
    (t: lt.Tensor) => lt.mul(lt.random.normal(keys[next++], t.shape), 0.01),
    params as never,
  );
};

/** hvp and per-sample gradients of a net, compiled, against what they mean. */
async function agreesWithItsMeaning({ params, x, y, loss, lossOfOne }: Net, limit: number): Promise<void> {
  const v = like(params, 77);
  const gradient = lt.jit(lt.grad(loss));
  const product = lt.jit((p: Tree, t: Tree, a: lt.Tensor, b: lt.Tensor) =>
    lt.hvp((q: Tree) => loss(q, a, b), [p], [t]),
  );
  const h = 1e-5;
  const moved = (s: number) =>
    lt.tree.map((p: lt.Tensor, t: lt.Tensor) => lt.add(p, lt.mul(t, s)), params as never, v as never);
  const [up, down] = [await numbers(gradient(moved(h), x, y)), await numbers(gradient(moved(-h), x, y))];
  const differences = up.map((u, k) => Float64Array.from(u, (e, i) => (e - down[k][i]) / (2 * h)));
  expect(errorOf(await numbers(product(params, v, x, y)), differences)).toBeLessThan(limit);

  const per = lt.jit(lt.vmap(lt.grad(lossOfOne), { inAxes: [null, 0, 0] }))(params, x, y);
  await isTheLoop({ params, x, y, loss, lossOfOne }, per, 1e-11);
}

/** Per-sample gradients against one gradient at a time. */
async function isTheLoop({ params, x, y, lossOfOne }: Net, per: Tree, limit: number): Promise<void> {
  const one = lt.jit(lt.grad(lossOfOne));
  for (let n = 0; n < x.shape[0]; n++) {
    const row = (t: lt.Tensor) =>
      lt.squeeze(
        lt.slice(
          t,
          t.shape.map((_, i) => (i === 0 ? n : 0)),
          t.shape.map((d, i) => (i === 0 ? 1 : d)),
        ),
        0,
      );
    const got = await numbers(lt.tree.map(row, per as never));
    expect(errorOf(got, await numbers(one(params, row(x), row(y))))).toBeLessThan(limit);
  }
}

describe('in float64 on the reference backend', () => {
  beforeEach(() => lt.init({ device: 'reference', dtype: 'float64' }));

  test('a CNN with max-pooling', async () => {
    const { conv2d, dense, flatten, maxPool, relu, sequential } = lt.nn;
    const model = sequential([
      conv2d(4, { size: 3, padding: 'same' }),
      relu(),
      maxPool({ size: 2 }),
      conv2d(6, { size: 3, padding: 'same' }),
      relu(),
      maxPool({ size: 3, stride: 2, padding: [1, 1] }),
      flatten(),
      dense(8),
      relu(),
      dense(5),
    ]);
    await agreesWithItsMeaning(asNet(model, [3, 8, 8, 2], 3), 1e-7);
  });

  test('a thin ResNet-18', async () => {
    await agreesWithItsMeaning(asNet(thinResnet18(2, 5), [2, 9, 9, 3], 4), 1e-6);
  });
});

describeCpu('in float32 on the CPU', () => {
  beforeEach(() => lt.init({ device: 'cpu' }));
  afterAll(() => lt.close());

  test('ResNet-18 in full width: per-sample gradients are the loop, hvp is reverse over reverse', async () => {
    const net = asNet(lt.nn.resnet18({ classes: 5 }), [2, 8, 8, 3], 6);
    const { params, x, y, loss, lossOfOne } = net;
    const per = lt.jit(lt.vmap(lt.grad(lossOfOne), { inAxes: [null, 0, 0] }))(params, x, y);
    await isTheLoop(net, per, 1e-4);
    const v = like(params, 78);
    const forward = lt.jit((p: Tree, t: Tree) => lt.hvp((q: Tree) => loss(q, x, y), [p], [t]));
    const inner = (a: Tree, b: Tree): lt.Tensor => {
      const [p, q] = [a, b].map((t) => lt.tree.flatten<lt.Tensor>(t as never).leaves);
      return p.map((t, i) => lt.sum(lt.mul(t, q[i]))).reduce((s, t) => lt.add(s, t));
    };
    const reverse = lt.jit((p: Tree, t: Tree) =>
      lt.grad((q: Tree) => inner(lt.grad((r: Tree) => loss(r, x, y))(q), t))(p),
    );
    expect(errorOf(await numbers(forward(params, v)), await numbers(reverse(params, v)))).toBeLessThan(1e-3);
  });
});
