// SCRUB's two passes by the definition, and what they come to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { joinSplits, onlyClass, takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { predictor } from '../../../unlearn/predict.ts';
import { accuracyOn, MemoryStore, tinyMlp, valuesOf } from '../problems.ts';
import { problem } from './kit.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

test('on the first step the student is the teacher: the divergence has no gradient, the cross-entropy is all', async () => {
  const input = await problem(tinyMlp(), 6);
  const quick = { epochs: 1, batchSize: 100, learningRate: 0.1, momentum: 0, weightDecay: 0 };
  const { variables } = await methods
    .scrub({ ...quick, schedule: 'constant', optimizer: 'sgd', maxEpochs: 1 })
    .unlearn(input);
  const plain = await methods.finetune(quick).unlearn(input);
  const [a, b] = [await valuesOf(variables), await valuesOf(plain.variables)];
  // One pass over the forget set, which moves nothing, and one step over what is kept.
  for (const [path, values] of Object.entries(b))
    values.forEach((v, i) => expect(Math.abs(v - a[path][i])).toBeLessThan(1e-6));
});

test('the divergence is T^2 KL(teacher || student) at temperature T', async () => {
  const input = await problem(tinyMlp(), 6);
  const far = {
    epochs: 2,
    batchSize: 100,
    learningRate: 1,
    momentum: 0,
    weightDecay: 0,
    schedule: 'constant',
    optimizer: 'sgd',
  } as const;
  const T = 3;
  const { details } = await methods
    .scrub({ ...far, maxEpochs: 0, alpha: 1, crossEntropy: 1, temperature: T })
    .unlearn(input);
  const history = details.history as { loss: number }[];
  const one = await methods
    .scrub({ ...far, epochs: 1, maxEpochs: 0, alpha: 1, crossEntropy: 1, temperature: T })
    .unlearn(input);
  const p = predictor(input.model);
  const [teacher, student] = [
    await p.logits(input.variables, input.retain),
    await p.logits(one.variables, input.retain),
  ];
  const n = input.retain.size;
  const softmax = (row: number[]) => {
    const e = row.map((v) => Math.exp(v - Math.max(...row)));
    const sum = e.reduce((x, y) => x + y);
    return e.map((v) => v / sum);
  };
  let expected = 0;
  for (let i = 0; i < n; i++) {
    const rows = [teacher, student].map((logits) => [...logits.subarray(3 * i, 3 * i + 3)]);
    const [t, s] = rows.map((row) => softmax(row.map((v) => v / T)));
    expected += (T * T * t.reduce((sum, v, k) => sum + v * Math.log(v / s[k]), 0)) / n;
    expected -= Math.log(softmax(rows[1])[input.retain.labels[i]]) / n;
  }
  // The second epoch is one step from the student after the first.
  expect(history[1].loss).toBeCloseTo(expected, 4);
});

test('it forgets the class and keeps the others', async () => {
  const input = await problem(tinyMlp(), 15);
  const { variables } = await methods
    .scrub({ epochs: 8, maxEpochs: 4, batchSize: 16, forgetBatchSize: 6, learningRate: 0.01, weightDecay: 0 })
    .unlearn(input);
  expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(30);
  expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(80);
});

describe('rewinding (SCRUB+R)', () => {
  const options = {
    epochs: 4,
    maxEpochs: 2,
    batchSize: 16,
    forgetBatchSize: 6,
    learningRate: 0.01,
    weightDecay: 0,
    schedule: 'constant',
  } as const;

  test('returns the epoch whose error on the forget set is nearest to that of the last on held-out samples', async () => {
    const whole = await problem(tinyMlp(), 15);
    const retain = takeSplit(whole.retain, [...Array(40).keys()]);
    // Three of class 0 and one of class 1: a class counts by its share of the forget set.
    const first = onlyClass(whole.retain, 0);
    const forget = joinSplits(takeSplit(first, [0, 1, 2]), takeSplit(whole.forget, [0]));
    const input = { ...whole, retain, forget };
    const runs = await Promise.all(
      [1, 2, 3, 4].map((epochs) => methods.scrub({ ...options, epochs }).unlearn(input)),
    );
    const { model, validation } = input;
    const errors = await Promise.all(
      runs.map(async ({ variables }) => 100 - (await accuracyOn(model, variables, forget))),
    );
    const heldOut = async (label: number, count: number) => {
      const held = takeSplit(onlyClass(validation!, label), [...Array(count).keys()]);
      return 100 - (await accuracyOn(model, runs[3].variables, held));
    };
    const reference = 0.75 * (await heldOut(0, 3)) + 0.25 * (await heldOut(1, 1));
    const far = errors.map((error) => Math.abs(error - reference));
    const best = far.indexOf(Math.min(...far));
    expect(best, 'it is not the last one').toBeLessThan(3);

    const { variables, details, cost } = await methods.scrub({ ...options, rewind: true }).unlearn(input);
    expect(details).toMatchObject({ rewoundTo: best + 1, reference: expect.closeTo(reference, 4) });
    const history = details.history as { forgetError: number }[];
    expect(history.map(({ forgetError }) => forgetError)).toEqual(errors.map((e) => expect.closeTo(e, 4)));
    expect(await valuesOf(variables)).toEqual(await valuesOf(runs[best].variables));
    // Student and teacher on every batch, each epoch's error, and the held-out samples once.
    expect(cost.samplesVisited).toBe(2 * (2 * forget.size + 4 * retain.size) + 4 * forget.size + 4);

    const store = new MemoryStore();
    const stop = new AbortController();
    store.onSave = () => store.saved.length === 3 && stop.abort();
    const rewinding = methods.scrub({ ...options, rewind: true });
    const stopped = rewinding.unlearn({ ...input, checkpoint: store, signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    const resumed = await rewinding.unlearn({ ...input, checkpoint: store });
    expect(await valuesOf(resumed.variables)).toEqual(await valuesOf(variables));
    expect(resumed.details).toEqual(details);
  });

  test('needs held-out samples of each forgotten class', async () => {
    const input = await problem(tinyMlp(), 1);
    const run = (validation?: typeof input.validation) =>
      methods.scrub({ ...options, rewind: true }).unlearn({ ...input, validation });
    await expect(run()).rejects.toThrow(/^scrub: rewind needs validation, held-out samples/);
    await expect(run(onlyClass(input.validation!, 0))).rejects.toThrow(/validation has none of class 1/);
  });
});
