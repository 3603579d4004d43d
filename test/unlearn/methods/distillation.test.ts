// Masked targets and a step of the distillation against the same in plain numbers, and what it comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { divergence, EXCLUDED } from '../../../unlearn/methods/divergence.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { accuracyOn, cut, stripes, tinyMlp } from '../problems.ts';
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
  type Weights,
  weightsOf,
} from './linear.ts';

/** Classes 1 and 2 are to go. */
const two = () => {
  const data = stripes(24);
  const { forget: kept, retain: gone } = cut(data, 0);
  return { ...linearProblem(), forget: gone, retain: kept };
};

/** s by the definition: softmax over the classes that are left of the cosines to class y, at this temperature. */
function similarities({ W }: Weights, y: number, left: readonly number[], temperature: number): number[] {
  const rows = W[0].map((_, k) => W.map((row) => row[k]));
  const mean = rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length);
  const centred = rows.map((row) => row.map((v, j) => v - mean[j]));
  const dot = (a: number[], b: number[]) => a.reduce((sum, v, j) => sum + v * b[j], 0);
  const cosine = (k: number) =>
    dot(centred[y], centred[k]) / Math.sqrt(dot(centred[y], centred[y]) * dot(centred[k], centred[k]));
  const shares = softmax(left.map(cosine), temperature);
  return rows.map((_, k) => (left.includes(k) ? shares[left.indexOf(k)] : 0));
}

describe('a step', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });

  test('the divergence is KL(target || student), 0 log 0 being 0', async () => {
    const [z, t] = [
      [0.3, -1.2, 2],
      [1, 0.5, -0.7],
    ];
    for (const T of [1, 2.5]) {
      const [p, q] = [softmax(z, T), softmax(t, T)];
      const all = q.reduce((sum, v, k) => sum + v * Math.log(v / p[k]), 0);
      const masked = softmax(t.slice(1), T);
      const some = masked.reduce((sum, v, k) => sum + v * Math.log(v / p[k + 1]), 0);
      const got = divergence(lt.tensor([z, z]), lt.tensor([t, [t[0] + EXCLUDED, t[1], t[2]]]), T);
      expect(await got.array()).toEqual([expect.closeTo(all, 12), expect.closeTo(some, 12)]);
    }
  });

  test.each([
    ['its own class left out', { exclude: 'own', beta: 0 }, 0],
    ['all forgotten classes left out', { exclude: 'forgotten', beta: 0 }, 0],
    ['a tilt towards like classes', { exclude: 'own', beta: 3 }, 0],
    ['a batch of what is kept', { exclude: 'own', beta: 0 }, 0.4],
  ] as const)('moves by p - q, with %s', async (_, { exclude, beta }, retainWeight) => {
    const input = two();
    const { forget, retain } = input;
    const { variables, cost } = await methods
      .distillation({ ...oneStep, exclude, beta, similarityTemperature: 0.5, retainWeight })
      .unlearn(input);
    const w = await weightsOf(input.variables);
    const gone = pixelsOf(forget).map((x, i) => {
      const z = logitsOf(w, x);
      const y = forget.labels[i];
      const left = [0, 1, 2].filter((k) => k !== y && (exclude === 'own' || k === 0));
      const s = similarities(w, y, left, 0.5);
      const weights = z.map((v, k) => (left.includes(k) ? Math.exp(v + beta * s[k]) : 0));
      const q = weights.map((v) => v / weights.reduce((a, b) => a + b));
      return [x, softmax(z).map((p, k) => (p - q[k]) / forget.size)] as const;
    });
    const kept = pixelsOf(retain).map((x, i) => {
      const dz = towards(logitsOf(w, x), retain.labels[i]);
      return [x, dz.map((d) => (retainWeight * d) / retain.size)] as const;
    });
    const expected = stepped(w, [...gone, ...kept], oneStep.learningRate);
    expect(apart(await weightsOf(variables), expected)).toBeLessThan(1e-12);
    // The original answers, too.
    expect(cost.samplesVisited).toBe(2 * forget.size + (retainWeight > 0 ? retain.size : 0));
  });

  test('no class left is refused', async () => {
    const data = stripes(6);
    const forget = makeSplit({ shape: data.shape, images: data.images, labels: data.labels });
    const all = methods.distillation({ exclude: 'forgotten' }).unlearn({ ...linearProblem(), forget });
    await expect(all).rejects.toThrow(/distillation: the targets leave out all 3 classes; expected one/);
  });
});

describe('forgetting', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });
  test.each([
    ['with the forget set alone', {}],
    ['with what is kept beside it, tilted', { retainWeight: 1, beta: 3 }],
  ])('%s it forgets the class and keeps the others', async (_, given) => {
    const input = await problem(tinyMlp(), 15);
    const { variables } = await methods
      .distillation({ epochs: 8, batchSize: 8, learningRate: 0.01, ...given })
      .unlearn(input);
    expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(20);
    expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
  });
});
