// Which share of the forgotten samples looks as if it had never been seen, without any other model to compare with.

import { choice, int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import type { Interval } from '../statistics/interval.ts';
import { type Mixture, mixture as mixtureOf } from '../statistics/mixture.ts';
import { entropy, logitConfidence, trueConfidence } from '../statistics/outputs.ts';
import { allFinite, joinPoints, pointsOf, selectPoints, standardiser } from '../statistics/points.ts';
import type { Points } from '../statistics/rbf.ts';
import type { Split } from '../types.ts';
import { defineAudit } from './define.ts';
import { matchedRows, pause } from './rows.ts';

/** Samples of each kind below which nothing is said. */
const MIN_SAMPLES = 20;
/** Residual from which the samples count as neither members nor others. */
const MAX_RESIDUAL = 0.25;
/** Bounds of logit-scaled confidences. */
const CLIP = 40;

type View = 'features' | 'answers';
const NAMES = {
  features: ['mixture', 'mixture_residual'],
  answers: ['mixture_answers', 'mixture_answers_residual'],
} as const;

const figures = (view: View) => {
  const of = view === 'features' ? 'features' : 'confidence, entropy and probability of the label';
  return [
    {
      label: `Unseen share, ${view}`,
      about: `Share of the forgotten samples that look never seen, by ${of}; may leave 0 to 100 by chance.`,
      unit: '%',
      target: 'retrain',
      digits: 1,
    },
    {
      label: `Residual, ${view}`,
      about: `How far they are from any such mixture, by ${of}, in squared distances between members and others; 0 where the share explains all.`,
      unit: '0 to 1',
      target: 'lower',
      digits: 2,
    },
  ] as const;
};
const [features, featuresResidual] = figures('features');
const [answers, answersResidual] = figures('answers');

export const mixture = defineAudit({
  name: 'mixture',
  title: 'Share that looks never seen (after SMI)',
  definition:
    'The forgotten samples are taken for a mixture of kept training samples and test samples of the same classes; the share of the latter is read off mean embeddings, with what the mixture leaves unexplained.',
  formula:
    'π = ⟨m_F − m_M, m_N − m_M⟩ / |m_N − m_M|², ρ = |m_F − (1−π) m_M − π m_N|² / |m_N − m_M|²; m mean embeddings in the kernel’s space, M of R, N of T',
  source:
    'The question is that of SMI (arXiv 2602.01150). Features, estimator, residual and intervals are ours.',
  fools:
    'A share near 100 with a large residual says that the samples are neither: forgotten too much, which marks them. A network that hardly overfits treats members and others alike, and there is no answer. Where T differs from the training data in itself, that counts as being unseen.',
  certainty:
    '95 % of 1,000 bootstraps over all three sets. No answer unless members and others differ by a permutation test at 0.01. Not over trainings: use several seeds.',
  cost: 'One pass over F, R and T; kernels of (3 n)² pairs and their bootstraps: about 3 s for each view at n = 200.',
  tasks: 'samples',
  needs: [],
  uses: [],
  options: section('How the share is estimated.', {
    samples: opt(int('Samples of each kind at most.', MIN_SAMPLES, 2000), 200),
    kernel: opt(
      choice('`gaussian`, at the median distance, compares distributions; `linear` means.', [
        'gaussian',
        'linear',
      ]),
      'gaussian',
    ),
    bootstraps: opt(int('Bootstraps.', 20, 100_000), 1000),
  }),
  gives: {
    mixture: features,
    mixture_residual: featuresResidual,
    mixture_answers: answers,
    mixture_answers_residual: answersResidual,
  },
  async audit({ samples, kernel, bootstraps }, input) {
    const { own, sets, classes: K, seed, signal } = input;
    const splits = [sets.forget, sets.retain, sets.test];
    const values: Record<(typeof NAMES)[View][number], number | null> = {
      mixture: null,
      mixture_residual: null,
      mixture_answers: null,
      mixture_answers_residual: null,
    };
    const intervals: Partial<Record<keyof typeof values, Interval>> = {};
    const notes: string[] = [];
    const rows = matchedRows(
      splits.map(({ labels }) => labels),
      samples,
      seed,
      2,
    );
    if (rows[0].length < MIN_SAMPLES) {
      const reason = `Only ${rows[0].length} forgotten samples have a kept and a test sample of their class; ${MIN_SAMPLES} are needed.`;
      return { values, notes: [reason] };
    }
    const views: Readonly<Record<View, (split: Split) => Promise<Points>>> = {
      features: async (split) => {
        const found = await own.features(split, { signal });
        return pointsOf(found.values, found.width);
      },
      answers: async (split) => {
        const outputs = await own.answers(split, { signal });
        const [h, p] = [entropy(outputs, K), trueConfidence(outputs, K)];
        const phi = logitConfidence(outputs, K).map((value) => Math.max(-CLIP, Math.min(CLIP, value)));
        return pointsOf(
          Array.from(phi).flatMap((value, i) => [value, h[i], p[i]]),
          3,
        );
      },
    };
    for (const view of ['features', 'answers'] as const) {
      if (view === 'features' && !own.network) {
        notes.push('Several networks answer together: they have no features in common.');
        continue;
      }
      await pause(input);
      const parts: Points[] = [];
      for (const [i, split] of splits.entries()) parts.push(selectPoints(await views[view](split), rows[i]));
      const pooled = joinPoints(...parts);
      if (!allFinite(pooled)) {
        notes.push(`By ${view}: not all numbers are finite, no answer.`);
        continue;
      }
      const scale = standardiser(pooled);
      const [F, M, N] = parts.map(scale);
      const found: Mixture = mixtureOf(F, M, N, { kernel, bootstraps, seed });
      if (!found.answers) {
        notes.push(`By ${view}: kept and unseen samples look alike (p ${found.p.toFixed(3)}), no answer.`);
        continue;
      }
      const [share, residual] = NAMES[view];
      values[share] = 100 * found.share;
      values[residual] = found.residual;
      intervals[share] = [100 * found.shareInterval[0], 100 * found.shareInterval[1]];
      intervals[residual] = found.residualInterval;
      if (found.residualInterval[0] > MAX_RESIDUAL)
        notes.push(`By ${view}: the forgotten samples look like neither; the share alone misleads.`);
    }
    return { values, intervals, notes };
  },
});
