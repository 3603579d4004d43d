// A two-class support-vector classifier (C-SVC) with RBF kernel: the classifier inside SalUn's MIA and inside our stand-in
// for Boundary Unlearning's ASR. Defaults are those of scikit-learn's SVC(C=3, gamma='auto', kernel='rbf'): tolerance
// 1e-3, gamma = 1 / n_features, no class weights, no scaling of features. No probabilities, no multi-class.
//
// Scalar features get two exact short cuts. Samples with the same feature and label share one variable with bound
// count * C: the optimum is unchanged. And the full problem starts from the solution of coarser ones, where samples in
// narrow cells are pooled: pooling picks the start only, the last solve is always on the problem as given, to the tolerance.

import { kernelSum, type Points } from './rbf.ts';
import { type Dual, type DualSolution, solveDual } from './smo.ts';

interface SvcOptions {
  /** Penalty. Default 3, as in SalUn's released code. */
  readonly C?: number;
  /** Kernel width. Default 1 / n_features. */
  readonly gamma?: number;
  /** Accepted violation of the optimality conditions. Default 1e-3. */
  readonly tolerance?: number;
  /** Bound of the kernel row cache. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Stops, unconverged, after this many pair updates. Default max(10^7, 100 n), as LIBSVM. */
  readonly maxIterations?: number;
}

export interface Svc {
  /** Dual coefficients, one a training sample, 0 <= alpha <= C. */
  readonly alpha: Float64Array;
  /** b of f(x) = sum_s y_s alpha_s k(x, x_s) + b. */
  readonly offset: number;
  readonly gamma: number;
  readonly iterations: number;
  readonly converged: boolean;
  /** sum alpha - 1/2 (y alpha)' K (y alpha). */
  readonly objective: number;
  /** f(x) for each row of x, [m]. */
  decision(x: Float64Array): Float64Array;
  /** 1 where f(x) > 0, else 0, [m]. */
  predict(x: Float64Array): Uint8Array;
}

/** Samples below which pooling is not worth its overhead. */
const MIN_SAMPLES_TO_POOL = 512;
/** Cells across the feature's range, coarse to fine. */
const LADDER = [256, 2048, 16384];

/**
 * Fits the classifier. x is [n, features] row by row; labels are 1 (positive) or 0, [n].
 * @throws RangeError on sizes that disagree, a class without samples, non-finite features, C or gamma not positive.
 */
export function fitSvc(
  x: Float64Array,
  labels: ArrayLike<number>,
  features = 1,
  options: SvcOptions = {},
): Svc {
  const n = labels.length;
  const { C = 3, gamma = 1 / features, tolerance = 1e-3, cacheBytes = 64 << 20 } = options;
  const maxIterations = options.maxIterations ?? Math.max(10_000_000, 100 * n);
  check(x, labels, features, C, gamma, tolerance);
  const settings = { gamma, tolerance, maxIterations, cacheBytes };
  const groups = features === 1 ? poolEqual(x, labels) : each(x, labels, features);
  const solution =
    features === 1 && groups.points.n > MIN_SAMPLES_TO_POOL
      ? solveCoarseToFine(groups, C, settings)
      : solve(groups, C, settings);

  const alpha = new Float64Array(n);
  let objective = 0;
  for (let g = 0; g < groups.points.n; g++) {
    objective += 0.5 * solution.beta[g] * (groups.y[g] + solution.gradient[g]);
  }
  for (let t = 0; t < n; t++) {
    const g = groups.of[t];
    alpha[t] = Math.min(C, Math.abs(solution.beta[g]) / groups.count[g]);
  }
  const decision = (rows: Float64Array) => {
    const at: Points = { x: rows, n: rows.length / features, d: features };
    return kernelSum(at, groups.points, solution.beta, gamma).map((value) => value + solution.offset);
  };
  return {
    alpha,
    offset: solution.offset,
    gamma,
    iterations: solution.iterations,
    converged: solution.violation <= tolerance,
    objective,
    decision,
    predict: (rows) => Uint8Array.from(decision(rows), (value) => (value > 0 ? 1 : 0)),
  };
}

function check(
  x: Float64Array,
  labels: ArrayLike<number>,
  d: number,
  C: number,
  gamma: number,
  tol: number,
): void {
  const n = labels.length;
  if (!Number.isInteger(d) || d < 1)
    throw new RangeError(`fitSvc: features must be a positive integer, got ${d}`);
  if (x.length !== n * d) {
    throw new RangeError(`fitSvc: expected ${n} x ${d} = ${n * d} feature values, got ${x.length}`);
  }
  for (const [name, value] of [
    ['C', C],
    ['gamma', gamma],
    ['tolerance', tol],
  ] as const) {
    if (!(value > 0 && value < Infinity))
      throw new RangeError(`fitSvc: ${name} must be positive, got ${value}`);
  }
  let positive = 0;
  for (let t = 0; t < n; t++) {
    if (labels[t] !== 0 && labels[t] !== 1)
      throw new RangeError(`fitSvc: label ${t} is ${labels[t]}, expected 0 or 1`);
    positive += labels[t];
  }
  if (positive === 0 || positive === n) throw new RangeError('fitSvc: both classes need at least one sample');
  for (let k = 0; k < x.length; k++) {
    if (!Number.isFinite(x[k]))
      throw new RangeError(`fitSvc: feature value ${k} is ${x[k]}, expected a finite number`);
  }
}

/** Samples pooled into variables: `of[t]` is the variable of sample t, `count` the samples (of the data) in each. */
interface Groups {
  readonly points: Points;
  readonly y: Float64Array;
  readonly count: Float64Array;
  readonly of: Int32Array;
}

function each(x: Float64Array, labels: ArrayLike<number>, d: number): Groups {
  const n = labels.length;
  return {
    points: { x, n, d },
    y: Float64Array.from({ length: n }, (_, t) => (labels[t] === 1 ? 1 : -1)),
    count: new Float64Array(n).fill(1),
    of: Int32Array.from({ length: n }, (_, t) => t),
  };
}

/** One variable per distinct (label, value), in ascending order of label, then value. */
function poolEqual(x: Float64Array, labels: ArrayLike<number>): Groups {
  const all = each(x, labels, 1);
  const order = Int32Array.from(all.of).sort((a, b) => labels[a] - labels[b] || x[a] - x[b]);
  return pool(all, order, (a, b) => x[a] === x[b]);
}

/** Merges neighbours in `order` that share a label and that `same` accepts; a pool sits at its members' mean. */
function pool(from: Groups, order: Int32Array, same: (first: number, next: number) => boolean): Groups {
  const of = new Int32Array(order.length);
  const x: number[] = [];
  const y: number[] = [];
  const count: number[] = [];
  let first = -1;
  for (const t of order) {
    if (first < 0 || from.y[t] !== from.y[first] || !same(first, t)) {
      first = t;
      x.push(from.points.x[t]);
      y.push(from.y[t]);
      count.push(from.count[t]);
    } else {
      const g = x.length - 1;
      count[g] += from.count[t];
      x[g] += ((from.points.x[t] - x[g]) * from.count[t]) / count[g];
    }
    of[t] = x.length - 1;
  }
  const points = { x: Float64Array.from(x), n: x.length, d: 1 };
  return { points, y: Float64Array.from(y), count: Float64Array.from(count), of };
}

type Settings = Pick<Dual, 'gamma' | 'tolerance' | 'maxIterations' | 'cacheBytes'>;

function solve(groups: Groups, C: number, settings: Settings, start?: Float64Array): DualSolution {
  const { points, y, count } = groups;
  const high = Float64Array.from(y, (sign, g) => (sign > 0 ? C * count[g] : 0));
  const low = Float64Array.from(y, (sign, g) => (sign > 0 ? 0 : -C * count[g]));
  return solveDual({ points, y, low, high, ...settings }, start);
}

/** Each rung's solution, shared out among a pool's members by their counts, starts the next; the last rung is `groups`. */
function solveCoarseToFine(groups: Groups, C: number, settings: Settings): DualSolution {
  const { x, n } = groups.points;
  const order = Int32Array.from({ length: n }, (_, g) => g);
  let lo = Infinity;
  let hi = -Infinity;
  for (const value of x) {
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  const start = new Float64Array(n);
  let seeded = false;
  let iterations = 0;
  for (const cells of LADDER) {
    const cell = (g: number) => Math.floor(((x[g] - lo) / (hi - lo)) * cells);
    const coarse = pool(groups, order, (a, b) => cell(a) === cell(b));
    if (coarse.points.n * 1.5 > n) break;
    const from = new Float64Array(coarse.points.n);
    if (seeded) for (let g = 0; g < n; g++) from[coarse.of[g]] += start[g];
    const { beta, iterations: spent } = solve(coarse, C, settings, from);
    iterations += spent;
    for (let g = 0; g < n; g++)
      start[g] = (beta[coarse.of[g]] * groups.count[g]) / coarse.count[coarse.of[g]];
    seeded = true;
  }
  clampTo(groups, C, start);
  const last = solve(groups, C, settings, seeded ? start : undefined);
  return { ...last, iterations: iterations + last.iterations };
}

/** Removes what rounding left outside the box, and puts a share within rounding of a bound on it. */
function clampTo(groups: Groups, C: number, beta: Float64Array): void {
  for (let g = 0; g < beta.length; g++) {
    const limit = C * groups.count[g];
    const size = Math.abs(beta[g]);
    if (size < 1e-12 * limit) beta[g] = 0;
    else if (size > (1 - 1e-12) * limit) beta[g] = groups.y[g] * limit;
  }
}
