// The forgetting quality of the NeurIPS 2023 unlearning challenge (arXiv 2406.09073): for each forgotten sample, the epsilon with
// which attacks tell the confidences of unlearned models from those of models that never saw it, and points for a small one. Two
// conventions, both named: the paper's text, and the challenge's released scorer. The scorer tries thresholds on a grid, 100 a
// unit; here they lie between all observed confidences, in the range of that grid, so none is missed. A number called FQS or privacy score in a later comparison is another one: it takes the smaller of the two
// logarithms, pools the samples of one pair of models, and gives 2^-epsilon. It is not computed here.

import { countBelow } from './sorted.ts';

/** How points are given. */
export type Convention =
  /** 2^(1 - n) for epsilon in the n-th bin of width 1/2, whatever n. */
  | 'paper'
  /**
   * As the released scorer: epsilon is 50 where one side's range is below a hundredth of the other's, and there are no points
   * from ceil(ln(models - 1)) on.
   */
  | 'released';

const DELTA = 1e-5;
/** Largest epsilon that is reported. */
const EPSILON_CAP = 50;
const BIN = 0.5;
/** How far bands may go beyond the narrower side. */
const BUFFER = 2;

/**
 * Epsilon of one sample, 0 to 50: the largest over attacks of max(ln(1 - delta - FPR) - ln FNR, ln(1 - delta - FNR) - ln FPR),
 * delta = 1e-5; 50 where an attack makes no error; attacks where exactly one rate is 0 are left out, as too few models are the
 * likely reason. Attacks: confidence of at least t is the side with the larger median; confidence in [l, r] is the side with
 * the smaller range, r being within 2 of that side's largest and r - l within 2 of its range, as in the released scorer.
 * @param unlearned confidences of models that unlearned the sample, [models].
 * @param retrained confidences of models that never saw it, [models].
 * @throws RangeError where a side has no models or a confidence is not finite.
 */
export function sampleEpsilon(
  unlearned: ArrayLike<number>,
  retrained: ArrayLike<number>,
  convention: Convention = 'paper',
): number {
  const [u, r] = [unlearned, retrained].map((side) => Float64Array.from(side).sort());
  if (u.length === 0 || r.length === 0)
    throw new RangeError(`sampleEpsilon: ${u.length} unlearned and ${r.length} retrained models`);
  if (![...u, ...r].every(Number.isFinite))
    throw new RangeError('sampleEpsilon: a confidence is not finite, expected numbers');
  const [spreadU, spreadR] = [u, r].map((side) => side[side.length - 1] - side[0]);
  const [narrow, wide] = spreadU < spreadR ? [spreadU, spreadR] : [spreadR, spreadU];
  if (convention === 'released' && narrow < 0.01 * wide) return EPSILON_CAP;

  const thresholds = Float64Array.from(new Set([...u, ...r])).sort();
  const [high, low] = median(r) > median(u) ? [r, u] : [u, r];
  const [peak, flat] = spreadU < spreadR ? [u, r] : spreadR < spreadU ? [r, u] : [low, high];
  const counts = (side: Float64Array): readonly Counted[] =>
    Array.from(thresholds, (t) => ({ under: countBelow(side, t), upTo: countBelow(side, t, true) }));
  const [highs, lows, peaks, flats] = [high, low, peak, flat].map(counts);
  let most = 0;
  const attack = (missed: number, called: number) => {
    most = Math.max(most, epsilonOf(missed, called));
  };
  const last = thresholds.length - 1;
  const top = peak[peak.length - 1];
  for (let i = 0; i <= last; i++) {
    attack(highs[i].under / high.length, 1 - lows[i].under / low.length);
    for (let j = i; j <= last; j++) {
      // The bands that hold what lies from threshold i to j: l is above the one before i, r below the one after j.
      const [l, r] = [thresholds[i], Math.max(thresholds[j], top - BUFFER)];
      const [before, after] = [
        i > 0 ? thresholds[i - 1] : -Infinity,
        Math.min(j < last ? thresholds[j + 1] : Infinity, top + BUFFER),
      ];
      if (r >= after || r - l > narrow + BUFFER || after - before < narrow - BUFFER) continue;
      const held = (counts: readonly Counted[]) => counts[j].upTo - counts[i].under;
      attack(1 - held(peaks) / peak.length, held(flats) / flat.length);
    }
  }
  return Math.min(EPSILON_CAP, most);
}

/** Of one side at a threshold: how many lie below it, and up to it. */
interface Counted {
  readonly under: number;
  readonly upTo: number;
}

/** Epsilon that these rates show; 0 where they show none. */
function epsilonOf(falseNegatives: number, falsePositives: number): number {
  // Rates are counts over counts; what is left of a rounded difference is no rate.
  const [fnr, fpr] = [falseNegatives, falsePositives].map((rate) => (rate < 1e-12 ? 0 : rate));
  if (fnr === 0 && fpr === 0) return Infinity;
  if (fnr === 0 || fpr === 0) return 0;
  const one = (a: number, b: number) => (1 - DELTA - a > 0 ? Math.log(1 - DELTA - a) - Math.log(b) : 0);
  return Math.max(0, one(fpr, fnr), one(fnr, fpr));
}

/** Points for an epsilon, 0 to 1: 1 below 1/2, half as many for each further 1/2. @param models a side; for `released`. */
export function pointsOf(epsilon: number, models: number, convention: Convention = 'paper'): number {
  if (convention === 'released' && !(epsilon < Math.ceil(Math.log(models - 1)))) return 0;
  return 2 ** -Math.floor(epsilon / BIN);
}

/** What the score of the challenge is made of. Accuracies in one unit. */
interface FinalScore {
  /** Mean of the points, 0 to 1. */
  readonly quality: number;
  /** Accuracies on retained samples. */
  readonly retain: { readonly unlearned: number; readonly retrained: number };
  /** Accuracies on test samples. */
  readonly test: { readonly unlearned: number; readonly retrained: number };
}

/** quality RA(unlearned) / RA(retrained) TA(unlearned) / TA(retrained); 1 for what is like retraining. */
export const finalScore = ({ quality, retain, test }: FinalScore): number =>
  (quality * retain.unlearned * test.unlearned) / (retain.retrained * test.retrained);

const median = (sorted: Float64Array): number =>
  (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
