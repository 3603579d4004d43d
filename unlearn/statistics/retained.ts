// An attacker with the model before and the model after unlearning: which samples were trained on and kept, which were unlearned,
// which never seen? The setting is that of TC-UMIA (arXiv 2605.01129); what the attacker looks at and learns from is ours.

import { Stream } from '../random.ts';
import { type Interval, quantileOf } from './interval.ts';
import { joinPoints, pointsOf } from './points.ts';
import { choosePenalty, fitProbe, type Probe } from './probe.ts';
import type { Points } from './rbf.ts';
import { rocOf } from './roc.ts';

/** What samples were to a pair of models; also their classes for the attacker, in this order. */
export const FATES = ['unseen', 'retained', 'forgotten'] as const;
export type Fate = (typeof FATES)[number];

/** Logit-scaled confidences of the same samples under both models. */
export interface Pairs {
  /** Under the model before unlearning. */
  readonly before: ArrayLike<number>;
  /** Under the model after it. */
  readonly after: ArrayLike<number>;
}

/** Both confidences, and how far one moved from the other. */
function points({ before, after }: Pairs): Points {
  const rows = Array.from(before, (value, i) => [value, after[i], Math.abs(after[i] - value)]);
  return pointsOf(rows.flat(), 3);
}

function fitted(shadows: Readonly<Record<Fate, Pairs>>, fates: readonly Fate[], seed: number): Probe {
  const parts = fates.map((fate) => points(shadows[fate]));
  const labels = parts.flatMap(({ n }, k) => new Array<number>(n).fill(k));
  const all = joinPoints(...parts);
  return fitProbe(all, labels, fates.length, choosePenalty(all, labels, fates.length, seed));
}

interface RetainedAttack {
  /** AUC of retained against unseen samples by both models, 0 to 1. */
  readonly both: number;
  /** The same by the first model alone: its confidence. */
  readonly before: number;
  /** 95 % of bootstraps of the difference, over samples; both models judge the same draw. */
  readonly gainInterval: Interval;
  /** Mean over the three fates of the percent of samples that the attacker names by theirs; 33.3 at chance. */
  readonly accuracy: number;
}

/**
 * Attacks a pair of models with what was learned on pairs whose samples' fates are known.
 * @throws RangeError where a fate has no samples.
 */
export function attackRetained(
  shadows: Readonly<Record<Fate, Pairs>>,
  real: Readonly<Record<Fate, Pairs>>,
  { bootstraps = 200, seed = 0 } = {},
): RetainedAttack {
  for (const fate of FATES)
    if (shadows[fate].before.length < 2 || real[fate].before.length === 0)
      throw new RangeError(`attackRetained: expected samples of each fate, there are none ${fate}`);
  const two = fitted(shadows, ['unseen', 'retained'], seed);
  const odds = (pairs: Pairs): Float64Array => {
    const z = two.scores(points(pairs));
    return Float64Array.from(pairs.before, (_, i) => z[2 * i + 1] - z[2 * i]);
  };
  const [members, others] = [real.retained, real.unseen];
  const [high, low] = [odds(members), odds(others)];
  const auc = (a: ArrayLike<number>, b: ArrayLike<number>) => rocOf(a, b).auc;
  const stream = new Stream(seed, 0, 0, 0x72657461);
  const gains = Array.from({ length: bootstraps }, () => {
    const [m, o] = [members, others].map(({ before: { length } }) =>
      Int32Array.from({ length }, () => stream.below(length)),
    );
    const of = (values: ArrayLike<number>, rows: Int32Array) => Float64Array.from(rows, (r) => values[r]);
    return auc(of(high, m), of(low, o)) - auc(of(members.before, m), of(others.before, o));
  });
  const three = fitted(shadows, FATES, seed);
  const named = FATES.map((fate, k) => {
    const said = three.predict(points(real[fate]));
    return said.filter((label) => label === k).length / said.length;
  });
  return {
    both: auc(high, low),
    before: auc(members.before, others.before),
    gainInterval: [quantileOf(gains, 0.025), quantileOf(gains, 0.975)],
    accuracy: (100 * named.reduce((sum, share) => sum + share, 0)) / FATES.length,
  };
}
