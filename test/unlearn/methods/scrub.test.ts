// SCRUB's two passes by the definition, and what they come to.
import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { predictor } from '../../../unlearn/predict.ts';
import { accuracyOn, tinyMlp, valuesOf } from '../problems.ts';
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
