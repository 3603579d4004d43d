// The forgetting score of the NeurIPS 2023 challenge as an audit. It is of the method, not of one model. The mathematics is
// statistics/forgettingScore.ts, the models are worlds.ts.

import { section } from '../options/fields.ts';
import { type Convention, finalScore, pointsOf, sampleEpsilon } from '../statistics/forgettingScore.ts';
import { meanInterval, quantileOf } from '../statistics/interval.ts';
import { halves } from '../statistics/klom.ts';
import { meanOf } from '../statistics/spread.ts';
import { scoresOf } from './asked.ts';
import { unmeasured } from './attack.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';
import { allRows, fewest, marginsOf, type World, worldsOf } from './worlds.ts';

/** Models a side below which rates are too coarse to name an epsilon. */
const MIN_MODELS = 8;

const share = (label: string, about: string): Figure => ({
  label,
  about,
  unit: '0 to 1',
  target: 'higher',
  digits: 3,
});
const gives = {
  forgetting_score: share(
    'Forgetting score',
    'Quality times both ratios of accuracy, by the paper’s points.',
  ),
  forgetting_score_released: share(
    'Forgetting score, released',
    'The same by the points of the released scorer.',
  ),
  forgetting_quality: share(
    'Forgetting quality',
    'Mean of the points of the forgotten samples, by the paper.',
  ),
  forgetting_loss: {
    label: 'Quality lost',
    about:
      'Quality between two halves of models that never saw the sample, minus quality with halves of both sides: 0 for perfect forgetting.',
    unit: '0 to 1',
    target: 'lower',
    digits: 3,
  },
  forgetting_floor: {
    label: 'Quality at best',
    about:
      'Quality between two halves of models that never saw the sample: what perfect forgetting gets with half as many models.',
    unit: '0 to 1',
    target: null,
    digits: 3,
  },
  forgetting_epsilon: {
    label: 'Median ε',
    about:
      'Median over the forgotten samples of the epsilon that the best attack shows; 50 stands for no error.',
    unit: 'nats',
    target: 'lower',
    digits: 2,
  },
  forgetting_retain_ratio: share(
    'RA ratio',
    'Accuracy on retained samples after unlearning over that before, among models trained on them.',
  ),
  forgetting_test_ratio: share(
    'TA ratio',
    'Accuracy on test samples after unlearning over that before, among models not trained on them.',
  ),
} satisfies Record<string, Figure>;

export const forgettingScore = defineAudit({
  name: 'forgettingScore',
  title: 'Forgetting score (NeurIPS 2023)',
  definition:
    'For each forgotten sample the best of many simple attacks tells models that unlearned it from models that never saw it; the ε it shows earns points, and their mean is multiplied with what accuracy was kept.',
  formula:
    'ε(x) = max over attacks of max(ln(1 - δ - FPR) - ln FNR, ln(1 - δ - FNR) - ln FPR), δ = 1e-5; points 2^(1-n) for ε in the n-th bin of width 1/2; score = mean points · RA_u / RA_r · TA_u / TA_r. Released: no points from ceil(ln(models - 1)) on, and none where one side’s range is below a hundredth of the other’s',
  source:
    'The challenge’s paper (arXiv 2406.09073) and its released scorer. Ours: thresholds between all observed values instead of a grid; references without the sample, on halves of the data, in the place of retrained models; the floor. It is not the "FQS" or privacy score of a later comparison, which takes the smaller logarithm and one pair of models.',
  fools:
    'Few models: the best of many thresholds finds differences where there are none, so quality is below 1 for perfect forgetting; compare with what halves of the oracle get. Accuracy above retraining’s makes up for forgetting that is missing. It judges the method on the references, not the audited model itself, and they forget a larger share of their training than it did.',
  certainty:
    'Student’s interval of the quality over samples, which share their models: too narrow where these are few. The challenge had 512 models a side; ε cannot exceed ln(models - 1) but by a perfect attack. Null below 8 models a side. On the original it is the value of doing nothing; on retrain that of two halves of the further retrained models, half as many a side as there are.',
  cost: 'One unlearning and two passes over D_f, T and at most 1,000 samples of D_r for each reference, shared with U-LiRA and KLoM; thresholds take models² for each sample.',
  tasks: 'samples',
  needs: ['references', 'unlearn'],
  uses: ['retrain', 'retrains'],
  options: section('The challenge’s score. It has no options: both conventions are given.', {}),
  gives,
  async audit(_, input) {
    const { sets } = input;
    const worlds = await worldsOf(input);
    const rows = allRows(sets.forget);
    const unlearned = marginsOf(worlds, { set: 'forget', state: 'after', members: true }, rows);
    const retrained = marginsOf(worlds, { set: 'forget', state: 'before', members: false }, rows);
    const models = Math.min(fewest(unlearned), fewest(retrained));
    const retain = ratio(worlds.models, 'kept', 1);
    const test = ratio(worlds.models, 'test', 0);
    if (models < MIN_MODELS || retain === null || test === null)
      return {
        values: unmeasured(gives),
        notes: [
          models < MIN_MODELS
            ? `A forgotten sample has ${models} models on a side, and rates need ${MIN_MODELS}: take more ${worlds.from}.`
            : 'References answer no retained or no test sample rightly: there is no accuracy to compare with.',
        ],
      };
    const points = (pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[]) =>
      pairs.map(([u, r]) => pointsOf(sampleEpsilon(u, r), models));
    const epsilons = (convention: Convention) =>
      unlearned.map((values, i) => sampleEpsilon(values, retrained[i], convention));
    const quality = (found: readonly number[], convention: Convention) =>
      found.map((epsilon) => pointsOf(epsilon, models, convention));
    const paper = epsilons('paper');
    const gained = quality(paper, 'paper');
    const apart = unlearned.map((values, i) => ({ u: halves(values), r: halves(retrained[i]) }));
    const floor = meanOf(points(apart.map(({ r }) => r)));
    const halved = meanOf(
      points(apart.flatMap(({ u, r }) => [[u[0], r[1]] as const, [u[1], r[0]] as const])),
    );
    const score = (quality: number) => finalScore({ quality, retain, test });
    const bounds = meanInterval(gained);
    return {
      values: {
        forgetting_score: score(meanOf(gained)),
        forgetting_score_released: score(meanOf(quality(epsilons('released'), 'released'))),
        forgetting_quality: meanOf(gained),
        forgetting_loss: floor - halved,
        forgetting_floor: floor,
        forgetting_epsilon: quantileOf(paper, 0.5),
        forgetting_retain_ratio: retain.unlearned / retain.retrained,
        forgetting_test_ratio: test.unlearned / test.retrained,
      },
      ...(bounds && { intervals: { forgetting_quality: bounds } }),
      notes: [
        `${models} models a side: ε up to ${Math.log(models - 1).toFixed(1)} can be told from a perfect attack.`,
      ],
      samples: [
        scoresOf(
          'forget',
          'ε of the best attack: how well models that unlearned it are told from models that never saw it.',
          sets.forget.ids,
          paper,
        ),
      ],
    };
  },
});

/** Shares of right answers after and before, over models and the samples they were (1) or were not (0) trained on; null where there are none before. */
function ratio(
  models: readonly World[],
  set: 'kept' | 'test',
  members: 0 | 1,
): { unlearned: number; retrained: number } | null {
  let [after, before, count] = [0, 0, 0];
  for (const model of models)
    for (const [row, member] of model.members[set].entries()) {
      if (member !== members) continue;
      after += model.after[set].right[row];
      before += model.before[set].right[row];
      count++;
    }
  return before > 0 ? { unlearned: after / count, retrained: before / count } : null;
}
