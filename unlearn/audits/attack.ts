// What all attacks on single samples report: how well scores tell members from samples that were never seen, with intervals, and
// which rates so few samples can show at all.

import { shareInterval } from '../statistics/distributions.ts';
import { leastRate, nestedRocIntervals, rocIntervals, rocOf, type Scored } from '../statistics/roc.ts';
import type { Figure, Figures, Finding } from './record.ts';

/** The numbers of an attack. */
type AttackName<Name extends string> = `${Name}_${'auc' | 'tpr_1' | 'tpr_01' | 'least_fpr'}`;

/** False-positive rates that are asked for, 0 to 1. */
const RATES = [0.01, 0.001] as const;
/** Samples a side below which nothing is said. */
const MIN_SAMPLES = 10;

/** The figures of an attack, the area first. @param title as columns call it. */
export function attackFigures<const Name extends string>(
  name: Name,
  title: string,
): Record<AttackName<Name>, Figure> {
  const rate = (percent: string): Figure => ({
    label: `${title} TPR at ${percent} %`,
    about: `Share of forgotten samples that the attack finds while it calls at most ${percent} % of unseen ones members; null where these are too few to tell.`,
    unit: '%',
    target: 'retrain',
    digits: 1,
  });
  return {
    [`${name}_auc`]: {
      label: `${title} AUC`,
      about:
        'How often a forgotten sample looks more like a member than an unseen one, ties half; 0.5 is chance.',
      unit: '0 to 1',
      target: 'retrain',
      digits: 3,
    },
    [`${name}_tpr_1`]: rate('1'),
    [`${name}_tpr_01`]: rate('0.1'),
    [`${name}_least_fpr`]: {
      label: `${title} least FPR`,
      about: 'The smallest share of unseen samples that there are enough of to tell: one of them.',
      unit: '%',
      target: null,
      digits: 2,
    },
  } as Record<AttackName<Name>, Figure>;
}

/** What an attack found. */
type AttackFinding<Name extends string> = Required<
  Pick<Finding<AttackName<Name>>, 'values' | 'intervals' | 'notes'>
>;

/**
 * What an attack's scores come to; more is more like a member. 95 % intervals are over samples; those of rates reach to the exact
 * binomial ones, as a rate of 0 or 1 does not vary when samples are drawn again.
 * @param redrawn scores with the attack's models drawn again: intervals are over models, too.
 */
export function attackFinding<const Name extends string>(
  name: Name,
  members: ArrayLike<number>,
  others: ArrayLike<number>,
  seed: number,
  redrawn: readonly Scored[] = [],
): AttackFinding<Name> {
  const values: Record<string, number | null> = unmeasured(attackFigures(name, ''));
  const intervals: Record<string, readonly [number, number]> = {};
  const notes: string[] = [];
  if (Math.min(members.length, others.length) < MIN_SAMPLES) {
    notes.push(
      `${members.length} members and ${others.length} unseen samples of their classes: an attack needs ${MIN_SAMPLES} of each.`,
    );
  } else {
    const percent = (share: number) => 100 * share;
    const roc = rocOf(members, others, RATES);
    const how = { rates: RATES, seed };
    const bounds = redrawn.length > 0 ? nestedRocIntervals(redrawn, how) : rocIntervals(members, others, how);
    const least = percent(leastRate(others.length));
    values[`${name}_auc`] = roc.auc;
    values[`${name}_least_fpr`] = least;
    intervals[`${name}_auc`] = bounds.auc;
    for (const [i, key] of [`${name}_tpr_1`, `${name}_tpr_01`].entries()) {
      const [value, bound] = [roc.tpr[i], bounds.tpr[i]];
      if (value !== null && bound !== null) {
        values[key] = percent(value);
        const exact = shareInterval(Math.round(value * members.length), members.length);
        intervals[key] = [percent(Math.min(bound[0], exact[0])), percent(Math.max(bound[1], exact[1]))];
      } else {
        notes.push(
          `${others.length} unseen samples cannot show a false-positive rate of ${percent(RATES[i])} %: the smallest is ${Number(least.toPrecision(2))} %.`,
        );
      }
    }
  }
  return { values, intervals, notes } as unknown as AttackFinding<Name>;
}

/** Null for each figure: it could not be measured. */
export function unmeasured<Gives extends Figures>(gives: Gives): Record<keyof Gives & string, null> {
  return Object.fromEntries(Object.keys(gives).map((name) => [name, null])) as Record<
    keyof Gives & string,
    null
  >;
}
