// What is done to points before anything is computed of them: rows chosen, sets joined, features brought to one scale.

import type { Points } from './rbf.ts';

/** Points from numbers row by row, in float64. */
export function pointsOf(values: ArrayLike<number>, d: number): Points {
  const x = Float64Array.from(values);
  return { x, n: d === 0 ? 0 : x.length / d, d };
}

/** Whether all numbers are finite. */
export function allFinite({ x }: Points): boolean {
  return x.every((value) => Number.isFinite(value));
}

/** The rows named, in that order. */
export function selectPoints({ x, d }: Points, rows: ArrayLike<number>): Points {
  const out = new Float64Array(rows.length * d);
  for (let r = 0; r < rows.length; r++) out.set(x.subarray(rows[r] * d, (rows[r] + 1) * d), r * d);
  return { x: out, n: rows.length, d };
}

/** The rows of all, one set after the other. */
export function joinPoints(...sets: readonly Points[]): Points {
  const [{ d }] = sets;
  const n = sets.reduce((sum, set) => sum + set.n, 0);
  const x = new Float64Array(n * d);
  let at = 0;
  for (const set of sets) {
    x.set(set.x, at);
    at += set.x.length;
  }
  return { x, n, d };
}

/**
 * The map that brings each feature of these points to mean 0 and standard deviation 1 (of n); a feature that never varies
 * is only shifted.
 */
export function standardiser({ x, n, d }: Points): (points: Points) => Points {
  const mean = new Float64Array(d);
  const scale = new Float64Array(d);
  for (let t = 0; t < n; t++) for (let j = 0; j < d; j++) mean[j] += x[t * d + j] / n;
  for (let t = 0; t < n; t++) for (let j = 0; j < d; j++) scale[j] += (x[t * d + j] - mean[j]) ** 2 / n;
  for (let j = 0; j < d; j++) scale[j] = scale[j] > 1e-20 * (1 + mean[j] ** 2) ? 1 / Math.sqrt(scale[j]) : 1;
  return (points) => ({
    ...points,
    x: Float64Array.from(points.x, (value, i) => (value - mean[i % d]) * scale[i % d]),
  });
}
