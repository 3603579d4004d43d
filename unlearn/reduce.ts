// One function over all samples of a set, batch by batch: predictions, gradients of a whole set, Fisher information, masks,
// Hessian-vector products. The function is compiled once; the device works on one batch while the next is prepared.

import { check } from '../engine/error.ts';
import type { Leaf } from '../engine/tree.ts';
import * as lt from '../index.ts';
import { defaultTask } from './tasks/index.ts';
import type { Samples, Task, Tensors } from './tasks/record.ts';
import { disposeTree, type FeedOptions, feed } from './train/feed.ts';
import type { Split } from './types.ts';

/** How a set is gone through. */
export interface SweepOptions extends FeedOptions {
  /** Samples in a batch, 256 by default. With `rows` a last batch that is smaller is filled up with zeros. */
  readonly batchSize?: number;
}

/** Options of reduction and reduceOver. */
export interface ReductionOptions<S extends Samples = Split> {
  /** What the samples are; classification by default. */
  readonly task?: Task<S>;
  /** For error messages and profiles. */
  readonly name?: string;
}

/** Values of all samples, in the order of the set. */
export interface Rows {
  /** The values, row-major. */
  readonly data: lt.TypedArray;
  /** [size, ...]. */
  readonly shape: readonly number[];
}

/** What f returns, each tensor [n, ...] replaced by the values of all samples. */
export type RowsOf<R> = R extends lt.Tensor ? Rows : { readonly [K in keyof R]: RowsOf<R[K]> };

/** A compiled reduction. `args` are trees of tensors that may differ from call to call, such as a model's variables. */
export interface Reduction<A extends readonly unknown[], R, S extends Samples = Split> {
  /**
   * The sum over the set of what f gives for a batch; the caller's to dispose. Batches are added in order, so the same
   * set and batch size give the same bits.
   */
  sum(samples: S, args: A, options?: SweepOptions): Promise<R>;
  /** What f gives for each sample. */
  rows(samples: S, args: A, options?: SweepOptions): Promise<RowsOf<R>>;
  /** Releases the compiled programs. */
  dispose(): void;
}

/**
 * Compiles f for repeated use over sets.
 * @param f of a batch's tensors and the arguments, pure and traceable. For `sum` it gives a tree of sums over the batch,
 * for `rows` a tree of tensors whose first axis counts the samples.
 */
export function reduction<A extends readonly unknown[], R, S extends Samples = Split>(
  f: (batch: Tensors, ...args: A) => R,
  { task = defaultTask<S>(), name = 'reduce' }: ReductionOptions<S> = {},
): Reduction<A, R, S> {
  const step = lt.jit(f as (...all: Leaf[]) => Leaf, { name });
  const plus = lt.jit((a: Leaf, b: Leaf) => lt.tree.map((x: lt.Tensor, y: lt.Tensor) => x.add(y), a, b), {
    donate: [0],
    name: `${name} sum`,
  });
  return {
    async sum(samples, args, { batchSize = 256, ...how } = {}) {
      check(samples.size > 0, 'value', () => `${name}: there are no samples to sum over`);
      let total: Leaf = null;
      try {
        await feed(task, samples, { batchSize, ...how }, (tensors) => {
          const part = step(tensors, ...args);
          if (total === null) {
            total = part;
            return;
          }
          const before = total;
          total = plus(before, part);
          disposeTree(before);
          disposeTree(part);
        });
        return total;
      } catch (error) {
        disposeTree(total);
        throw error;
      }
    },

    async rows(samples, args, { batchSize = 256, ...how } = {}) {
      const { size } = samples;
      const rows = Math.min(batchSize, Math.max(1, size));
      let out: { values: lt.TypedArray; shape: number[]; each: number }[] = [];
      let def: ReturnType<typeof lt.tree.flatten>['def'] | null = null;
      // One batch is read while the next is computed.
      let ahead: { at: number; count: number; values: Promise<lt.TypedArray>[] } | null = null;
      const take = async (): Promise<void> => {
        if (!ahead) return;
        const { at, count, values } = ahead;
        ahead = null;
        for (const [i, data] of (await Promise.all(values)).entries()) {
          const { each } = out[i];
          if (out[i].values.length === 0)
            out[i].values = new (data.constructor as new (n: number) => lt.TypedArray)(size * each);
          out[i].values.set(data.subarray(0, count * each), at * each);
        }
      };
      try {
        let at = 0;
        await feed(task, samples, { batchSize: rows, pad: true, ...how }, async (tensors, batch) => {
          const found = step(tensors, ...args);
          const flat = lt.tree.flatten<lt.Tensor>(found);
          if (def === null) {
            def = flat.def;
            out = flat.leaves.map(({ shape, size: all }) => {
              check(
                shape[0] === rows,
                'shape',
                () =>
                  `${name}: a result is [${shape.join(', ')}] for a batch of ${rows}; expected a row for each sample`,
              );
              return { values: new Float32Array(0), shape: [size, ...shape.slice(1)], each: all / rows };
            });
          }
          const values = flat.leaves.map((t): Promise<lt.TypedArray> => t.data());
          for (const value of values) value.catch(() => {}); // Seen when it is awaited.
          disposeTree(found);
          await take();
          ahead = { at, count: batch.indices.length, values };
          at += batch.indices.length;
        });
        await take();
        if (def === null) return {} as RowsOf<R>;
        return lt.tree.unflatten(
          def,
          out.map(({ values, shape }) => ({ data: values, shape })),
        ) as RowsOf<R>;
      } finally {
        await Promise.allSettled((ahead as { values: Promise<lt.TypedArray>[] } | null)?.values ?? []);
      }
    },

    dispose() {
      step.dispose();
      plus.dispose();
    },
  };
}

/**
 * The sum over a split of what f gives for a batch: `reduceOver(split, ({ images, labels }) => gradients)`. f is pure and
 * traceable and may close over variables. The result is the caller's to dispose; batches are added in order.
 * @throws LetheError 'value' for an empty split; what the signal was aborted with.
 */
export async function reduceOver<R, S extends Samples = Split>(
  samples: S,
  f: (batch: Tensors) => R,
  options: ReductionOptions<S> & SweepOptions = {},
): Promise<R> {
  const compiled = reduction(f, options);
  try {
    return await compiled.sum(samples, [], options);
  } finally {
    compiled.dispose();
  }
}
