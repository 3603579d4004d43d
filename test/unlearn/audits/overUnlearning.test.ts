// OU@eps beside PyTorch's (test/oracles/overUnlearning.py), and the audit on networks.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Classifier } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { disturber, noiseOf } from '../../../unlearn/audits/disturbed.ts';
import { overUnlearning } from '../../../unlearn/audits/overUnlearning.ts';
import type { AuditInput } from '../../../unlearn/audits/record.ts';
import { type NetworkOf, networkSubject } from '../../../unlearn/audits/subject.ts';
import { overUnlearning as divergences } from '../../../unlearn/statistics/overUnlearning.ts';
import { disposeTree } from '../../../unlearn/train/feed.ts';
import { cut, disposeAll, stripes, tinyCnn } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

interface Found {
  readonly original: readonly number[];
  readonly own: readonly number[];
  readonly maskedOriginal: readonly number[];
  readonly maskedBoth: readonly number[];
}
type Weights = Readonly<Record<string, { shape: number[]; values: number[] }>>;
const oracle: {
  readonly images: readonly number[];
  readonly noise: readonly number[];
  readonly networks: { readonly original: Weights; readonly own: Weights };
  readonly found: { readonly fixed: Found; readonly asReleased: Found };
} = JSON.parse(readFileSync(new URL('../../oracles/overUnlearning.json', import.meta.url), 'utf8'));
const how = { disturbance: 'pgd', radius: 0.03, step: 0.01, steps: 3, deviation: 0.01 } as const;

describe('beside PyTorch', () => {
  const model: Classifier = {
    ...lt.nn.sequential({
      normalise: lt.nn.normalise({ mean: [0.4, 0.5], std: [0.3, 0.25] }),
      conv: lt.nn.conv2d(3, { padding: 1 }),
      relu: lt.nn.relu(),
      flatten: lt.nn.flatten(),
      fc: lt.nn.dense(4),
    }),
    head: ['fc'],
  };
  const networkOf = (weights: Weights): NetworkOf => {
    const params: Record<string, Record<string, lt.Tensor>> = {};
    for (const [name, { shape, values }] of Object.entries(weights)) {
      const [layer, part] = name.split('.');
      params[layer] = { ...params[layer], [part]: lt.tensor(Float64Array.from(values), { shape }) };
    }
    return { model, variables: { params, state: {} } };
  };

  test.each(['fixed', 'asReleased'] as const)('%s', async (variant) => {
    const [original, own] = [networkOf(oracle.networks.original), networkOf(oracle.networks.own)];
    const compiled = disturber(original, own, { ...how, variant });
    const shape = [6, 5, 4, 2];
    const given = [
      lt.tensor(
        Float64Array.from(oracle.images, (byte) => byte / 255),
        { shape },
      ),
      lt.tensor(Int32Array.from({ length: 6 }, () => 1)),
      lt.tensor(Float64Array.from(oracle.noise), { shape }),
    ];
    const answers = compiled.answers(given[0], given[1], given[2]);
    const expected = oracle.found[variant];
    for (const which of ['original', 'own'] as const) {
      const values = await answers[which].data();
      expected[which].forEach((value, i) => expect(Math.abs(values[i] - value)).toBeLessThan(1e-8));
    }
    for (const masked of ['original', 'both'] as const) {
      const found = divergences({
        original: Float32Array.from(await answers.original.data()),
        own: Float32Array.from(await answers.own.data()),
        K: 4,
        goneClasses: [1],
        masked,
      });
      const wanted = masked === 'both' ? expected.maskedBoth : expected.maskedOriginal;
      // Logits are rounded to float32.
      wanted.forEach((value, i) => expect(Math.abs(found[i] - value)).toBeLessThan(1e-6));
    }
    compiled.dispose();
    disposeTree([given, answers]);
    for (const { variables } of [original, own]) disposeAll(variables);
  });
});

test('noise is decided by seed and sample: uniform within the radius, or normal', () => {
  const uniform = noiseOf({ ...how, variant: 'fixed' }, 4000, 1, 7);
  expect(uniform).toEqual(noiseOf({ ...how, variant: 'fixed' }, 4000, 1, 7));
  expect(uniform).not.toEqual(noiseOf({ ...how, variant: 'fixed' }, 4000, 1, 8));
  expect(uniform.every((v) => Math.abs(v) <= 0.03)).toBe(true);
  const square = (values: Float32Array) => values.reduce((sum, v) => sum + v * v, 0) / values.length;
  // A uniform number in +-e has variance e^2 / 3; four standard errors of the mean square (e^2 sqrt(4 / 45 / n)).
  expect(Math.abs(square(uniform) - 0.0003)).toBeLessThan(4 * 0.0009 * Math.sqrt(4 / 45 / 4000));
  const normal = noiseOf({ ...how, variant: 'fixed', disturbance: 'gaussian' }, 4000, 1, 7);
  expect(Math.abs(square(normal) - 1e-4)).toBeLessThan(4 * 1e-4 * Math.sqrt(2 / 4000));
  expect(Math.abs(normal.reduce((a, b) => a + b) / 4000)).toBeLessThan(4 * 0.01 * Math.sqrt(1 / 4000));
});

describe('the audit', () => {
  const data = stripes(40);
  const tested = cut(stripes(12, 4), 1);
  const sets = { ...cut(data, 1), test: stripes(12, 4), kept: tested.retain, gone: tested.forget };
  const inputOf = (own: NetworkOf, original: NetworkOf): AuditInput => ({
    own: networkSubject('own', own),
    original: networkSubject('original', original),
    sets,
    classes: 3,
    goneClasses: [1],
    seed: 2,
  });
  const model = tinyCnn();
  const variablesOf = (seed: number) => model.init(lt.random.key(seed), [1, 6, 6, 1]);

  test('is above 0 for the original too, unless both are masked; the same again, and nothing left in memory', async () => {
    const [original, other] = [
      { model, variables: variablesOf(1) },
      { model, variables: variablesOf(2) },
    ];
    const of = async (own: NetworkOf, options = {}) => overUnlearning(options).run(inputOf(own, original));
    const self = await of(original);
    const another = await of(other);
    expect(self.values.over_unlearning).toBeGreaterThan(0);
    expect(another.values.over_unlearning).toBeGreaterThan(0);
    expect((await of(original, { masked: 'both' })).values.over_unlearning).toBeCloseTo(0, 12);
    const [low, high] = another.intervals?.over_unlearning ?? [0, 0];
    expect((low + high) / 2).toBeCloseTo(another.values.over_unlearning ?? Number.NaN, 12);
    expect(await of(other)).toEqual(another);
    for (const options of [{ variant: 'asReleased' }, { disturbance: 'gaussian' }])
      expect((await of(other, options)).values.over_unlearning).not.toBe(another.values.over_unlearning);
    // So few, taken evenly.
    expect((await of(other, { evaluated: 1 })).intervals).toBeUndefined();
    const leaks = await lt.findLeaks(async () => void (await of(other)));
    expect(leaks).toEqual([]);
    for (const { variables } of [original, other]) disposeAll(variables);
  });

  test('where it cannot be measured it says why', async () => {
    const network = { model, variables: variablesOf(1) };
    const input = inputOf(network, network);
    const voting = { ...input.own, network: null };
    const found = await overUnlearning().run({ ...input, original: voting });
    expect(found).toEqual({
      values: { over_unlearning: null },
      notes: ['The original is no single network, so that images cannot be disturbed along its gradients.'],
    });
    await expect(overUnlearning().run({ ...input, goneClasses: [] })).rejects.toThrow(
      'overUnlearning: is for forgotten classes, and samples were forgotten',
    );
    disposeAll(network.variables);
  });
});
