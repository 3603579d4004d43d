// Kernel tests of a model's answers: is it nearer to the retrained model or to the original (three samples, paired by query),
// and do two groups of models differ (models are the units)? The first builds on the tests of relative similarity of
// Bounliphone et al. (ICLR 2016); pairing by query, bandwidths and decision are ours.

import { Stream } from '../random.ts';
import { normalCdf } from './distributions.ts';
import { type Gram, gaussianGrams, permutationTest } from './gram.ts';
import { joinPoints } from './points.ts';
import type { Points } from './rbf.ts';

/** Of the median distance; p values are multiplied by their number (Bonferroni). */
const SCALES = [1, 0.5, 2] as const;

/** The test at one bandwidth. */
export interface AtScale {
  /** Bandwidth, in medians of the pairwise distances. */
  readonly scale: number;
  /** S = MMD^2(own, retrain) - MMD^2(own, original), without bias. */
  readonly statistic: number;
  /** Variance of S over queries. */
  readonly variance: number;
  /** Of S or more, where own is as far from the one as from the other. */
  readonly p: number;
  /** MMD^2(own, retrain), without bias: may be below 0. */
  readonly toRetrain: number;
  /** MMD^2(own, original). */
  readonly toOriginal: number;
}

export interface RelativeTest {
  /** Over the bandwidths: of `own is no farther from retrain than from the original`. Small: it is nearer to the original. */
  readonly p: number;
  /** Of the mirrored hypothesis. Small: it is nearer to retrain. */
  readonly mirrored: number;
  /** What is shown at the level; null where neither is, or, over the bandwidths, both. */
  readonly nearer: 'retrain' | 'original' | null;
  /** One for each of SCALES. */
  readonly scales: readonly AtScale[];
}

/**
 * Row i of each is what that model answers to query i, [n, d]. With g(i, j) = k(r_i, r_j) - k(o_i, o_j) - k(u_i, r_j) -
 * k(r_i, u_j) + k(u_i, o_j) + k(o_i, u_j), S is the mean of g over i != j, its variance v = 4 / (n (n - 1)) times the sum
 * over i of (mean_j g(i, j) - S)^2, and p = 1 - Phi(S / sqrt(v)).
 * @throws RangeError where sizes differ or there are fewer than 4 queries.
 */
export function relativeMmd(own: Points, retrain: Points, original: Points, level = 0.05): RelativeTest {
  const { n, d } = own;
  for (const other of [retrain, original])
    if (other.n !== n || other.d !== d || n < 4)
      throw new RangeError(
        `relativeMmd: expected three sets of at least 4 x ${d}, got ${n} and ${other.n} x ${other.d}`,
      );
  const grams = gaussianGrams(joinPoints(own, retrain, original), SCALES);
  const scales = grams.map((gram, i) => atScale(gram, n, SCALES[i]));
  const least = (p: (one: AtScale) => number) => Math.min(1, SCALES.length * Math.min(...scales.map(p)));
  const p = least((one) => one.p);
  const mirrored = least((one) => (one.variance > 0 ? 1 - one.p : 1));
  const found = [p <= level && ('original' as const), mirrored <= level && ('retrain' as const)].filter(
    (one) => one !== false,
  );
  return { p, mirrored, nearer: found.length === 1 ? found[0] : null, scales };
}

function atScale({ k, n: rows }: Gram, n: number, scale: number): AtScale {
  const at = (a: number, i: number, b: number, j: number) => k[(a * n + i) * rows + b * n + j];
  const [U, R, O] = [0, 1, 2];
  const means = new Float64Array(n);
  let toRetrain = 0;
  let toOriginal = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const own = at(U, i, U, j);
      const near = own + at(R, i, R, j) - at(U, i, R, j) - at(R, i, U, j);
      const far = own + at(O, i, O, j) - at(U, i, O, j) - at(O, i, U, j);
      means[i] += (near - far) / (n - 1);
      toRetrain += near / (n * (n - 1));
      toOriginal += far / (n * (n - 1));
    }
  const statistic = toRetrain - toOriginal;
  let squares = 0;
  for (const mean of means) squares += (mean - statistic) ** 2;
  const variance = (4 * squares) / (n * (n - 1));
  // Where all agree to the last bits there is nothing to test.
  const told = variance > 1e-28;
  const p = told ? normalCdf(-statistic / Math.sqrt(variance)) : 1;
  return { scale, statistic, variance: told ? variance : 0, p, toRetrain, toOriginal };
}

/**
 * Do two groups of models differ? A row is a model: its answers to a fixed list of queries. MMD^2 with a Gaussian kernel at
 * the median distance; models are relabelled, so the test speaks of trainings and not of one model. With 8 of each the
 * smallest p is that of `permutations`, with fewer of 4 each it is above 0.02.
 * @throws RangeError where there are fewer than 4 of a group, or widths differ.
 */
export function twoSampleMmd(
  a: Points,
  b: Points,
  { permutations = 999, seed = 0 }: { permutations?: number; seed?: number } = {},
): { statistic: number; p: number } {
  if (a.n < 4 || b.n < 4 || a.d !== b.d)
    throw new RangeError(
      `twoSampleMmd: expected two groups of at least 4 models, got ${a.n} x ${a.d} and ${b.n} x ${b.d}`,
    );
  const [gram] = gaussianGrams(joinPoints(a, b), [1]);
  return permutationTest(gram, a.n, permutations, new Stream(seed, 0, 0, 0x6d6d6432));
}
