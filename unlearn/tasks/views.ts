// Other views of a task's sets, for any task: some of the samples, several sets as one, and samples with a weight each. A
// view is a task and a set that belong together; nothing is copied but a batch that is cut.

import { batchCount } from '../data/batches.ts';
import type { Batch, HostArray, Samples, Task } from './record.ts';

/** Some of the samples of a set. */
interface Some<S extends Samples> extends Samples {
  /** The whole set. */
  readonly of: S;
}

/**
 * The first `count` samples of a set, in the set's order or, with a seed, in a random one. However they are batched, they
 * come in that order: the view's batches are not shuffled.
 */
export async function someOf<S extends Samples>(
  task: Task<S>,
  set: S,
  count: number,
  seed?: number,
): Promise<{ readonly task: Task<Some<S>>; readonly samples: Some<S> }> {
  const size = Math.min(count, set.size);
  const order = { epoch: 0, ...(seed === undefined ? { shuffle: false } : { shuffle: true, seed }) };
  const view: Task<Some<S>> = {
    ...task,
    inputShape: ({ of }, n) => task.inputShape(of, n),
    check: (what, { of }) => task.check(what, of),
    chance: ({ of }) => task.chance(of),
    async *batches({ of }, options) {
      for await (const batch of task.batches(of, { ...options, ...order, dropLast: false })) {
        const first = batch.batch * options.batchSize;
        const rows = Math.min(batch.indices.length, size - first);
        if (rows <= 0 || (options.dropLast && rows < options.batchSize)) return;
        yield { ...cut(batch, rows), indices: Int32Array.from({ length: rows }, (_, i) => first + i) };
      }
    },
  };
  const ids: number[] = [];
  for await (const { indices } of task.batches(set, { batchSize: 256, ...order })) {
    ids.push(...Array.from(indices, (position) => set.ids[position]));
    if (ids.length >= size) break;
  }
  return { task: view, samples: { of: set, size, ids: Int32Array.from(ids.slice(0, size)) } };
}

/** The task with a weight beside each sample: the array `sampleWeights` of a batch, [n]. @param weights by position. */
export const weighted = <S extends Samples>(task: Task<S>, weights: Float64Array): Task<S> => ({
  ...task,
  async *batches(samples, options) {
    for await (const batch of task.batches(samples, options)) {
      const data = Float64Array.from(batch.indices, (position) => weights[position]);
      yield { ...batch, arrays: { ...batch.arrays, sampleWeights: { data, shape: [data.length] } } };
    }
  },
});

/** The task in which a sample loses its weight times what it loses in this one. @param weights by position. */
export const reweighted = <S extends Samples>(task: Task<S>, weights: Float64Array): Task<S> => ({
  ...weighted(task, weights),
  losses(network, variables, { sampleWeights, ...batch }) {
    const { losses, state } = task.losses(network, variables, batch);
    return { losses: losses.mul(sampleWeights), state };
  },
});

/** Several sets, one after the other. */
interface Joined<S extends Samples> extends Samples {
  /** The sets. */
  readonly parts: readonly S[];
}

/** Several sets as one. A batch lies within one of them, and so does the order where it is random. */
export function joined<S extends Samples>(
  task: Task<S>,
  parts: readonly S[],
): { readonly task: Task<Joined<S>>; readonly samples: Joined<S> } {
  const view: Task<Joined<S>> = {
    ...task,
    inputShape: (all, n) => task.inputShape(all.parts[0], n),
    check: (what, all) => all.parts.forEach((part) => task.check(what, part)),
    /** Of a model that knows which of the sets a sample is of, and nothing else. */
    chance: ({ parts, size }) => parts.reduce((sum, part) => sum + (part.size / size) * task.chance(part), 0),
    async *batches({ parts }, options) {
      let [before, number] = [0, 0];
      for (const part of parts) {
        const [first, startBatch] = [before, Math.max(0, (options.startBatch ?? 0) - number)];
        const count = batchCount(part, options);
        if (startBatch < count)
          for await (const batch of task.batches(part, { ...options, startBatch }))
            yield {
              ...batch,
              indices: batch.indices.map((i) => first + i),
              batch: number + batch.batch,
            };
        before += part.size;
        number += count;
      }
    },
  };
  const ids = Int32Array.from(parts.flatMap((part) => [...part.ids]));
  return { task: view, samples: { parts, ids, size: ids.length } };
}

/** The first rows of a batch. */
function cut(batch: Batch, rows: number): Batch {
  const all = batch.indices.length;
  if (rows === all) return batch;
  const arrays = Object.entries(batch.arrays).map(([name, { data, shape, dtype }]): [string, HostArray] => [
    name,
    { data: data.subarray(0, (data.length / all) * rows), shape: [rows, ...shape.slice(1)], dtype },
  ]);
  return { ...batch, arrays: Object.fromEntries(arrays) };
}
