// Products with the Hessian, the Gauss-Newton matrix and the empirical Fisher against matrices from differences in float64,
// and solutions against elimination.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { Stream } from '../../../unlearn/random.ts';
import { tasks } from '../../../unlearn/tasks/index.ts';
import {
  type CurvatureOptions,
  curvatureOf,
  type SolveBy,
  type Solved,
} from '../../../unlearn/train/curvature.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import { lissa } from '../../../unlearn/train/lissa.ts';
import type { Product } from '../../../unlearn/train/products.ts';
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
    const options = { damping: 0.25, weightDecay: 0.125, batchSize: 7 };
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

test('a task without classes: on a network that is linear in its parameters Gauss-Newton is the Hessian', async () => {
  const net = lt.nn.conv2d(1, { size: 1 });
  const variables = net.init(lt.random.key(1), [1, 16, 16, 2]);
  const stream = new Stream(2);
  const pixels = Float32Array.from({ length: 3 * 256 }, () => stream.between(-1, 1));
  const of = {
    model: net,
    task: tasks.denoising,
    variables,
    samples: { size: 3, ids: labels.subarray(0, 3), pixels },
  };
  const v = lt.tree.map((t: lt.Tensor) => lt.onesLike(t), variables.params as never) as Vector;
  const products: number[][] = [];
  for (const product of ['hessian', 'gaussNewton'] as const) {
    const curvature = curvatureOf({ ...of, product, batchSize: 2 });
    products.push(await flat(await curvature.times(v)));
    curvature.dispose();
  }
  const [hessian, gaussNewton] = products;
  expect(Math.max(...hessian)).toBeGreaterThan(0.1);
  hessian.forEach((value, i) => expect(gaussNewton[i]).toBeCloseTo(value, 10));
});

describe('solutions', () => {
  const DAMPING = 0.1;
  const dense = (product: Product) =>
    expected[product].map((row, i) => row.map((v, j) => v + (i === j ? DAMPING : 0)));
  const rightOf = (seed: number) => {
    const random = new Stream(seed);
    return expected.hessian.map(() => random.between(-1, 1));
  };
  const norm = (v: readonly number[]) => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  /** Solves for each right-hand side with one object; the solutions, and what was said of them. */
  const solved = async (
    how: SolveBy | SolveBy[],
    rights: readonly number[][],
    options: Partial<CurvatureOptions> = {},
  ) => {
    const variables = init();
    const out: { x: number[]; said: Omit<Solved, 'x'> }[] = [];
    const leaks = await lt.findLeaks(async () => {
      const curvature = curvatureOf({
        model,
        variables,
        samples,
        product: 'gaussNewton',
        damping: DAMPING,
        ...options,
      });
      for (const [i, right] of rights.entries()) {
        const b = treeOf(right, variables.params);
        const { x, ...said } = await curvature
          .solve(b, Array.isArray(how) ? how[i] : how)
          .finally(() => disposeTree(b));
        out.push({ x: await flat(x), said });
        disposeTree(x);
      }
      curvature.dispose();
    });
    expect(leaks).toEqual([]);
    return out;
  };

  test('by conjugate gradients, for several right-hand sides', async () => {
    const rights = [rightOf(3), rightOf(4)];
    const how = { solver: 'conjugateGradients', iterations: 60, tolerance: 1e-10 } as const;
    for (const [i, { x, said }] of (await solved(how, rights)).entries()) {
      expect(said.residual).toBeLessThan(1e-9);
      expect(said.residuals.length).toBeLessThan(40);
      expect(distance(x, eliminate(dense('gaussNewton'), rights[i]))).toBeLessThan(1e-5);
    }
  });

  test('by LiSSA on whole batches: the residual is (I - A/c)^(J+1) b', async () => {
    const [matrix, right] = [dense('gaussNewton'), rightOf(5)];
    const J = 12;
    const [{ x, said }] = await solved({ solver: 'lissa', iterations: J, repeats: 2, scale: 2, seed: 1 }, [
      right,
    ]);
    let rest = right;
    for (let j = 0; j <= J; j++)
      rest = rest.map((v, i) => v - matrix[i].reduce((sum, a, k) => sum + (a * rest[k]) / 2, 0));
    expect(said.residual).toBeCloseTo(norm(rest) / norm(right), 6);
    // The solution is off by A^-1 of the residual.
    const off = eliminate(matrix, rest);
    const exact = eliminate(matrix, right);
    x.forEach((v, i) => expect(v).toBeCloseTo(exact[i] - off[i], 5));
    expect(said.residuals).toHaveLength(2 * J);
    expect(said.scale).toBe(2);
  });

  test('by LiSSA on mini-batches: the scale is found, the same seed gives the same bits', async () => {
    const how = { solver: 'lissa', iterations: 10, repeats: 2 } as const;
    const each = [1, 1, 2].map((seed) => ({ ...how, seed }));
    const [one, same, other] = await solved(
      each,
      each.map(() => rightOf(5)),
      { batchSize: 5 },
    );
    expect(one).toEqual(same);
    expect(one.x).not.toEqual(other.x);
    // Power iteration from below.
    let v = rightOf(5);
    for (let i = 0; i < 200; i++) {
      const next = dense('gaussNewton').map((row) => row.reduce((sum, a, k) => sum + a * v[k], 0));
      v = next.map((value) => value / norm(next));
    }
    const largest = norm(dense('gaussNewton').map((row) => row.reduce((sum, a, k) => sum + a * v[k], 0)));
    expect(one.said.scale).toBeLessThan(largest * 1.000001);
    expect(one.said.scale).toBeGreaterThan(largest * 0.9);
    expect(one.said.residuals).toHaveLength(20);
    expect(one.said.residual).toBeLessThan(0.8);
  });

  test('LiSSA reads at most a hundred residuals a repeat back, the last among them', async () => {
    const apply = async (v: Vector) => lt.tree.map((t: lt.Tensor) => t.mul(0.5), v);
    const seen: number[] = [];
    const onIteration = (iteration: number) => seen.push(iteration);
    const how = { iterations: 150, repeats: 2, scale: 1, onIteration };
    const { x, residuals } = await lissa(apply, [lt.tensor([3])], how);
    expect(residuals).toHaveLength(150);
    expect(seen.slice(-2)).toEqual([298, 300]);
    // 6 (1 - 2^-151).
    expect(await flat(x)).toEqual([6]);
  });

  test('LiSSA below half the largest eigenvalue diverges and says what to do', async () => {
    const how = { solver: 'lissa', iterations: 50, scale: 0.05, seed: 1 } as const;
    await expect(solved(how, [rightOf(5)])).rejects.toThrow(
      /LiSSA diverges: after \d+ steps.*raise the scale/,
    );
  });

  test.each([4, 64])('by the low-rank inverse, in blocks of %d', async (block) => {
    const right = rightOf(6);
    const seen: number[] = [];
    const how = { solver: 'lowRank', block, onBlock: (f: number) => seen.push(f) } as const;
    const [{ x, said }] = await solved(how, [right], { product: 'fisher', batchSize: 5 });
    const exact = eliminate(dense('fisher'), right);
    x.forEach((v, i) => expect(v).toBeCloseTo(exact[i], 5));
    expect(said.residual).toBeLessThan(1e-10);
    const blocks = Math.ceil(N / block);
    expect(seen).toHaveLength((blocks * (blocks + 1)) / 2);
    expect(seen.at(-1)).toBe(1);
  });

  test('the low-rank inverse is refused where there is none', async () => {
    const how = { solver: 'lowRank', block: 4 } as const;
    await expect(solved(how, [rightOf(6)])).rejects.toThrow(/for the product fisher/);
    const plain = { product: 'fisher', damping: 0 } as const;
    await expect(solved(how, [rightOf(6)], plain)).rejects.toThrow(/without damping/);
  });

  test('of a right-hand side of zeros are zeros', async () => {
    const [{ x, said }] = await solved({ solver: 'conjugateGradients', iterations: 5 }, [
      rightOf(1).map(() => 0),
    ]);
    expect([said.residual, ...x].every((v) => v === 0)).toBe(true);
  });
});
