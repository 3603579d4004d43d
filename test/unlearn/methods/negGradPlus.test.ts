// NegGrad+ against the same step in plain numbers, and what it comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { accuracyOn, tinyMlp } from '../problems.ts';
import { problem } from './kit.ts';
import {
  apart,
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
    ['without a cap', false],
    ['with a cap between the losses', true],
  ])('descends on what is kept and ascends on the forget set, %s', async (_, some) => {
    const input = linearProblem();
    const { retain, forget } = input;
    const beta = 0.7;
    const w = await weightsOf(input.variables);
    const losses = pixelsOf(forget).map((x, i) => -Math.log(softmax(logitsOf(w, x))[forget.labels[i]]));
    const lossCap = some ? losses.reduce((a, b) => a + b) / forget.size : undefined;
    const { variables, cost } = await methods.negGradPlus({ ...oneStep, beta, lossCap }).unlearn(input);
    const kept = pixelsOf(retain).map((x, i) => {
      const dz = towards(logitsOf(w, x), retain.labels[i]);
      return [x, dz.map((d) => (beta * d) / retain.size)] as const;
    });
    const gone = pixelsOf(forget).flatMap((x, i) => {
      if (lossCap !== undefined && losses[i] > lossCap) return [];
      const dz = towards(logitsOf(w, x), forget.labels[i]);
      return [[x, dz.map((d) => (-(1 - beta) * d) / forget.size)] as const];
    });
    const expected = stepped(w, [...kept, ...gone], oneStep.learningRate);
    // Sums of 24 float64 terms.
    expect(apart(await weightsOf(variables), expected)).toBeLessThan(1e-12);
    expect(cost).toMatchObject({ gradientSteps: 1, samplesVisited: retain.size + forget.size });
  });

  test('each step of an epoch over what is kept sees a batch of the forget set, and all are counted', async () => {
    const input = linearProblem();
    const { cost } = await methods
      .negGradPlus({ ...oneStep, epochs: 3, batchSize: 7, forgetBatchSize: 3 })
      .unlearn(input);
    expect(cost).toMatchObject({ gradientSteps: 3 * 3, samplesVisited: 3 * (16 + 3 * 3) });
  });
});

test('it forgets the class and keeps the others', async () => {
  await lt.init({ device: 'reference' });
  const input = await problem(tinyMlp(), 15);
  const { variables } = await methods
    .negGradPlus({ epochs: 6, batchSize: 16, learningRate: 0.05, beta: 0.6, lossCap: 4 })
    .unlearn(input);
  expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(20);
  expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
});
