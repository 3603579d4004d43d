// Weights for the points that stay, so that what a removal does to the criteria is made up for. With one row of influences
// for each criterion, Phi [m, n], and a = the removal's own Phi lambda [m], all of it is about Phi lambda = -a:
//   ridge         min |Phi lambda + a|^2 + mu |lambda|_2^2      lambda = -Phi^T (Phi Phi^T + mu I)^-1 a
//   minimumNorm   min |lambda|_2  subject to Phi lambda = -a    the same with mu = 0
//   l1            min |lambda|_1  subject to Phi lambda = -a, |lambda_i| <= bound     a linear programme, simplex.ts
//   sgd           min |Phi lambda + a|^2 + mu Omega(lambda), |lambda_i| <= bound      stochastic proximal steps
// Host arithmetic in float64, without tensors. Source: the objective of PUMA (Wu, Hashemi and Srinivasa, AAAI 2022); the
// closed forms are ours, docs/methods/puma.md.

import { check } from '../../engine/error.ts';
import { permutation } from '../random.ts';
import { solveCholesky } from '../statistics/cholesky.ts';
import { simplex } from './simplex.ts';

/** Pivots below this share of the diagonal are rounding: criteria that depend on each other. */
const SINGULAR = 1e-13;

/** What the weights are to make up for. */
export interface Removal {
  /** Influences of the points that may get other weights: n numbers for each criterion. */
  readonly influences: readonly ArrayLike<number>[];
  /** Of the points that go, each criterion's sum of influence times weight: the criterion changes by minus this. */
  readonly removal: readonly number[];
}

/** @throws LetheError 'value' for no criterion, rows that are not of one length, numbers that are not finite. */
function checked({ influences, removal }: Removal): readonly ArrayLike<number>[] {
  check(
    influences.length > 0 && influences.length === removal.length,
    'value',
    () =>
      `re-weighting: ${influences.length} rows of influences for ${removal.length} criteria; expected one each`,
  );
  for (const row of influences) {
    check(
      row.length === influences[0].length,
      'value',
      () =>
        `re-weighting: influences of ${row.length} and of ${influences[0].length} points; expected the same`,
    );
    let sum = 0;
    for (let i = 0; i < row.length; i++) sum += row[i];
    check(Number.isFinite(sum), 'value', () => 're-weighting: an influence is not a finite number');
  }
  check(
    removal.every(Number.isFinite),
    'value',
    () => `re-weighting: the removal is [${removal.join(', ')}]; expected finite numbers`,
  );
  return influences;
}

export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * The weights of least |Phi lambda + a|^2 + mu |lambda|^2. With mu = 0 those of least norm with Phi lambda = -a.
 * @throws LetheError 'value' where mu = 0 and the criteria's influences depend on each other linearly.
 */
export function ridge(problem: Removal, mu: number): Float64Array {
  const rows = checked(problem);
  const n = rows[0].length;
  check(mu >= 0, 'value', () => `re-weighting: mu is ${mu}; expected a number, 0 or more`);
  if (problem.removal.every((a) => a === 0)) return new Float64Array(n);
  const system = rows.flatMap((a, c) => rows.map((b, k) => inner(a, b) + (c === k ? mu : 0)));
  const dual = solveCholesky(Float64Array.from(system), Float64Array.from(problem.removal), SINGULAR);
  check(dual, 'value', () =>
    rows.length === 1
      ? 're-weighting: no point that stays has any influence on the criterion'
      : 're-weighting: the influences on one criterion follow from those on the others; take mu above 0, or fewer criteria',
  );
  return combination(rows, dual, -1);
}

/** The weights of least Euclidean norm that leave no change: Phi lambda = -a. */
export const minimumNorm = (problem: Removal): Float64Array => ridge(problem, 0);

/** factor * sum over criteria of y_c times their row. */
function combination(rows: readonly ArrayLike<number>[], y: ArrayLike<number>, factor: number): Float64Array {
  const out = new Float64Array(rows[0].length);
  rows.forEach((row, c) => {
    const f = factor * y[c];
    for (let i = 0; i < row.length; i++) out[i] += f * row[i];
  });
  return out;
}

/**
 * The weights of least sum of absolute values with Phi lambda = -a and |lambda_i| <= bound. For one criterion they fill up
 * the points in order of |phi_i|; without a bound all lies on the point of largest |phi_i|.
 * @throws LetheError 'value' where no weights within the bound do it.
 */
export function l1(problem: Removal, bound = Number.POSITIVE_INFINITY): Float64Array {
  const rows = checked(problem);
  check(bound > 0, 'value', () => `re-weighting: the bound is ${bound}; expected a number above 0`);
  const { solution, remains } = simplex(
    rows,
    problem.removal.map((a) => -a),
    bound,
  );
  check(
    remains === 0,
    'value',
    () =>
      `re-weighting: weights of at most ${bound} leave ${(100 * remains).toPrecision(3)}% of the removal’s change of the criteria; allow larger ones, remove fewer points at once, or leave the bound to ridge`,
  );
  return solution;
}

/** How the stochastic solver goes about it. */
interface StochasticOptions {
  /** Omega: |lambda|_1 or |lambda|_2^2. */
  readonly penalty: 'l1' | 'l2';
  /** Its factor, above 0. */
  readonly mu: number;
  /** Largest |lambda_i|. Default: none. */
  readonly bound?: number;
  /** Of the order of the points, 0 to 2^53 - 1. Default 0. */
  readonly seed?: number;
  /** Points in a step. Default: a tenth of them. */
  readonly batchSize?: number;
  /** Passes over the points at most. Default 1000. */
  readonly epochs?: number;
  /** Stop after a pass in which no weight moves by more than this share of the largest. Default 1e-6. */
  readonly tolerance?: number;
}

/**
 * The weights of least |Phi lambda + a|^2 + mu Omega(lambda), by proximal gradient steps on random batches of points. A
 * step is as long as the batch's curvature allows, so that no step makes it worse.
 */
export function sgd(problem: Removal, options: StochasticOptions): Float64Array {
  const rows = checked(problem);
  const n = rows[0].length;
  const { penalty, mu, bound = Number.POSITIVE_INFINITY, seed = 0 } = options;
  const { batchSize = Math.ceil(n / 10), epochs = 1000, tolerance = 1e-6 } = options;
  check(mu > 0, 'value', () => `re-weighting: mu is ${mu}; expected a number above 0`);
  const lambda = new Float64Array(n);
  const change = [...problem.removal]; // Phi lambda + a
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = permutation(n, seed, epoch);
    let moved = 0;
    let largest = 0;
    for (let from = 0; from < n; from += batchSize) {
      const batch = order.subarray(from, from + batchSize);
      let curvature = penalty === 'l2' ? mu : 0;
      for (const row of rows) for (const i of batch) curvature += row[i] * row[i];
      if (curvature === 0) continue;
      const step = 1 / (2 * curvature);
      const slope = [...change];
      for (const i of batch) {
        let gradient = penalty === 'l2' ? 2 * mu * lambda[i] : 0;
        for (const [c, row] of rows.entries()) gradient += 2 * slope[c] * row[i];
        const there = lambda[i] - step * gradient;
        const shrunk = penalty === 'l1' ? Math.sign(there) * Math.max(0, Math.abs(there) - step * mu) : there;
        const next = Math.max(-bound, Math.min(bound, shrunk));
        for (const [c, row] of rows.entries()) change[c] += row[i] * (next - lambda[i]);
        moved = Math.max(moved, Math.abs(next - lambda[i]));
        largest = Math.max(largest, Math.abs(next));
        lambda[i] = next;
      }
    }
    if (moved <= tolerance * largest) break;
  }
  return lambda;
}

/** A solver by name, with its settings in units of the problem, so that they mean the same for any. */
interface ReweightOptions {
  readonly solver: 'none' | 'minimumNorm' | 'ridge' | 'l1' | 'sgd';
  /**
   * Of ridge and sgd: of one criterion the share mu / (1 + mu), or mu, of the change is left over, where the bound allows
   * it. For sgd 1 is the least mu that allows no weights at all.
   */
  readonly mu: number;
  /** Largest |lambda_i|, of l1 and sgd. */
  readonly bound: number;
  readonly seed: number;
}

/** lambda by the solver of that name; 'none' gives zeros. */
export function reweight(problem: Removal, { solver, mu, bound, seed }: ReweightOptions): Float64Array {
  const { influences } = problem;
  const squares = () => influences.reduce((sum, row) => sum + inner(row, row), 0) / influences.length;
  const solvers: Record<typeof solver, () => Float64Array> = {
    none: () => new Float64Array(influences[0].length),
    minimumNorm: () => minimumNorm(problem),
    ridge: () => ridge(problem, mu * squares()),
    l1: () => l1(problem, bound),
    sgd: () => sgd(problem, { penalty: 'l1', mu: mu * steepest(problem), bound, seed }),
  };
  return solvers[solver]();
}

/** 2 max |Phi^T a|. */
function steepest({ influences, removal }: Removal): number {
  let most = 0;
  for (let i = 0; i < influences[0].length; i++)
    most = Math.max(most, Math.abs(influences.reduce((sum, row, c) => sum + row[i] * removal[c], 0)));
  return 2 * most;
}
