// Curves of relearning in numbers: the mean height of a curve over log(1 + step), so that the first steps count as much as
// they tell, with its standard error over samples; and the step at which a model is back near the original. Ours; the stop
// rule is that of AIN (Chundawat et al. 2023) with the original's lead in place of its accuracy, recalled from the paper.

/** Share of the original's lead that may be missing where a model counts as back. */
const MISSING = 0.1;

/** A mean over samples. */
export interface Height {
  /** In the unit of the values. */
  readonly mean: number;
  /** Its standard error over the samples; NaN for fewer than two. */
  readonly error: number;
}

/**
 * What each point counts in the mean height of a curve over log(1 + step): trapezoids, divided by the whole width. They
 * sum to 1.
 * @param steps ascending, at least one; a single point counts 1.
 * @throws RangeError for steps that do not ascend from 0 or more.
 */
export function logWeights(steps: readonly number[]): Float64Array {
  if (steps.length === 0 || steps.some((step, i) => !(step >= 0) || (i > 0 && step <= steps[i - 1])))
    throw new RangeError(`relearn: expected steps that ascend from 0 or more, got [${steps.join(', ')}]`);
  const weights = new Float64Array(steps.length);
  if (steps.length === 1) return weights.fill(1);
  const places = steps.map(Math.log1p);
  const width = places[places.length - 1] - places[0];
  for (let i = 1; i < places.length; i++) {
    const half = (places[i] - places[i - 1]) / 2 / width;
    weights[i - 1] += half;
    weights[i] += half;
  }
  return weights;
}

/**
 * Mean height of a curve, each of whose points is a mean over the same samples.
 * @param values of each sample, for each of the steps.
 */
export function heightOver(steps: readonly number[], values: readonly ArrayLike<number>[]): Height {
  const weights = logWeights(steps);
  const each = Array.from({ length: values[0].length }, (_, s) =>
    weights.reduce((sum, weight, i) => sum + weight * values[i][s], 0),
  );
  const n = each.length;
  const mean = each.reduce((sum, value) => sum + value, 0) / n;
  const squares = each.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (n - 1) / n) };
}

/**
 * The first of the steps at which a model is back: its measure at least
 *   original - 0.1 (original - measure at the first step).
 * null where none is. A model that begins at the original's measure or above is back at once.
 */
export function stepsBack(
  steps: readonly number[],
  measured: readonly number[],
  original: number,
): number | null {
  const enough = original - MISSING * (original - measured[0]);
  const at = measured.findIndex((value, i) => value >= (i === 0 ? original : enough));
  return at < 0 ? null : steps[at];
}
