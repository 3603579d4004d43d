// Mean and sample standard deviation of a few numbers, those that are missing left out.

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
