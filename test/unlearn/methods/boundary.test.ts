// The formulas of Boundary Unlearning, against computations by hand.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Classifier } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { headOf } from '../../../unlearn/methods/head.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { findNeighbours, perturbed } from '../../../unlearn/methods/neighbours.ts';
import { randomLabel } from '../../../unlearn/methods/randomLabels.ts';
import { Stream } from '../../../unlearn/random.ts';
import { CLASSES, cut, stripes, tinyMlp, valuesOf } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

/** A linear model on [2, 2, 1] with known weights: gradient W (p - onehot), by hand. */
const WEIGHT = [
  [1, -1, 0.5],
  [-0.5, 1, 0.25],
  [0.25, 0.5, -1],
  [-1, 0.25, 0.75],
];
const BIAS = [0.1, 0, -0.1];
const linear: Classifier = { ...lt.nn.mlp({ classes: 3, hidden: [] }), name: 'linear' };
const variables = () => ({
  params: { fc1: { weight: lt.tensor(WEIGHT), bias: lt.tensor(BIAS) } },
  state: {},
});

const logitsOf = (x: number[]) => BIAS.map((b, k) => b + x.reduce((s, v, i) => s + v * WEIGHT[i][k], 0));
function stepOf(x: number[], y: number): number[] {
  const z = logitsOf(x);
  const sum = z.reduce((s, v) => s + Math.exp(v), 0);
  const error = z.map((v, k) => Math.exp(v) / sum - (k === y ? 1 : 0));
  return WEIGHT.map((row) => Math.sign(row.reduce((s, w, k) => s + w * error[k], 0)));
}
const argmax = (z: number[]) => z.indexOf(Math.max(...z));

const stream = new Stream(4);
const samples = makeSplit({
  shape: [2, 2, 1],
  images: Uint8Array.from({ length: 4 * 50 }, () => stream.below(256)),
  labels: Int32Array.from({ length: 50 }, () => stream.below(3)),
});
const pixels = (i: number) => [...samples.images.subarray(4 * i, 4 * i + 4)].map((b) => b / 255);

describe('the neighbour search', () => {
  test.each([true, false])(
    'is one FGSM step on the fixed model; excluding the true label: %s',
    async (exclude) => {
      const options = { epsilon: 0.1, epsilonConvention: 'pixel', excludeTrueLabel: exclude } as const;
      const found = await findNeighbours(linear, variables(), samples, 16, options);
      let missed = 0;
      for (let i = 0; i < samples.size; i++) {
        const y = samples.labels[i];
        const step = stepOf(pixels(i), y);
        const z = logitsOf(pixels(i).map((v, p) => Math.min(1, Math.max(0, v + 0.1 * step[p]))));
        if (argmax(z) === y) missed++;
        const others = z.map((v, k) => (k === y ? Number.NEGATIVE_INFINITY : v));
        expect(found.labels[i]).toBe(exclude ? argmax(others) : argmax(z));
      }
      expect(found.success).toBeCloseTo((100 * (50 - missed)) / 50, 10);
      expect(missed).toBeGreaterThan(0);
      expect(found.histogram).toEqual([0, 1, 2].map((k) => found.labels.filter((l) => l === k).length));
      if (exclude) expect(found.labels.some((l, i) => l === samples.labels[i])).toBe(false);
    },
  );

  test('of several classes that go, none is the neighbour of another', async () => {
    const options = {
      epsilon: 0.1,
      epsilonConvention: 'pixel',
      excludeTrueLabel: true,
      excluded: [0, 1],
    } as const;
    const { labels } = await findNeighbours(linear, variables(), samples, 16, options);
    const [ofTwo, ofOthers] = [true, false].map((two) =>
      labels.filter((_, i) => (samples.labels[i] === 2) === two),
    );
    expect(new Set(ofOthers)).toEqual(new Set([2]));
    // Its own class and both others are left out: nothing is left, and the first stands for it.
    expect(new Set(ofTwo)).toEqual(new Set([0]));
  });

  test('boundary shrink leaves out the classes that go as a whole', async () => {
    const model = tinyMlp();
    const input = { model, variables: model.init(lt.random.key(0), [1, 6, 6, 1]), key: lt.random.key(1) };
    const unlearn = methods.boundaryShrink({ epochs: 1 }).unlearn;
    const { details } = await unlearn({ ...input, ...cut(stripes(12), 0, 2) });
    expect(details.neighbours).toEqual([0, 8, 0]);
  });

  test("the released code's units: 0.1 is a quarter of the pixel range, rounded to bytes in its own space", async () => {
    const x = lt.full([1, 1, 2, 3], 0.5);
    const gradient = lt.tensor([
      [
        [
          [1, 1, 1],
          [-1, 0, -1],
        ],
      ],
    ]);
    const options = { epsilon: 0.1, epsilonConvention: 'released', excludeTrueLabel: true } as const;
    const exact = await perturbed(x, gradient, { ...options, rounding: false }).data();
    const expected = [0.1 / 0.2023, 0.1 / 0.1994, 0.1 / 0.201].map((v) => v / 2);
    [1, 1, 1, -1, 0, -1].forEach((sign, i) => {
      expect(exact[i]).toBeCloseTo(0.5 + sign * expected[i % 3], 5);
    });
    expect(expected[0]).toBeCloseTo(0.247, 3);
    const rounded = await perturbed(x, gradient, options).data();
    const mean = [0.4914, 0.4822, 0.2265];
    const std = [0.2023, 0.1994, 0.201];
    rounded.forEach((v, i) => {
      const shown = ((v - 0.5) / 0.5) * std[i % 3] + mean[i % 3];
      expect(shown * 255).toBeCloseTo(Math.round(shown * 255), 3);
      expect(Math.abs(v - exact[i])).toBeLessThan(0.5 / 255 / (2 * 0.199) + 1e-6);
    });
  });
});

test('boundaryShrink reports what the search found, and costs it', async () => {
  const model = tinyMlp();
  const { forget, retain } = cut(stripes(30), 0);
  const input = {
    model,
    variables: model.init(lt.random.key(1), [1, 6, 6, 1]),
    forget,
    retain,
    key: lt.random.key(2),
  };
  const options = { epochs: 2, batchSize: 4, epsilon: 0.3 };
  const { cost, details } = await methods.boundaryShrink(options).unlearn(input);
  const found = await findNeighbours(
    model,
    input.variables,
    forget,
    4,
    methods.boundaryShrink(options).options,
  );
  expect(details).toMatchObject({ fgsmSuccess: found.success, neighbours: found.histogram });
  expect(cost).toMatchObject({ gradientSteps: 2 * 3, samplesVisited: 2 * 10 + 2 * 10 });
});

describe('boundaryExpanding', () => {
  const setup = () => {
    const model = tinyMlp();
    const variables = model.init(lt.random.key(1), [1, 6, 6, 1]);
    return { model, variables, ...cut(stripes(30), 0), key: lt.random.key(2) };
  };
  test('without a learning rate the pruned network is the original', async () => {
    const input = setup();
    const result = await methods.boundaryExpanding({ epochs: 1, learningRate: 0 }).unlearn(input);
    expect(await valuesOf(result.variables)).toEqual(await valuesOf(input.variables));
    expect(result.details).toMatchObject({ prunedRows: 1 });
  });
  test('one step moves the head by the gradient towards the shadow class', async () => {
    const input = setup();
    const options = { epochs: 1, batchSize: 10, learningRate: 0.5, momentum: 0, weightDecay: 0 };
    const result = await methods.boundaryExpanding(options).unlearn(input);
    const before = headOf('test', input.model, input.variables.params).bias;
    const after = headOf('test', input.model, result.variables.params).bias;
    expect(after.shape).toEqual([CLASSES]);
    // The bias gradient of a class that is not the target is its mean probability: every bias falls, by under 0.5.
    const moved = (await after.sub(before).array()) as number[];
    for (const m of moved) expect(m < 0 && m > -0.5).toBe(true);
    expect(moved.reduce((a, b) => a + b)).toBeGreaterThan(-0.5);
  });
  test('a model that does not name its head is refused', async () => {
    const input = setup();
    const { head: _, ...headless } = input.model;
    await expect(methods.boundaryExpanding().unlearn({ ...input, model: headless })).rejects.toThrow(
      /boundaryExpanding: model mlp does not name its last layer/,
    );
  });
});

test('random labels: uniform, never the true one if so asked, new in each epoch', () => {
  const counts = [0, 0, 0, 0];
  let same = 0;
  for (let i = 0; i < 4000; i++) {
    const draw = { classes: 4, seed: 7, excludeTrueLabel: true };
    const label = randomLabel(draw, 2, i, 0);
    counts[label]++;
    if (label === randomLabel(draw, 2, i, 1)) same++;
    expect(label).toBe(randomLabel(draw, 2, i, 0));
  }
  expect(counts[2]).toBe(0);
  for (const k of [0, 1, 3])
    expect(Math.abs(counts[k] - 4000 / 3)).toBeLessThan(5 * Math.sqrt(4000 * (2 / 9)));
  expect(Math.abs(same - 4000 / 3)).toBeLessThan(5 * Math.sqrt(4000 * (2 / 9)));
  const all = Array.from({ length: 4000 }, (_, i) =>
    randomLabel({ classes: 4, seed: 7, excludeTrueLabel: false }, 2, i, 0),
  );
  for (const k of [0, 1, 2, 3])
    expect(Math.abs(all.filter((l) => l === k).length - 1000)).toBeLessThan(5 * Math.sqrt(750));
});
