// Relearning beside the same gradient steps in plain numbers, and what holds for every protocol.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import type { AuditInput } from '../../../unlearn/audits/record.ts';
import { relearn } from '../../../unlearn/audits/relearn.ts';
import { relearnDataOf } from '../../../unlearn/audits/relearnData.ts';
import { type NetworkOf, networkSubject } from '../../../unlearn/audits/subject.ts';
import { positionsWhere, takeSplit } from '../../../unlearn/data/split.ts';
import { train } from '../../../unlearn/train.ts';
import type { Split } from '../../../unlearn/types.ts';
import { linear, logitsOf, pixelsOf, stepped, towards, weightsOf } from '../methods/linear.ts';
import { CLASSES, cut, disposeAll, stripes, tinyCnn } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const data = stripes(60);
const test30 = stripes(30, 9);
const { forget, retain } = cut(data, 1);
const tested = cut(test30, 1);
const ofClass = { forget, retain, test: test30, kept: tested.retain, gone: tested.forget };
const where = (split: Split, is: (position: number) => boolean) =>
  takeSplit(
    split,
    positionsWhere(split, (_, position) => is(position)),
  );
const ofSamples = {
  forget: where(data, (p) => p % 4 === 0),
  retain: where(data, (p) => p % 4 !== 0),
  test: test30,
  kept: test30,
  gone: null,
};

const inputOf = (network: NetworkOf, more: Partial<AuditInput> = {}): AuditInput => ({
  own: networkSubject('own', network),
  sets: ofClass,
  classes: CLASSES,
  goneClasses: [1],
  seed: 5,
  ...more,
});
const fresh = (): NetworkOf => {
  const model = linear();
  return { model, variables: model.init(lt.random.key(3), [1, 6, 6, 1]) };
};
const trained = async (on: Split): Promise<NetworkOf> => {
  const { model } = fresh();
  const options = { epochs: 12, batchSize: 10, learningRate: 0.05 };
  const { variables } = await train({ model, data: on, options, key: lt.random.key(1) });
  return { model, variables };
};
const argmax = (z: readonly number[]) => z.indexOf(Math.max(...z));

describe('against plain numbers', () => {
  test('full batches of 4 shots with nothing beside: the curves are those of gradient descent', async () => {
    const network = await trained(retain);
    const options = {
      protocol: 'kShot' as const,
      beside: 'nothing' as const,
      shots: 4,
      learningRates: [0.1],
      steps: 7,
      momentum: 0,
      weightDecay: 0,
    };
    const input = inputOf(network);
    const found = await relearn(options).run(input);
    const material = relearnDataOf('kShot', { shots: 4, evaluated: 1000, beside: 'nothing' }, input);
    if (typeof material === 'string') throw new Error(material);
    let weights = await weightsOf(network.variables);
    const shots = pixelsOf(material.train);
    const answers = (split: Split) => pixelsOf(split).map((x) => argmax(logitsOf(weights, x)));
    const share = (flags: readonly boolean[]) => (100 * flags.filter(Boolean).length) / flags.length;
    const plain: number[][] = [];
    for (let step = 0; step <= 7; step++) {
      const [gone, kept] = [answers(ofClass.gone), answers(ofClass.kept)];
      const right = share(gone.map((k) => k === 1));
      const taken = share(kept.map((k) => k === 1));
      plain.push([right - taken, right, share(kept.map((k, i) => k === ofClass.kept.labels[i]))]);
      const steps = shots.map(
        (x) => [x, towards(logitsOf(weights, x), 1).map((d) => d / shots.length)] as const,
      );
      weights = stepped(weights, steps, 0.1);
    }
    expect(found.curves?.map(({ name }) => name)).toEqual(['m', 'T_f', 'T_r']);
    found.curves?.forEach(({ points }, c) => {
      expect(points.map(([step]) => step)).toEqual([0, 1, 2, 5, 7]);
      for (const [step, value] of points) expect(value).toBeCloseTo(plain[step][c], 9);
    });
    // Something happens on the way.
    expect(plain[0][1]).toBeLessThan(plain[7][1]);
    // Trapezoids over ln(1 + step).
    const points = [0, 1, 2, 5, 7];
    let area = 0;
    for (let i = 1; i < points.length; i++)
      area +=
        ((plain[points[i]][0] + plain[points[i - 1]][0]) / 2) *
        Math.log((1 + points[i]) / (1 + points[i - 1]));
    expect(found.values.relearn_area).toBeCloseTo(area / Math.log(8), 9);
    expect(found.values.relearn_kept).toBeCloseTo(plain[7][2], 9);
    expect(found.values.relearn_steps).toBe(null);
    const [low, high] = found.intervals?.relearn_area ?? [0, 0];
    expect((low + high) / 2).toBeCloseTo(area / Math.log(8), 9);
    disposeAll(network.variables);
  });
});

describe('what is found', () => {
  test('the original is back at once; what was hidden in the last layer comes back before what was never learned', async () => {
    const original = await trained(data);
    const retrain = await trained(retain);
    const { fc } = original.variables.params as unknown as { fc: { weight: lt.Tensor; bias: lt.Tensor } };
    const params = { fc: { weight: fc.weight, bias: fc.bias.add(lt.tensor([0, -3, 0])) } };
    const hidden = { model: original.model, variables: { params, state: {} } as Variables };
    const options = { steps: 20, learningRates: [1e-3, 1e-2] };
    const of = async (network: NetworkOf) => {
      const input = inputOf(network, { original: networkSubject('original', original) });
      return (await relearn(options).run(input)).values;
    };
    const [first, edited, never] = [await of(original), await of(hidden), await of(retrain)];
    expect(first.relearn_steps).toBe(0);
    expect(edited.relearn_area).toBeGreaterThan((never.relearn_area ?? Number.NaN) + 5);
    params.fc.bias.dispose();
    for (const { variables } of [original, retrain]) disposeAll(variables);
  });

  test('the rate with the largest area counts; steps that are not enough are said; the seed decides all', async () => {
    const network = await trained(where(ofSamples.retain, () => true));
    const input = inputOf(network, {
      sets: ofSamples,
      goneClasses: [],
      original: networkSubject('original', network),
    });
    const of = (learningRates: number[], seed = 5) =>
      relearn({ steps: 5, learningRates }).run({ ...input, seed });
    const [slow, fast, both, again] = [
      await of([1e-6]),
      await of([0.3]),
      await of([1e-6, 0.3]),
      await of([0.3]),
    ];
    const best = Math.max(...[slow, fast].map(({ values }) => values.relearn_area ?? Number.NaN));
    expect(both.values.relearn_area).toBe(best);
    expect(again).toEqual(fast);
    expect(fast.curves?.map(({ name }) => name)).toEqual(['m', 'F held out', 'T']);
    expect(fast.notes?.[0]).toBe('Protocol half: trained on 8 forgotten samples, 7 samples asked.');
    // Without an original there is nothing to count steps to.
    const alone = await relearn({ steps: 1 }).run({ ...input, original: undefined });
    expect(alone.values.relearn_steps).toBe(null);
    expect(alone.notes).toContain('Without the original there is no goal to count steps to.');
    disposeAll(network.variables);
  });

  test('batch-norm statistics stay, or move with the batches; dropout draws the same in both', async () => {
    const model = tinyCnn();
    const variables = model.init(lt.random.key(2), [1, 6, 6, 1]);
    const input = inputOf({ model, variables });
    const of = (batchNorm: 'frozen' | 'train') =>
      relearn({ batchNorm, steps: 2, learningRates: [0.1] }).run(input);
    const [frozen, again, moved] = [await of('frozen'), await of('frozen'), await of('train')];
    expect(again).toEqual(frozen);
    expect(moved.curves).not.toEqual(frozen.curves);
    // Before the first step they are one network.
    expect(moved.curves?.map(({ points }) => points[0])).toEqual(
      frozen.curves?.map(({ points }) => points[0]),
    );
    disposeAll(variables);
  });

  test('a network that is not finite is no crash but no number; nothing is left in memory', async () => {
    const { model, variables } = fresh();
    const bad = lt.tree.map((t: lt.Tensor) => t.mul(Number.NaN), variables.params);
    const found = await relearn({ steps: 2, learningRates: [0.01] }).run(
      inputOf({ model, variables: { params: bad, state: {} } }),
    );
    expect(found.values).toEqual({ relearn_area: null, relearn_steps: null, relearn_kept: null });
    expect(found.notes).toContain('With learning rate 0.01 training diverged.');
    disposeAll({ params: bad, state: {} });
    const input = inputOf({ model, variables });
    const leaks = await lt.findLeaks(async () => void (await relearn({ steps: 3 }).run(input)));
    expect(leaks).toEqual([]);
    disposeAll(variables);
  });
});

describe('protocols', () => {
  const network = { model: linear(), variables: { params: {}, state: {} } };
  const how = { shots: 2, evaluated: 1000, beside: 'retain' } as const;
  const samples = inputOf(network, { sets: ofSamples, goneClasses: [] });
  const sure = (...given: Parameters<typeof relearnDataOf>) => {
    const material = relearnDataOf(...given);
    if (typeof material === 'string') throw new Error(material);
    return material;
  };
  const idsOf = ({ ids }: Split) => [...ids].sort((a, b) => a - b);

  test('half: the halves make up F, share no sample, and are even in classes', () => {
    const { train, asked, beside } = sure('half', how, samples);
    expect(idsOf(ofSamples.forget)).toEqual([...train.ids, ...asked.ids].sort((a, b) => a - b));
    expect([train.size, asked.size]).toEqual([8, 7]);
    for (let k = 0; k < CLASSES; k++)
      expect(Math.abs([...train.labels].filter((l) => l === k).length - 2.5)).toBeLessThan(1);
    expect(beside).toBe(ofSamples.retain);
    expect(sure('half', how, { ...samples, seed: 6 }).train.ids).not.toEqual(train.ids);
  });
  test('kShot: so many of each class, none of them asked', () => {
    const { train, asked } = sure('kShot', how, samples);
    expect([...train.labels].sort()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(idsOf(ofSamples.forget)).toEqual([...train.ids, ...asked.ids].sort((a, b) => a - b));
    const classes = sure('kShot', how, inputOf(network));
    expect([...classes.train.labels]).toEqual([1, 1]);
    expect(classes.asked).toBe(ofClass.gone);
  });
  test('all and retainOnly ask F; at most so many are asked, with even classes', () => {
    expect(sure('all', how, samples)).toMatchObject({ train: ofSamples.forget, asked: ofSamples.forget });
    const { train, beside, kept } = sure('retainOnly', { ...how, evaluated: 9 }, samples);
    expect([train, beside]).toEqual([ofSamples.retain, null]);
    expect([...kept.labels].sort()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });
  test.each<[string, Parameters<typeof relearnDataOf>[0], Partial<AuditInput>, RegExp]>([
    [
      'no test samples',
      'kShot',
      { sets: { ...ofClass, gone: null } },
      /no test samples of forgotten classes/,
    ],
    [
      'one sample',
      'half',
      { goneClasses: [], sets: { ...ofSamples, forget: takeSplit(data, [0]) } },
      /none is left/,
    ],
    [
      'few samples',
      'kShot',
      { goneClasses: [], sets: { ...ofSamples, forget: takeSplit(data, [0, 1]) } },
      /none is left/,
    ],
  ])('%s: says why there is nothing to measure', (_, protocol, more, why) => {
    expect(relearnDataOf(protocol, how, inputOf(network, more))).toMatch(why);
  });
});
