// NegGrad+: go on training on what is kept and climb the loss on the forget set, both in each step:
//   minimise beta l(theta; D_r) - (1 - beta) l(theta; D_f)
// A baseline of SCRUB (Kurmanji et al., NeurIPS 2023). An epoch goes through what is kept once; each step also sees a batch
// of the forget set, which begins again when it is used up. Settings: those of RULI's code (docs/methods/negGradPlus.md).

import * as v from 'valibot';
import { int, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, maskable, opt, tuning } from '../options/training.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, tune } from '../train/tune.ts';
import { capped, lossCap } from './ascent.ts';
import { define } from './define.ts';

export const negGradPlus = define({
  name: 'negGradPlus',
  title: 'NegGrad+',
  paper:
    'baseline of Kurmanji, Triantafillou, Hayes and Triantafillou, "Towards Unbounded Machine Unlearning", NeurIPS 2023',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section('Train on what is kept and climb the loss on the forget set, in each step (NegGrad+).', {
    ...tuning({ epochs: 10, batchSize: 64, learningRate: 5e-4, weightDecay: 5e-4 }),
    beta: opt(
      fraction('Weight of the loss on what is kept; that on the forget set is climbed with 1 - beta.'),
      0.9,
    ),
    forgetBatchSize: v.optional(
      int('Samples of the forget set in a step. By default `batchSize`.', 1, 1_000_000),
    ),
    lossCap,
    batchNorm,
    ...maskable,
    ...inherited,
  }),
  inherits: ['augment'],
  search: {
    learningRate: { from: 5e-5, to: 5e-3, log: true },
    epochs: [5, 7, 10],
    forgetBatchSize: [32, 64],
  },
  cost: ({ forget, retain }, { epochs, batchSize, forgetBatchSize = batchSize }) => ({
    train: epochs * (retain + Math.ceil(retain / batchSize) * Math.min(forgetBatchSize, forget)),
    infer: 0,
  }),
  forgetStatistics: () => false,

  async forget(options, input) {
    const { beta, forgetBatchSize, lossCap: cap } = options;
    const objective: Objective = (variables, { retain, forget }, { network, task }) => {
      const kept = task.losses(network, variables, retain);
      const gone = task.losses(network, { ...variables, state: kept.state }, forget);
      const climbed = capped(gone.losses, cap).mean();
      return {
        loss: kept.losses
          .mean()
          .mul(beta)
          .sub(climbed.mul(1 - beta)),
        state: gone.state,
      };
    };
    const sets = { retain: { set: input.retain }, forget: { set: input.forget, batchSize: forgetBatchSize } };
    const result = await tune(options, input.key, {
      name: 'negGradPlus',
      ...passedOn(input),
      passes: [{ name: 'retain and forget', sets, objective }],
      advice: 'ascent has no upper end: raise beta, lower the learning rate, or set lossCap (such as 5)',
    });
    return { ...result, details: { history: result.history } };
  },
});
