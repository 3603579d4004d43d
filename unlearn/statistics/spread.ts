// Means and spreads: of any numbers, and of a few runs with those that are missing left out.

/** Mean; NaN of none. */
export const meanOf = (values: ArrayLike<number>): number => momentsOf(values).mean;

/** Their number, their mean, and the sum of squares about it. */
export function momentsOf(values: ArrayLike<number>): { n: number; mean: number; squares: number } {
  const n = values.length;
  let [mean, squares] = [0, 0];
  for (let i = 0; i < n; i++) mean += values[i];
  mean /= n;
  for (let i = 0; i < n; i++) squares += (values[i] - mean) ** 2;
  return { n, mean, squares };
}

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation (n - 1); null for a single value. */
  readonly std: number | null;
  /** Runs in which the metric has a finite value. */
  readonly n: number;
}

/** Mean, sample standard deviation and count of the finite values; null when there are none. */
export function spreadOf(values: Iterable<number | null | undefined>): Spread | null {
  const finite = [...values].filter(
    (value): value is number => typeof value === 'number' && Number.isFinite(value),
  );
  const n = finite.length;
  if (n === 0) return null;
  const mean = finite.reduce((sum, value) => sum + value, 0) / n;
  const squares = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : null, n };
}
