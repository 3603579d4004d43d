// Over-unlearning in numbers: how far a model's answers are from the original's, with the forgotten classes taken out of the
// original's. Source: released code of Spotter (Seung-B/Spotter-Unlearning), OU@eps.

import { softmaxRow } from './outputs.ts';

/** Answers of two models on the same samples. */
interface OverUnlearningInput {
  /** The original's logits, [n, K] row by row. */
  readonly original: Float32Array;
  /** Those of the model in question. */
  readonly own: Float32Array;
  /** Number of classes. */
  readonly K: number;
  /** Classes that went; at least one class is left. */
  readonly goneClasses: readonly number[];
  /** Whose forgotten classes are taken out: the original's, as in the released code, or those of both. */
  readonly masked: 'original' | 'both';
}

/**
 * Jensen-Shannon divergence between the answers on each sample, nats, 0 to ln 2, [n]. A class is taken out by giving it
 * probability 0 and dividing the others by their sum. Rows that are not finite count as even odds.
 * @throws RangeError on shapes that disagree, or where no class is left.
 */
export function overUnlearning({ original, own, K, goneClasses, masked }: OverUnlearningInput): Float64Array {
  if (original.length !== own.length || original.length % K !== 0)
    throw new RangeError(
      `overUnlearning: expected two times n x ${K} logits, got ${original.length} and ${own.length}`,
    );
  const gone = new Set(goneClasses);
  if (gone.size >= K) throw new RangeError(`overUnlearning: all ${K} classes went, expected one to be left`);
  const left = Array.from({ length: K }, (_, k) => k).filter((k) => !gone.has(k));
  /** The softmax over the classes that are left is the one over all, divided by their sum: exact where that sum is tiny. */
  const without = (logits: Float32Array, i: number): Float64Array => {
    const part = Float32Array.from(left, (k) => logits[i * K + k]);
    const whole = new Float64Array(K);
    softmaxRow(part, left.length, 0).forEach((p, j) => {
      whole[left[j]] = p;
    });
    return whole;
  };
  return Float64Array.from({ length: original.length / K }, (_, i) =>
    jensenShannon(without(original, i), masked === 'both' ? without(own, i) : softmaxRow(own, K, i)),
  );
}

/** Half the divergence of each from their middle, nats; 0 ln 0 = 0. */
function jensenShannon(p: Float64Array, q: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) {
    const middle = (p[k] + q[k]) / 2;
    if (p[k] > 0) sum += (p[k] / 2) * Math.log(p[k] / middle);
    if (q[k] > 0) sum += (q[k] / 2) * Math.log(q[k] / middle);
  }
  return Math.max(0, sum);
}
