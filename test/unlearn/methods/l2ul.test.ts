// L2UL's steps and the importance of weights against the same in plain numbers, and what it comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { driftOf, stiffness } from '../../../unlearn/methods/importance.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { randomLabel } from '../../../unlearn/methods/randomLabels.ts';
import { seedOf } from '../../../unlearn/train/tune.ts';
import type { Split } from '../../../unlearn/types.ts';
import { accuracyOn, disposeAll, tinyMlp, valuesOf } from '../problems.ts';
import { problem } from './kit.ts';
import {
  apart,
  chased,
  linearProblem,
  logitsOf,
  oneStep,
  pixelsOf,
  stepped,
  towards,
  type Weights,
  weightsOf,
} from './linear.ts';

const search = { radius: 0.8, stepSize: 0.2, steps: 6, adversaries: 3, randomStart: false };

/** 1 - Omega, Omega scaled to [0, 1] in weights and biases apart, with gradients averaged over batches of this size. */
function stiff(w: Weights, split: Split, batch: number): Weights {
  const each = pixelsOf(split).map((x) => {
    const z = logitsOf(w, x);
    const norm = Math.sqrt(z.reduce((sum, v) => sum + v * v, 0));
    return { x, dz: z.map((v) => v / norm) };
  });
  const batches = each.flatMap((_, i) => (i % batch === 0 ? [each.slice(i, i + batch)] : []));
  const sizes = (f: (one: (typeof each)[number]) => number) =>
    batches.reduce((sum, some) => sum + Math.abs(some.reduce((all, one) => all + f(one), 0)), 0);
  const W = w.W.map((row, j) => row.map((_, k) => sizes(({ x, dz }) => x[j] * dz[k])));
  const b = w.b.map((_, k) => sizes(({ dz }) => dz[k]));
  const turned = (all: readonly number[]) => {
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return (v: number) => 1 - (v - low) / (high - low);
  };
  const [ofW, ofB] = [turned(W.flat()), turned(b)];
  return { W: W.map((row) => row.map(ofW)), b: b.map(ofB) };
}

describe('in plain numbers', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });

  test.each([1, 3])('the importance of weights, by gradients of %d', async (batch) => {
    const input = linearProblem();
    const w = await weightsOf(input.variables);
    const found = await stiffness(input, batch);
    expect(
      apart(await weightsOf({ params: found, state: {} } as never), stiff(w, input.forget, batch)),
    ).toBeLessThan(1e-9);
    const [params, origin, weights] = [
      [1, 2],
      [3, 5],
      [0.5, 2],
    ].map((v) => ({ v: lt.tensor(v) }));
    expect(await driftOf(params as never, origin as never, weights).item()).toBe(0.5 * 4 + 2 * 9);
  });

  test.each([
    ['batch shares', {}, 1 / 4, 3 / 4],
    [
      'given weights, adversarial images apart',
      { forgetWeight: 1, adversaryWeight: 0.1, adversaryMode: 'eval' },
      1,
      0.1,
    ],
  ] as const)('two steps with %s', async (_, given, forgetWeight, adversaryWeight) => {
    const input = linearProblem();
    const { forget } = input;
    const lambda = 3;
    const options = { ...oneStep, ...search, ...given, lambda, epochs: 2, untilForgotten: false };
    const { variables, cost, details } = await methods.l2ul(options).unlearn(input);
    const original = await weightsOf(input.variables);
    const held = stiff(original, forget, 1);
    const seed = await seedOf(input.key);
    const draw = { classes: 3, seed, excludeTrueLabel: true };
    const x = pixelsOf(forget);
    let hits = 0;
    const adversarial = x.flatMap((pixels, i) =>
      [0, 1, 2].map((k) => {
        const y = randomLabel(draw, forget.labels[i], forget.ids[i], k);
        expect(y).not.toBe(forget.labels[i]);
        const how = { norm: 'l2', radius: 0.8, share: 0.25, steps: 6, targeted: true } as const;
        const found = chased(original, pixels, y, how);
        if (found.predicted === y) hits++;
        return { x: found.x, y };
      }),
    );
    let w = original;
    for (let epoch = 0; epoch < 2; epoch++) {
      const gone = x.map((pixels, i) => {
        const dz = towards(logitsOf(w, pixels), forget.labels[i]);
        return [pixels, dz.map((d) => (-forgetWeight * d) / x.length)] as const;
      });
      const kept = adversarial.map(({ x: pixels, y }) => {
        const dz = towards(logitsOf(w, pixels), y);
        return [pixels, dz.map((d) => (adversaryWeight * d) / adversarial.length)] as const;
      });
      const next = stepped(w, [...gone, ...kept], options.learningRate);
      const pull = (v: number, now: number, first: number, stiffness: number) =>
        v - options.learningRate * lambda * stiffness * (now - first);
      w = {
        W: next.W.map((row, j) => row.map((v, k) => pull(v, w.W[j][k], original.W[j][k], held.W[j][k]))),
        b: next.b.map((v, k) => pull(v, w.b[k], original.b[k], held.b[k])),
      };
    }
    // Adversarial images are float32.
    expect(apart(await weightsOf(variables), w)).toBeLessThan(1e-6);
    expect(details.adversarialSuccess).toBeCloseTo((100 * hits) / adversarial.length, 10);
    const searched = 3 * forget.size * 7;
    expect(cost).toMatchObject({
      gradientSteps: 2,
      samplesVisited: searched + forget.size + 2 * 4 * forget.size,
    });
  });
});

describe('forgetting', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });
  const quick = {
    epochs: 8,
    batchSize: 24,
    forgetBatchSize: 8,
    learningRate: 0.1,
    radius: 1.5,
    stepSize: 0.3,
    steps: 8,
    adversaries: 3,
  };

  test('the first epoch that knows no forgotten sample is the result; the others stay known, unseen', async () => {
    const input = await problem(tinyMlp(), 15);
    const { variables, details } = await methods.l2ul({ ...quick, lossCap: 4 }).unlearn(input);
    const known = (details.history as { forgetAccuracy: number }[]).map((epoch) => epoch.forgetAccuracy);
    const first = known.indexOf(0);
    expect(first > 0 && first < known.length - 1, 'neither the first nor the last').toBe(true);
    const until = await methods.l2ul({ ...quick, lossCap: 4, epochs: first + 1 }).unlearn(input);
    expect(await valuesOf(variables)).toEqual(await valuesOf(until.variables));
    expect(await accuracyOn(input.model, variables, input.forget)).toBe(0);
    expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
  });

  test('adversarial images in evaluation mode leave the statistics of batch normalisation alone', async () => {
    const input = await problem();
    const settings = {
      ...quick,
      epochs: 1,
      learningRate: 0,
      batchSize: 100,
      forgetBatchSize: 100,
      lambda: 0,
    };
    const state = async (options: object) => {
      const { variables } = await methods.l2ul({ ...settings, ...options }).unlearn(input);
      const values = await valuesOf({ params: {}, state: variables.state } as never);
      disposeAll(variables);
      return values;
    };
    const ascent = await methods
      .gradientAscent({ epochs: 1, learningRate: 0, batchSize: 100 })
      .unlearn(input);
    const alone = await valuesOf({ params: {}, state: ascent.variables.state } as never);
    const apart = (values: typeof alone) =>
      Math.max(
        ...Object.entries(alone).flatMap(([path, all]) => all.map((v, i) => Math.abs(v - values[path][i]))),
      );
    // The same batch in another order.
    expect(apart(await state({ adversaryMode: 'eval' }))).toBeLessThan(1e-6);
    expect(apart(await state({ adversaryMode: 'train' }))).toBeGreaterThan(1e-4);
  });
});
