// Whether the answers on forgotten samples with wrong labels are right afterwards.

import { accuracy } from '../statistics/outputs.ts';
import { metric } from './record.ts';

export const corrected = metric({
  key: 'corrected',
  label: 'Corrected',
  title: 'Accuracy under the right labels',
  definition:
    'Accuracy on the forgotten samples, counted with their right labels, where some of them were trained with wrong ones: whether the error was unlearned, and not only the answer made another one.',
  formula: 'accuracy on D_f with right labels',
  unit: '%',
  range: [0, 100],
  target: 'retrain',
  aim: 'Aim: the retrained model’s value, which never saw the wrong labels.',
  source: 'ours',
  fools:
    'Training on the right labels makes it higher than retrain’s without forgetting anything. Compare with the original too: an underfitted network never learned the errors and is right from the start.',
  needs: ['right'],
  cost: 'One pass over the logits.',
  digits: 2,
  column: 'compared',
  gives: {
    corrected: {
      about:
        'Accuracy on D_f under the right labels, %; `null` unless some of its labels are known to be wrong.',
      sometimes: 'either',
    },
  },
  measure: ({ right, K }) => ({ corrected: right && accuracy(right, K) }),
});
