// Models: parameter counts known from elsewhere, image sizes, derivatives, and the transformations over them.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';

const { nn } = lt;
type Params = lt.tree.Tree<lt.Tensor>;
const abstractInit = (model: lt.nn.Model, shape: readonly number[]) =>
  lt.evalShape((k: lt.Tensor) => model.init(k, shape), lt.random.key(0));

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

test.each([
  ['resnet18', nn.resnet18({ classes: 10 }), [1, 32, 32, 3], 11_173_962],
  ['vgg16', nn.vgg16({ classes: 10 }), [1, 32, 32, 3], 14_728_266],
  ['lenet', nn.lenet({ classes: 10 }), [1, 32, 32, 1], 61_706],
  ['smallCnn', nn.smallCnn({ classes: 10 }), [1, 32, 32, 3], 896 + 18_496 + 524_416 + 1_290],
  ['mlp', nn.mlp({ classes: 10 }), [1, 28, 28, 1], 785 * 256 + 257 * 256 + 2570],
  ['allCnn, half', nn.allCnn({ classes: 10 }), [1, 32, 32, 3], 406_810],
  [
    'allCnn, full',
    nn.allCnn({ classes: 10, width: 'full' }),
    [1, 32, 32, 3],
    9 * (288 + 9_216 + 18_432 + 4 * 36_864) + 36_864 + 2_688 + 1_930,
  ],
] as const)('%s has as many parameters as it should', (_, model, shape, parameters) => {
  const sizes = lt.tree
    .entries(abstractInit(model, shape).params)
    .map(([, t]) => (t as lt.Tensor).shape.reduce((a, b) => a * b, 1));
  expect(sizes.reduce((a, b) => a + b, 0)).toBe(parameters);
});

describe.each(Object.entries(nn.models))('%s', (_, make) => {
  const model = make({ classes: 7, normalise: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] } });
  test.each([[[2, 32, 32, 3]], [[2, 28, 28, 3]], [[1, 56, 46, 3]]])('takes images %s', (shape) => {
    const variables = abstractInit(model, shape);
    const out = lt.evalShape(
      (v: lt.nn.Variables, x: lt.Tensor) => model.apply(v, x, { train: true, frozenStatistics: true }).output,
      variables,
      lt.zeros(shape),
    );
    expect(out.shape).toEqual([shape[0], 7]);
    // biome-ignore lint/suspicious/noExplicitAny: walking a tree by a path
    const head = model.head.reduce((at: any, part) => at[part], variables.params);
    expect(head.weight.shape[1]).toBe(7);
    expect(head.bias.shape).toEqual([7]);
  });
});

test('half-width All-CNN is the released layer list', () => {
  const variables = abstractInit(nn.allCnn({ classes: 10 }), [1, 32, 32, 3]);
  const convolutions = lt.tree
    .entries(variables.params as Params)
    .filter(([, t]) => t.shape.length === 4)
    .map(([, t]) => `${t.shape[0]}x${t.shape[1]} ${t.shape[2]}->${t.shape[3]}`);
  expect(convolutions).toEqual([
    '3x3 3->48',
    '3x3 48->48',
    '3x3 48->96',
    '3x3 96->96',
    '3x3 96->96',
    '3x3 96->96',
    '3x3 96->96',
    '1x1 96->96',
  ]);
});

test('the class count comes from the weights: a widened head works', () => {
  const model = nn.mlp({ classes: 3, hidden: [4] });
  const { params, state } = model.init(lt.random.key(0), [2, 2, 2, 1]);
  const wide = {
    ...(params as Record<string, Params>),
    fc2: { weight: lt.ones([4, 4]), bias: lt.zeros([4]) },
  };
  expect(model.apply({ params: wide, state }, lt.ones([2, 2, 2, 1])).output.shape).toEqual([2, 4]);
});

/** Derivative of the loss along a random direction, against central differences. */
async function checkDirection(model: lt.nn.Model, shape: number[], options: lt.nn.ApplyOptions) {
  const [k1, k2, k3, k4] = lt.random.split(lt.random.key(5), 4);
  const { params, state } = model.init(k1, shape);
  const x = lt.random.normal(k2, shape);
  const y = lt.random.randint(k3, [shape[0]], 0, 3);
  const direction = lt.tree.map(
    (p: lt.Tensor, i: lt.Tensor) => lt.random.normal(i, p.shape),
    params,
    lt.tree.unflatten(
      lt.tree.flatten(params).def,
      lt.random.split(k4, lt.tree.flatten(params).leaves.length),
    ),
  );
  const loss = (p: Params) => lt.crossEntropy(model.apply({ params: p, state }, x, options).output, y);
  const gradient = lt.jit(lt.grad(loss))(params);
  const along = lt.tree
    .flatten<lt.Tensor>(lt.tree.map((g: lt.Tensor, d: lt.Tensor) => g.mul(d).sum(), gradient, direction))
    .leaves.reduce((a, b) => a.add(b));
  const value = lt.jit(loss);
  const at = (h: number): Promise<number> =>
    value(lt.tree.map((p: lt.Tensor, d: lt.Tensor) => p.add(d.mul(h)), params, direction)).item();
  // Four-point differences: error h^4 f^(5) plus rounding 1e-16 / h.
  const h = 1e-6;
  const numeric =
    (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
  const exact = await along.item();
  expect(Math.abs(numeric - exact)).toBeLessThan(1e-6 * (1 + Math.abs(exact)));
}

describe('gradients agree with finite differences', () => {
  test('mlp', () => checkDirection(nn.mlp({ classes: 3, hidden: [5] }), [3, 2, 2, 1], { train: true }));
  test('lenet', () => checkDirection(nn.lenet({ classes: 3 }), [2, 16, 16, 1], { train: true }));
  test('smallCnn', () => checkDirection(nn.smallCnn({ classes: 3 }), [2, 4, 4, 1], { train: true }));
  const small = nn.sequential([
    nn.conv2d(3, { padding: 1, bias: false }),
    nn.batchNorm(),
    nn.silu(),
    nn.residual(
      { conv: nn.conv2d(4, { stride: 2, padding: 1 }), norm: nn.groupNorm(2), drop: nn.dropout(0.2) },
      { shortcut: nn.sequential([nn.conv2d(4, { size: 1, stride: 2 }), nn.batchNorm()]) },
    ),
    nn.globalAvgPool(),
    nn.layerNorm(),
    nn.dense(3),
  ]);
  test.each([
    ['evaluation', {}],
    ['training', { train: true }],
    ['frozen statistics', { train: true, frozenStatistics: true }],
  ])('a residual network with every normalisation: %s', (_, options) =>
    checkDirection(small, [3, 4, 4, 2], { ...options, key: lt.random.key(8) }),
  );
});

test('per-sample gradients, Hessian-vector products and compiled steps of a model with batch norm', async () => {
  const model = nn.sequential([nn.conv2d(3), nn.batchNorm(), nn.relu(), nn.globalAvgPool(), nn.dense(2)]);
  const { params, state } = model.init(lt.random.key(0), [4, 4, 4, 1]);
  const x = lt.random.normal(lt.random.key(1), [4, 4, 4, 1]);
  const y = lt.random.randint(lt.random.key(2), [4], 0, 2);
  const frozen = { train: true, frozenStatistics: true };
  const loss = (p: Params, xs: lt.Tensor, ys: lt.Tensor) =>
    lt.crossEntropy(model.apply({ params: p, state }, xs, frozen).output, ys);
  const one = (p: Params, xs: lt.Tensor, ys: lt.Tensor) => loss(p, xs.reshape([1, 4, 4, 1]), ys.reshape([1]));
  const whole = lt.tree.entries<lt.Tensor>(lt.grad(loss)(params, x, y));
  const perSample = lt.tree.entries<lt.Tensor>(
    lt.jit(lt.vmap(lt.grad(one), { inAxes: [null, 0, 0] }))(params, x, y),
  );
  for (let i = 0; i < whole.length; i++) {
    const a = await whole[i][1].data();
    const b = await perSample[i][1].mean(0).data();
    for (let k = 0; k < a.length; k++) expect(Math.abs(a[k] - b[k])).toBeLessThan(1e-12);
  }
  const product = lt.hvp((p: Params) => loss(p, x, y), [params], [lt.tree.map(lt.onesLike, params)]);
  expect(lt.tree.entries(product).map(([n]) => n)).toEqual(whole.map(([n]) => n));
  // Models of many seeds at once, as ensembles train: init itself is batched.
  const keys = lt.stack(lt.random.split(lt.random.key(4), 3));
  const many = lt.vmap((k: lt.Tensor) => model.init(k, [1, 4, 4, 1]).params)(keys);
  expect(lt.tree.entries<lt.Tensor>(many)[1][1].shape).toEqual([3, 3, 3, 1, 3]);
});
