// RMIA, offline: how much likelier a model makes a sample than models that never saw it, against how much likelier it makes
// samples of the population. Zarifzadeh, Liu and Shokri, "Low-Cost High-Power Membership Inference Attacks" (ICML 2024), and
// its released code. Differences are named where they are.

import { rocOf } from './roc.ts';
import { countBelow } from './sorted.ts';
import { meanOf } from './spread.ts';

/** What reference models say of n samples: probabilities of the true label, 0 to 1, and whether they were trained on them. */
export interface Said {
  /** [references][n]. */
  readonly references: readonly ArrayLike<number>[];
  /** [references][n], 1 where the reference was trained on the sample. */
  readonly members: readonly ArrayLike<number>[];
}

/** The same with the model that is attacked. */
export interface Signals extends Said {
  /** [n]. */
  readonly own: ArrayLike<number>;
}

/** How the attack is made. */
interface RmiaOptions {
  /** From the mean over models that never saw x to the one over all: p(x) = ((1 + a) out + 1 - a) / 2. 0 to 1. */
  readonly a: number;
  /** How much likelier x must be than z to count. */
  readonly gamma?: number;
}

/** Of a where no reference can be attacked with another: the released code's. */
export const DEFAULT_A = 0.3;
/** Least p of a model without the sample where it is derived from one with it; ours, as that may come out negative. */
const MIN_PROBABILITY = 1e-6;

/**
 * p(x) of each sample, [n]: what a model says of it that may or may not have seen it. `out` is the mean over references that
 * were not trained on x. Where there is none the relation in = a out + 1 - a is turned around.
 * The released code pads with zeros where samples have fewer such references than others; here the mean is over those there are.
 */
function expected({ references, members }: Said, a: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const without = references.filter((_, r) => members[r][i] === 0);
    // At a = 0 the relation has no inverse; the released code takes 0.3 there.
    const turned = a === 0 ? DEFAULT_A : a;
    const out =
      without.length > 0
        ? meanOf(without.map((p) => p[i]))
        : meanOf(references.map((p) => Math.max(MIN_PROBABILITY, (p[i] + turned - 1) / turned)));
    // Only at a = 1 can it be 0; the least number keeps the ratio finite.
    return Math.max(Number.MIN_VALUE, ((1 + a) * out + (1 - a)) / 2);
  });
}

/**
 * Scores of the samples, [n], 0 to 1: the share of the population z with (p(x|model) / p(x)) > gamma (p(z|model) / p(z)).
 * @throws RangeError where there are no references or no population.
 */
export function rmiaScores(
  samples: Signals,
  population: Signals,
  { a, gamma = 1 }: RmiaOptions,
): Float64Array {
  if (samples.references.length === 0) throw new RangeError('rmia: no references');
  if (population.own.length === 0) throw new RangeError('rmia: no population');
  const ratios = (signals: Signals) => {
    const p = expected(signals, a, signals.own.length);
    return p.map((value, i) => Math.min(Number.MAX_VALUE, signals.own[i] / value));
  };
  const z = ratios(population)
    .map((ratio) => gamma * ratio)
    .sort();
  return ratios(samples).map((ratio) => countBelow(z, ratio) / z.length);
}

/**
 * The a of 0, 0.1, .. 1 with which references are attacked best, in the mean of the areas under the curve; the smallest of
 * equals. Each reference is attacked with the others but its partner: references 2k and 2k + 1 are trained on complementary
 * halves, so the partner tells who was a member. Where there is one pair alone each is attacked with the other. Null where no
 * reference can be attacked: for one alone take `DEFAULT_A`.
 */
export function tunedA(samples: Said, population: Said, gamma = 1): number | null {
  const attacks = samples.references.flatMap((own, target) => {
    const all = samples.references.map((_, r) => r).filter((r) => r !== target);
    const apart = all.filter((r) => r !== (target ^ 1));
    const helpers = apart.length > 0 ? apart : all;
    const others = (said: Said, rows: number[]): Signals => ({
      own: pick(said.references[target], rows),
      references: helpers.map((r) => pick(said.references[r], rows)),
      members: helpers.map((r) => pick(said.members[r], rows)),
    });
    const isMember = samples.members[target];
    const unseen = rowsOf(population.members[target], 0);
    const [inside, outside] = [rowsOf(isMember, 1), rowsOf(isMember, 0)];
    if (helpers.length === 0 || unseen.length === 0 || inside.length === 0 || outside.length === 0) return [];
    return [
      {
        inside,
        outside,
        samples: others(
          samples,
          Array.from({ length: own.length }, (_, i) => i),
        ),
        population: others(population, unseen),
      },
    ];
  });
  if (attacks.length === 0) return null;
  let [best, bestArea] = [DEFAULT_A, -1];
  for (let step = 0; step <= 10; step++) {
    const a = step / 10;
    const areas = attacks.map((one) => {
      const scores = rmiaScores(one.samples, one.population, { a, gamma });
      return rocOf(pick(scores, one.inside), pick(scores, one.outside)).auc;
    });
    if (meanOf(areas) > bestArea + 1e-12) [best, bestArea] = [a, meanOf(areas)];
  }
  return best;
}

const pick = (values: ArrayLike<number>, rows: readonly number[]): Float64Array =>
  Float64Array.from(rows, (row) => values[row]);
const rowsOf = (flags: ArrayLike<number>, wanted: number): number[] =>
  Array.from(flags).flatMap((flag, row) => (flag === wanted ? [row] : []));
