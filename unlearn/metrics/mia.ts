// SalUn's MIA-efficacy: what an attack on confidences makes of the forgotten samples. The attack itself is statistics/mia.ts.

import { miaEfficacy } from '../statistics/mia.ts';
import { metric } from './record.ts';

export const mia = metric({
  key: 'mia',
  label: 'MIA',
  title: 'Membership inference (SalUn’s MIA-efficacy)',
  definition:
    'Share of forgotten samples that an attack on the true-label confidence calls NON-members; the mean over draws of its members. Points the opposite way to ASR.',
  formula: 'share of D_f an attack calls **non-member** (below)',
  unit: '%',
  range: [0, 100],
  target: 'retrain',
  aim: 'Aim: the retrained model’s value - not 100.',
  source: 'SalUn (ICLR 2024), released code',
  fools:
    'One rule judges all samples: they can agree with retrain’s on average while single ones stay exposed. Where D_r and T look alike the answer is a coin.',
  needs: ['forget', 'retain', 'kept'],
  cost: 'A kernel classifier on at most 2 |T| samples for each draw, five by default.',
  digits: 2,
  column: 'compared',
  trace: {
    far: 10,
    why: 'twice UA’s: an attack has a threshold, and jumps where an accuracy moves',
    above: {
      kind: 'overforgotten',
      text: (by) => `MIA ${by} above retraining’s: too much looks never seen`,
    },
    below: {
      kind: 'underforgotten',
      text: (by) => `MIA ${by} below retraining’s: too much looks trained on`,
    },
  },
  gives: {
    mia: { about: 'Mean over the draws of members, %.' },
    mia_sd: {
      about:
        'Sample standard deviation over the draws, points; `null` for a single draw. Larger than the differences it is to show, `mia` shows nothing.',
      sometimes: 'absent',
    },
    mia_attack_acc: {
      about:
        'Accuracy of the attack on its own training samples, %, mean over the draws. At chance it has learned nothing, and its verdict on D_f is noise.',
      sometimes: 'absent',
    },
    mia_measurable: {
      about:
        '1 where that accuracy is above chance in this model and in retrain, else 0: then `mia` says nothing.',
      sometimes: 'absent',
    },
  },
  measurable: 'mia_measurable',
  spread: 'mia_sd',
  measure({ forget, retain, kept, K, mia, miaDraws }) {
    const attack = miaEfficacy({ forget, retain, test: kept, K, mia, miaDraws });
    return {
      mia: attack.value,
      mia_sd: attack.sd,
      mia_attack_acc: attack.trainAccuracy,
      mia_measurable: Number(attack.measurable),
    };
  },
});
