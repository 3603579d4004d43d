// Every number that the verdict rests on, with its reason; from which distance on a metric shows a trace stands in its record
// (metrics/). All are ours, and docs/metrics.md lists them for readers. A distance counts as far only where it is also larger
// than what retraining itself varies by: see `limitOf`.

/** Standard deviations that guessing exceeds once in a thousand times: the bound of a share counted over n samples. */
export const CHANCE = 3.09;

/** Share of the way from guessing to 100 % from which a network counts as having learned: significance alone is little. */
export const LEARNED = 0.25;

/** Points of RA lost, against the original model, from which a method counts as collapsed. */
export const COLLAPSE = 20;

/** A method that moved UA by less than this share of what retraining moves it by has hardly forgotten. */
export const HARDLY = 0.25;
/** Points by which retraining must move UA for that to be asked. */
export const HARDLY_DUE = 2;

/** Distances from retraining up to which a cell counts as close, near and away; beyond, it is far. For records without `steps`. */
export const STEPS = [1, 3, 10] as const;

/** close: average gap at most, none of the measures off by more than, and at most this share of the original's own gap. */
export const CLOSE = { gap: 2, each: 5, share: 0.5 } as const;
/** partly: average gap at most. */
export const PARTLY = { gap: 8 } as const;

/** Average gap of the original, in points, up to which forgetting is not measurable: what is to be told apart is too alike. */
export const MEASURABLE = 3;

/** Audits that ask whether the information is still there, and the score from which it is: more like the original. */
export const HOLDING = { audits: ['probe', 'prototypes', 'relearn', 'rmia', 'ulira'], score: 0.5 } as const;
/** Score up to which an audit finds a method like retrain. */
export const LIKE_RETRAIN = 0.2;

/** Share of retrain's samples that lie above the threshold of the attacker's view. */
export const ABOVE = 0.05;

/** Spreads of retrain within which a distance is no trace: of normal values 95 % lie so near. */
export const SPREADS = 2;

/** Accuracy of an attack on its own training samples, %, below which older results are told to say little; chance is 50. */
export const ATTACK = 53;

/**
 * From which distance on a measure is far: `base`, or more where retrain itself varies more (over at least three seeds, or an
 * attack over its draws), or where one picture of the forgotten ones is more.
 */
export function limitOf(
  base: number,
  spread: { std: number | null; n: number } | null,
  draws = 0,
  one = 0,
): number {
  const seeds = spread && spread.n >= 3 ? (spread.std ?? 0) : 0;
  return Math.max(base, SPREADS * seeds, SPREADS * draws, one);
}
