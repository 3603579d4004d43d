// To which classes a model gives the pictures of a class that is gone: a test of the class's output distribution, not of single
// samples. The question is that of CMIA (arXiv 2506.20893); profile, distance and classifier here are ours.

import { permutation } from '../random.ts';
import { fitLogistic } from './logistic.ts';
import { type Outputs, predictions, softmaxRow } from './outputs.ts';
import { joinPoints, pointsOf, selectPoints, standardiser } from './points.ts';
import type { Points } from './rbf.ts';

/**
 * The softmax of each row without the classes that are gone, each row brought to sum 1: [n, K], with 0 at those. Rows without a
 * usable answer are uniform over the others.
 * @throws RangeError where no class is kept.
 */
export function neighbourShares(
  { logits, labels }: Outputs,
  K: number,
  gone: readonly number[],
): Float64Array {
  const n = labels.length;
  if (gone.length >= K)
    throw new RangeError(`neighbourShares: ${gone.length} of ${K} classes are gone, expected fewer`);
  // Taken out of the logits, not of the softmax: a network that is sure of the class that is gone keeps an order of the others.
  const masked = Float32Array.from(logits, (value, i) =>
    gone.includes(i % K) && Number.isFinite(value) ? -Infinity : value,
  );
  const shares = new Float64Array(n * K);
  for (let i = 0; i < n; i++) {
    const p = softmaxRow(masked, K, i);
    const kept = 1 - gone.reduce((sum, k) => sum + p[k], 0);
    for (let k = 0; k < K; k++) if (!gone.includes(k)) shares[i * K + k] = p[k] / kept;
  }
  return shares;
}

/** The mean of these rows of shares [n, K], [K]. */
export function meanShares(shares: Float64Array, K: number, rows: ArrayLike<number>): Float64Array {
  const profile = new Float64Array(K);
  for (let r = 0; r < rows.length; r++)
    for (let k = 0; k < K; k++) profile[k] += shares[rows[r] * K + k] / rows.length;
  return profile;
}

/** Half the sum of the differences, 0 to 1. */
export function totalVariation(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0) / 2;
}

/** The mean of profiles of equal length. */
export function meanProfile(profiles: readonly Float64Array[]): Float64Array {
  return profiles[0].map((_, k) => profiles.reduce((sum, one) => sum + one[k], 0) / profiles.length);
}

/** Rows whose logits without the classes gone are centred to mean 0; rows without a usable answer are left out. */
export function centredLogits(outputs: Outputs, K: number, gone: readonly number[]): Points {
  const kept = Array.from({ length: K }, (_, k) => k).filter((k) => !gone.includes(k));
  const usable = predictions(outputs, K);
  const rows: number[] = [];
  for (const [i, predicted] of usable.entries()) {
    const row = kept.map((k) => Math.max(outputs.logits[i * K + k], LOG_OF_ZERO));
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    if (predicted >= 0) rows.push(...row.map((value) => value - mean));
  }
  return pointsOf(rows, kept.length);
}

/** In place of -Infinity: a class that is never named. */
const LOG_OF_ZERO = -1e4;
/** Penalty of the classifier, on standardised logits. */
const L2 = 1e-2;

/**
 * How well a linear classifier tells two sets of rows apart, percent: fitted on half of the smaller number of each, judged on
 * as many others, for each of `splits` random halvings; 50 where nothing tells them apart.
 * @throws RangeError where a set has fewer than 4 rows.
 */
export function separability(a: Points, b: Points, { splits = 10, seed = 0 } = {}): number[] {
  const half = Math.min(a.n, b.n) >> 1;
  if (half < 2) throw new RangeError(`separability: ${a.n} and ${b.n} rows, expected at least 4 of each`);
  return Array.from({ length: splits }, (_, split) => {
    const orders = [a, b].map(({ n }, which) => permutation(n, seed, split, which, 0x6e656967));
    const part = (from: number): Points =>
      joinPoints(...[a, b].map((set, which) => selectPoints(set, orders[which].subarray(from, from + half))));
    const labels = Uint8Array.from({ length: 2 * half }, (_, i) => Number(i >= half));
    const fitted = part(0);
    const scale = standardiser(fitted);
    const said = fitLogistic(scale(fitted), labels, { classes: 2, l2: L2 }).predict(scale(part(half)));
    return (100 * said.reduce((sum, label, i) => sum + Number(label === labels[i]), 0)) / said.length;
  });
}
