// Some of a set's samples, several sets as one, and samples with weights, for tasks with and without labels.
import { describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { classification } from '../../../unlearn/tasks/classification.ts';
import type { Batch } from '../../../unlearn/tasks/record.ts';
import { joined, reweighted, someOf, weighted } from '../../../unlearn/tasks/views.ts';
import { stripes } from '../problems.ts';

const split = stripes(23);
const all = async (batches: Iterable<Batch> | AsyncIterable<Batch>) => {
  const out: Batch[] = [];
  for await (const batch of batches) out.push(batch);
  return out;
};
const flat = (batches: readonly Batch[], name: string) => batches.flatMap((b) => [...b.arrays[name].data]);

describe('some of the samples', () => {
  test.each([1, 4, 5, 10, 50])('in the order of the set, in batches of %d', async (batchSize) => {
    const { task, samples } = await someOf(classification, split, 10);
    const batches = await all(task.batches(samples, { batchSize, shuffle: true, seed: 3 }));
    expect(batches.map((b) => b.indices.length)).toEqual(
      Array.from({ length: Math.ceil(10 / batchSize) }, (_, i) => Math.min(batchSize, 10 - i * batchSize)),
    );
    expect(flat(batches, 'labels')).toEqual([...split.labels.subarray(0, 10)]);
    expect(flat(batches, 'images')).toHaveLength(360);
    expect(batches.flatMap((b) => [...b.indices])).toEqual([...Array(10).keys()]);
    expect([...samples.ids]).toEqual([...split.ids.subarray(0, 10)]);
    const full = await all(task.batches(samples, { batchSize, dropLast: true }));
    expect(full).toHaveLength(Math.floor(10 / batchSize));
    const late = await all(task.batches(samples, { batchSize, startBatch: 1 }));
    expect(late).toHaveLength(batches.length - 1);
  });

  test('in a random order, the same however they are batched', async () => {
    const { task, samples } = await someOf(classification, split, 10, 7);
    const orders = await Promise.all(
      [3, 10].map(async (batchSize) => flat(await all(task.batches(samples, { batchSize })), 'images')),
    );
    expect(orders[0]).toEqual(orders[1]);
    expect([...samples.ids]).not.toEqual([...split.ids.subarray(0, 10)]);
    expect(new Set(samples.ids).size).toBe(10);
    const images = [...samples.ids].flatMap((id) => [...split.images.subarray(36 * id, 36 * id + 36)]);
    expect(orders[0].map((v) => Math.round(v * 255))).toEqual(images);
    const other = await someOf(classification, split, 10, 8);
    expect([...other.samples.ids]).not.toEqual([...samples.ids]);
  });

  test('are all of them where more are asked for', async () => {
    const { samples } = await someOf(classification, split, 100);
    expect(samples.size).toBe(23);
    expect([...samples.ids]).toEqual([...split.ids]);
  });
});

test('weights lie beside their samples', async () => {
  const task = weighted(
    classification,
    Float64Array.from({ length: 23 }, (_, i) => i / 2),
  );
  const batches = await all(task.batches(split, { batchSize: 9, shuffle: true, seed: 1 }));
  expect(batches).toHaveLength(3);
  for (const { indices, arrays } of batches) {
    expect([...arrays.sampleWeights.data]).toEqual([...indices].map((i) => i / 2));
    expect(arrays.sampleWeights.shape).toEqual([indices.length]);
  }
});

test('several sets as one: their batches one after the other, from any batch on', async () => {
  const [a, b] = [stripes(5, 1), stripes(4, 2)];
  const { task, samples } = joined(classification, [a, b]);
  const batches = await all(task.batches(samples, { batchSize: 3 }));
  expect(batches.map(({ indices }) => [...indices])).toEqual([[0, 1, 2], [3, 4], [5, 6, 7], [8]]);
  expect(batches.map(({ batch }) => batch)).toEqual([0, 1, 2, 3]);
  expect(flat(batches, 'labels')).toEqual([...a.labels, ...b.labels]);
  expect([...samples.ids]).toEqual([...a.ids, ...b.ids]);
  for (const startBatch of [1, 2, 3, 4])
    expect(await all(task.batches(samples, { batchSize: 3, startBatch }))).toEqual(batches.slice(startBatch));
  const both = weighted(task, Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect(flat(await all(both.batches(samples, { batchSize: 3 })), 'sampleWeights')).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
});

test('a re-weighted sample loses its weight times its loss', async () => {
  await lt.init({ device: 'reference' });
  const task = reweighted(classification, Float64Array.of(3, -0.5));
  const logits = lt.tensor([
    [0, Math.log(3)],
    [0, 0],
  ]);
  const batch = {
    images: logits,
    labels: lt.tensor(Int32Array.of(0, 1)),
    sampleWeights: lt.tensor([3, -0.5]),
  };
  const network = (_: unknown, output: lt.Tensor) => ({ output, state: {} });
  const { losses } = task.losses(network, { params: {}, state: {} }, batch);
  // -log of softmax: log 4 and log 2.
  const [first, second] = await losses.data();
  expect(first).toBeCloseTo(3 * Math.log(4), 6);
  expect(second).toBeCloseTo(-0.5 * Math.log(2), 6);
});
