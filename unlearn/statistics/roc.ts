// What an attack's scores are worth: the area under the ROC curve, the share of members found while few others are called
// members (Carlini et al. 2022: the rates at low error tell more than the mean), and how sure both are. More score: more like
// a member.

import { Stream } from '../random.ts';
import { type Interval, quantileOf } from './interval.ts';

/** Of one attack, or an interval of it; rates are 0 to 1. */
interface Roc<T = number> {
  /** Area under the curve: how often a member scores above a non-member, ties counting half. 0.5: the scores say nothing. */
  readonly auc: T;
  /**
   * For each false-positive rate asked for: the largest true-positive rate of thresholds with at most that rate; null where the
   * non-members are too few to tell (`leastRate`).
   */
  readonly tpr: readonly (T | null)[];
}

/** The smallest false-positive rate above 0 that so many non-members can show: one of them. */
export const leastRate = (nonMembers: number): number => 1 / nonMembers;

/** Non-members that may be called members at that rate. */
const allowed = (rate: number, nonMembers: number): number => Math.floor(rate * nonMembers + 1e-9);

/** Ranks from the largest score on, equal scores sharing one: of members, of the others, and how many there are. */
function ranked(members: ArrayLike<number>, nonMembers: ArrayLike<number>) {
  const scores = Float64Array.from([...Array.from(members), ...Array.from(nonMembers)]);
  if (members.length === 0 || nonMembers.length === 0)
    throw new RangeError(
      `roc: ${members.length} members and ${nonMembers.length} others, expected some of each`,
    );
  if (scores.some(Number.isNaN)) throw new RangeError('roc: a score is NaN, expected numbers');
  const distinct = Float64Array.from(new Set(scores)).sort().reverse();
  const rankOf = new Map(Array.from(distinct, (score, rank) => [score, rank]));
  const ranks = (from: ArrayLike<number>) => Int32Array.from(from, (score) => rankOf.get(score) as number);
  return { members: ranks(members), others: ranks(nonMembers), count: distinct.length };
}

/** The curve's numbers from how many members and others have each rank. */
function walk(members: Int32Array, others: Int32Array, rates: readonly number[]): Roc {
  let [hits, calls, area] = [0, 0, 0];
  const total = others.reduce((sum, count) => sum + count, 0);
  const all = members.reduce((sum, count) => sum + count, 0);
  const limits = rates.map((rate) => allowed(rate, total));
  const best = rates.map(() => 0);
  for (let rank = 0; rank < members.length; rank++) {
    // The others of this rank lie below all hits so far, and level with these members.
    area += others[rank] * (hits + members[rank] / 2);
    hits += members[rank];
    calls += others[rank];
    for (let i = 0; i < best.length; i++) if (calls <= limits[i]) best[i] = hits;
  }
  return {
    auc: area / (all * total),
    tpr: best.map((hit, i) => (limits[i] >= 1 ? hit / all : null)),
  };
}

const counted = (ranks: Int32Array, count: number): Int32Array => {
  const counts = new Int32Array(count);
  for (const rank of ranks) counts[rank]++;
  return counts;
};

/**
 * Area and true-positive rates of an attack.
 * @param rates false-positive rates, 0 to 1.
 * @throws RangeError where a side is empty or a score is NaN.
 */
export function rocOf(
  members: ArrayLike<number>,
  nonMembers: ArrayLike<number>,
  rates: readonly number[] = [],
): Roc {
  const { members: own, others, count } = ranked(members, nonMembers);
  return walk(counted(own, count), counted(others, count), rates);
}

/**
 * 95 % intervals of the same: percentiles over draws of as many members and as many non-members, with replacement, each side on
 * its own (the stratified bootstrap). They are over samples, with the models as they are.
 * @param draws 1,000 by default.
 */
export function rocIntervals(
  members: ArrayLike<number>,
  nonMembers: ArrayLike<number>,
  { rates = [], seed, draws = 1000 }: { rates?: readonly number[]; seed: number; draws?: number },
): Roc<Interval> {
  const stream = new Stream(seed, STREAM);
  const redrawn = redrawing({ members, others: nonMembers }, rates, stream);
  return intervalsOf(Array.from({ length: draws }, redrawn), rates.length);
}

/** Scores of both sides of an attack. */
export interface Scored {
  readonly members: ArrayLike<number>;
  readonly others: ArrayLike<number>;
}

/**
 * 95 % intervals over models and samples, a bootstrap on two levels: each of `models` are the scores of an attack with its models
 * drawn again with replacement, and from each both sides' samples are drawn `each` times.
 * @throws RangeError where there is no draw of models.
 */
export function nestedRocIntervals(
  models: readonly Scored[],
  { rates = [], seed, each = 5 }: { rates?: readonly number[]; seed: number; each?: number },
): Roc<Interval> {
  if (models.length === 0) throw new RangeError('roc: no draw of models');
  const stream = new Stream(seed, STREAM);
  const drawn = models.flatMap((scored) => Array.from({ length: each }, redrawing(scored, rates, stream)));
  return intervalsOf(drawn, rates.length);
}

/** Draws both sides again, as many of each as there are. */
function redrawing({ members, others }: Scored, rates: readonly number[], stream: Stream): () => Roc {
  const ranks = ranked(members, others);
  const redrawn = (from: Int32Array) => {
    const counts = new Int32Array(ranks.count);
    for (let i = 0; i < from.length; i++) counts[from[stream.below(from.length)]]++;
    return counts;
  };
  return () => walk(redrawn(ranks.members), redrawn(ranks.others), rates);
}

function intervalsOf(drawn: readonly Roc[], rates: number): Roc<Interval> {
  const interval = (values: readonly number[]): Interval => [
    quantileOf(values, 0.025),
    quantileOf(values, 0.975),
  ];
  return {
    auc: interval(drawn.map(({ auc }) => auc)),
    tpr: Array.from({ length: rates }, (_, i) =>
      drawn[0].tpr[i] === null ? null : interval(drawn.map(({ tpr }) => tpr[i] as number)),
    ),
  };
}

const STREAM = 0x726f63;
