// Sequential minimal optimisation of the C-SVC dual, from any feasible start. The working set is chosen with second-order
// information (Fan, Chen, Lin 2005, "WSS 2"); settled variables are set aside (shrinking) and checked again at the end.
//
// The dual is written in signed coefficients beta = y * alpha, which removes every case distinction on the label:
//     maximise  sum_t y_t beta_t - 1/2 beta' K beta   subject to  sum_t beta_t = 0,  low_t <= beta_t <= high_t
// with [low, high] = [0, C] for y = +1 and [-C, 0] for y = -1. E_t = y_t - (K beta)_t is its gradient; the solution is
// reached when the largest E that may still rise exceeds the smallest that may still fall by no more than the tolerance.

import { kernelSum, type Points, RbfRows } from './rbf.ts';

export interface Dual {
  readonly points: Points;
  /** +1 or -1, [n]. */
  readonly y: Float64Array;
  /** Bounds of beta, [n]. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly gamma: number;
  /** Largest violation of the optimality conditions accepted (LIBSVM and scikit-learn: 1e-3). */
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly cacheBytes: number;
}

export interface DualSolution {
  readonly beta: Float64Array;
  /** E, the dual's gradient, [n]. */
  readonly gradient: Float64Array;
  /** Offset b of the decision function f(x) = sum_s beta_s k(x, x_s) + b. */
  readonly offset: number;
  readonly iterations: number;
  /** max E that may rise minus min E that may fall, at the end. */
  readonly violation: number;
}

/** Curvature below this is treated as this (LIBSVM's TAU): two identical points, or a kernel row rounded to one. */
const TAU = 1e-12;

/** Solves the dual from `start`, a feasible beta ([n], sums to 0); all zeros when left out. Deterministic. */
export function solveDual(dual: Dual, start?: Float64Array): DualSolution {
  const { points, y, gamma, tolerance } = dual;
  const n = points.n;
  const beta = start ? Float64Array.from(start) : new Float64Array(n);
  const gradient = new Float64Array(n);
  const refresh = () => {
    const sums = kernelSum(points, points, beta, gamma);
    for (let t = 0; t < n; t++) gradient[t] = y[t] - sums[t];
  };
  refresh();
  let active = Int32Array.from({ length: n }, (_, t) => t);
  let iterations = 0;
  for (;;) {
    const part = gather(dual, active, beta, gradient);
    const pace = Math.min(1000, Math.max(50, active.length));
    iterations += ascend(part, dual, dual.maxIterations - iterations, pace);
    for (let k = 0; k < active.length; k++) {
      beta[active[k]] = part.beta[k];
      gradient[active[k]] = part.E[k];
    }
    const spent = iterations >= dual.maxIterations;
    if (part.settled && !spent) {
      active = active.filter((_, k) => !part.settled?.[k]);
      continue;
    }
    if (active.length < n) refresh();
    const { rise, fall } = extremes(beta, gradient, dual);
    if (spent || active.length === n || rise - fall <= tolerance) {
      return {
        beta,
        gradient,
        offset: offsetOf(beta, gradient, dual, rise, fall),
        iterations,
        violation: rise - fall,
      };
    }
    active = Int32Array.from({ length: n }, (_, t) => t);
  }
}

interface Part {
  readonly rows: RbfRows;
  readonly n: number;
  readonly beta: Float64Array;
  readonly E: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Set when enough variables have settled to be worth setting aside: 1 marks them. */
  settled?: Uint8Array;
}

function gather(dual: Dual, active: Int32Array, beta: Float64Array, gradient: Float64Array): Part {
  const { x, d } = dual.points;
  const pick = (from: Float64Array) => Float64Array.from(active, (t) => from[t]);
  const near = new Float64Array(active.length * d);
  active.forEach((t, k) => {
    for (let j = 0; j < d; j++) near[k * d + j] = x[t * d + j];
  });
  const rows = new RbfRows({ x: near, n: active.length, d }, dual.gamma, dual.cacheBytes);
  return {
    rows,
    n: active.length,
    beta: pick(beta),
    E: pick(gradient),
    low: pick(dual.low),
    high: pick(dual.high),
  };
}

/** Pairwise ascent until the part meets the tolerance, has many settled variables, or the budget is spent. */
function ascend(part: Part, dual: Dual, budget: number, pace: number): number {
  const { rows, n, beta, E, low, high } = part;
  for (let iteration = 0; iteration < budget; iteration++) {
    if (iteration > 0 && iteration % pace === 0 && shrink(part)) return iteration;
    let i = -1;
    let rise = -Infinity;
    let fall = Infinity;
    for (let t = 0; t < n; t++) {
      if (beta[t] < high[t] && E[t] > rise) {
        rise = E[t];
        i = t;
      }
      if (beta[t] > low[t] && E[t] < fall) fall = E[t];
    }
    if (i < 0 || rise - fall <= dual.tolerance) return iteration;
    const Ki = rows.row(i);
    let j = -1;
    let best = 0;
    for (let t = 0; t < n; t++) {
      const difference = rise - E[t];
      if (difference <= 0 || beta[t] <= low[t]) continue;
      const gain = (difference * difference) / Math.max(TAU, 2 - 2 * Ki[t]);
      if (gain > best) {
        best = gain;
        j = t;
      }
    }
    if (j < 0) return iteration;
    const Kj = rows.row(j);
    const wanted = (rise - E[j]) / Math.max(TAU, 2 - 2 * Ki[j]);
    const roomUp = high[i] - beta[i];
    const roomDown = beta[j] - low[j];
    const step = Math.min(wanted, roomUp, roomDown);
    beta[i] = step === roomUp ? high[i] : beta[i] + step;
    beta[j] = step === roomDown ? low[j] : beta[j] - step;
    for (let t = 0; t < n; t++) E[t] -= step * (Ki[t] - Kj[t]);
  }
  return budget;
}

/** Marks variables that sit on a bound and are pushed further out than any pair could use; true when a fifth has. */
function shrink(part: Part): boolean {
  const { rise, fall } = extremes(part.beta, part.E, part);
  const settled = new Uint8Array(part.n);
  let count = 0;
  for (let t = 0; t < part.n; t++) {
    const done =
      (part.beta[t] >= part.high[t] && part.E[t] > rise) || (part.beta[t] <= part.low[t] && part.E[t] < fall);
    if (done) {
      settled[t] = 1;
      count++;
    }
  }
  if (count * 5 < part.n || part.n - count < 2) return false;
  part.settled = settled;
  return true;
}

function extremes(
  beta: Float64Array,
  E: Float64Array,
  bounds: { low: Float64Array; high: Float64Array },
): { rise: number; fall: number } {
  let rise = -Infinity;
  let fall = Infinity;
  for (let t = 0; t < beta.length; t++) {
    if (beta[t] < bounds.high[t] && E[t] > rise) rise = E[t];
    if (beta[t] > bounds.low[t] && E[t] < fall) fall = E[t];
  }
  return { rise, fall };
}

/** Mean of E over free variables; the middle of the admissible interval when none is free (LIBSVM's rule for rho). */
function offsetOf(beta: Float64Array, E: Float64Array, dual: Dual, rise: number, fall: number): number {
  let sum = 0;
  let free = 0;
  for (let t = 0; t < beta.length; t++) {
    if (beta[t] <= dual.low[t] || beta[t] >= dual.high[t]) continue;
    sum += E[t];
    free++;
  }
  return free > 0 ? sum / free : (rise + fall) / 2;
}
