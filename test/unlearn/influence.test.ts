// Influences of samples: against re-fits on a convex loss, and against gradients one by one on a network that is not convex.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { takeSplit } from '../../unlearn/data/split.ts';
import { influence, influences } from '../../unlearn/index.ts';
import { curvatureOf } from '../../unlearn/train/curvature.ts';
import { disposeTree } from '../../unlearn/train/feed.ts';
import { networkOf } from '../../unlearn/train/network.ts';
import type { Vector } from '../../unlearn/train/vectors.ts';
import { cloud, flatOf, lossOn, PENALTY, regression, softmaxModel, variablesOf } from './convex.ts';
import { disposeAll, stripes, tinyCnn } from './problems.ts';

/** The place of each value in ascending order. */
const ranksOf = (values: ArrayLike<number>): number[] => {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks: number[] = [];
  order.forEach((i, rank) => {
    ranks[i] = rank;
  });
  return ranks;
};

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

describe('on a convex loss', () => {
  const data = cloud(60, 3);
  const validation = cloud(40, 4);
  const model = softmaxModel();
  const fitter = regression(data);
  const w = fitter.fit();
  const ones = new Float64Array(60).fill(1);
  const weightsWith = (i: number, weight: number) => ones.map((v, j) => (i === j ? weight : v));
  const exact = { damping: PENALTY, tolerance: 1e-12, iterations: 60, batchSize: 32 } as const;
  const input = () => ({ model, variables: variablesOf(w), data, ...exact });

  test('phi is minus the derivative of the criterion by the weight of a sample, as re-fits have it', async () => {
    const phi = await influence({ ...input(), criterion: validation });
    expect(phi).toBeInstanceOf(Float32Array);
    expect(phi).toHaveLength(60);
    const h = 1e-3;
    const scale = phi.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    for (let i = 0; i < 60; i += 3) {
      const [up, down] = [1 + h, 1 - h].map((v) => lossOn(fitter.fit(weightsWith(i, v), w), validation));
      // lambda is in the units of the mean loss: a weight of 1 + h is lambda = h / n.
      const derivative = (-60 * (up - down)) / (2 * h);
      // Central differences: of the order of h^2; phi is float32.
      expect(Math.abs(phi[i] - derivative)).toBeLessThan(1e-5 * scale);
    }
  });

  test('phi / n is nearly the change by leaving the sample out', async () => {
    const phi = await influence({ ...input(), criterion: validation });
    const before = lossOn(w, validation);
    const left = ones.map((_, i) => lossOn(fitter.fit(weightsWith(i, 0), w), validation) - before);
    const [a, b] = [ranksOf(phi), ranksOf(left)];
    // Spearman: no ties.
    const apart = a.reduce((sum, rank, i) => sum + (rank - b[i]) ** 2, 0);
    expect(1 - (6 * apart) / (60 * (60 ** 2 - 1))).toBeGreaterThan(0.99);
    const most = left.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    left.forEach((v, i) => expect(Math.abs(phi[i] / 60 - v)).toBeLessThan(0.15 * most));
  });

  test('a criterion is a split, a number of each sample, or any scalar; several at once are as one by one', async () => {
    const variables = variablesOf(w);
    const x = lt.tensor(
      Float64Array.from(validation.images, (v) => Math.fround(v / 255)),
      {
        shape: [40, 2, 2, 1],
      },
    );
    const y = lt.tensor(validation.labels);
    const squares = ({ params }: lt.nn.Variables) =>
      lt.tree
        .flatten<lt.Tensor>(params)
        .leaves.map((t) => t.square().sum())
        .reduce((a, b) => a.add(b));
    const found = await influences({
      ...input(),
      variables,
      criteria: [
        validation,
        (v, network) => lt.crossEntropy(network(v, x).output, y),
        {
          samples: validation,
          of: (network, v, { images, labels }) =>
            lt.crossEntropy(network(v, images).output, labels, { reduction: 'none' }),
        },
        squares,
      ],
    });
    const [split, scalar, each] = found.phi;
    split.forEach((v, i) => {
      expect(scalar[i]).toBeCloseTo(v, 6);
      expect(each[i]).toBeCloseTo(v, 6);
    });
    expect([...split]).toEqual([...(await influence({ ...input(), criterion: validation }))]);
    for (const value of found.values.slice(0, 3)) expect(value).toBeCloseTo(lossOn(w, validation), 10);
    const square = w.reduce((sum, v) => sum + v * v, 0);
    expect(found.values[3]).toBeCloseTo(square, 10);
    // Of |w|^2: more weight on the losses, larger weights. Adding h to every sample is to shrink the penalty.
    const h = 1e-4;
    const [up, down] = [1 + h, 1 - h].map((v) =>
      fitter
        .fit(
          ones.map(() => v),
          w,
        )
        .reduce((s, u) => s + u * u, 0),
    );
    const sum = found.phi[3].reduce((s, v) => s + v, 0);
    expect(-sum / 60 / ((up - down) / (2 * h))).toBeCloseTo(1, 5);
    for (const residual of found.residuals) expect(residual).toBeLessThan(1e-10);
    expect(found.indefinite).toEqual([false, false, false, false]);
    const products = found.iterations.reduce((s, v) => s + v + 1, 0);
    expect(found.samplesVisited).toBe(60 * products + 2 * 40 + 60);
    expect(found.seconds.pass).toBeGreaterThan(0);
    disposeAll(variables);
  });

  test('errors, stops, progress and memory', async () => {
    const given = input();
    const of = (criterion: Parameters<typeof influence>[0]['criterion']) =>
      influence({ ...given, criterion });
    await expect(of(() => lt.zeros([2]))).rejects.toMatchObject({ name: 'LetheError', kind: 'shape' });
    await expect(of({} as never)).rejects.toThrow(/influence: criterion: expected a split/);
    await expect(influence({ ...given, data: takeSplit(data, []), criterion: validation })).rejects.toThrow(
      /at least one sample/,
    );
    const seen: number[] = [];
    const stop = new AbortController();
    const stopping = { ...given, criterion: validation, signal: stop.signal };
    expect(
      await lt.findLeaks(async () => {
        const onProgress = (p: { fraction: number }) => seen.push(p.fraction);
        await influence({ ...given, criterion: validation, onProgress });
        await expect(influence({ ...stopping, onProgress: () => stop.abort() })).rejects.toMatchObject({
          name: 'AbortError',
        });
      }),
    ).toEqual([]);
    expect(seen.at(-1)).toBe(1);
    expect(await flatOf(given.variables)).toEqual(w);
  });
});

test.each(['hessian', 'gaussNewton'] as const)(
  'on a network with batch norm and dropout, %s: s^T g_i, gradient by gradient',
  async (product) => {
    const model = tinyCnn();
    const variables = model.init(lt.random.key(3), [1, 6, 6, 1]);
    const [data, validation] = [stripes(7, 1), stripes(6, 2)];
    const how = { product, damping: 3, batchSize: 4 };
    const solve = { iterations: 80, tolerance: 1e-13 };
    const phi = await influence({ model, variables, data, criterion: validation, ...how, ...solve });

    const network = networkOf(model);
    const gradientOver = (split: typeof data) => {
      const x = lt.tensor(
        Float64Array.from(split.images, (v) => Math.fround(v / 255)),
        {
          shape: [split.size, 6, 6, 1],
        },
      );
      const y = lt.tensor(split.labels);
      return lt.grad((params: lt.nn.Variables['params']) =>
        lt.crossEntropy(network({ params, state: variables.state }, x).output, y),
      )(variables.params) as Vector;
    };
    const numbers = async (tree: unknown) =>
      (await Promise.all(lt.tree.flatten<lt.Tensor>(tree).leaves.map((t) => t.data()))).flatMap((v) => [
        ...v,
      ]);
    const curvature = curvatureOf({ model, variables, samples: data, ...how });
    const { x, residual } = await curvature.solve(gradientOver(validation), {
      solver: 'conjugateGradients',
      ...solve,
    });
    expect(residual).toBeLessThan(1e-9);
    const s = await numbers(x);
    for (let i = 0; i < data.size; i++) {
      const g = await numbers(gradientOver(takeSplit(data, [i])));
      const expected = g.reduce((sum, v, k) => sum + v * s[k], 0);
      expect(Math.abs(phi[i] - expected)).toBeLessThan(1e-6 * (1 + Math.abs(expected)));
    }
    disposeTree(x);
    curvature.dispose();
  },
);
