// Certified unlearning: what the noisy steps do to weights and statistics, and that the accountant says how many there are.
import { beforeAll, expect, test } from 'vitest';
import type { Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { updateOf } from '../../../unlearn/methods/noisySteps.ts';
import { descentRho, rhoOf } from '../../../unlearn/privacy.ts';
import type { UnlearnInput } from '../../../unlearn/types.ts';
import { accuracyOn, cut, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';
import { problem } from './kit.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const data = stripes(30);
const flat = async (params: Variables['params']) =>
  Object.values(await valuesOf({ params, state: {} })).flat();
const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const shape = [1, 6, 6, 1];
/** From weights of a large norm, other ones for each seed; key and kept samples are the same. */
const from = (seed: number, model = tinyCnn()): UnlearnInput => {
  const { params, state } = model.init(lt.random.key(seed), shape);
  const far = lt.tree.map((p: lt.Tensor) => p.add(seed).mul(40), params);
  const known = lt.tree.map((s: lt.Tensor) => s.add(seed), state);
  return { model, variables: { params: far, state: known }, ...cut(data, 1), key: lt.random.key(7) };
};
const only = { epochs: 0, batchSize: 10 };

test.each([
  // Model clipping: the last step begins with norms of at most C; noise and samples are the same for both.
  ['modelClipping', { norm: 0.3, sigma: 0.3, noisyRate: 0.01 }, 0.6, 6],
  // Gradient clipping: 2 C0 and, in each step, 2 rate C1.
  ['gradientClipping', { startNorm: 0.5, gradientNorm: 5, noisyRate: 0.01 }, 1 + 10 * 0.1, 10],
  ['output', { startNorm: 0.5 }, 1, 0],
] as const)(
  '%s: two starts end no further apart than the accountant takes them to be',
  async (variant, own, most, steps) => {
    const options = { variant, ...only, ...own };
    const [a, b] = [
      await methods.certified(options).unlearn(from(1)),
      await methods.certified(options).unlearn(from(2)),
    ];
    const [x, y] = [await flat(a.variables.params), await flat(b.variables.params)];
    // Weights are as large as the noise: some units of float32 in each of 180 differences.
    const apart = norm(x.map((value, i) => value - y[i]));
    expect(apart).toBeLessThan(most * (1 + 1e-4));
    expect(apart).toBeGreaterThan(0);
    const { details, cost } = a;
    const { sigma } = details as { sigma: number };
    expect(details).toMatchObject({ epsilon: 1, steps, certificate: { variant, steps, sigma, epsilon: 1 } });
    expect(details.delta).toBeLessThanOrEqual(1e-5);
    expect(cost).toMatchObject({ gradientSteps: steps, samplesVisited: 10 * steps });
    // What is left is the noise of the last step, or more: its variance, within 5 standard errors.
    const variance = x.reduce((sum, value) => sum + value * value, 0) / x.length;
    expect(variance / sigma ** 2).toBeGreaterThan(1 - 5 * Math.sqrt(2 / x.length));
    // The network's statistics are those of a fresh one, whatever the original's were.
    const fresh = tinyCnn().init(lt.random.key(0), shape);
    const stateOf = ({ state }: Variables) => valuesOf({ params: {}, state });
    expect(await stateOf(a.variables)).toEqual(await stateOf(fresh));
  },
);

test('the noise of clipped gradients is what rho asks for; the options alone decide, not the data', async () => {
  const options = {
    variant: 'gradientClipping',
    ...only,
    gradientNorm: 20,
    noisyDecay: 10,
    noisyRate: 0.01,
  } as const;
  const { details } = await methods.certified(options).unlearn(from(1));
  const descent = { startNorm: 1, gradientNorm: 20, rate: 0.01, decay: 10 };
  const { steps, sigma } = details as { steps: number; sigma: number };
  expect(steps).toBe(5);
  expect(sigma ** 2).toBeCloseTo(descentRho(descent, 5) / rhoOf(1, 1e-5), 9);
  const { retain } = from(1);
  const other = { ...from(2), retain: { ...retain, labels: retain.labels.map((l) => 2 - l) } };
  const again = await methods.certified(options).unlearn(other);
  expect(again.details).toMatchObject({ steps, sigma });
});

test('clipped after the noise: the golden steps at r = 2 (C + rate C1) / sigma, and weights that stay in the ball', async () => {
  const options = { variant: 'bothClipping', noisyRate: 0.01, gradientNorm: 12.5, ...only } as const;
  // 2 (0.5 + 0.01 * 12.5) / 0.5 = 2.5 takes 9 steps to epsilon 1, delta 1e-5.
  const { variables, details, cost } = await methods.certified(options).unlearn(from(1));
  expect(details).toMatchObject({ steps: 9, sigma: 0.5, certificate: { within: 0.5 } });
  expect(cost).toMatchObject({ gradientSteps: 9, samplesVisited: 90 });
  // The noise of a step alone is many times as long.
  expect(norm(await flat(variables.params))).toBeCloseTo(0.5, 5);
  const saved = methods.certified({ ...options, startNorm: 0.3, startSigma: 3 });
  const begun = await saved.unlearn(from(1));
  expect(begun.details.steps).toBe(0);
  expect(norm(await flat(begun.variables.params))).toBeCloseTo(0.5, 5);
});

test('one step of each variant, by hand', async () => {
  const one = { epsilon: 1, delta: 1e-5, startSigma: 0, sigma: 0, noisyRate: 0.01, noisyDecay: 2, norm: 0.5 };
  const step = async (variant: 'modelClipping' | 'bothClipping' | 'gradientClipping') => {
    const [p, g] = [{ w: lt.tensor([0.3, 0.4]) }, { w: lt.tensor([30, -40]) }];
    const moved = updateOf({ ...one, variant, gradientNorm: 5 }, 0)(p as never, g as never, lt.random.key(1));
    return [...(await (moved as unknown as typeof p).w.data())];
  };
  // Clipping divides by the norm and 1e-6 more.
  const close = (got: number[], wanted: number[]) =>
    wanted.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
  // 0.98 theta, less 0.01 times the gradient, of norm 50 or clipped to 5.
  const [plain, clipped] = [
    [0.294 - 0.3, 0.392 + 0.4],
    [0.294 - 0.03, 0.392 + 0.04],
  ];
  const inBall = (at: number[]) => at.map((v) => (v * 0.5) / norm(at));
  close(await step('gradientClipping'), clipped);
  close(await step('modelClipping'), inBall(plain));
  close(await step('bothClipping'), inBall(clipped));
});

test('noise on the start saves steps', async () => {
  const of = async (startSigma: number) =>
    (await methods.certified({ ...only, startNorm: 0.3, startSigma }).unlearn(from(1))).details.steps;
  expect([await of(0), await of(0.3), await of(3)]).toEqual([6, 5, 0]);
});

test('training afterwards has its whole schedule, and learns what is kept', async () => {
  const input = await problem(tinyMlp(), 6);
  const training = { epochs: 12, batchSize: 12, learningRate: 0.1, schedule: 'cosine' } as const;
  const { variables, details, cost } = await methods
    .certified({ ...training, sigma: 0.2, norm: 0.2 })
    .unlearn(input);
  expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(90);
  expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(10);
  expect(details.steps).toBe(6);
  expect(cost).toMatchObject({ gradientSteps: 6 + 48, samplesVisited: 6 * 12 + 12 * 48 });
  const rates = (details.history as { learningRate: number }[]).map(({ learningRate }) => learningRate);
  // Of the last of an epoch's 4 steps, of 48 in all.
  rates.forEach((rate, e) => {
    expect(rate).toBeCloseTo(0.05 * (1 + Math.cos((Math.PI * (4 * e + 3)) / 48)), 5);
  });
});

test('what cannot be certified is refused', async () => {
  const run = (options: object) => methods.certified({ ...only, ...options }).unlearn(from(1));
  await expect(run({ variant: 'output', epsilon: 2 })).rejects.toThrow(
    /output: expected epsilon up to 1, got 2/,
  );
  for (const variant of ['gradientClipping', 'bothClipping'])
    await expect(run({ variant, noisyRate: 0.1, noisyDecay: 20 })).rejects.toThrow(/below 1/);
  await expect(run({ sigma: 0.01 })).rejects.toThrow(/no certificate after 100000 steps/);
});
