// Classification of images: logits [N, K], cross-entropy, accuracy. Classes and labels are known here and nowhere below.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { batches as imageBatches } from '../data/batches.ts';
import { onlyClass } from '../data/split.ts';
import type { Split } from '../types.ts';
import type { Batch, Task } from './record.ts';

/** @throws LetheError 'value' where there is no split, 'shape' where its parts disagree. */
function checkSplit(what: string, split: Split): void {
  check(split?.images && split.labels, 'value', () => `${what}: expected a split of labelled images`);
  const bytes = split.size * split.shape[0] * split.shape[1] * split.shape[2];
  check(
    split.images.length === bytes && split.labels.length === split.size,
    'shape',
    () =>
      `${what} has ${split.images.length} bytes and ${split.labels.length} labels for ${split.size} images of [${split.shape.join(', ')}]`,
  );
}

export const classification: Task<Split> = {
  name: 'classification',
  title: 'Image classification',
  about: 'Tell which of K classes an image belongs to.',
  inputShape: ({ shape }, n) => [n, ...shape],
  check: checkSplit,

  /** `images` [n, height, width, channels], float32 in [0, 1]; `labels` [n], int32. */
  *batches(split, options) {
    for (const { images, labels, indices, batch } of imageBatches(split, options)) {
      const shape = [labels.length, ...split.shape];
      const arrays = { images: { data: images, shape }, labels: { data: labels, shape: [labels.length] } };
      yield { arrays, indices, batch };
    }
  },

  /** Cross-entropy, nats. */
  losses(network, variables, { images, labels }) {
    const { output, state } = network(variables, images);
    return { losses: lt.crossEntropy(output, labels, { reduction: 'none' }), state };
  },

  chance: ({ labels }) => entropyOf(labels),

  measures: {
    accuracy: {
      title: 'Accuracy',
      unit: '%',
      better: 'higher',
      of(network, variables, { images, labels }) {
        const { output } = network(variables, images);
        // The largest logit, or one as large, is at the label; where a logit is NaN it is not.
        const own = output.takeAlongAxis(labels.reshape([labels.size, 1]), 1).reshape([labels.size]);
        return lt.where(own.greaterEqual(output.max(1)), 100, 0).astype(output.dtype);
      },
    },
  },
};

/** Nats: 0 where all labels are equal, ln K for K classes of one size. */
function entropyOf(labels: ArrayLike<number>): number {
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i], (counts.get(labels[i]) ?? 0) + 1);
  let sum = 0;
  for (const count of counts.values()) sum -= (count / labels.length) * Math.log(count / labels.length);
  return Math.max(0, sum);
}

/** The samples of each class that has some, in the order of labels. */
export const byClass = (split: Split): Split[] =>
  [...new Set(split.labels)].sort((a, b) => a - b).map((label) => onlyClass(split, label));

/** The labels of a batch of this task, on the host. */
export const labelsOf = ({ arrays }: Batch): Int32Array => arrays.labels.data as Int32Array;

/** The same batch with other labels. */
export const relabelled = (batch: Batch, labels: Int32Array): Batch => ({
  ...batch,
  arrays: { ...batch.arrays, labels: { data: labels, shape: [labels.length] } },
});
