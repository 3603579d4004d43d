// ARCANE (Yan et al., "ARCANE: An Efficient Architecture for Exact Machine Unlearning", IJCAI 2022): a one-class network for
// each class, so that a removal concerns the networks of its classes alone; the samples of a class in blocks that are
// trained in sequence, a state being kept after each (stages.ts); the most informative samples only; those likely to be
// removed in the last blocks. The authors released no code: which one-class model (oneClass.ts), how decisions are
// joined and how information is measured are ours (docs/methods/arcane.md).
//
// Exact: block and order of a sample depend on the key and its id alone. Which samples are selected depends on the others:
// a removal selects anew, and every block whose samples are others then is trained again.

import * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { getTree } from '../artifact.ts';
import { mostEntropy } from '../data/entropy.ts';
import { bool, int, num, type OptionsOf, section } from '../options/fields.ts';
import { opt, scheduled, trainEntries, tuning } from '../options/training.ts';
import { disposeTree } from '../train/feed.ts';
import { tune } from '../train/tune.ts';
import type { Split } from '../types.ts';
import { checkLikely, dealer, likelihood, likelyParts, partOf } from './dealing.ts';
import { definePrepared } from './define.ts';
import { oneClassOf, oneClassOptions, RATES } from './oneClass.ts';
import type { ForgetInput, Prepared, PrepareInput } from './prepared.ts';
import { sharesOf } from './shares.ts';
import { type Chain, evenEpochs, expectedVisits, factsOf, type Layout, update } from './stages.ts';

const PLACE = 0x61726361;

const options = section(
  'Train a one-class network for each class, block by block; remove a sample by retraining the network of its class from its block (ARCANE).',
  {
    blocks: opt(int('Parts of a class, a state being kept after each.', 1, 1000), 4),
    cumulative: opt(
      bool('Train each stage on all blocks so far, as SISA does, instead of on its own block alone.'),
      false,
    ),
    select: opt(
      num(
        'Share of the samples of a class that are trained on: those whose intensities have the most entropy.',
        0.01,
        1,
      ),
      1,
    ),
    ...likelihood,
    likelyBlocks: likelyParts(
      'With `likelihood`: last blocks, which take the samples likely to be removed, and no others.',
    ),
    ...oneClassOptions,
    train: opt(
      section('Training of each network.', {
        ...trainEntries,
        ...tuning({ epochs: 10, batchSize: 128, learningRate: 1e-3, weightDecay: 1e-6 }),
        learningRate: v.optional(
          num('Step size. By default 1e-3 with `oneClass: rotations`, 1e-4 with `svdd`.', 0, 1000),
        ),
        optimizer: opt(scheduled.optimizer.wrapped, 'adam'),
      }),
      {},
    ),
  },
);
type Options = OptionsOf<typeof options>;

export const arcane = definePrepared({
  name: 'arcane',
  title: 'ARCANE',
  paper: 'Yan et al., "ARCANE: An Efficient Architecture for Exact Machine Unlearning", IJCAI 2022',
  kind: 'exact',
  tasks: ['classification'],
  startsFrom: 'nothing',
  options,
  // Another loss: its rate and its optimiser are not those of a classifier.
  inherits: ['train.epochs', 'train.batchSize', 'train.precision', 'train.augment'],
  search: {},
  cost: ({ forget, retain }, options) => {
    // How many classes there are is not known here: as if all samples were of one, which is the most it can take.
    const sizes = { samples: forget + retain, removed: forget, chains: 1 };
    const { preparation, removal } = expectedVisits(sizes, layoutOf(options));
    const visits = preparation + removal;
    // Square images are taken for granted: others have two rotations. Deep SVDD looks at them for centre and distances.
    if (options.oneClass === 'rotations') return { train: 4 * visits, infer: 0 };
    return { train: visits, infer: 4 * (forget + retain) };
  },
  forgetStatistics: () => false,

  prepare: (options, input) => work(options, input),
  forget: (options, input) => work(options, input),

  async predict(options, { model, artifact, samples, ...how }) {
    if (samples.size === 0) return new Float32Array(0);
    const { classes, learner } = oneClassOf('arcane', options, model, samples.shape, how);
    const scores = new Float64Array(samples.size * classes).fill(Number.POSITIVE_INFINITY);
    try {
      for (let k = 0; k < classes; k++) {
        const file = `classes/${k}/block-${options.blocks - 1}`;
        const facts = factsOf(artifact, file);
        if (!facts) continue;
        const state = await getTree<Variables>(artifact, file);
        try {
          const found = await learner.foreignness(state, facts, samples, how);
          for (let i = 0; i < samples.size; i++) scores[i * classes + k] = found[i];
        } finally {
          disposeTree(state);
        }
      }
    } finally {
      learner.dispose();
    }
    return sharesOf(scores, classes);
  },
});

const layoutOf = ({ blocks, cumulative, train: { epochs } }: Options): Layout => ({
  unit: 'block',
  epochs: cumulative ? evenEpochs(epochs, blocks) : new Array<number>(blocks).fill(epochs),
  cumulative,
});

/** Classes and blocks of these samples. */
export async function blocksOf(options: Options, data: Split, key: lt.Tensor, classes: number) {
  const { blocks, select, likelihood, likelyBlocks: count } = options;
  if (likelihood) checkLikely('arcane', 'blocks', blocks, count);
  const foreign = data.labels.find((label) => label < 0 || label >= classes);
  check(
    foreign === undefined,
    'value',
    () => `arcane: data: a label is ${foreign}, but the model has ${classes} classes`,
  );
  const deal = await dealer(options, key, PLACE);
  return Array.from({ length: classes }, (_, number): Chain => {
    const stages = Array.from({ length: blocks }, (): number[] => []);
    const own = [...data.ids.keys()].filter((position) => data.labels[position] === number);
    for (const id of mostEntropy(data, own, select)) {
      const { likely, uniform } = deal(id);
      stages[partOf(uniform[0], blocks, likelihood ? { likely, count, at: 'last' } : null)].push(id);
    }
    return { name: `classes/${number}`, number, stages };
  });
}

async function work(options: Options, input: PrepareInput | ForgetInput): Promise<Prepared> {
  const { model, data, key, signal } = input;
  const { batchSize, learningRate = RATES[options.oneClass] } = options.train;
  const { classes, learner } = oneClassOf('arcane', options, model, data.shape, {
    batchSize,
    signal,
  });
  const { network, views, batchNorm } = learner;
  try {
    return await update<Variables>(
      {
        title: 'ARCANE',
        layout: layoutOf(options),
        plan: (left) => blocksOf(options, left, key, classes),
        // All classes begin with the same network: then what they say can be compared.
        async begin(_, set) {
          const fresh = lt.scope(() => network.init(lt.random.foldIn(key, 0), [1, ...data.shape]));
          try {
            return await learner.begin(fresh, set);
          } catch (error) {
            disposeTree(fresh);
            throw error;
          }
        },
        async train(state, set, { epochs, key, onFraction }) {
          const { variables, cost } = await tune({ ...options.train, epochs, learningRate, batchNorm }, key, {
            name: 'arcane',
            model: network,
            variables: { params: state.params, state: state.state },
            passes: [
              { name: 'stage', sets: { block: { set, byId: true } }, objective: learner.objective(state) },
            ],
            signal,
            onProgress: ({ fraction }) => onFraction(fraction),
          });
          return { variables, cost: { ...cost, samplesVisited: views * cost.samplesVisited } };
        },
        finish: learner.finish,
      },
      input,
    );
  } finally {
    learner.dispose();
  }
}
