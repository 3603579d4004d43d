// Bad Teacher (Chundawat, Tarun, Mandal and Kankanhalli, "Can Bad Teaching Induce Forgetting?", AAAI 2023): the student learns
// from a network that knows nothing on the forget set, and from the original on a share of what is kept, both shuffled
// together: minimise the mean of KL(teacher(x) || student(x)), of softmaxes at temperature T. Both teachers answer in
// evaluation mode. `details.zrf` is the paper's zero retrain forgetting score; see docs/methods/badTeacher.md.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { joinSplits, takeSplit } from '../data/split.ts';
import { choice, num, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, maskable, opt, tuning } from '../options/training.ts';
import { permutation } from '../random.ts';
import { reduction } from '../reduce.ts';
import { classification } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import { disposeTree } from '../train/feed.ts';
import { networkOf } from '../train/network.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, seedOf, tune } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { define } from './define.ts';
import { divergence, jensenShannon } from './divergence.ts';

const name = 'badTeacher';
const SHARE = 0x73686172;

export const badTeacher = define({
  name,
  title: 'Bad Teacher',
  paper: 'Chundawat, Tarun, Mandal and Kankanhalli, "Can Bad Teaching Induce Forgetting?", AAAI 2023',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Learn from a random network on the forget set, from the original on what is kept (Bad Teacher).',
    {
      ...tuning({ epochs: 1, batchSize: 256, learningRate: 1e-4, weightDecay: 0 }),
      optimizer: opt(choice('Optimiser.', ['adam', 'sgd', 'adamw']), 'adam'),
      retainShare: opt(fraction('Share of what is kept that is used, drawn once.'), 0.3),
      temperature: opt(num('Of the teachers and the student.', 0.01, 1000), 1),
      reduction: opt(
        choice(
          'The loss: mean over the samples of a `batch`; `elements` divides by the number of classes as well, as the released code does.',
          ['batch', 'elements'],
        ),
        'batch',
      ),
      batchNorm,
      ...maskable,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-5, to: 1e-3, log: true }, epochs: [1, 2, 5] },
  cost: ({ forget, retain }, { epochs, retainShare }) => {
    const seen = epochs * (forget + Math.round(retainShare * retain));
    // Both teachers look at every batch, and three networks at the forget set for the score.
    return { train: seen, infer: 2 * seen + 3 * forget };
  },
  forgetStatistics: ({ batchNorm, retainShare }) => batchNorm === 'train' && retainShare === 0,

  async forget(options, input) {
    const { temperature, retainShare, reduction: reduced, epochs } = options;
    const { model, variables: original, forget, retain, key } = input;
    const random = lt.scope(() => model.init(lt.random.foldIn(key, 1), classification.inputShape(retain, 1)));
    const count = Math.round(retainShare * retain.size);
    const drawn = permutation(retain.size, await seedOf(key), SHARE)
      .subarray(0, count)
      .sort();
    const all = joinSplits(forget, takeSplit(retain, drawn));
    /** Says of each sample whether it is to be forgotten. */
    const change = (batch: Batch): Batch => {
      const gone = batch.indices.map((position) => Number(position < forget.size));
      return { ...batch, arrays: { ...batch.arrays, gone: { data: gone, shape: [gone.length, 1] } } };
    };
    const objective: Objective = (student, { all: { images, gone } }, { network }) => {
      const { output, state } = network(student, images);
      const [bad, good] = [random, original].map((v) => network(v, images, { train: false }).output);
      const each = divergence(output, lt.where(gone.greater(0), bad, good), temperature);
      return { loss: each.mean().div(reduced === 'elements' ? output.shape[1] : 1), state };
    };
    try {
      const passes = [{ name: 'forget and retain', sets: { all: { set: all, change } }, objective }];
      const { variables, cost, history } = await tune(options, key, { name, ...passedOn(input), passes });
      try {
        const scores = await zeroRetrainForgetting(input, [variables, original], random);
        const samplesVisited = cost.samplesVisited + 2 * epochs * all.size + 3 * forget.size;
        const details = { zrf: scores[0], zrfOriginal: scores[1], history };
        return { variables, cost: { ...cost, samplesVisited }, details };
      } catch (error) {
        disposeTree(variables);
        throw error;
      }
    } finally {
      disposeTree(random);
    }
  },
});

/** 1 - the mean over D_f of the Jensen-Shannon divergence, in nats, of each network's answers from those of the random one. */
async function zeroRetrainForgetting(
  { model, forget, signal }: UnlearnInput,
  networks: readonly Variables[],
  random: Variables,
): Promise<number[]> {
  const network = networkOf(model);
  const apart = reduction(
    ({ images }, others: readonly Variables[], bad: Variables) => {
      const { output } = network(bad, images);
      return others.map((v) => jensenShannon(network(v, images).output, output).sum());
    },
    { name: 'zero retrain forgetting' },
  );
  try {
    const sums = await apart.sum(forget, [networks, random], { signal });
    const scores = await Promise.all(sums.map((sum) => sum.item()));
    disposeTree(sums);
    return scores.map((sum) => 1 - sum / forget.size);
  } finally {
    apart.dispose();
  }
}
