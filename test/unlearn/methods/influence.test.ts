// The influence step against what it approximates: the Newton step solved densely, and a re-fit without the samples.
import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit, takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { Stream } from '../../../unlearn/random.ts';
import type { Split } from '../../../unlearn/types.ts';
import { disposeAll, valuesOf } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

/** Of the sum of losses: the penalty does not shrink with the samples that go. */
const RIDGE = 3;
const ridgeOf = (split: Split) => RIDGE / split.size;
/** Overlapping classes, so that the loss has a minimum. [2, 2, 1] in [0, 1]. */
const data = ((): Split => {
  const stream = new Stream(3);
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 3);
  const images = Uint8Array.from(
    { length: 240 },
    (_, i) => stream.below(160) + (i % 4 === labels[i >> 2] ? 90 : 0),
  );
  return makeSplit({ shape: [2, 2, 1], images, labels });
})();
const forget = takeSplit(data, [4, 11, 25]);
const retain = takeSplit(
  data,
  [...Array(60).keys()].filter((i) => ![4, 11, 25].includes(i)),
);

/** Softmax regression whose own output carries no penalty; the ridge is the damping of the step. */
const model = lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(3) });

type Params = { fc: { weight: lt.Tensor; bias: lt.Tensor } };
const pixels = (split: Split) =>
  lt.tensor(
    Float64Array.from(split.images, (v) => v / 255),
    { shape: [split.size, 2, 2, 1] },
  );

/** The minimum of sum of losses + RIDGE / 2 |w|^2, by Newton steps over all entries at once. */
async function minimum(split: Split): Promise<lt.nn.Variables> {
  const [x, y] = [pixels(split), lt.tensor(split.labels)];
  const of = (w: lt.Tensor): lt.Tensor => {
    const params = { fc: { weight: lt.slice(w, [0], [12]).reshape([4, 3]), bias: lt.slice(w, [12], [3]) } };
    const { output } = model.apply({ params, state: {} }, x);
    return lt.crossEntropy(output, y).add(
      w
        .mul(w)
        .sum()
        .mul(ridgeOf(split) / 2),
    );
  };
  let w = new Float64Array(15);
  for (let i = 0; i < 8; i++) {
    const at = lt.tensor(w);
    const gradient = [...(await lt.grad(of)(at).data())];
    const rows = (await lt
      .vmap((v: lt.Tensor) => lt.hvp(of, [at], [v]), { inAxes: [0] })(lt.eye(15))
      .array()) as number[][];
    const step = solve(rows, gradient);
    w = w.map((v, k) => v - step[k]);
  }
  return {
    params: {
      flatten: {},
      fc: { weight: lt.tensor(w.slice(0, 12)).reshape([4, 3]), bias: lt.tensor(w.slice(12)) },
    },
    state: { flatten: {}, fc: {} },
  };
}

/** Gaussian elimination with pivots. */
function solve(rows: readonly (readonly number[])[], right: readonly number[]): number[] {
  const m = rows.map((row, i) => [...row, right[i]]);
  const n = m.length;
  for (let c = 0; c < n; c++) {
    const pivot = m
      .slice(c)
      .reduce((best, row, i) => (Math.abs(row[c]) > Math.abs(m[best][c]) ? c + i : best), c);
    [m[c], m[pivot]] = [m[pivot], m[c]];
    for (let r = 0; r < n; r++)
      if (r !== c) {
        const factor = m[r][c] / m[c][c];
        for (let k = c; k <= n; k++) m[r][k] -= factor * m[c][k];
      }
  }
  return m.map((row, i) => row[n] / row[i]);
}

const flat = async (variables: lt.nn.Variables): Promise<number[]> => {
  const { fc } = variables.params as unknown as Params;
  return [...(await fc.weight.data()), ...(await fc.bias.data())];
};
const distance = (a: readonly number[], b: readonly number[]) =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));

test('on a convex loss the step is the dense Newton step, and nearly the re-fit', async () => {
  const original = await minimum(data);
  const options = { damping: ridgeOf(retain), tolerance: 1e-10, iterations: 100, batchSize: 13 };
  const input = { model, variables: original, forget, retain, key: lt.random.key(1) };
  const { variables, cost, details } = await methods.influence(options).unlearn(input);
  const [w, after] = [await flat(original), await flat(variables)];

  // Dense: (H + ridge)^-1 g over D_r, with H and g written out by the engine over whole sets.
  const sum = (split: Split) => (v: lt.Tensor) => {
    const params = { fc: { weight: lt.slice(v, [0], [12]).reshape([4, 3]), bias: lt.slice(v, [12], [3]) } };
    return lt.crossEntropy(
      model.apply({ params, state: {} }, pixels(split)).output,
      lt.tensor(split.labels),
      { reduction: 'sum' },
    );
  };
  const at = lt.tensor(Float64Array.from(w));
  const gradient = [...(await lt.grad(sum(forget))(at).data())];
  const hessian = (await lt
    .vmap((v: lt.Tensor) => lt.hvp(sum(retain), [at], [v]), { inAxes: [0] })(lt.eye(15))
    .array()) as number[][];
  const damped = hessian.map((row, i) =>
    row.map((h, j) => h / retain.size + (i === j ? ridgeOf(retain) : 0)),
  );
  const step = solve(damped, gradient).map((v) => v / retain.size);
  after.forEach((v, i) => expect(v - w[i]).toBeCloseTo(step[i], 8));

  const residuals = details.residuals as number[];
  expect(residuals.at(-1)).toBeLessThan(1e-10);
  expect(residuals.length).toBeLessThanOrEqual(20);
  expect(cost.samplesVisited).toBe(forget.size + residuals.length * retain.size);

  const refit = await flat(await minimum(retain));
  expect(distance(after, refit)).toBeLessThan(distance(w, refit) / 10);
  disposeAll(variables);
});

test('scale 0 changes nothing; too little damping on a network that is not convex is told', async () => {
  const original = await minimum(data);
  const input = { model, variables: original, forget, retain, key: lt.random.key(1) };
  const still = await methods.influence({ scale: 0, damping: 0.05 }).unlearn(input);
  expect(await valuesOf(still.variables)).toEqual(await valuesOf(original));
  const net = lt.nn.mlp({ classes: 3, hidden: [4] });
  const variables = net.init(lt.random.key(8), [1, 2, 2, 1]);
  const saddle = await methods
    .influence({ damping: 0, iterations: 60, tolerance: 0 })
    .unlearn({ ...input, model: net, variables });
  expect(saddle.details.indefinite).toBe(true);
});
