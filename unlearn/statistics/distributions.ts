// The normal distribution (series and continued fraction of Abramowitz and Stegun, 26.2; about 1e-14 relative, in the tails
// too), quantiles of the beta distribution, and the exact interval of a share that is built on them.

import { incompleteBeta } from './gamma.ts';
import type { Interval } from './interval.ts';

/** P(Z <= x) of a standard normal Z. NaN stays NaN. */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return x;
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const size = Math.abs(x);
  if (size > 3) {
    // The tail as a continued fraction, from the inside out.
    let fraction = size;
    for (let k = 120; k >= 1; k--) fraction = size + k / fraction;
    const tail = density === 0 ? 0 : density / fraction;
    return x > 0 ? 1 - tail : tail;
  }
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (x * x) / k;
  return 0.5 + density * sum;
}

/** The quantile of beta(a, b): the x below which a share p of it lies, by bisection to the last bits. */
function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 200 && high - low > 1e-16 * high; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The exact interval of a share (Clopper and Pearson 1934): each bound is missed with probability at most `alpha` / 2.
 * @throws RangeError where `hits` is not a whole number from 0 to `n`, or there are no trials.
 */
export function shareInterval(hits: number, n: number, alpha = 0.05): Interval {
  if (!(Number.isInteger(hits) && Number.isInteger(n) && n >= 1 && hits >= 0 && hits <= n))
    throw new RangeError(`shareInterval: expected 0 to n hits in n trials, got ${hits} in ${n}`);
  return [
    hits === 0 ? 0 : betaQuantile(alpha / 2, hits, n - hits + 1),
    hits === n ? 1 : betaQuantile(1 - alpha / 2, hits + 1, n - hits),
  ];
}
