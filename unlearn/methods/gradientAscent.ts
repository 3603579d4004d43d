// Gradient ascent, also called negative gradient: minimise the negative cross-entropy on the forget set. Boundary
// Unlearning's code has it as a loss mode, SalUn's as GA. The loss has no upper end: a little too long or too fast and
// the network knows nothing any more. `lossCap` (ours, off by default) stops pushing samples that are far enough.

import * as lt from '../../index.ts';
import { methodSchemas } from '../recipe/options.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';

export const gradientAscent = define(
  'gradientAscent',
  methodSchemas.gradientAscent,
  async (options, input) => {
    const { lossCap } = options;
    const loss = (logits: lt.Tensor, labels: lt.Tensor) => {
      const each = lt.crossEntropy(logits, labels, { reduction: 'none' });
      return (lossCap === undefined ? each : lt.minimum(each, lossCap)).mean().neg();
    };
    const result = await tune(options, input.key, {
      name: 'gradientAscent',
      ...passedOn(input),
      passes: [{ name: 'forget', split: input.forget }],
      loss,
      advice:
        'ascent has no upper end: lower the learning rate, take fewer epochs, or set lossCap (such as 5)',
    });
    return { ...result, details: { history: result.history } };
  },
  { forgetStatistics: ({ batchNorm }) => batchNorm === 'train' },
);
