// Bad Teacher's step and its score against the same in plain numbers, and what it comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { jensenShannon } from '../../../unlearn/methods/divergence.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { accuracyOn, tinyMlp, valuesOf } from '../problems.ts';
import { problem } from './kit.ts';
import { apart, linearProblem, logitsOf, oneStep, pixelsOf, softmax, stepped, weightsOf } from './linear.ts';

const plain = { ...oneStep, optimizer: 'sgd' } as const;
const jsd = (p: number[], q: number[]) =>
  p.reduce((sum, a, k) => {
    const m = (a + q[k]) / 2;
    return sum + (a * Math.log(a / m) + q[k] * Math.log(q[k] / m)) / 2;
  }, 0);

describe('a step', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });

  test('the Jensen-Shannon divergence lies between 0 and ln 2', async () => {
    const [a, b] = [
      [0.3, -1, 2],
      [1, 0, -2],
    ];
    const got = jensenShannon(lt.tensor([a, a, [500, 0, 0]]), lt.tensor([b, a, [0, 500, 0]]));
    const expected = [jsd(softmax(a), softmax(b)), 0, Math.log(2)];
    expect(await got.array()).toEqual(expected.map((v) => expect.closeTo(v, 12)));
  });

  test.each([
    [1, 'batch'],
    [2, 'elements'],
  ] as const)('moves towards the random network on the forget set alone, T %d, %s', async (T, reduction) => {
    const input = linearProblem();
    const { forget, model, key } = input;
    const { variables, details, cost } = await methods
      .badTeacher({ ...plain, temperature: T, reduction, retainShare: 0.5 })
      .unlearn(input);
    const w = await weightsOf(input.variables);
    const bad = await weightsOf(model.init(lt.random.foldIn(key, 1), [1, 6, 6, 1]));
    const seen = forget.size + 8;
    const x = pixelsOf(forget);
    // On what is kept the student is the teacher: no gradient.
    const gone = x.map((pixels) => {
      const [p, q] = [w, bad].map((of) => softmax(logitsOf(of, pixels), T));
      return [pixels, p.map((v, k) => (v - q[k]) / T / seen / (reduction === 'batch' ? 1 : 3))] as const;
    });
    const after = await weightsOf(variables);
    expect(apart(after, stepped(w, gone, plain.learningRate))).toBeLessThan(1e-12);
    const score = (of: typeof w) =>
      1 -
      x.reduce((sum, pixels) => sum + jsd(softmax(logitsOf(of, pixels)), softmax(logitsOf(bad, pixels))), 0) /
        forget.size;
    expect(details.zrf).toBeCloseTo(score(after), 10);
    expect(details.zrfOriginal).toBeCloseTo(score(w), 10);
    expect(cost.samplesVisited).toBe(3 * seen + 3 * forget.size);
  });

  test('the random network is a function of the key', async () => {
    const input = linearProblem();
    const run = async (key: number) =>
      valuesOf((await methods.badTeacher(plain).unlearn({ ...input, key: lt.random.key(key) })).variables);
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });
});

test('it forgets the class and keeps the others', async () => {
  await lt.init({ device: 'reference' });
  const input = await problem(tinyMlp(), 15);
  const { variables, details } = await methods
    .badTeacher({ epochs: 15, batchSize: 16, learningRate: 0.01, retainShare: 0.6 })
    .unlearn(input);
  // The random network may happen to name the class.
  expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(70);
  expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
  expect(details.zrf).toBeGreaterThan(0.95);
  expect(details.zrfOriginal).toBeLessThan(0.8);
});
