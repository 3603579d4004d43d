// Multinomial logistic regression with an L2 penalty: the linear probe of the audits and the classifier inside their attacks.
// The problem is convex, so the answer does not depend on how it is found: L-BFGS (Liu and Nocedal 1989) from zero, or from
// the answer to a neighbouring problem, in float64 until the gradient vanishes.

import type { Points } from './rbf.ts';

interface LogisticOptions {
  /** Number of classes, at least 2. */
  readonly classes: number;
  /** Penalty on the weights, more than 0; the biases have none. */
  readonly l2: number;
  /** Of each sample, not negative; equal by default. Their sum does not matter. */
  readonly sampleWeights?: ArrayLike<number>;
  /** Where the search begins: an earlier answer with as many features and classes. Default: zero. */
  readonly start?: Pick<Logistic, 'weights' | 'bias'>;
  /** Largest entry of the gradient that counts as none. Default 1e-6. */
  readonly tolerance?: number;
  /** Steps after which it stops, unconverged. Default 2000. */
  readonly maxIterations?: number;
}

export interface Logistic {
  /** [features, classes]. */
  readonly weights: Float64Array;
  /** [classes]; they sum to 0. */
  readonly bias: Float64Array;
  /** What was minimised, at the answer. */
  readonly loss: number;
  /** Steps taken. */
  readonly iterations: number;
  /** Whether the gradient is within the tolerance. */
  readonly converged: boolean;
  /** Logits of each row, [n, classes]. */
  scores(x: Points): Float64Array;
  /** The class with the largest logit of each row, [n]; the first of equals. */
  predict(x: Points): Int32Array;
}

/** Earlier steps that the search remembers. */
const MEMORY = 12;

/**
 * Minimises sum_i w_i CE(softmax(W' x_i + b), y_i) / sum_i w_i + (l2 / 2) |W|^2. With two classes this is binary logistic
 * regression on the difference of the two columns, with a penalty of l2 / 4 times its square.
 * @throws RangeError on sizes that disagree, no samples, labels out of range, features that are not finite, l2 not positive.
 */
export function fitLogistic(x: Points, labels: ArrayLike<number>, options: LogisticOptions): Logistic {
  const { classes: K, l2, sampleWeights, start, tolerance = 1e-6, maxIterations = 2000 } = options;
  check(x, labels, options);
  const { n, d } = x;
  const share = new Float64Array(n);
  let total = 0;
  for (let t = 0; t < n; t++) total += share[t] = sampleWeights ? sampleWeights[t] : 1;
  for (let t = 0; t < n; t++) share[t] /= total;

  /** The loss at theta = (W, b), and its gradient into `gradient`. */
  const evaluate = (theta: Float64Array, gradient: Float64Array): number => {
    const z = new Float64Array(K);
    gradient.fill(0);
    let loss = 0;
    for (let t = 0; t < n; t++) {
      if (share[t] === 0) continue;
      logitsOf(x, t, theta, z);
      let max = -Infinity;
      for (let k = 0; k < K; k++) if (z[k] > max) max = z[k];
      let sum = 0;
      const own = z[labels[t]] - max;
      for (let k = 0; k < K; k++) sum += z[k] = Math.exp(z[k] - max);
      loss += share[t] * (Math.log(sum) - own);
      for (let k = 0; k < K; k++) gradient[d * K + k] += z[k] *= share[t] / sum;
      gradient[d * K + labels[t]] -= share[t];
      z[labels[t]] -= share[t];
      for (let j = 0, at = 0; j < d; j++, at += K) {
        const value = x.x[t * d + j];
        if (value !== 0) for (let k = 0; k < K; k++) gradient[at + k] += value * z[k];
      }
    }
    for (let i = 0; i < d * K; i++) {
      loss += 0.5 * l2 * theta[i] * theta[i];
      gradient[i] += l2 * theta[i];
    }
    return loss;
  };

  const first = new Float64Array((d + 1) * K);
  if (start) {
    first.set(start.weights);
    first.set(start.bias, d * K);
  }
  const { theta, loss, iterations, converged } = minimise(evaluate, first, tolerance, maxIterations);
  const scores = (points: Points): Float64Array => {
    if (points.d !== d) throw new RangeError(`logistic regression: expected ${d} features, got ${points.d}`);
    const out = new Float64Array(points.n * K);
    for (let t = 0; t < points.n; t++) logitsOf(points, t, theta, out.subarray(t * K, (t + 1) * K));
    return out;
  };
  const predict = (points: Points): Int32Array => {
    const z = scores(points);
    return Int32Array.from({ length: points.n }, (_, t) => {
      let best = 0;
      for (let k = 1; k < K; k++) if (z[t * K + k] > z[t * K + best]) best = k;
      return best;
    });
  };
  const weights = theta.subarray(0, d * K);
  return { weights, bias: theta.subarray(d * K), loss, iterations, converged, scores, predict };
}

/** W' x_t + b into z. */
function logitsOf({ x, d }: Points, t: number, theta: Float64Array, z: Float64Array): void {
  const K = z.length;
  for (let k = 0; k < K; k++) z[k] = theta[d * K + k];
  for (let j = 0, at = 0; j < d; j++, at += K) {
    const value = x[t * d + j];
    if (value !== 0) for (let k = 0; k < K; k++) z[k] += value * theta[at + k];
  }
}

/** L-BFGS with steps halved until the loss falls enough. */
function minimise(
  evaluate: (theta: Float64Array, gradient: Float64Array) => number,
  first: Float64Array,
  tolerance: number,
  maxIterations: number,
) {
  let theta = first;
  let gradient = new Float64Array(theta.length);
  let loss = evaluate(theta, gradient);
  const steps: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  const largest = (v: Float64Array) => v.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  let iterations = 0;
  while (largest(gradient) > tolerance && iterations < maxIterations) {
    const direction = directionFrom(gradient, steps);
    const slope = dot(gradient, direction);
    let length = steps.length === 0 ? 1 / Math.max(1, Math.sqrt(-slope)) : 1;
    let next = theta;
    const after = new Float64Array(theta.length);
    let found = Number.NaN;
    // Near the answer the loss no longer changes in its last bits: such a step counts as one that does not rise.
    const slack = 4e-16 * Math.abs(loss);
    for (let tries = 0; ; tries++, length /= 2) {
      next = theta.map((value, i) => value + length * direction[i]);
      found = evaluate(next, after);
      if (found <= loss + 1e-4 * length * slope + slack) break;
      if (tries === 40) return { theta, loss, iterations, converged: false };
    }
    const s = next.map((value, i) => value - theta[i]);
    const y = after.map((value, i) => value - gradient[i]);
    const curvature = dot(s, y);
    if (curvature > 1e-14 * dot(y, y)) steps.push({ s, y, rho: 1 / curvature });
    if (steps.length > MEMORY) steps.shift();
    theta = next;
    gradient = after;
    loss = found;
    iterations++;
  }
  return { theta, loss, iterations, converged: largest(gradient) <= tolerance };
}

/** Minus the inverse Hessian, as the remembered steps tell it, times the gradient (the two-loop recursion). */
function directionFrom(
  gradient: Float64Array,
  steps: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.map((value) => -value);
  const add = (factor: number, v: Float64Array) => {
    for (let i = 0; i < q.length; i++) q[i] += factor * v[i];
  };
  const alphas = steps.map(() => 0);
  for (let i = steps.length - 1; i >= 0; i--) {
    alphas[i] = steps[i].rho * dot(steps[i].s, q);
    add(-alphas[i], steps[i].y);
  }
  const last = steps.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  for (const [i, { s, y, rho }] of steps.entries()) add(alphas[i] - rho * dot(y, q), s);
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function check(x: Points, labels: ArrayLike<number>, { classes, l2, sampleWeights, start }: LogisticOptions) {
  const refuse = (what: string): never => {
    throw new RangeError(`fitLogistic: ${what}`);
  };
  if (!Number.isInteger(classes) || classes < 2) refuse(`expected at least 2 classes, got ${classes}`);
  if (!(l2 > 0 && l2 < Infinity)) refuse(`l2 must be positive, got ${l2}`);
  if (x.n === 0) refuse('there are no samples');
  if (labels.length !== x.n || x.x.length !== x.n * x.d)
    refuse(`expected ${x.n} labels and ${x.n} x ${x.d} features, got ${labels.length} and ${x.x.length}`);
  for (let t = 0; t < x.n; t++)
    if (!Number.isInteger(labels[t]) || labels[t] < 0 || labels[t] >= classes)
      refuse(`label ${t} is ${labels[t]}, expected an integer in 0..${classes - 1}`);
  const at = x.x.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) refuse(`feature value ${at} is ${x.x[at]}, expected a finite number`);
  if (sampleWeights) {
    let total = 0;
    for (let t = 0; t < x.n; t++) total += sampleWeights[t] >= 0 ? sampleWeights[t] : Number.NaN;
    if (sampleWeights.length !== x.n || !(total > 0 && total < Infinity))
      refuse(`expected ${x.n} sample weights, none negative and not all 0`);
  }
  if (start && (start.weights.length !== x.d * classes || start.bias.length !== classes))
    refuse(`start: expected ${x.d} x ${classes} weights and ${classes} biases`);
}
