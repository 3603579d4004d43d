// How sure a number is: quantiles of samples, and Student's interval of a mean over few seeds.

import { incompleteBeta } from './gamma.ts';
import { spreadOf } from './spread.ts';

/** 95 % of a standard normal variable lie within plus and minus this. */
export const NORMAL_95 = 1.959964;

/** Bounds, the lower first. */
export type Interval = readonly [low: number, high: number];

/**
 * A quantile of numbers, linear between the two that enclose it, as numpy's default.
 * @param share from 0 (the least) to 1 (the largest).
 * @throws RangeError where there are none.
 */
export function quantileOf(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) throw new RangeError('quantileOf: no values');
  const sorted = Float64Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  // Equal neighbours are named as they stand: infinities have no difference.
  return sorted[below] === sorted[above]
    ? sorted[below]
    : sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/** The distribution function of Student's t with `freedom` degrees of freedom. */
function studentBelow(t: number, freedom: number): number {
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
  return t > 0 ? 1 - tail : tail;
}

/**
 * The quantile of Student's t with `freedom` degrees of freedom: the t below which a share of it lies.
 * @throws RangeError unless 0 < share < 1 and freedom > 0.
 */
export function studentQuantile(share: number, freedom: number): number {
  if (!(share > 0 && share < 1 && freedom > 0))
    throw new RangeError(
      `studentQuantile: expected a share between 0 and 1 and degrees of freedom above 0, got ${share}, ${freedom}`,
    );
  if (share < 0.5) return -studentQuantile(1 - share, freedom);
  let [low, high] = [0, 1];
  while (studentBelow(high, freedom) < share) high *= 2;
  for (let i = 0; i < 200 && low < high; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (studentBelow(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Student's interval of the mean of independent runs, such as seeds: mean plus and minus t s / sqrt(n), n - 1 degrees of
 * freedom. Values that are missing are left out; null where fewer than two are there.
 * @param level how often such intervals hold the mean, 0.95 by default.
 */
export function meanInterval(values: Iterable<number | null | undefined>, level = 0.95): Interval | null {
  const spread = spreadOf(values);
  if (spread === null || spread.std === null) return null;
  const half = (studentQuantile((1 + level) / 2, spread.n - 1) * spread.std) / Math.sqrt(spread.n);
  return [spread.mean - half, spread.mean + half];
}
