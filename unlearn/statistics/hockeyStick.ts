// A lower bound on how far two distributions are apart in the sense of (epsilon, delta): the hockey-stick divergence
// E_gamma(P || Q) = sup over 0 <= f <= 1 of E_P f - gamma E_Q f, gamma = e^epsilon. Any f gives a lower bound: one is fitted
// on half of the rows and judged on the other half. Ours; at gamma = 1 it is the total variation.

import { permutation } from '../random.ts';
import { shareInterval } from './distributions.ts';
import { fitLogistic } from './logistic.ts';
import { joinPoints, selectPoints, standardiser } from './points.ts';
import type { Points } from './rbf.ts';

interface HockeyStickOptions {
  /** e^epsilon, at least 1. Default 1. */
  readonly gamma?: number;
  /** Probability with which `low` may be wrong. Default 0.05. */
  readonly alpha?: number;
  /** Penalty of the logistic regression. Default 1e-2. */
  readonly l2?: number;
  /** Of the halves. Default 0. */
  readonly seed?: number;
}

interface HockeyStick {
  /** The larger of both directions as it was measured, 0 to 1. */
  readonly delta: number;
  /** What delta is at least, but with probability `alpha`: exact binomial bounds, both directions counted. */
  readonly low: number;
}

/**
 * Between the rows of p and those of q. Sets of one size are cut in halves at the same places, so that rows that belong
 * together (answers of two models to one query) stay on one side.
 * @throws RangeError where a set has fewer than 4 rows, widths differ, or gamma is below 1.
 */
export function hockeyStick(p: Points, q: Points, options: HockeyStickOptions = {}): HockeyStick {
  const { gamma = 1, alpha = 0.05, l2 = 1e-2, seed = 0 } = options;
  if (p.n < 4 || q.n < 4 || p.d !== q.d || !(gamma >= 1))
    throw new RangeError(
      `hockeyStick: expected two sets of at least 4 rows and gamma of at least 1, got ${p.n} x ${p.d}, ${q.n} x ${q.d} and ${gamma}`,
    );
  const halves = (points: Points) => {
    const order = permutation(points.n, seed, 0, 0, 0x686f636b);
    const middle = points.n >> 1;
    return [selectPoints(points, order.subarray(0, middle)), selectPoints(points, order.subarray(middle))];
  };
  const [fitP, judgeP] = halves(p);
  const [fitQ, judgeQ] = halves(q);
  const fitted = joinPoints(fitQ, fitP);
  const scale = standardiser(fitted);
  const labels = Uint8Array.from({ length: fitted.n }, (_, i) => Number(i >= fitQ.n));
  const model = fitLogistic(scale(fitted), labels, { classes: 2, l2 });
  /** Log-odds of P against Q as if both were as many. */
  const odds = (points: Points) => {
    const z = model.scores(scale(points));
    const shift = Math.log(fitQ.n / fitP.n);
    return Array.from({ length: points.n }, (_, i) => z[2 * i + 1] - z[2 * i] + shift);
  };
  const [ofP, ofQ] = [odds(judgeP), odds(judgeQ)];
  const bound = Math.log(gamma);
  const judge = (a: readonly number[], b: readonly number[], sign: number) => {
    const hits = (values: readonly number[]) => values.filter((value) => sign * value > bound).length;
    const [above, below] = [hits(a), hits(b)];
    // Two bounds in each of two directions, each missed with alpha / 4.
    const [low] = shareInterval(above, a.length, alpha / 2);
    const [, high] = shareInterval(below, b.length, alpha / 2);
    return { delta: above / a.length - (gamma * below) / b.length, low: low - gamma * high };
  };
  const both = [judge(ofP, ofQ, 1), judge(ofQ, ofP, -1)];
  const largest = (name: 'delta' | 'low') => Math.max(0, ...both.map((one) => one[name]));
  return { delta: largest('delta'), low: largest('low') };
}
