// From the batches of a set to tensors on the device and back to nothing, one batch at a time: what training, prediction
// and reductions have in common. The device is never far behind, timers and signals get their turn.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { BatchOptions } from '../data/batches.ts';
import type { Batch, HostArray, Samples, Task, Tensors } from '../tasks/record.ts';
import { yieldToEventLoop } from './meter.ts';

/** A host array on the device. */
const upload = ({ data, shape, dtype }: HostArray): lt.Tensor => lt.tensor(data, { shape, dtype });

/** The arrays of a batch on the device; the caller disposes them. */
export const tensorsOf = ({ arrays }: Batch): Tensors =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, upload(array)]));

/** Other handles on the values of a tree. */
export const aliasesOf = (tree: lt.tree.Tree<lt.Tensor>): lt.tree.Tree<lt.Tensor> =>
  lt.tree.map((tensor: lt.Tensor) => lt.reshape(tensor, tensor.shape), tree);

/** Other handles on the same values: giving these away leaves the caller's alone. */
export const copyOf = ({ params, state }: Variables): Variables => ({
  params: aliasesOf(params),
  state: aliasesOf(state),
});

/** Disposes all tensors of a tree. */
export function disposeTree(tree: unknown): void {
  for (const tensor of lt.tree.flatten<lt.Tensor>(tree).leaves) tensor.dispose();
}

/** The batch with rows of zeros behind its own, `rows` in all. */
function padded(batch: Batch, rows: number): Batch {
  if (batch.indices.length === rows) return batch;
  const arrays = Object.entries(batch.arrays).map(([name, { data, shape, dtype }]): [string, HostArray] => {
    const whole = data.constructor as new (length: number) => typeof data;
    const out = new whole((data.length / batch.indices.length) * rows);
    out.set(data);
    return [name, { data: out, shape: [rows, ...shape.slice(1)], dtype }];
  });
  return { ...batch, arrays: Object.fromEntries(arrays) };
}

export interface FeedOptions {
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told after each batch how many samples have gone through. */
  readonly onBatch?: (done: number) => void;
}

/**
 * Hands each batch of a set to `use`, whose work may still be under way on the device when the next batch is prepared.
 * The tensors are disposed after `use`.
 */
export async function feed<S extends Samples>(
  task: Task<S>,
  samples: S,
  options: BatchOptions & FeedOptions & { readonly pad?: boolean },
  use: (tensors: Tensors, batch: Batch) => void | Promise<void>,
): Promise<void> {
  let done = 0;
  for await (const batch of task.batches(samples, options)) {
    options.signal?.throwIfAborted();
    const tensors = tensorsOf(options.pad ? padded(batch, options.batchSize) : batch);
    try {
      await use(tensors, batch);
    } finally {
      disposeTree(tensors);
    }
    done += batch.indices.length;
    options.onBatch?.(done);
    await yieldToEventLoop();
  }
}
