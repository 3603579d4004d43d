// Retraining: the exact answer and the target of every comparison. A network trained from scratch without the forgotten
// samples, with the recipe the original was trained with. It never looks at the original or at the forget set.

import { section } from '../options/fields.ts';
import { trainEntries, trainKeys } from '../options/training.ts';
import { train } from '../train.ts';
import { define } from './define.ts';

/** Options: those of training. With the original's key it starts from the original's first weights. */
export const retrain = define({
  name: 'retrain',
  title: 'Retrain',
  paper: 'the definition of exact unlearning (Cao and Yang, "Towards Making Systems Forget", IEEE S&P 2015)',
  kind: 'exact',
  tasks: 'any',
  startsFrom: 'nothing',
  options: section(
    'Train from scratch on what is kept: the target every other method is measured against. Takes the keys of `train`; those left out come from there.',
    trainEntries,
  ),
  inherits: trainKeys,
  search: {},
  cost: ({ retain }, { epochs }) => ({ train: epochs * retain, infer: 0 }),
  forgetStatistics: () => false,

  forget(options, input) {
    const { model, task, retain: data, key, validation, signal, onProgress, checkpoint } = input;
    const set = { model, task, data, validation, options, key };
    return train({ name: 'retrain', ...set, signal, onProgress, checkpoint });
  },
});
