// SCRUB (Kurmanji, Triantafillou, Hayes and Triantafillou, "Towards Unbounded Machine Unlearning", NeurIPS 2023): a student
// that starts as the original learns to disobey it on what is to be forgotten and to obey it on what is kept. An epoch is,
// for the first `maxEpochs`, a pass over the forget set that maximises the divergence from the teacher's answers, and
// always a pass over what is kept that minimises gamma cross-entropy + alpha divergence. The divergence is
// T^2 KL(teacher || student) of softmaxes at temperature T. The teacher is the original in evaluation mode.
// Settings by default: the authors' small-scale notebook. What the page cannot tell is in docs/methods/scrub.md.

import * as v from 'valibot';
import * as lt from '../../index.ts';
import { bool, choice, int, num, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, maskable, opt, scheduled, tuning } from '../options/training.ts';
import type { Objective } from '../train/objective.ts';
import type { Pass } from '../train/schedule.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { divergence } from './divergence.ts';
import { rewinding } from './rewind.ts';

export const scrub = define({
  name: 'scrub',
  title: 'SCRUB',
  paper:
    'Kurmanji, Triantafillou, Hayes and Triantafillou, "Towards Unbounded Machine Unlearning", NeurIPS 2023',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Disobey the original on the forget set, obey it on what is kept (SCRUB).', {
    ...tuning({ epochs: 10, batchSize: 128, learningRate: 5e-4, weightDecay: 0.1 }),
    ...scheduled,
    optimizer: opt(choice('Optimiser.', ['adam', 'sgd', 'adamw']), 'adam'),
    schedule: opt(
      choice('Learning rate over time: `step` multiplies by `gamma` at each of `milestones`.', [
        'step',
        'constant',
        'cosine',
      ]),
      'step',
    ),
    milestones: opt(scheduled.milestones.wrapped, [5, 8, 9]),
    maxEpochs: opt(int('Epochs, from the first, that begin with a pass over the forget set.', 0, 100_000), 3),
    forgetBatchSize: v.optional(
      int('Samples per step on the forget set: how hard it pushes. By default `batchSize`.', 1, 1_000_000),
    ),
    alpha: opt(num('Weight of the divergence from the teacher on what is kept.', 0, 1000), 0.5),
    crossEntropy: opt(num('Weight of the cross-entropy on what is kept; gamma in the paper.', 0, 1000), 1),
    temperature: opt(num('Of teacher and student.', 0.01, 1000), 2),
    momentum: opt(fraction('Momentum of SGD.'), 0.9),
    rewind: opt(
      bool(
        'Return the epoch whose error on the forget set is nearest to that on held-out samples of its classes (SCRUB+R); needs `validation`.',
      ),
      false,
    ),
    batchNorm,
    ...maskable,
    ...inherited,
  }),
  inherits: ['augment'],
  search: {
    learningRate: { from: 5e-5, to: 5e-3, log: true },
    maxEpochs: [1, 2, 3, 5],
    forgetBatchSize: [16, 32, 64, 128],
  },
  cost: ({ forget, retain }, { epochs, maxEpochs, rewind }) => {
    const seen = Math.min(epochs, maxEpochs) * forget + epochs * retain;
    // The teacher looks at every batch, too; to rewind, each epoch is judged, and the last a second time.
    return { train: seen, infer: seen + (rewind ? (epochs + 1) * forget : 0) };
  },
  forgetStatistics: () => false,

  async forget(options, input) {
    const { alpha, crossEntropy, temperature, maxEpochs, forgetBatchSize } = options;
    const { forget, retain, variables: teacher } = input;
    const apart = (student: lt.Tensor, taught: lt.Tensor): lt.Tensor =>
      divergence(student, taught, temperature)
        .mean()
        .mul(temperature ** 2);
    const max: Objective = (student, { forget: { images } }, { network }) => {
      const { output, state } = network(student, images);
      const { output: taught } = network(teacher, images, { train: false });
      return { loss: apart(output, taught).neg(), state };
    };
    const min: Objective = (student, { retain: { images, labels } }, { network }) => {
      const { output, state } = network(student, images);
      const { output: taught } = network(teacher, images, { train: false });
      const known = lt.crossEntropy(output, labels).mul(crossEntropy);
      return { loss: known.add(apart(output, taught).mul(alpha)), state };
    };
    const passes: Pass[] = [
      {
        name: 'forget',
        sets: { forget: { set: forget, batchSize: forgetBatchSize } },
        objective: max,
        during: (epoch: number) => epoch < maxEpochs,
      },
      { name: 'retain', sets: { retain: { set: retain } }, objective: min },
    ];
    const advice = 'lower the learning rate, take fewer maxEpochs, or larger batches of the forget set';
    const rewind = options.rewind ? rewinding('scrub', input) : undefined;
    try {
      const given = { name: 'scrub', ...passedOn(input), hooks: rewind?.hooks, passes, advice };
      const { variables, cost, history } = await tune(options, input.key, given);
      const samplesVisited = 2 * cost.samplesVisited + (rewind?.visited(options.epochs) ?? 0);
      return {
        variables,
        cost: { ...cost, samplesVisited },
        details: { history, ...rewind?.details(history) },
      };
    } finally {
      rewind?.dispose();
    }
  },
});
