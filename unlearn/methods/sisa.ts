// SISA (Bourtoule et al., "Machine Unlearning", IEEE S&P 2021): Sharded, Isolated, Sliced, Aggregated. The samples are dealt
// to shards, each with a network of its own; within a shard they come in slices, and the network's state is kept after
// each (stages.ts). To remove a sample is to go back to the state before its slice and to train that one network on from
// there.
//
// Exact: where a sample lies (dealing.ts), first weights, order and augmentation depend on the key and on the sample's id
// alone, never on positions or counts. The model must not depend on it either: normalisation constants over all images are
// the caller's leak.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { getTree } from '../artifact.ts';
import { choice, int, type OptionsOf, section } from '../options/fields.ts';
import { opt, ownTrain, ownTrainKeys } from '../options/training.ts';
import { predictor } from '../predict.ts';
import { disposeTree } from '../train/feed.ts';
import { tune } from '../train/tune.ts';
import type { Split } from '../types.ts';
import { checkLikely, dealer, likelihood, likelyParts, partOf } from './dealing.ts';
import { definePrepared } from './define.ts';
import type { PrepareInput } from './prepared.ts';
import { addShares } from './shares.ts';
import {
  type Chain,
  evenEpochs,
  expectedVisits,
  factsOf,
  type Layout,
  type Staged,
  update,
} from './stages.ts';

const PLACE = 0x73697361;
/** Of a vote, what the mean probabilities count: enough to decide between classes with as many votes. */
const TIES = 1e-4;

const options = section(
  'Train a network for each shard of the data, slice by slice; remove a sample by retraining its shard from its slice (SISA).',
  {
    shards: opt(int('Networks, each with its own share of the data.', 1, 10_000), 5),
    slices: opt(int('Parts of a shard, a state being kept after each.', 1, 1000), 3),
    aggregate: opt(
      choice(
        '`vote`: the share of the networks that choose a class, ties going to the larger mean probability; `mean`: the mean of their probabilities.',
        ['vote', 'mean'],
      ),
      'vote',
    ),
    weights: opt(
      choice('How much a network counts: each as much, or in proportion to the samples of its shard.', [
        'uniform',
        'shardSize',
      ]),
      'uniform',
    ),
    ...likelihood,
    likelyShards: likelyParts(
      'With `likelihood`: shards that take the samples likely to be removed, and no others.',
    ),
    train: ownTrain,
  },
);
type Options = OptionsOf<typeof options>;

export const sisa = definePrepared({
  name: 'sisa',
  title: 'SISA',
  paper: 'Bourtoule et al., "Machine Unlearning", IEEE S&P 2021',
  kind: 'exact',
  tasks: ['classification'],
  startsFrom: 'nothing',
  options,
  inherits: ownTrainKeys,
  search: {},
  cost: ({ forget, retain }, options) => {
    const sizes = { samples: forget + retain, removed: forget, chains: options.shards };
    const { preparation, removal } = expectedVisits(sizes, layoutOf(options));
    return { train: preparation + removal, infer: 0 };
  },
  forgetStatistics: () => false,

  prepare: (options, input) => update(staged(options, input), input),
  forget: (options, input) => update(staged(options, input), input),

  async predict({ shards, slices, aggregate, weights }, { model, artifact, samples, ...how }) {
    const answers = predictor(model);
    let shares = new Float64Array(0);
    let whole = 0;
    try {
      for (let shard = 0; shard < shards; shard++) {
        const file = `shards/${shard}/slice-${slices - 1}`;
        const facts = factsOf(artifact, file);
        if (!facts) continue;
        const variables = await getTree<Variables>(artifact, file);
        try {
          const logits = await answers.logits(variables, samples, how);
          const weight = weights === 'shardSize' ? facts.samples : 1;
          if (whole === 0) shares = new Float64Array(logits.length);
          whole += weight;
          const voting = aggregate === 'vote' ? 1 - TIES : 0;
          addShares(logits, logits.length / samples.size, weight, voting, shares);
        } finally {
          disposeTree(variables);
        }
      }
    } finally {
      answers.dispose();
    }
    return Float32Array.from(shares, (sum) => sum / whole);
  },
});

const layoutOf = ({ slices, train: { epochs } }: Options): Layout => ({
  unit: 'slice',
  epochs: evenEpochs(epochs, slices),
  cumulative: true,
});

/** Shards and slices of these samples. */
export async function shardsOf(
  options: Options,
  { ids }: Pick<Split, 'ids'>,
  key: lt.Tensor,
): Promise<readonly Chain[]> {
  const { shards, slices, likelihood, likelyShards: count } = options;
  if (likelihood) checkLikely('sisa', 'shards', shards, count);
  const deal = await dealer(options, key, PLACE);
  const chains = Array.from({ length: shards }, (_, number) => ({
    name: `shards/${number}`,
    number,
    stages: Array.from({ length: slices }, (): number[] => []),
  }));
  for (const id of ids.slice().sort()) {
    const { likely, uniform } = deal(id);
    const apart = likelihood ? { likely, count, at: 'first' as const } : null;
    chains[partOf(uniform[0], shards, apart)].stages[partOf(uniform[1], slices, null)].push(id);
  }
  return chains;
}

const staged = (options: Options, { model, data, key, signal }: PrepareInput): Staged<Variables> => ({
  title: 'SISA',
  layout: layoutOf(options),
  plan: (left) => shardsOf(options, left, key),
  async begin({ number }) {
    const fresh = () => model.init(lt.random.foldIn(lt.random.foldIn(key, 0), number), [1, ...data.shape]);
    return { state: lt.scope(fresh), took: { gradientSteps: 0, samplesVisited: 0 } };
  },
  train: (variables, set, { epochs, key, onFraction }) =>
    tune({ ...options.train, epochs }, key, {
      name: 'sisa',
      model,
      variables,
      passes: [{ name: 'stage', sets: { shard: { set, byId: true } } }],
      signal,
      onProgress: ({ fraction }) => onFraction(fraction),
    }),
});
