// How far the answers on forgotten samples are from those on samples that were never seen: what can be told of forgetting
// without a retrained model. The idea of taking held-out samples of the same classes for the target is that of SCRUB+R
// (Kurmanji et al., NeurIPS 2023, which compares errors); the number is ours.

import { accuracy, logitConfidence, type Outputs, rowsWhere, selectRows } from './outputs.ts';

interface UnseenInput {
  /** Samples that were to be forgotten. */
  readonly forget: Outputs;
  /** Labels of the training samples that were kept. */
  readonly kept: ArrayLike<number>;
  /** Samples of the same kind that no model was trained on. */
  readonly unseen: Outputs;
  readonly K: number;
}

/**
 * Percent, 0 to 100; 0 where nothing tells the forgotten samples from unseen ones. It is a mean over the forgotten samples:
 *
 * - Of those whose class is still trained on: 100 times the Kolmogorov-Smirnov statistic between the confidences in the true
 *   label (logit-scaled) on them and on the unseen samples of the same classes, in the same proportions. The best threshold
 *   on confidence tells the two apart with an accuracy of 50 % and half of that.
 * - Of those whose class is gone from training: a model without the class never names it, so it is the accuracy on them and
 *   on unseen samples of these classes, in the mean; chance does not enter.
 */
export function unseenDistance({ forget, kept, unseen, K }: UnseenInput): number {
  const known = new Set(Array.from(kept));
  const part = (set: Outputs, is: (label: number) => boolean) =>
    selectRows(set, K, rowsWhere(set.labels, is));
  const isGone = (label: number) => !known.has(label);
  const gone = part(forget, isGone);
  const still = part(forget, (label) => !isGone(label));
  let sum = 0;
  if (gone.labels.length > 0) {
    const classes = new Set(Array.from(gone.labels));
    const others = part(unseen, (label) => classes.has(label));
    const named = accuracy(gone, K);
    const mean = others.labels.length > 0 ? (named + accuracy(others, K)) / 2 : named;
    sum += gone.labels.length * mean;
  }
  if (still.labels.length > 0) sum += still.labels.length * 100 * separation(still, unseen, K);
  return sum / forget.labels.length;
}

/** Kolmogorov-Smirnov statistic of the confidences, the others weighted to the classes of the first; 0 to 1. */
function separation(own: Outputs, others: Outputs, K: number): number {
  const counts = (labels: ArrayLike<number>) => {
    const table = new Map<number, number>();
    for (const label of Array.from(labels)) table.set(label, (table.get(label) ?? 0) + 1);
    return table;
  };
  const [wanted, there] = [counts(own.labels), counts(others.labels)];
  // Classes without an unseen sample cannot be compared.
  const points = [
    ...weighted(own, K, (label) => (there.has(label) ? 1 : 0), 1),
    ...weighted(others, K, (label) => (wanted.get(label) ?? 0) / (there.get(label) as number), -1),
  ].sort((a, b) => a.at - b.at);
  let difference = 0;
  let largest = 0;
  for (const [i, { at, weight }] of points.entries()) {
    difference += weight;
    if (points[i + 1]?.at !== at) largest = Math.max(largest, Math.abs(difference));
  }
  return Math.min(1, largest);
}

/** The confidences, with weights that sum to `total`. */
function weighted(set: Outputs, K: number, weightOf: (label: number) => number, total: number) {
  const weights = Array.from(set.labels, weightOf);
  const sum = weights.reduce((a, b) => a + b, 0);
  const confidence = logitConfidence(set, K);
  return weights.flatMap((weight, i) =>
    weight > 0 ? [{ at: confidence[i], weight: (total * weight) / sum }] : [],
  );
}
