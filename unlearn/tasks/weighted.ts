// A task whose samples carry weights: what a model loses on a sample is its weight times what it loses in the task
// underneath. Sums of gradients with a weight for each sample, and the curvature of a re-weighted loss, are then what they
// are for any task, batch by batch. Several sets of samples may be taken as one.

import { batchCount } from '../data/batches.ts';
import type { HostArray, Samples, Task } from './record.ts';

/** Sets of samples one after the other, each sample with a weight. */
export interface Weighted<S extends Samples = Samples> extends Samples {
  readonly parts: readonly S[];
  /** One for each sample, in the order of the parts. */
  readonly weights: Float32Array;
}

/** @param weightOf of the sample at a position, counted over all parts. */
export function weighted<S extends Samples>(
  parts: readonly S[],
  weightOf: (position: number) => number,
): Weighted<S> {
  const ids = Int32Array.from(parts.flatMap(({ ids }) => [...ids]));
  return {
    size: ids.length,
    ids,
    parts,
    weights: Float32Array.from({ length: ids.length }, (_, i) => weightOf(i)),
  };
}

/** Batches lie within one part, and so does their order where it is random. */
export function weightedTask<S extends Samples>(task: Task<S>): Task<Weighted<S>> {
  return {
    ...task,
    inputShape: ({ parts }, n) => task.inputShape(parts[0], n),
    check: (what, { parts }) => parts.forEach((part) => task.check(what, part)),
    /** The arrays of the task's own, and `weight` [n]. */
    async *batches({ parts, weights }, options) {
      let [samples, number] = [0, 0];
      for (const part of parts) {
        const startBatch = Math.max(0, (options.startBatch ?? 0) - number);
        const first = samples;
        const count = batchCount(part, options);
        if (startBatch < count)
          for await (const { arrays, indices, batch } of task.batches(part, { ...options, startBatch })) {
            const data = Float32Array.from(indices, (i) => weights[first + i]);
            const weight: HostArray = { data, shape: [indices.length] };
            yield {
              arrays: { ...arrays, weight },
              indices: indices.map((i) => first + i),
              batch: number + batch,
            };
          }
        samples += part.size;
        number += count;
      }
    },
    losses(network, variables, { weight, ...batch }) {
      const { losses, state } = task.losses(network, variables, batch);
      return { losses: losses.mul(weight), state };
    },
    /** Of a model that knows nothing but the part. */
    chance: ({ parts, size }) => parts.reduce((sum, part) => sum + (part.size / size) * task.chance(part), 0),
  };
}
