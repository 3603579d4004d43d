// Fine-tuning: go on training on what is kept, and hope that the rest fades (catastrophic forgetting, put to use).
// Settings: SalUn's code (ICLR 2024), where it is called FT. It keeps the model useful and forgets little.

import { section } from '../options/fields.ts';
import { batchNorm, inherited, maskable, tuning } from '../options/training.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';

export const finetune = define({
  name: 'finetune',
  title: 'Fine-tune',
  paper: 'baseline FT of Fan et al., "SalUn", ICLR 2024',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Go on training on what is kept.', {
    ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
    batchNorm,
    ...maskable,
    ...inherited,
  }),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-3, to: 1e-1, log: true } },
  cost: ({ retain }, { epochs }) => ({ train: epochs * retain, infer: 0 }),
  forgetStatistics: () => false,

  async forget(options, input) {
    const passes = [{ name: 'retain', sets: { retain: { set: input.retain } } }];
    const result = await tune(options, input.key, { name: 'finetune', ...passedOn(input), passes });
    return { ...result, details: { history: result.history } };
  },
});
