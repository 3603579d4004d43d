// Retraining: the exact answer and the target of every comparison. A network trained from scratch without the forgotten
// samples, with the recipe the original was trained with. It never looks at the original or at the forget set.

import { trainSchema } from '../recipe/options.ts';
import { train } from '../train.ts';
import { define } from './define.ts';

/** Options: those of training. With the original's key it starts from the original's first weights. */
export const retrain = define(
  'retrain',
  trainSchema,
  (options, input) => {
    const { model, retain: data, key, validation, signal, onProgress, checkpoint } = input;
    return train({ name: 'retrain', model, data, options, key, validation, signal, onProgress, checkpoint });
  },
  { fromScratch: true },
);
