// Attack success rate: what an attack on entropies makes of the forgotten samples. The attack itself is statistics/mia.ts.

import { attackSuccessRate } from '../statistics/mia.ts';
import { metric } from './record.ts';

export const asr = metric({
  key: 'asr',
  label: 'ASR',
  title: 'Attack success rate',
  definition:
    'Share of forgotten samples that an attack on the output entropy calls MEMBERS. Our stand-in: the attack of Boundary Unlearning is not in its released code.',
  formula: 'share of D_f an attack calls **member** (below)',
  unit: '%',
  range: [0, 100],
  target: 'retrain',
  aim: 'Lower is more private; the retrained model’s value is what is reachable.',
  source: 'ours, after SelectiveForgetting’s entropy attack',
  fools:
    'Answers on D_f less certain than any test sample’s lower it below retrain’s: that marks the samples, it does not hide them.',
  needs: ['forget', 'retain', 'test'],
  cost: 'One kernel classifier on at most 20,000 samples.',
  digits: 2,
  column: 'compared',
  trace: {
    far: 20,
    why: 'twice MIA’s: the attack is a stand-in of ours',
    above: {
      kind: 'underforgotten',
      text: (by) => `ASR ${by} above retraining’s: too much looks trained on`,
    },
    below: {
      kind: 'overforgotten',
      text: (by) => `ASR ${by} below retraining’s: too much looks never seen`,
    },
  },
  gives: {
    asr: { about: 'Percent of D_f.' },
    asr_attack_acc: {
      about: 'Accuracy of the attack on its own training samples, %.',
      sometimes: 'absent',
    },
    asr_measurable: {
      about:
        '1 where that accuracy is above chance in this model and in retrain, else 0: then `asr` says nothing.',
      sometimes: 'absent',
    },
  },
  measurable: 'asr_measurable',
  measure(input) {
    const attack = attackSuccessRate(input);
    return {
      asr: attack.value,
      asr_attack_acc: attack.trainAccuracy,
      asr_measurable: Number(attack.measurable),
    };
  },
});
