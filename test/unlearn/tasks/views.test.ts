// Some of a set's samples, and samples with weights, for tasks with and without labels.
import { describe, expect, test } from 'vitest';
import { classification } from '../../../unlearn/tasks/classification.ts';
import type { Batch } from '../../../unlearn/tasks/record.ts';
import { someOf, weighted } from '../../../unlearn/tasks/views.ts';
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
