// Products with the Hessian, the Gauss-Newton matrix and the empirical Fisher against matrices from differences in float64,
// and solutions against elimination.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { Stream } from '../../../unlearn/random.ts';
import { curvatureOf, type Product } from '../../../unlearn/train/curvature.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import type { Vector } from '../../../unlearn/train/vectors.ts';
import { stripes, tinyCnn } from '../problems.ts';
import { distance, eliminate } from './dense.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const N = 11;
const K = 3;
const stream = new Stream(5);
const labels = Int32Array.from({ length: N }, (_, i) => i % K);
const images = Uint8Array.from({ length: 4 * N }, () => stream.below(256));
const samples = makeSplit({ shape: [2, 2, 1], images, labels });
const model = lt.nn.sequential({
  flatten: lt.nn.flatten(),
  one: lt.nn.dense(3),
  bend: lt.nn.gelu(),
  two: lt.nn.dense(K),
});
const init = () => model.init(lt.random.key(3), [1, 2, 2, 1]);

/** A tree of the parameters' structure as an array, and back. */
const flat = async (tree: unknown): Promise<number[]> => {
  const { leaves } = lt.tree.flatten<lt.Tensor>(tree);
  return (await Promise.all(leaves.map((t) => t.data()))).flatMap((data) => [...data]);
};
const treeOf = (values: readonly number[], like: unknown): Vector => {
  const { leaves, def } = lt.tree.flatten<lt.Tensor>(like);
  let at = 0;
  const parts = leaves.map((t) =>
    lt.tensor(Float64Array.from(values.slice(at, (at += t.size))), { shape: t.shape }),
  );
  return lt.tree.unflatten(def, parts);
};
const unit = (n: number, i: number) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0));
const zeros = (n: number) => Array.from({ length: n }, () => Array<number>(n).fill(0));

/** Columns of a function's derivative by central differences; the error is of the order of 1e-9. */
async function differences(f: (w: readonly number[]) => Promise<number[]>, w: readonly number[]) {
  const h = 1e-5;
  const columns: number[][] = [];
  for (let i = 0; i < w.length; i++) {
    const moved = (by: number) => f(w.map((v, j) => (i === j ? v + by : v)));
    const [up, down] = [await moved(h), await moved(-h)];
    columns.push(up.map((v, k) => (v - down[k]) / (2 * h)));
  }
  return columns;
}

/** The matrices of the mean loss, by their definitions. */
let expected: Record<Product, number[][]>;
beforeAll(async () => {
  expected = await matrices();
});
async function matrices(): Promise<Record<Product, number[][]>> {
  const variables = init();
  const w = await flat(variables.params);
  const P = w.length;
  const x = lt.tensor(
    Float64Array.from(images, (v) => v / 255),
    { shape: [N, 2, 2, 1] },
  );
  const apply = (params: unknown) => model.apply({ ...variables, params: params as never }, x).output;
  const logits = async (at: readonly number[]) => [...(await apply(treeOf(at, variables.params)).data())];
  const gradient = async (at: readonly number[]) =>
    flat(
      lt.grad((p: lt.nn.Variables['params']) => lt.crossEntropy(apply(p), lt.tensor(labels)))(
        treeOf(at, variables.params) as never,
      ),
    );
  const jacobian = await differences(logits, w);
  const z = await logits(w);
  const [gaussNewton, fisher] = [zeros(P), zeros(P)];
  for (let n = 0; n < N; n++) {
    const e = z.slice(n * K, n * K + K).map(Math.exp);
    const p = e.map((v) => v / e.reduce((a, b) => a + b));
    const row = (i: number) => jacobian[i].slice(n * K, n * K + K);
    const g = (i: number) => row(i).reduce((sum, v, k) => sum + v * (p[k] - (k === labels[n] ? 1 : 0)), 0);
    for (let i = 0; i < P; i++)
      for (let j = 0; j < P; j++) {
        fisher[i][j] += (g(i) * g(j)) / N;
        for (let k = 0; k < K; k++)
          for (let l = 0; l < K; l++)
            gaussNewton[i][j] += (row(i)[k] * ((k === l ? p[k] : 0) - p[k] * p[l]) * row(j)[l]) / N;
      }
  }
  return { hessian: await differences(gradient, w), gaussNewton, fisher };
}

describe('products', () => {
  test.each(['hessian', 'gaussNewton', 'fisher'] as const)('%s', async (product) => {
    const variables = init();
    const matrix = expected[product];
    const options = { damping: 0.25, weightDecay: 0.125, batchSize: 4 };
    const curvature = curvatureOf({ model, variables, samples, product, ...options });
    for (const [i, column] of matrix.entries()) {
      const v = treeOf(unit(matrix.length, i), variables.params);
      const got = await flat(await curvature.times(v));
      // float32 pixels in one, float64 in the other: 1e-8 of values of about 1.
      got.forEach((value, j) => expect(value).toBeCloseTo(column[j] + (i === j ? 0.375 : 0), 6));
    }
    expect(curvature.samplesVisited).toBe(matrix.length * N);
    curvature.dispose();
  });

  test.each(['gaussNewton', 'fisher'] as const)(
    '%s has no negative curvature, whatever the network',
    async (product) => {
      const cnn = tinyCnn();
      const variables = cnn.init(lt.random.key(1), [1, 6, 6, 1]);
      const curvature = curvatureOf({ model: cnn, variables, samples: stripes(9), product });
      for (let seed = 0; seed < 8; seed++) {
        let key = seed;
        const v = lt.tree.map(
          (t: lt.Tensor) => lt.random.normal(lt.random.key(1000 * ++key), t.shape),
          variables.params as never,
        ) as Vector;
        const [a, b] = [await flat(v), await flat(await curvature.times(v))];
        expect(a.reduce((sum, value, i) => sum + value * b[i], 0)).toBeGreaterThan(-1e-12);
      }
      curvature.dispose();
    },
  );
});

describe('solutions', () => {
  test('by conjugate gradients; several right-hand sides; nothing is left', async () => {
    const variables = init();
    const matrix = expected.gaussNewton.map((row, i) => row.map((v, j) => v + (i === j ? 0.1 : 0)));
    const rights = [3, 4].map((seed) => {
      const random = new Stream(seed);
      return matrix.map(() => random.between(-1, 1));
    });
    const found: number[][] = [];
    const leaks = await lt.findLeaks(async () => {
      const curvature = curvatureOf({ model, variables, samples, product: 'gaussNewton', damping: 0.1 });
      for (const right of rights) {
        const b = treeOf(right, variables.params);
        const { x, residual, residuals } = await curvature.solve(b, { iterations: 60, tolerance: 1e-10 });
        expect(residual).toBeLessThan(1e-9);
        expect(residuals.length).toBeLessThan(40);
        found.push(await flat(x));
        disposeTree([b, x]);
      }
      curvature.dispose();
    });
    expect(leaks).toEqual([]);
    for (const [i, right] of rights.entries())
      expect(distance(found[i], eliminate(matrix, right))).toBeLessThan(1e-5);
  });

  test('of a right-hand side of zeros are zeros', async () => {
    const variables = init();
    const curvature = curvatureOf({ model, variables, samples, damping: 1 });
    const b = lt.tree.map((t: lt.Tensor) => lt.zerosLike(t), variables.params as never) as Vector;
    const { x, residual } = await curvature.solve(b, { iterations: 5 });
    expect([residual, ...(await flat(x))].every((v) => v === 0)).toBe(true);
    curvature.dispose();
  });
});
