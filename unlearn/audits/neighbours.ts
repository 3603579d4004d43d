// Which classes a model names for pictures of a class that is gone: does it do so as retrained models do?

import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { Stream } from '../random.ts';
import { type Interval, quantileOf, studentQuantile } from '../statistics/interval.ts';
import {
  centredLogits,
  meanProfile,
  meanShares,
  neighbourShares,
  separability,
  totalVariation,
} from '../statistics/neighbours.ts';
import { rowsWhere, selectRows } from '../statistics/outputs.ts';
import { spreadOf } from '../statistics/spread.ts';
import { defineAudit } from './define.ts';
import { ALONE, NO_TEST, pause, peersOf } from './rows.ts';

/** Test samples of a class below which nothing is said. */
const MIN_SAMPLES = 20;
const BOOTSTRAPS = 500;

export const neighbours = defineAudit({
  name: 'neighbours',
  title: 'Neighbouring classes (after CMIA)',
  definition:
    'How far the probabilities that the audited model gives the other classes on test samples of a forgotten class are from those of retrained models; and how well a classifier tells these samples from those of the nearest class by logits of the other classes.',
  formula:
    'TV = ½ Σ_c |m_c(u) − mean_r m_c(r)|, m_c the mean over T_f of p_c / (1 − p_f); acc = accuracy of logistic regression on half of T_f against as many of T of class argmax_c mean_r m_c(r), on the other halves',
  source: 'The idea is that of CMIA (arXiv 2506.20893). Profile, distance, classifier and splits are ours.',
  fools:
    'It compares means over the class: single samples may be given away all the same. Retrained models differ among themselves, so the value of the retrained row against other seeds is the floor. A model trained to imitate a retrained one’s profile passes.',
  certainty:
    'TV: 95 % of bootstraps over T_f, the same for all models; it is never below 0, so few samples raise it. Accuracy: Student’s interval over the halvings, widened for their overlap (Nadeau and Bengio 2003). Neither is over trainings.',
  cost: 'One pass over T_f and T of each model; ten small logistic regressions for each forgotten class.',
  tasks: 'class',
  needs: ['retrain'],
  uses: ['retrains'],
  options: section('The classifier.', {
    splits: opt(int('Halvings of the samples.', 2, 1000), 10),
  }),
  gives: {
    neighbours: {
      label: 'Neighbours',
      about:
        'Total variation between the profile of neighbouring classes and retrain’s; mean over forgotten classes.',
      unit: '%',
      target: 'retrain',
      digits: 1,
    },
    neighbours_accuracy: {
      label: 'Neighbours, accuracy',
      about:
        'Accuracy of a classifier between T_f and test samples of the nearest class; 50: nothing tells them apart.',
      unit: '%',
      target: 'retrain',
      digits: 1,
    },
  },
  async audit({ splits }, input) {
    const { own, sets, classes: K, goneClasses, seed, signal } = input;
    const { gone, kept } = sets;
    const nothing = { neighbours: null, neighbours_accuracy: null };
    if (!gone) return { values: nothing, notes: [NO_TEST] };
    const peers = peersOf(input);
    if (peers.length === 0) return { values: nothing, notes: [ALONE] };
    if (K - goneClasses.length < 2)
      return { values: nothing, notes: ['There is one other class: it has all neighbours.'] };
    const answers = await own.answers(gone, { signal });
    const mine = neighbourShares(answers, K, goneClasses);
    const theirs: Float64Array[] = [];
    for (const peer of peers)
      theirs.push(neighbourShares(await peer.answers(gone, { signal }), K, goneClasses));
    const others = await own.answers(kept, { signal });

    const distances: number[] = [];
    const drawn: number[][] = [];
    const accuracies: number[][] = [];
    const notes: string[] = [];
    for (const c of goneClasses) {
      const rows = rowsWhere(gone.labels, (label) => label === c);
      if (rows.length < MIN_SAMPLES) {
        notes.push(`Class ${c} has ${rows.length} test samples, ${MIN_SAMPLES} are needed.`);
        continue;
      }
      await pause(input);
      const distance = (at: ArrayLike<number>) =>
        100 *
        totalVariation(
          meanShares(mine, K, at),
          meanProfile(theirs.map((shares) => meanShares(shares, K, at))),
        );
      distances.push(distance(rows));
      const stream = new Stream(seed, c, 0, 0x6e626f6f);
      drawn.push(
        Array.from({ length: BOOTSTRAPS }, () => distance(rows.map(() => rows[stream.below(rows.length)]))),
      );
      const profile = meanProfile(theirs.map((shares) => meanShares(shares, K, rows)));
      const nearest = profile.indexOf(Math.max(...profile));
      const near = rowsWhere(kept.labels, (label) => label === nearest);
      const [a, b] = [selectRows(answers, K, rows), selectRows(others, K, near)].map((set) =>
        centredLogits(set, K, goneClasses),
      );
      if (Math.min(a.n, b.n) < MIN_SAMPLES)
        notes.push(
          `Fewer than ${MIN_SAMPLES} usable answers on class ${c} or its neighbour, class ${nearest}.`,
        );
      else accuracies.push(separability(a, b, { splits, seed }));
    }
    const mean = (values: readonly number[]) => spreadOf(values)?.mean ?? null;
    const across = (lists: readonly number[][]) =>
      (lists[0] ?? []).map((_, i) => mean(lists.map((list) => list[i])) as number);
    const [boots, halvings] = [across(drawn), across(accuracies)];
    return {
      values: { neighbours: mean(distances), neighbours_accuracy: mean(halvings) },
      intervals: {
        ...(boots.length > 0 && {
          neighbours: [quantileOf(boots, 0.025), quantileOf(boots, 0.975)] as const,
        }),
        ...(halvings.length > 1 && { neighbours_accuracy: overlapping(halvings) }),
      },
      notes,
    };
  },
});

/** Student's interval of a mean over random halvings: as they overlap, the variance of the mean is s² (1/J + 1). */
function overlapping(values: readonly number[]): Interval {
  const { mean, std, n } = spreadOf(values) as { mean: number; std: number; n: number };
  const half = studentQuantile(0.975, n - 1) * std * Math.sqrt(1 / n + 1);
  return [mean - half, mean + half];
}
