// AMUN's step against the same in plain numbers, which samples it sees, and what it comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { predict } from '../../../unlearn/predict.ts';
import { accuracyOn, tinyMlp } from '../problems.ts';
import { problem } from './kit.ts';
import {
  apart,
  chased,
  linearProblem,
  logitsOf,
  oneStep,
  pixelsOf,
  softmax,
  stepped,
  towards,
  weightsOf,
} from './linear.ts';

describe('a step', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });

  test.each([
    ['all training samples', { data: 'all', adversariesOnly: false }],
    ['all but the forgotten ones', { data: 'all', adversariesOnly: true }],
    ['the forget set', { data: 'forget', adversariesOnly: false }],
    ['adversarial images alone', { data: 'forget', adversariesOnly: true }],
  ] as const)('descends on adversarial images and %s, each with its label', async (_, given) => {
    const input = linearProblem();
    const { forget, retain } = input;
    const { variables, details, cost } = await methods
      .amun({ ...oneStep, ...given, steps: 5, doublings: 6 })
      .unlearn(input);
    const w = await weightsOf(input.variables);
    const how = { norm: 'l2', radius: 0.04, share: 0.1, steps: 5, stop: true, doublings: 6 } as const;
    const found = pixelsOf(forget).map((x, i) => chased(w, x, forget.labels[i], how));
    const seen = [
      ...(given.data === 'all' ? pixelsOf(retain).map((x, i) => ({ x, y: retain.labels[i] })) : []),
      ...(given.adversariesOnly ? [] : pixelsOf(forget).map((x, i) => ({ x, y: forget.labels[i] }))),
      ...found.map(({ x, predicted: y }) => ({ x, y })),
    ];
    const gradients = seen.map(({ x, y }) => {
      const dz = towards(logitsOf(w, x), y);
      return [x, dz.map((d) => d / seen.length)] as const;
    });
    // Adversarial images are float32.
    expect(apart(await weightsOf(variables), stepped(w, gradients, oneStep.learningRate))).toBeLessThan(1e-6);
    const hits = found.filter(({ predicted }, i) => predicted !== forget.labels[i]).length;
    expect(details.adversarialSuccess).toBeCloseTo((100 * hits) / forget.size, 10);
    expect(details.meanRadius).toBeCloseTo(
      found.reduce((sum, { radius }) => sum + radius, 0) / forget.size,
      6,
    );
    expect(cost.gradientSteps).toBe(1);
    // At least one look at each image, at most all of them.
    const searched = cost.samplesVisited - seen.length;
    expect(searched).toBeGreaterThanOrEqual(2 * forget.size);
    expect(searched).toBeLessThanOrEqual(6 * 7 * forget.size);
  });
});

describe('forgetting', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });
  test('beside the data it takes confidence from the forgotten samples, in their place it forgets them', async () => {
    const input = await problem(tinyMlp(), 15);
    const { model, forget, retain } = input;
    const doubt = async (of: typeof input.variables) => {
      const logits = await predict(model, of, forget);
      const own = [...forget.labels].map((y, i) => softmax([...logits.subarray(3 * i, 3 * i + 3)])[y]);
      return 1 - own.reduce((a, b) => a + b) / forget.size;
    };
    const settings = { epochs: 5, batchSize: 16, decayEvery: 10, steps: 20 };
    const beside = await methods.amun({ ...settings, learningRate: 0.01 }).unlearn(input);
    expect(beside.details.adversarialSuccess).toBe(100);
    expect(await doubt(beside.variables)).toBeGreaterThan(3 * (await doubt(input.variables)));
    expect(await accuracyOn(model, beside.variables, forget)).toBeGreaterThan(90);
    expect(await accuracyOn(model, beside.variables, retain)).toBeGreaterThan(90);
    const instead = await methods
      .amun({ ...settings, epochs: 8, learningRate: 0.05, adversariesOnly: true })
      .unlearn(input);
    expect(await accuracyOn(model, instead.variables, forget)).toBeLessThan(20);
    expect(await accuracyOn(model, instead.variables, retain)).toBeGreaterThan(90);
  });

  test('the rate falls by its factor every so many epochs', async () => {
    const input = await problem(tinyMlp(), 1);
    const { details } = await methods
      .amun({ epochs: 5, decayEvery: 2, gamma: 0.5, learningRate: 0.08, steps: 1, doublings: 0 })
      .unlearn(input);
    const rates = (details.history as { learningRate: number }[]).map(({ learningRate }) => learningRate);
    expect(rates).toEqual([0.08, 0.08, 0.04, 0.04, 0.02]);
  });
});
