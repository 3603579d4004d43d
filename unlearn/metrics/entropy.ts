// How certain the model is of what it was to forget.

import { entropy, type Outputs } from '../statistics/outputs.ts';
import { distance, metric } from './record.ts';

type Own = { readonly entropy_forget?: number };

/** Over the rows, nats. */
function meanEntropy(set: Outputs, K: number): number {
  return entropy(set, K).reduce((sum, value) => sum + value, 0) / set.labels.length;
}

export const entropy_forget = metric({
  key: 'entropy_forget',
  label: 'Entropy',
  title: 'Entropy on the forgotten data',
  definition:
    'Mean entropy of the outputs on the forgotten samples: 0 is certain, the logarithm of the number of classes is guessing.',
  formula: 'mean softmax entropy on D_f',
  unit: 'nats',
  range: [0, 'ln K'],
  target: 'retrain',
  aim: 'Aim: the retrained model’s value; less certain and more certain are both traces.',
  source: 'Boundary Unlearning (CVPR 2023), there as histograms',
  fools:
    'It is a mean: half of the samples certain and half guessed look like all of them half certain. The histograms tell.',
  needs: ['forget', 'retain', 'test'],
  cost: 'One pass over the logits.',
  digits: 2,
  column: 'compared',
  steps: [0.05, 0.15, 0.5],
  trace: {
    far: 0.5,
    why: 'about what lies between certainty and an answer of 80 to 20',
    above: {
      kind: 'overforgotten',
      text: (by) => `outputs on the forgotten data ${by} less certain than retraining’s`,
    },
    below: {
      kind: 'certain',
      text: (by) => `outputs on the forgotten data ${by} more certain than retraining’s`,
    },
  },
  gives: {
    entropy_forget: { about: 'Mean softmax entropy on D_f, nats.', sometimes: 'absent' },
    entropy_retain: { about: 'The same on D_r.', sometimes: 'absent' },
    entropy_test: { about: 'The same on T.', sometimes: 'absent' },
    entropy_gap: {
      about:
        '`entropy_forget` minus retrain’s, nats, with its sign. Far above 0 is over-forgetting, far below 0 is knowing too much: both show to an attacker.',
      sometimes: 'absent',
    },
  },
  measure: ({ forget, retain, test, K }) => ({
    entropy_forget: meanEntropy(forget, K),
    entropy_retain: meanEntropy(retain, K),
    entropy_test: meanEntropy(test, K),
    entropy_gap: Number.NaN,
  }),
  compare: (own: Own, retrain: Own) => ({
    entropy_gap: distance(own.entropy_forget, retrain.entropy_forget),
  }),
});
