// Intervals of means over a few seeds, by Student's t.

import type { Spread } from './spread.ts';

/** Lower and upper bound. */
export type Interval = readonly [number, number];

/**
 * Probability that Student's t of `df` degrees of freedom (a whole number) is between -t and t, in closed form (Abramowitz
 * and Stegun, 26.7.3 and 26.7.4).
 */
function central(t: number, df: number): number {
  const angle = Math.atan(t / Math.sqrt(df));
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const odd = df % 2 === 1;
  let term = odd ? cos : 1;
  let sum = df === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= df - 2; k += 2) {
    term *= ((k - 1) / k) * cos * cos;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + sin * sum) : sin * sum;
}

/**
 * The number that Student's t stays below with probability `p`.
 * @throws RangeError where p is not within (0, 1), or df is no whole number of at least 1.
 */
export function tQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`tQuantile: p is ${p}, expected more than 0 and less than 1`);
  if (!(Number.isInteger(df) && df >= 1))
    throw new RangeError(`tQuantile: df is ${df}, expected a whole number of at least 1`);
  if (p < 0.5) return -tQuantile(1 - p, df);
  let [low, high] = [0, 1];
  while (central(high, df) < 2 * p - 1 && high < 1e300) high *= 2;
  for (let i = 0; i < 200 && high > low; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (central(middle, df) < 2 * p - 1) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Interval of the mean that the values were drawn around, at the given level; null for a single value. */
export function tInterval({ mean, std, n }: Spread, level = 0.95): Interval | null {
  if (std === null) return null;
  const half = (tQuantile((1 + level) / 2, n - 1) * std) / Math.sqrt(n);
  return [mean - half, mean + half];
}
