// Variance over nested seeds: how much of what a number varies by is the training, and how much what comes after it. One-way
// random effects, by the method of moments (analysis of variance). Many unlearning seeds of one original do not replace several
// originals: they tell the second part alone (arXiv 2510.26714).

import { meanOf } from './spread.ts';

/** Variances of a number. */
export interface Components {
  /** Between groups, such as originals; 0 where groups differ no more than their members do. */
  readonly between: number;
  /** Within a group, such as methods' seeds on one original. */
  readonly within: number;
  /** Groups. */
  readonly groups: number;
  /** All values. */
  readonly n: number;
}

/** The parts of a variance; null where there are fewer than two groups, or none has two members. */
export function components(groups: readonly (readonly number[])[]): Components | null {
  const sets = groups.map((group) => group.filter(Number.isFinite)).filter((group) => group.length > 0);
  const n = sets.reduce((sum, set) => sum + set.length, 0);
  const g = sets.length;
  if (g < 2 || n <= g) return null;
  const whole = meanOf(sets.flat());
  let [between, within] = [0, 0];
  for (const set of sets) {
    const own = meanOf(set);
    between += set.length * (own - whole) ** 2;
    for (const value of set) within += (value - own) ** 2;
  }
  const [a, b] = [between / (g - 1), within / (n - g)];
  // Members of a group, where groups are not of one size.
  const size = (n - sets.reduce((sum, set) => sum + set.length ** 2, 0) / n) / (g - 1);
  return { between: Math.max(0, (a - b) / size), within: b, groups: g, n };
}
