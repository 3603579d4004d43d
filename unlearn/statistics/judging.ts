// How well a number tells what a model still knows, from models of which that is known: a pool with truth (docs/which-metric.md).
// The protocol follows the meta-evaluation of OpenUnlearning (AUC between models trained with and without the data); grades,
// deception, over-forgetting and the reliability over seeds are ours.

import { components } from './nested.ts';
import { rocOf } from './roc.ts';

/** One model of the pool. */
export interface Pooled {
  /** What it is: models of several seeds share a rung. */
  readonly rung: string;
  /** Share of the forgotten data's influence that is in the model, 0 to 1. */
  readonly knows: number;
  /** Share that its answers show; below 0 where they are further off than a retrained model's. */
  readonly shows: number;
  /** The number, turned so that more says: knows more. NaN where it could not be measured. */
  readonly score: number;
}

/** What a number is worth. Each is null where the pool has too few models to tell. */
export interface Judgement {
  /** How often a model that knows all scores above one that knows nothing, 0 to 1; those whose answers hide it aside. */
  readonly knowing: number | null;
  /** The same between models whose answers hide what they know and models that know nothing. */
  readonly deception: number | null;
  /** Kendall's tau-b between score and knowledge over the models whose answers show what they know, -1 to 1. */
  readonly graded: number | null;
  /** Share of over-forgotten models that lie outside the range of those that know nothing, 0 to 1. */
  readonly overforgetting: number | null;
  /** Variance between rungs as a share of all variance, 0 to 1: the rest is seeds. */
  readonly reliability: number | null;
  /** Models that were measured, of all. */
  readonly measured: number;
  /** Models in the pool. */
  readonly models: number;
}

/** What a number is worth on a pool. */
export function judge(pool: readonly Pooled[]): Judgement {
  const known = pool.filter(({ score }) => Number.isFinite(score));
  const scores = (is: (one: Pooled) => boolean) => known.filter(is).map(({ score }) => score);
  const honest = (one: Pooled) => one.knows === one.shows;
  const nothing = scores((one) => honest(one) && one.knows === 0);
  const all = scores((one) => honest(one) && one.knows === 1);
  const hidden = scores(({ knows, shows }) => knows === 1 && shows <= 0);
  const over = scores(({ shows }) => shows < 0);
  const against = (members: readonly number[]) =>
    members.length > 1 && nothing.length > 1 ? rocOf(members, nothing).auc : null;
  const [low, high] = [Math.min(...nothing), Math.max(...nothing)];
  const outside = over.filter((score) => score < low || score > high);
  return {
    knowing: against(all),
    deception: against(hidden),
    graded: kendall(known.filter(honest).map(({ knows, score }) => [knows, score])),
    overforgetting: over.length > 0 && nothing.length > 1 ? outside.length / over.length : null,
    reliability: reliability(known),
    measured: known.length,
    models: pool.length,
  };
}

/** Kendall's tau-b of pairs; null where one of the two never differs. */
export function kendall(pairs: readonly (readonly [number, number])[]): number | null {
  let [sum, first, second] = [0, 0, 0];
  for (let i = 0; i < pairs.length; i++)
    for (let j = 0; j < i; j++) {
      const a = Math.sign(pairs[i][0] - pairs[j][0]);
      const b = Math.sign(pairs[i][1] - pairs[j][1]);
      sum += a * b;
      first += Math.abs(a);
      second += Math.abs(b);
    }
  return first > 0 && second > 0 ? sum / Math.sqrt(first * second) : null;
}

/** Intraclass correlation ICC(1): one-way random effects; rungs need not be of one size. */
function reliability(pool: readonly Pooled[]): number | null {
  const groups = new Map<string, number[]>();
  for (const { rung, score } of pool) groups.set(rung, [...(groups.get(rung) ?? []), score]);
  const parts = components([...groups.values()]);
  if (!parts || parts.between + parts.within === 0) return null;
  return parts.between / (parts.between + parts.within);
}
