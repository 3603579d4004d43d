// Softmax regression with an L2 penalty, fitted to the minimum in plain float64 without the engine: what influences and
// re-weighted models are compared with. It minimises
//   J(W) = 1/n sum_i weight_i * cross-entropy_i + penalty / 2 |W|^2,   W [d, K]
// where rows of x end in a 1, so that the last row of W is the bias, which is penalised like the rest.

import { cholesky, solveFactored } from '../../unlearn/statistics/cholesky.ts';

export interface Table {
  /** [n, d], row by row; the last column is 1. */
  readonly x: Float64Array;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

export class SoftmaxRegression {
  readonly n: number;
  readonly d: number;
  /** Factor of the Hessian somewhere near, for steps that need no new one. */
  #factor: Float64Array | null = null;

  constructor(
    readonly table: Table,
    readonly penalty: number,
  ) {
    this.n = table.labels.length;
    this.d = table.x.length / this.n;
  }

  /**
   * The minimum, gradient below `tolerance`: Newton steps, whose Hessian is kept as long as a step makes the gradient
   * smaller by a factor of 3.
   * @param weights of each sample; 1 by default.
   */
  fit(
    weights: ArrayLike<number> = new Float64Array(this.n).fill(1),
    start?: Float64Array,
    tolerance = 1e-11,
  ) {
    let w = start ?? new Float64Array(this.d * this.table.classes);
    let { value, gradient } = this.objective(w, weights);
    for (let i = 0; i < 500; i++) {
      const size = norm(gradient);
      if (size < tolerance) return w;
      this.#factor ??= cholesky(this.#hessian(w, weights));
      if (this.#factor === null) throw new Error('softmax regression: the Hessian is not positive definite');
      const step = solveFactored(this.#factor, Float64Array.from(gradient));
      let [length, next, at] = [1, w, { value, gradient }];
      do {
        next = w.map((v, k) => v - length * step[k]);
        at = this.objective(next, weights);
        length /= 2;
      } while (at.value > value + 1e-12 * Math.abs(value) && length > 1e-6);
      if (norm(at.gradient) > size / 3) this.#factor = null;
      w = next;
      ({ value, gradient } = at);
    }
    throw new Error(`softmax regression: the gradient is ${norm(gradient)} after 500 steps`);
  }

  objective(w: Float64Array, weights: ArrayLike<number>) {
    const { n, d, penalty } = this;
    const { x, labels, classes } = this.table;
    const gradient = w.map((v) => penalty * v);
    let value = (penalty / 2) * inner(w, w);
    for (let i = 0; i < n; i++) {
      if (weights[i] === 0) continue;
      const p = probabilities(w, x, i, d, classes);
      value -= (weights[i] / n) * Math.log(p[labels[i]]);
      p[labels[i]] -= 1;
      for (let a = 0; a < d; a++) {
        const factor = (weights[i] / n) * x[i * d + a];
        if (factor !== 0) for (let k = 0; k < classes; k++) gradient[a * classes + k] += factor * p[k];
      }
    }
    return { value, gradient };
  }

  #hessian(w: Float64Array, weights: ArrayLike<number>): Float64Array {
    const { n, d, penalty } = this;
    const { x, classes } = this.table;
    const m = d * classes;
    const h = new Float64Array(m * m);
    for (let i = 0; i < n; i++) {
      if (weights[i] === 0) continue;
      const p = probabilities(w, x, i, d, classes);
      for (let a = 0; a < d; a++) {
        const xa = (weights[i] / n) * x[i * d + a];
        if (xa === 0) continue;
        for (let b = 0; b <= a; b++) {
          const xab = xa * x[i * d + b];
          if (xab === 0) continue;
          for (let k = 0; k < classes; k++) {
            const row = (a * classes + k) * m + b * classes;
            const f = xab * p[k];
            for (let l = 0; l < classes; l++) h[row + l] -= f * p[l];
            h[row + k] += f;
          }
        }
      }
    }
    for (let a = 0; a < m; a++) h[a * m + a] += penalty;
    return h;
  }

  /** Mean cross-entropy on a table. */
  static loss(w: Float64Array, { x, labels, classes }: Table): number {
    const n = labels.length;
    let sum = 0;
    for (let i = 0; i < n; i++) sum -= Math.log(probabilities(w, x, i, x.length / n, classes)[labels[i]]);
    return sum / n;
  }
}

function probabilities(
  w: Float64Array,
  x: Float64Array,
  i: number,
  d: number,
  classes: number,
): Float64Array {
  const p = new Float64Array(classes);
  for (let a = 0; a < d; a++) {
    const xa = x[i * d + a];
    if (xa !== 0) for (let k = 0; k < classes; k++) p[k] += xa * w[a * classes + k];
  }
  let most = Number.NEGATIVE_INFINITY;
  for (const v of p) most = Math.max(most, v);
  let sum = 0;
  for (let k = 0; k < classes; k++) sum += p[k] = Math.exp(p[k] - most);
  for (let k = 0; k < classes; k++) p[k] /= sum;
  return p;
}

const inner = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const norm = (a: Float64Array) => Math.sqrt(inner(a, a));
