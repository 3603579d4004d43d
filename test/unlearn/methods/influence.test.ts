// The influence step on softmax regression in float64, against plain JavaScript: gradients and Hessians in closed form, systems
// by elimination, the released recursion written out; and against what the step approximates, a re-fit without the samples.
import { beforeAll, describe, expect, inject, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit, takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { Stream } from '../../../unlearn/random.ts';
import type { Split } from '../../../unlearn/types.ts';
import { cut, disposeAll, stripes, tinyCnn, valuesOf } from '../problems.ts';
import { distance, eliminate } from '../train/dense.ts';

const [K, D] = [3, 4];
const P = K * D + K;
const DECAY = 0.05;

/** Overlapping classes, so that the loss has a minimum. [2, 2, 1] in [0, 1]. */
const data = ((): Split => {
  const stream = new Stream(3);
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % K);
  const images = Uint8Array.from(
    { length: 60 * D },
    (_, i) => stream.below(160) + (i % 4 === labels[i >> 2] ? 90 : 0),
  );
  return makeSplit({ shape: [2, 2, 1], images, labels });
})();
const gone = [4, 11, 25];
const forget = takeSplit(data, gone);
const retain = takeSplit(
  data,
  [...Array(60).keys()].filter((i) => !gone.includes(i)),
);
const model = lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(K) });

// Plain JavaScript from here. A weight [d, k] stands at d K + k, the biases behind them; the input of a bias is 1.
const inputOf = (split: Split, n: number) => [
  ...Array.from(split.images.subarray(n * D, n * D + D), (byte) => Math.fround(byte / 255)),
  1,
];
function softmax(w: readonly number[], x: readonly number[]): number[] {
  const e = Array.from({ length: K }, (_, k) => Math.exp(x.reduce((sum, v, d) => sum + v * w[d * K + k], 0)));
  return e.map((v) => v / e.reduce((a, b) => a + b));
}
/** The gradient of one sample's loss. */
function gradientOf(w: readonly number[], split: Split, n: number): number[] {
  const x = inputOf(split, n);
  const p = softmax(w, x);
  return Array.from(
    { length: P },
    (_, i) => x[Math.floor(i / K)] * (p[i % K] - (split.labels[n] === i % K ? 1 : 0)),
  );
}
const gradientsOf = (w: readonly number[], split: Split) =>
  Array.from({ length: split.size }, (_, n) => gradientOf(w, split, n));
const matrix = (f: (i: number, j: number) => number) =>
  Array.from({ length: P }, (_, i) => Array.from({ length: P }, (__, j) => f(i, j)));
const mean = (rows: readonly (readonly number[])[]) =>
  rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const norm = (a: readonly number[]) => Math.sqrt(dot(a, a));

/** Of the mean loss + DECAY / 2 |w|^2. */
function derivatives(w: readonly number[], split: Split) {
  const hessian = matrix((i, j) => (i === j ? DECAY : 0));
  for (let n = 0; n < split.size; n++) {
    const x = inputOf(split, n);
    const p = softmax(w, x);
    for (let i = 0; i < P; i++)
      for (let j = 0; j < P; j++) {
        const [k, l] = [i % K, j % K];
        hessian[i][j] +=
          (x[Math.floor(i / K)] * x[Math.floor(j / K)] * ((k === l ? p[k] : 0) - p[k] * p[l])) / split.size;
      }
  }
  return { gradient: mean(gradientsOf(w, split)).map((v, i) => v + DECAY * w[i]), hessian };
}
/** Newton's method from 0. */
function minimum(split: Split): number[] {
  let w = Array<number>(P).fill(0);
  for (let i = 0; i < 12; i++) {
    const { gradient, hessian } = derivatives(w, split);
    const step = eliminate(hessian, gradient);
    w = w.map((v, k) => v - step[k]);
  }
  return w;
}

const original = minimum(data);
let variables: lt.nn.Variables;
beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
  const weight = lt.tensor(Float64Array.from(original.slice(0, K * D)), { shape: [D, K] });
  const bias = lt.tensor(Float64Array.from(original.slice(K * D)));
  variables = { params: { flatten: {}, fc: { weight, bias } }, state: { flatten: {}, fc: {} } };
});

/** The step that the method takes from the original, and what it tells. */
async function stepOf(options: Parameters<typeof methods.influence>[0]) {
  const input = { model, variables, forget, retain, key: lt.random.key(1) };
  const found = await methods.influence({ weightDecay: DECAY, damping: 0, ...options }).unlearn(input);
  const values = await valuesOf(found.variables);
  disposeAll(found.variables);
  const step = [...values['params.fc.weight'], ...values['params.fc.bias']].map((v, i) => v - original[i]);
  return { step, details: found.details as { residual: number; residuals: number[] }, cost: found.cost };
}
const exact = { solver: 'conjugateGradients', tolerance: 1e-12, iterations: 100, batchSize: 19 } as const;

describe('the exact step', () => {
  const { gradient, hessian } = derivatives(original, retain);
  const newton = eliminate(hessian, gradient).map((v) => -v);

  test.each(['forget', 'retain', 'difference'] as const)(
    'from the gradient %s is the dense Newton step, as the original is at its minimum',
    async (from) => {
      const { step, details, cost } = await stepOf({ ...exact, gradient: from });
      step.forEach((v, i) => expect(v).toBeCloseTo(newton[i], 8));
      expect(details.residual).toBeLessThan(1e-10);
      expect(details.residuals.length).toBeLessThanOrEqual(20);
      const right = (from === 'retain' ? 0 : forget.size) + (from === 'forget' ? 0 : retain.size);
      expect(cost.samplesVisited).toBe(right + (details.residuals.length + 1) * retain.size);
    },
  );

  test('is nearly the re-fit without the samples', () => {
    const refit = minimum(retain);
    const after = original.map((v, i) => v + newton[i]);
    expect(distance(after, refit)).toBeLessThan(distance(original, refit) / 10);
  });

  test('damping and scale do what they say; Gauss-Newton is the Hessian where logits are linear in the weights', async () => {
    const damped = eliminate(
      hessian.map((row, i) => row.map((v, j) => v + (i === j ? 0.5 : 0))),
      gradient,
    );
    const { step } = await stepOf({ ...exact, curvature: 'gaussNewton', damping: 0.5, scale: 3 });
    step.forEach((v, i) => expect(v).toBeCloseTo(-3 * damped[i], 8));
  });

  test('by LiSSA: the error shrinks by 1 - (smallest eigenvalue) / c a step', async () => {
    const [J, c] = [80, 0.7];
    const { step, details } = await stepOf({ solver: 'lissa', iterations: J, lissaScale: c });
    const bound = (1 - DECAY / c) ** (J + 1) * norm(newton);
    expect(distance(step, newton)).toBeLessThan(bound);
    expect(bound).toBeLessThan(0.01 * norm(newton));
    expect(details.residual).toBeLessThan(0.01);
  });
});

test('the low-rank inverse is that of the empirical Fisher', async () => {
  const all = gradientsOf(original, retain);
  const fisher = matrix(
    (i, j) => all.reduce((sum, g) => sum + g[i] * g[j], 0) / all.length + (i === j ? DECAY + 0.1 : 0),
  );
  const v = mean(gradientsOf(original, forget)).map(
    (g, i) => ((g + DECAY * original[i]) * forget.size) / retain.size,
  );
  const expected = eliminate(fisher, v);
  const { step, details } = await stepOf({ solver: 'lowRank', damping: 0.1, block: 20 });
  step.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 8));
  expect(details.residual).toBeLessThan(1e-12);
});

describe('the released recursion', () => {
  /** The loop of the released code: N, and samples until the number of one exceeds N. */
  function released(N: number, v: readonly number[]): number[] {
    let k = [...v];
    let o: number[] | null = null;
    for (let n = 0; n < retain.size; n++) {
      const g = gradientOf(original, retain, n);
      if (o === null) o = g;
      else {
        const was: number[] = o;
        const t = dot(was, g);
        const along = dot(k, g);
        k = k.map((value, i) => value - (along / (N + t)) * was[i]);
        o = was.map((value) => value - (t / (N + t)) * value);
      }
      if (n > N) break;
    }
    return k;
  }
  const [f, r] = [forget.size, retain.size];
  const sum = (split: Split) => mean(gradientsOf(original, split)).map((g) => g * split.size);
  const ofRetain = sum(retain);
  const v = sum(forget).map((g, i) => g / (f + r) - (ofRetain[i] * f) / ((f + r) * r));

  test.each([5, 20, 1000])('with N = %d is the loop over single samples', async (N) => {
    const settings = { solver: 'released', gradient: 'difference', samples: N, scale: 8 } as const;
    const { step, details } = await stepOf(settings);
    const k = released(N, v);
    step.forEach((value, i) => expect(value).toBeCloseTo(8 * k[i], 10));
    // What it was meant to be: the inverse of I + (1/N) sum of g g^T.
    const taken = gradientsOf(original, retain).slice(0, N + 2);
    const fk = k.map((value, i) => value + taken.reduce((total, g) => total + g[i] * dot(g, k), 0) / N);
    expect(details.residual).toBeCloseTo(distance(fk, v) / norm(v), 8);
  });

  test('moves along the first sample’s gradient alone', () => {
    const g = gradientOf(original, retain, 0);
    const change = released(20, v).map((value, i) => value - v[i]);
    const c = dot(change, g) / dot(g, g);
    change.forEach((value, i) => expect(value).toBeCloseTo(c * g[i], 14));
  });
});

test('scale 0 changes nothing; too little damping on a network that is not convex is told', async () => {
  const input = { model, variables, forget, retain, key: lt.random.key(1) };
  const still = await methods.influence({ scale: 0, damping: 0.05 }).unlearn(input);
  expect(await valuesOf(still.variables)).toEqual(await valuesOf(variables));
  disposeAll(still.variables);
  const net = lt.nn.mlp({ classes: 3, hidden: [4] });
  const fresh = net.init(lt.random.key(8), [1, 2, 2, 1]);
  const saddle = await methods
    .influence({ damping: 0, weightDecay: 0, iterations: 60, tolerance: 0 })
    .unlearn({ ...input, model: net, variables: fresh });
  expect(saddle.details.indefinite).toBe(true);
});

/** The steps from a fresh network with convolution, batch-norm statistics, dropout and pooling, each way there is. */
async function everyWay(): Promise<Record<string, number[]>> {
  const ways = {
    hessian: { solver: 'conjugateGradients' },
    gaussNewton: { solver: 'conjugateGradients', curvature: 'gaussNewton' },
    lissa: { solver: 'lissa', lissaScale: 20 },
    lowRank: { solver: 'lowRank', block: 4 },
    released: { solver: 'released', gradient: 'difference' },
  } as const;
  const cnn = tinyCnn();
  const fresh = cnn.init(lt.random.key(1), [1, 6, 6, 1]);
  const input = { model: cnn, variables: fresh, ...cut(stripes(18), 1), key: lt.random.key(2) };
  const before = Object.values(await valuesOf(fresh)).flat();
  const out: Record<string, number[]> = {};
  for (const [name, way] of Object.entries(ways)) {
    const settings = { damping: 1, iterations: 3, samples: 6, batchSize: 12, ...way };
    const found = await methods.influence(settings).unlearn(input);
    const after = Object.values(await valuesOf(found.variables)).flat();
    out[name] = after.map((value, i) => value - before[i]);
    disposeAll(found.variables);
  }
  disposeAll(fresh);
  return out;
}

describe('on other devices', () => {
  const absent = inject('absent');
  test.for(['cpu', 'webgpu'] as const)('%s takes the steps of float64', async (device, { skip }) => {
    if (absent[device] !== null) skip();
    const { backend } = await lt.init({ device });
    // A software adapter compiles a shader for each kernel of each way, which takes half a minute.
    if (backend.info.software) skip();
    const steps = await everyWay();
    await lt.init({ device: 'reference', dtype: 'float64' });
    for (const [name, expected] of Object.entries(await everyWay())) {
      expect(norm(expected), name).toBeGreaterThan(0);
      // Sums of some hundred float32 terms, and differences of weights of about 1: 1e-7 each.
      expect(distance(steps[name], expected) / norm(expected), name).toBeLessThan(1e-3);
    }
  });
});
