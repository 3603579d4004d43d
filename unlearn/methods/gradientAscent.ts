// Gradient ascent, also called negative gradient: minimise the negative loss on the forget set. Boundary
// Unlearning's code has it as a loss mode, SalUn's as GA. The loss has no upper end: a little too long or too fast and
// the network knows nothing any more. `lossCap` (ours, off by default) stops pushing samples that are far enough.

import { section } from '../options/fields.ts';
import { batchNorm, inherited, maskable, tuning } from '../options/training.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, tune } from '../train/tune.ts';
import { capped, lossCap } from './ascent.ts';
import { define } from './define.ts';

export const gradientAscent = define({
  name: 'gradientAscent',
  title: 'Gradient ascent',
  paper: 'baseline of Chen et al., "Boundary Unlearning", CVPR 2023; GA of Fan et al., "SalUn", ICLR 2024',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Climb the loss on the forget set (negative gradient).', {
    ...tuning({ epochs: 5, batchSize: 256, learningRate: 1e-4, weightDecay: 5e-4 }),
    lossCap,
    batchNorm,
    ...maskable,
    ...inherited,
  }),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-5, to: 5e-2, log: true }, epochs: [1, 2, 5, 10] },
  cost: ({ forget }, { epochs }) => ({ train: epochs * forget, infer: 0 }),
  forgetStatistics: (options) => options.batchNorm === 'train',

  async forget(options, input) {
    const { lossCap: cap } = options;
    const objective: Objective = (variables, { forget }, { network, task }) => {
      const { losses, state } = task.losses(network, variables, forget);
      return { loss: capped(losses, cap).mean().neg(), state };
    };
    const result = await tune(options, input.key, {
      name: 'gradientAscent',
      ...passedOn(input),
      passes: [{ name: 'forget', sets: { forget: { set: input.forget } }, objective }],
      advice:
        'ascent has no upper end: lower the learning rate, take fewer epochs, or set lossCap (such as 5)',
    });
    return { ...result, details: { history: result.history } };
  },
});
