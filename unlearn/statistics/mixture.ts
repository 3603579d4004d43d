// Which share of the forgotten samples looks like samples that were never seen? They are taken for a mixture of members and
// non-members; the share is read off the mean embeddings of the three sets. The question is that of SMI (arXiv 2602.01150);
// features, estimator and intervals are ours.

import { Stream } from '../random.ts';
import { type Gram, type Group, gaussianGrams, meanKernel, permutationTest } from './gram.ts';
import { type Interval, quantileOf } from './interval.ts';
import { joinPoints } from './points.ts';
import type { Points } from './rbf.ts';

interface MixtureOptions {
  /** 'gaussian' (at the median distance, the default) compares distributions, 'linear' means. */
  readonly kernel?: 'gaussian' | 'linear';
  /** Bootstraps of the interval. Default 1000. */
  readonly bootstraps?: number;
  /** Relabellings of the test whether members and non-members differ. Default 999. */
  readonly permutations?: number;
  /** Of both. Default 0. */
  readonly seed?: number;
}

/** What is read off the mean embeddings. */
interface MixtureEstimate {
  /** pi: the share of non-members; without bias, so it may leave 0..1 by chance. */
  readonly share: number;
  /** rho: squared distance of the forgotten samples' mean from the line through the two others', in units of theirs. */
  readonly residual: number;
}

export interface Mixture extends MixtureEstimate {
  /** 95 % of the bootstraps. */
  readonly shareInterval: Interval;
  /** 95 % of the bootstraps. */
  readonly residualInterval: Interval;
  /** Of members and non-members being alike, by relabelling. */
  readonly p: number;
  /** Whether that is at most 0.01: else there is nothing that a share could be read off. */
  readonly answers: boolean;
}

/** Largest p with which members and non-members count as different. */
const DIFFERENT = 0.01;

/**
 * pi = <m_F - m_M, m_N - m_M> / |m_N - m_M|^2, rho = |m_F - (1 - pi) m_M - pi m_N|^2 / |m_N - m_M|^2, where m are mean
 * embeddings and means within a set leave out pairs of a sample with itself. The interval draws all three sets anew.
 * @throws RangeError where a set has fewer than 4 rows, or widths differ.
 */
export function mixture(
  forget: Points,
  members: Points,
  others: Points,
  options: MixtureOptions = {},
): Mixture {
  const { kernel = 'gaussian', bootstraps = 1000, permutations = 999, seed = 0 } = options;
  for (const set of [forget, members, others])
    if (set.n < 4 || set.d !== forget.d)
      throw new RangeError(`mixture: expected at least 4 rows of ${forget.d}, got ${set.n} x ${set.d}`);
  // Members and non-members first: the test needs these alone.
  const pooled = joinPoints(members, others, forget);
  const gram = kernel === 'linear' ? linearGram(pooled) : gaussianGrams(pooled, [1])[0];
  const M = { from: 0, to: members.n };
  const N = { from: M.to, to: M.to + others.n };
  const F = { from: N.to, to: gram.n };
  const { p } = permutationTest(corner(gram, N.to), members.n, permutations, stream(seed, 1));
  const draw = stream(seed, 2);
  const weights = new Float64Array(gram.n);
  const drawn = Array.from({ length: bootstraps }, () => {
    weights.fill(0);
    for (const { from, to } of [M, N, F])
      for (let i = from; i < to; i++) weights[from + draw.below(to - from)]++;
    return estimate(gram, F, M, N, weights);
  });
  return {
    ...estimate(gram, F, M, N),
    shareInterval: middle(drawn.map((one) => one.share)),
    residualInterval: middle(drawn.map((one) => one.residual)),
    p,
    answers: p <= DIFFERENT,
  };
}

function estimate(gram: Gram, F: Group, M: Group, N: Group, weights?: Float64Array): MixtureEstimate {
  const mean = (a: Group, b: Group) => meanKernel(gram, a, b, weights);
  const [MM, NN, FF, FM, FN, MN] = [mean(M, M), mean(N, N), mean(F, F), mean(F, M), mean(F, N), mean(M, N)];
  const apart = NN + MM - 2 * MN;
  const share = (FN - FM - MN + MM) / apart;
  const rest = 1 - share;
  const off =
    FF + rest * rest * MM + share * share * NN - 2 * rest * FM - 2 * share * FN + 2 * share * rest * MN;
  return { share, residual: off / apart };
}

/** What 95 % of the bootstraps lie between. */
const middle = (values: readonly number[]): Interval => [
  quantileOf(values, 0.025),
  quantileOf(values, 0.975),
];

const stream = (seed: number, of: number) => new Stream(seed, of, 0, 0x736d6978);

function linearGram({ x, n, d }: Points): Gram {
  const k = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += x[i * d + c] * x[j * d + c];
      k[i * n + j] = sum;
      k[j * n + i] = sum;
    }
  return { k, n };
}

/** The matrix of the first rows alone. */
function corner({ k, n }: Gram, size: number): Gram {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) out.set(k.subarray(i * n, i * n + size), i * size);
  return { k: out, n: size };
}
