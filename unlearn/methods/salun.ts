// SalUn (Fan, Liu, Zhang, Wong, Wei and Liu, "SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency in
// Both Image Classification and Generation", ICLR 2024): random labels on what is to be forgotten beside the true ones on
// what is kept, while only those weights move that the forget set's loss depends on most (train/mask.ts):
//   minimise  mean over D_f of l(theta; x, y') + alpha mean over D_r of l(theta; x, y),   theta = theta_o outside the mask
// A step takes a batch of each set. An epoch goes through D_f once and D_r goes round beside it, as in the authors' code for
// generation; their code for classification has no alpha, and takes turns or shuffles both sets: `objective`. With `mask:
// soft` no mask is fixed beforehand (train/soft.ts). What the page cannot tell is in docs/methods/salun.md.

import * as v from 'valibot';
import { choice, num, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, opt, tuning } from '../options/training.ts';
import { meanLoss, type Objective } from '../train/objective.ts';
import type { Pass, Schedule } from '../train/schedule.ts';
import { type SoftSteps, softMask } from '../train/soft.ts';
import { passedOn, tune } from '../train/tune.ts';
import { parameterCount } from '../weights.ts';
import { define } from './define.ts';
import { labelling, passesOf, relabelling } from './randomLabels.ts';

const name = 'salun';

export const salun = define({
  name,
  title: 'SalUn',
  paper:
    'Fan, Liu, Zhang, Wong, Wei and Liu, "SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency", ICLR 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Random labels on the forget set beside what is kept, for the weights alone that the forget set depends on most (SalUn).',
    {
      ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.005, weightDecay: 5e-4 }),
      objective: opt(
        choice(
          "`paper`: both sets in each step, an epoch being one pass over the forget set; `phases`: a pass over the forget set, then one over what is kept, each epoch (SalUn's code for CIFAR-10); `mixed`: both shuffled together (its code for CIFAR-100).",
          ['paper', 'phases', 'mixed'],
        ),
        'paper',
      ),
      alpha: v.optional(
        num(
          "Weight of what is kept in the `paper`'s objective. By default |D_r| / |D_f|: each sample then weighs the same, as in the other two.",
          0,
        ),
      ),
      ...labelling,
      mask: opt(
        choice(
          "Which weights may move: `saliency` those with the largest gradients of the forget set's loss; `random` as many, chosen at random; `soft`: any, but after each step the smallest changes are taken back (SalUn-soft); `none` masks nothing.",
          ['saliency', 'random', 'soft', 'none'],
        ),
        'saliency',
      ),
      density: opt(fraction('Share of the weights that a mask lets move.'), 0.5),
      anchor: opt(
        choice(
          'What a `soft` mask takes changes back to: the weights of the `original`, or those at the beginning of the `epoch`, as in the released code.',
          ['original', 'epoch'],
        ),
        'original',
      ),
      decay: opt(
        choice(
          'Whether the share that a `soft` mask holds falls from `epoch` to epoch, as in the released code for CIFAR, or from `step` to step.',
          ['epoch', 'step'],
        ),
        'epoch',
      ),
      batchNorm,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: {
    learningRate: { from: 5e-4, to: 5e-2, log: true },
    density: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
  },
  cost: ({ forget, retain }, { epochs, batchSize, objective }) => {
    const beside = Math.ceil(forget / batchSize) * Math.min(batchSize, retain);
    return { train: epochs * (forget + (objective === 'paper' ? beside : retain)), infer: 0 };
  },
  forgetStatistics: () => false,

  async forget(options, input) {
    const { forget, retain, variables } = input;
    const { alpha = retain.size / forget.size, objective: kind, mask, density, anchor, decay } = options;
    const change = await relabelling(name, options, input);
    const both: Objective = (at, batches, context) => {
      const gone = meanLoss('forget')(at, batches, context);
      const kept = meanLoss('retain')(at, batches, context);
      // Running statistics follow what is kept: the network is to serve that.
      return { loss: gone.loss.add(kept.loss.mul(alpha)), state: kept.state };
    };
    const sets = { forget: { set: forget, change }, retain: { set: retain } };
    const passes: Pass[] =
      kind === 'paper'
        ? [{ name: 'forget beside retain', sets, objective: both }]
        : passesOf(kind, change, input);
    const share = 1 - density;
    const soft = mask === 'soft' && !input.mask;
    const result = await tune(options, input.key, {
      name,
      ...passedOn(input),
      passes,
      update: (optimizer, schedule) =>
        soft
          ? softMask(softSteps(schedule, share * parameterCount(variables), { anchor, decay }))(optimizer)
          : optimizer,
    });
    return { ...result, details: { history: result.history } };
  },
});

/** @param held how many weights the soft mask would hold before any decay. */
export function softSteps(
  schedule: Schedule,
  held: number,
  { anchor, decay }: { anchor: 'original' | 'epoch'; decay: 'epoch' | 'step' },
): SoftSteps {
  const { epochs, steps } = schedule;
  const starts = Array.from({ length: epochs }, (_, epoch) => schedule.updatesUntil(epoch));
  const begun = Int32Array.from(
    { length: steps },
    (_, step) => starts.findLast((start) => start <= step) ?? 0,
  );
  const left = (done: number) => Math.floor((held * (steps - done)) / steps);
  return {
    held: begun.map((start, step) => left(1 + (decay === 'epoch' ? start : step))),
    renewed: begun.map((start, step) => Number(anchor === 'epoch' && start === step)),
  };
}
