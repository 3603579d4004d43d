// The linear probe for forgotten samples: do frozen features still tell them from samples that were never seen?

import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { joinPoints, selectPoints } from '../statistics/points.ts';
import { crossFitted } from '../statistics/probe.ts';
import { rocIntervals, rocOf } from '../statistics/roc.ts';
import { defineAudit } from './define.ts';
import { DIVERGED, finitePoints, matchedRows } from './rows.ts';

/** Samples on each side below which nothing is said. */
const MIN_SAMPLES = 20;

export const membershipProbe = defineAudit({
  name: 'membershipProbe',
  title: 'Linear probe of membership',
  definition:
    'How well a linear classifier on the frozen features tells forgotten samples from test samples of the same classes, judged on samples it was not fitted on.',
  formula: 'AUC of w′h + b between F and as many of T of the same classes, five-fold',
  source: 'Ours; a linear probe, as in arXiv 2604.08271, asked for membership instead of the class.',
  fools:
    'Networks that hardly overfit: already the original’s features tell little. A linear probe misses what only a nonlinear attacker sees. Where F and T differ in themselves (other sources, another time) retrain is above 0.5, too.',
  certainty:
    'A bootstrap over both sides’ samples with the folds as they are; not over trainings: use several seeds.',
  cost: 'One pass over F and T for features; 25 logistic regressions of two classes.',
  tasks: 'samples',
  needs: ['network'],
  uses: [],
  options: section('How the probe is trained.', {
    folds: opt(int('Parts of which each is judged by a probe of the others.', 2, 50), 5),
    samples: opt(int('Samples on each side at most.', MIN_SAMPLES, 100_000), 1000),
  }),
  gives: {
    membership_probe: {
      label: 'Membership probe, AUC',
      about: 'AUC of the probe between forgotten and unseen samples; 0.5 where nothing tells them apart.',
      unit: '0 to 1',
      target: 'retrain',
      digits: 3,
    },
  },
  async audit({ folds, samples }, { own, sets: { forget, test }, seed, signal }) {
    const nothing = { membership_probe: null };
    const [rows, others] = matchedRows([forget.labels, test.labels], samples, seed, 1);
    if (rows.length < MIN_SAMPLES)
      return {
        values: nothing,
        notes: [
          `Only ${rows.length} forgotten samples have a test sample of their class; ${MIN_SAMPLES} are needed.`,
        ],
      };
    const F = finitePoints(await own.features(forget, { signal }));
    const T = finitePoints(await own.features(test, { signal }));
    if (!F || !T) return { values: nothing, notes: [DIVERGED] };
    const points = joinPoints(selectPoints(F, rows), selectPoints(T, others));
    const labels = Uint8Array.from({ length: points.n }, (_, i) => Number(i < rows.length));
    const scores = crossFitted(points, labels, folds, seed);
    const [members, unseen] = [scores.slice(0, rows.length), scores.slice(rows.length)];
    return {
      values: { membership_probe: rocOf(members, unseen).auc },
      intervals: { membership_probe: rocIntervals(members, unseen, { seed }).auc },
      samples: [
        {
          set: 'forget' as const,
          about: 'Log-odds of a linear probe of features that the sample was trained on.',
          ids: Array.from(rows, (row) => forget.ids[row]),
          scores: Array.from(members),
        },
      ],
    };
  },
});
