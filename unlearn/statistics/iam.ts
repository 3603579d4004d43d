// IAM, offline: where on the way from "never seen" to "fitted" a model's confidence in a sample stands. Interpolated approximate
// measurement, arXiv 2506.06112, by its released code.

import { meanOf, momentsOf } from './spread.ts';

/** Of the signal; the released code's for images. */
const E1 = 1e-2;
const E2 = 1e-5;
const bend = (p: number): number => -Math.log(E1 - Math.log(E2 + p));
const LOW = bend(0);
const HIGH = bend(1);

/**
 * The signal of a true-label probability, 0 at 0 and 1 at 1: (g(p) - g(0)) / (g(1) - g(0)), g(p) = -ln(e1 - ln(e2 + p)),
 * e1 = 0.01, e2 = 0.00001. It stretches both ends, where confidences crowd.
 */
export const iamSignal = (p: number): number => (bend(p) - LOW) / (HIGH - LOW);

/** Signals, as iamSignal gives them. */
interface IamInput {
  /** Under the model that is attacked, [n]. */
  readonly own: ArrayLike<number>;
  /** Under the references that were not trained on the sample, [n][at least one]. */
  readonly out: readonly ArrayLike<number>[];
  /** Mean under references on samples that they were trained on. */
  readonly fit: number;
  /** Points on the way, 100 by default; 16 are enough by the paper's own sweep. */
  readonly grid?: number;
}

/** Of each sample, [n]. */
interface IamScores {
  /** 0: as never seen; 1: as fitted. The paper's unlearning score is 1 minus it. */
  readonly membership: Float64Array;
  /** Own signal minus the mean of the references': below 0, surer than never seen that it is not this. Ours. */
  readonly excess: Float64Array;
}

/**
 * For alpha from 0 to 1 the references' signals moved towards the fitted one, v = out + alpha (fit - out), make a Gumbel
 * distribution: its mean that of the sample, its deviation that over all samples and references (population form). The score is
 * the mean, weighted by the next alpha, of how much of it lies below the own signal.
 * Where the deviation is 0 it is all below or none.
 * @throws RangeError where a sample has no reference, or the grid has fewer than 2 points.
 */
export function iamScores({ own, out, fit, grid = 100 }: IamInput): IamScores {
  if (!Number.isInteger(grid) || grid < 2)
    throw new RangeError(`iam: expected a grid of at least 2 points, got ${grid}`);
  const means = Float64Array.from(out, (values, i) => {
    if (values.length === 0) throw new RangeError(`iam: no reference without sample ${i}`);
    return meanOf(values);
  });
  const all = momentsOf(out.flatMap((values) => Array.from(values)));
  // Moving all by one share towards one point shrinks their deviation by it.
  const deviation = Math.sqrt(all.squares / all.n);
  const membership = Float64Array.from(own, (signal, i) => {
    let [sum, weights] = [0, 0];
    for (let t = 0; t < grid - 1; t++) {
      const alpha = t / (grid - 1);
      const weight = (t + 1) / (grid - 1);
      const at = means[i] + alpha * (fit - means[i]);
      sum += weight * gumbelBelow(signal, at, (1 - alpha) * deviation);
      weights += weight;
    }
    return sum / weights;
  });
  return { membership, excess: means.map((value, i) => own[i] - value) };
}

/** The constant as the released code has it. */
const EULER = 0.5772;

/** Distribution function of the Gumbel distribution with this mean and standard deviation. */
function gumbelBelow(x: number, at: number, deviation: number): number {
  if (deviation === 0) return x >= at ? 1 : 0;
  const scale = (deviation * Math.sqrt(6)) / Math.PI;
  return Math.exp(-Math.exp(-(x - at + EULER * scale) / scale));
}
