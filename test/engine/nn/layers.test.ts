// Each layer: its shapes, its weights, and its numbers against formulas written out here.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';

const { nn } = lt;
const key = () => lt.random.key(3);
const shapes = (tree: lt.tree.Tree<lt.Tensor>) =>
  Object.fromEntries(lt.tree.entries(tree).map(([name, t]) => [name, t.shape]));
const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-12) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThanOrEqual(tolerance);
};

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

describe('shapes', () => {
  const image = [2, 6, 5, 4];
  test.each([
    ['dense', nn.dense(3), [2, 4], { weight: [4, 3], bias: [3] }, [2, 3]],
    ['dense on sequences', nn.dense(3), [2, 7, 4], { weight: [4, 3], bias: [3] }, [2, 7, 3]],
    ['dense without bias', nn.dense(3, { bias: false }), [2, 4], { weight: [4, 3] }, [2, 3]],
    ['conv2d', nn.conv2d(8), image, { weight: [3, 3, 4, 8], bias: [8] }, [2, 4, 3, 8]],
    [
      'conv2d, grouped, strided',
      nn.conv2d(8, { size: [3, 1], stride: 2, padding: 'same', groups: 2, bias: false }),
      image,
      { weight: [3, 1, 2, 8] },
      [2, 3, 3, 8],
    ],
    ['batchNorm', nn.batchNorm(), image, { weight: [4], bias: [4] }, image],
    ['groupNorm', nn.groupNorm(2), image, { weight: [4], bias: [4] }, image],
    ['layerNorm', nn.layerNorm(), image, { weight: [4], bias: [4] }, image],
    ['maxPool', nn.maxPool({ size: 2 }), image, {}, [2, 3, 2, 4]],
    ['avgPool', nn.avgPool({ size: 3, stride: 1, padding: 1 }), image, {}, image],
    ['globalAvgPool', nn.globalAvgPool(), image, {}, [2, 4]],
    ['flatten', nn.flatten(), image, {}, [2, 120]],
    ['dropout', nn.dropout(0.5), image, {}, image],
    ['gelu', nn.gelu(), image, {}, image],
  ] as const)('%s', async (_, layer, input, weights, output) => {
    const variables = layer.init(key(), input);
    expect(shapes(variables.params)).toEqual(
      Object.fromEntries(Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    const y = layer.apply(variables, lt.ones(input)).output;
    expect(y.shape).toEqual(output);
    expect(nn.outputShape(layer, variables, input, 'float64')).toEqual(output);
  });

  test('embedding looks rows up', async () => {
    const layer = nn.embedding(5, 3);
    const variables = layer.init(key(), [2]);
    const { weight } = variables.params as { weight: lt.Tensor };
    const { output } = layer.apply(variables, lt.tensor([4, 0], { dtype: 'int32' }));
    const w = await weight.data();
    close(await output.data(), [...w.slice(12, 15), ...w.slice(0, 3)]);
  });
});

test('activations', async () => {
  const x = lt.tensor([-1, 0, 2]);
  const out = async (layer: lt.nn.Layer) =>
    (await layer.apply({ params: {}, state: {} }, x).output.data()) as Float64Array;
  const s = (v: number) => 1 / (1 + Math.exp(-v));
  close(await out(nn.relu()), [0, 0, 2]);
  close(await out(nn.silu()), [-s(-1), 0, 2 * s(2)]);
  close(await out(nn.tanh()), [-1, 0, 2].map(Math.tanh));
  close(await out(nn.sigmoid()), [-1, 0, 2].map(s));
  close(
    await out(nn.softplus()),
    [-1, 0, 2].map((v) => Math.log1p(Math.exp(v))),
  );
  close(await out(nn.gelu()), [-0.15865525393145707, 0, 1.9544997361036416], 1e-7);
});

describe('batchNorm', () => {
  // Two channels, three values each: [1, 2, 6] and [0, 4, -4].
  const x = () =>
    lt.tensor([
      [1, 0],
      [2, 4],
      [6, -4],
    ]);
  const layer = nn.batchNorm();
  const variables = () => ({
    params: { weight: lt.tensor([2, 1]), bias: lt.tensor([1, 0]) },
    state: { mean: lt.tensor([1, -1]), variance: lt.tensor([4, 9]) },
  });

  test('training: biased variance to normalise, unbiased variance to remember', async () => {
    const { output, state } = layer.apply(variables(), x(), { train: true });
    const s = state as { mean: lt.Tensor; variance: lt.Tensor };
    const [va, vb] = [14 / 3, 32 / 3];
    const ra = 1 / Math.sqrt(va + 1e-5);
    const rb = 1 / Math.sqrt(vb + 1e-5);
    close(await output.data(), [1 - 4 * ra, 0, 1 - 2 * ra, 4 * rb, 1 + 6 * ra, -4 * rb]);
    close(await s.mean.data(), [0.9 + 0.3, -0.9]);
    close(await s.variance.data(), [0.9 * 4 + 0.1 * 7, 0.9 * 9 + 0.1 * 16]);
  });

  test('evaluation and frozen statistics use the running ones and keep them', async () => {
    for (const options of [{}, { train: true, frozenStatistics: true }]) {
      const v = variables();
      const { output, state } = layer.apply(v, x(), options);
      expect(state).toBe(v.state);
      const ra = 1 / Math.sqrt(4 + 1e-5);
      const rb = 1 / Math.sqrt(9 + 1e-5);
      close(await output.data(), [1, rb, 1 + 2 * ra, 5 * rb, 1 + 10 * ra, -3 * rb]);
    }
  });

  test('a single value has no variance', () => {
    expect(() => layer.apply(variables(), lt.ones([1, 2]), { train: true })).toThrow(/frozenStatistics/);
  });

  test('statistics carry no derivative', async () => {
    const loss = (x: lt.Tensor) => {
      const { output, state } = layer.apply(variables(), x, { train: true });
      return output
        .mul(output)
        .sum()
        .add((state as { mean: lt.Tensor }).mean.sum().mul(1e3));
    };
    const g = (await lt.grad(loss)(x()).data()) as Float64Array;
    for (const v of g) expect(Math.abs(v)).toBeLessThan(10);
  });
});

test('dropout keeps the mean, needs a key, and does nothing in evaluation', async () => {
  const layer = nn.dropout(0.25);
  const x = lt.ones([4000]);
  const none = { params: {}, state: {} };
  expect(layer.apply(none, x).output).toBe(x);
  expect(() => layer.apply(none, x, { train: true })).toThrow(/key/);
  const y = (await layer.apply(none, x, { train: true, key: key() }).output.data()) as Float64Array;
  expect(new Set(y)).toEqual(new Set([0, 4 / 3]));
  // The mean of 4000 draws of variance 1/3 lies within 5 standard deviations.
  const mean = y.reduce((a, b) => a + b, 0) / 4000;
  expect(Math.abs(mean - 1)).toBeLessThan(5 * Math.sqrt(1 / 3 / 4000));
  expect(() => nn.dropout(1)).toThrow(/below 1/);
});

test('normalise subtracts and divides channel by channel', async () => {
  const x = lt.tensor([[1, 2, 3]]);
  const apply = async (options: lt.nn.Normalisation) =>
    (await nn.normalise(options).apply({ params: {}, state: {} }, x).output.data()) as Float64Array;
  close(await apply({ mean: [1, 0, 1], std: [1, 2, 4] }), [0, 1, 0.5]);
  close(await apply({ mean: 1, std: 0.5 }), [0, 2, 4]);
  expect(() => nn.normalise({ mean: 0, std: 0 })).toThrow(/positive/);
  expect(() => nn.normalise({ mean: [0, 1], std: 1 }).init(key(), [1, 3])).toThrow(/channels/);
});

test('initialisers have the spread they promise', async () => {
  const shape = [3, 3, 20, 40];
  const spread = async (f: lt.nn.Initialiser) => {
    const v = (await f(key(), shape).data()) as Float64Array;
    const max = v.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return { max, std: Math.sqrt(v.reduce((a, b) => a + b * b, 0) / v.length) };
  };
  const bound = 1 / Math.sqrt(180);
  const ku = await spread(nn.init.kaimingUniform());
  expect(ku.max).toBeLessThanOrEqual(bound);
  expect(ku.max).toBeGreaterThan(0.99 * bound);
  // 7200 draws: the spread is known to about 1%.
  expect((await spread(nn.init.kaimingNormal({ mode: 'fanOut' }))).std).toBeCloseTo(Math.sqrt(2 / 360), 2);
  expect((await spread(nn.init.xavierNormal())).std / Math.sqrt(2 / 540)).toBeCloseTo(1, 1);
  expect((await spread(nn.init.xavierUniform())).max).toBeLessThanOrEqual(Math.sqrt(6 / 540));
});

describe('combinations', () => {
  test('a list keeps variables in an array, names keep them under names', () => {
    const list = nn.sequential([nn.conv2d(2), nn.relu(), nn.batchNorm()]).init(key(), [1, 5, 5, 3]);
    expect(Object.keys(shapes(list.params))).toEqual(['0.bias', '0.weight', '2.bias', '2.weight']);
    expect(Object.keys(shapes(list.state))).toEqual(['2.mean', '2.variance']);
    const named = nn
      .sequential({ conv: nn.conv2d(2), relu: nn.relu(), none: undefined })
      .init(key(), [1, 5, 5, 3]);
    expect(Object.keys(named.params as object)).toEqual(['conv']);
  });

  test('a residual sum, with and without a shortcut', async () => {
    const double = nn.stateless('double', (x) => x.mul(2));
    const x = lt.tensor([[1, -2]]);
    const run = async (layer: lt.nn.Layer) =>
      (await layer.apply(layer.init(key(), [1, 2]), x).output.data()) as Float64Array;
    close(await run(nn.residual({ double })), [3, -6]);
    close(await run(nn.residual({ double }, { shortcut: double, activation: lt.relu })), [4, 0]);
    const v = nn.residual({ fc: nn.dense(2) }, { shortcut: nn.dense(2) }).init(key(), [1, 2]);
    expect(Object.keys(shapes(v.params))).toEqual([
      'downsample.bias',
      'downsample.weight',
      'fc.bias',
      'fc.weight',
    ]);
  });

  test('random layers draw from keys of their own, and the result is a function of the key', async () => {
    const layer = nn.sequential([
      nn.dropout(0.5),
      nn.residual({ a: nn.dropout(0.5) }, { shortcut: nn.dropout(0.5) }),
    ]);
    expect(layer.random).toBe(true);
    const run = async (seed: number) =>
      Array.from(
        await layer
          .apply(layer.init(key(), [64]), lt.ones([64]), { train: true, key: lt.random.key(seed) })
          .output.data(),
      );
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
    // Were all patterns the same one, only 0 and 8 would appear; apart, 4 does too.
    expect(new Set(await run(1))).toEqual(new Set([0, 4, 8]));
  });
});

test('evalShape computes nothing and sees through trees', () => {
  const out = lt.evalShape((p: { a: lt.Tensor }) => ({ b: [p.a.sum(0), lt.zeros([2], 'int32')] }), {
    a: lt.zeros([3, 4]),
  });
  expect(out.b.map((t) => [t.dtype, ...t.shape])).toEqual([
    ['float64', 4],
    ['int32', 2],
  ]);
});
