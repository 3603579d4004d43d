// Kernel matrices of a pooled set of points and what is read off them: squared distances between the mean embeddings of groups
// (MMD^2, Gretton et al., JMLR 2012), without bias, and permutation tests of them.

import type { Stream } from '../random.ts';
import { type Points, squaredDistances } from './rbf.ts';

/** A symmetric matrix k(x_i, x_j), [n, n]. */
export interface Gram {
  /** Row by row. */
  readonly k: Float64Array;
  /** Number of points. */
  readonly n: number;
}

/** Median of |x_i - x_j|^2 over the pairs, of [n, n] of them; where more than half are 0 their mean, and 1 if all are. */
function medianSquare(squares: Float64Array, n: number): number {
  const pairs = new Float64Array((n * (n - 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs[at++] = squares[i * n + j];
  pairs.sort();
  const median = (pairs[(at - 1) >> 1] + pairs[at >> 1]) / 2;
  return median || pairs.reduce((sum, value) => sum + value, 0) / at || 1;
}

/** exp(-|a - b|^2 / (2 s^2)), s being `scale` times the median distance of the points: one matrix for each scale. */
export function gaussianGrams(points: Points, scales: readonly number[]): Gram[] {
  const { n } = points;
  const squares = squaredDistances(points, points);
  const median = medianSquare(squares, n);
  return scales.map((scale) => {
    const rate = -1 / (2 * scale * scale * median);
    return { k: squares.map((square) => Math.exp(rate * square)), n };
  });
}

/** Rows `from` to `to` of a pooled set. */
export interface Group {
  /** The first. */
  readonly from: number;
  /** After the last. */
  readonly to: number;
}

/**
 * Weighted mean of k over pairs of two groups; within one group over pairs of different samples, so that nothing is biased
 * by k(x, x). Weights, [n], are counts of a bootstrap; 1 by default.
 */
export function meanKernel({ k, n }: Gram, a: Group, b: Group, weights?: Float64Array): number {
  const same = a.from === b.from;
  let sum = 0;
  let total = 0;
  for (let i = a.from; i < a.to; i++) {
    const wi = weights ? weights[i] : 1;
    if (wi === 0) continue;
    let row = 0;
    let count = 0;
    for (let j = b.from; j < b.to; j++) {
      if (same && i === j) continue;
      const wj = weights ? weights[j] : 1;
      row += wj * k[i * n + j];
      count += wj;
    }
    sum += wi * row;
    total += wi * count;
  }
  return sum / total;
}

/**
 * MMD^2 without bias between the first `size` rows and the others, and the share of relabellings that give as much:
 * p = (1 + those) / (permutations + 1), exact where the rows are exchangeable.
 */
export function permutationTest(gram: Gram, size: number, permutations: number, stream: Stream) {
  const { k, n } = gram;
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const inFirst = new Uint8Array(n);
  const m = n - size;
  let all = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) all += k[i * n + j];
  // Two sums over pairs give the third: all pairs, those within the first, and those between.
  const statistic = (): number => {
    inFirst.fill(0);
    for (let r = 0; r < size; r++) inFirst[order[r]] = 1;
    let first = 0;
    let cross = 0;
    for (let r = 0; r < size; r++) {
      const base = order[r] * n;
      for (let j = 0; j < n; j++) {
        if (inFirst[j] === 0) cross += k[base + j];
        else if (j < order[r]) first += k[base + j];
      }
    }
    const second = all - first - cross;
    return (2 * first) / (size * (size - 1)) + (2 * second) / (m * (m - 1)) - (2 * cross) / (size * m);
  };
  const observed = statistic();
  let asMuch = 0;
  for (let b = 0; b < permutations; b++) {
    for (let i = n - 1; i > 0; i--) {
      const j = stream.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    // Sums in another order differ in their last bits: equal counts as at least.
    if (statistic() >= observed - 1e-12) asMuch++;
  }
  return { statistic: observed, p: (1 + asMuch) / (permutations + 1) };
}
