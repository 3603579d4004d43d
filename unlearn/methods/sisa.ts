// SISA (Bourtoule et al., "Machine Unlearning", IEEE S&P 2021): Sharded, Isolated, Sliced, Aggregated. The samples are dealt
// to shards, each with a network of its own; within a shard they come in slices, and the network's state is kept after
// each. To remove a sample is to go back to the state before its slice and to train that one network on from there.
//
// Exact: where a sample lies, first weights, order and augmentation depend on the key and on the sample's id alone, never
// on positions or counts, so the artifact after a removal has the bits of one that was prepared without the sample. The
// model must not depend on it either: normalisation constants over all images are the caller's leak.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type Artifact, getTree, putTree } from '../artifact.ts';
import { takeSplit } from '../data/split.ts';
import { choice, int, type OptionsOf, section } from '../options/fields.ts';
import { opt, trainEntries, trainKeys } from '../options/training.ts';
import { predictor } from '../predict.ts';
import { philox } from '../random.ts';
import { disposeTree } from '../train/feed.ts';
import { copyOf } from '../train/loop.ts';
import { seedOf, tune } from '../train/tune.ts';
import type { Cost, Split } from '../types.ts';
import { definePrepared } from './define.ts';
import type { ForgetInput, Prepared } from './prepared.ts';

const PLACE = 0x73697361;

const options = section(
  'Train a network for each shard of the data, slice by slice; remove a sample by retraining its shard from its slice (SISA).',
  {
    shards: opt(int('Networks, each with its own share of the data.', 1, 10_000), 5),
    slices: opt(int('Parts of a shard, a state being kept after each.', 1, 1000), 3),
    aggregate: opt(
      choice(
        '`vote`: the class that most networks choose, ties going to the larger mean probability; `mean`: the mean of their probabilities.',
        ['vote', 'mean'],
      ),
      'vote',
    ),
    ...trainEntries,
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
  inherits: trainKeys,
  search: {},
  // Preparation costs as much as plain training; a batch of K removals then hits 1 - (1 - 1/S)^K of the shards, of which it
  // redoes two thirds and a little more.
  cost: ({ forget, retain }, { epochs, shards, slices }) => {
    const whole = epochs * (forget + retain);
    const hit = 1 - (1 - 1 / shards) ** forget;
    return { train: whole * (1 + hit * (2 / 3 + 1 / (3 * slices))), infer: 0 };
  },
  forgetStatistics: () => false,

  prepare: (options, input) => fill(options, { ...input, ids: [] }, begun(input.artifact, 'preparation')),

  async forget(options, input) {
    const { artifact, data, ids } = input;
    const request = `removal of ${[...new Set(ids)].sort((a, b) => a - b).join(' ')}`;
    const made = begun(artifact, request);
    if (artifact.notes.made !== made) {
      const before = new Set(removedFrom(artifact));
      const gone = new Set(ids.filter((id) => !before.has(id)));
      const place = await placesOf(options, input.key);
      const first = new Map<number, number>();
      for (const id of data.ids)
        if (gone.has(id)) {
          const { shard, slice } = place(id);
          first.set(shard, Math.min(slice, first.get(shard) ?? options.slices));
        }
      for (const [shard, from] of first)
        for (let slice = from; slice < options.slices; slice++)
          if (artifact.has(nameOf(shard, slice))) artifact.remove(nameOf(shard, slice));
      const removed = [...before, ...gone].sort((a, b) => a - b);
      artifact.notes = { ...artifact.notes, removed, made: { ...made, shardsHit: first.size } };
      // From here on the states that knew the samples are gone, whatever happens next.
      await artifact.commit();
    }
    return fill(options, input, artifact.notes.made as Made);
  },

  async predict({ shards, slices, aggregate }, { model, artifact, samples, ...how }) {
    const answers = predictor(model);
    let totals = new Float64Array(0);
    let votes = new Float64Array(0);
    let networks = 0;
    try {
      for (let shard = 0; shard < shards; shard++) {
        const name = nameOf(shard, slices - 1);
        if (!artifact.has(name)) continue;
        const variables = await getTree<Variables>(artifact, name);
        try {
          const logits = await answers.logits(variables, samples, how);
          if (networks++ === 0) {
            totals = new Float64Array(logits.length);
            votes = new Float64Array(logits.length);
          }
          count(logits, logits.length / samples.size, totals, votes);
        } finally {
          disposeTree(variables);
        }
      }
    } finally {
      answers.dispose();
    }
    return Float32Array.from(totals, (sum, i) =>
      Math.log(aggregate === 'mean' ? sum / networks : (votes[i] + sum / networks) / (networks + 1)),
    );
  },
});

/** What was done so far for a request, in this process and those before it that were killed; kept in the artifact. */
interface Made {
  readonly request: string;
  readonly seconds: number;
  readonly gradientSteps: number;
  readonly samplesVisited: number;
  readonly statesTrained: number;
  /** Of a removal: shards that held one of the samples. */
  readonly shardsHit?: number;
}

/** What the artifact says was done for this request, or nothing yet. */
function begun({ notes }: Artifact, request: string): Made {
  const made = notes.made as Made | undefined;
  if (made?.request === request) return made;
  return { request, seconds: 0, gradientSteps: 0, samplesVisited: 0, statesTrained: 0 };
}

const nameOf = (shard: number, slice: number): string => `shards/${shard}/slice-${slice}`;
const removedFrom = ({ notes }: Artifact): readonly number[] => (notes.removed as number[] | undefined) ?? [];

/** Shard and slice of a sample: uniform, and a function of key and id alone. */
async function placesOf({ shards, slices }: Options, key: lt.Tensor) {
  const seed = await seedOf(key);
  const words = new Uint32Array(4);
  return (id: number) => {
    philox(id, 0, PLACE, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    return {
      shard: Math.floor((words[0] / 2 ** 32) * shards),
      slice: Math.floor((words[1] / 2 ** 32) * slices),
    };
  };
}

/** Epochs of each stage: the same for all, twice those of plain training over slices + 1, rounded as the authors' code does. */
export function epochsOf({ epochs, slices }: Pick<Options, 'epochs' | 'slices'>): number[] {
  const each = (2 * epochs) / (slices + 1);
  return Array.from({ length: slices }, (_, i) => Math.floor((i + 1) * each) - Math.floor(i * each));
}

/** Trains every state that is missing, and commits each. */
async function fill(options: Options, input: ForgetInput, begun: Made): Promise<Prepared> {
  const { data, key, artifact, signal, onProgress } = input;
  const started = performance.now();
  const place = await placesOf(options, key);
  const removed = new Set(removedFrom(artifact));
  const members = Array.from({ length: options.shards }, (): number[][] =>
    Array.from({ length: options.slices }, () => []),
  );
  data.ids.forEach((id, position) => {
    const { shard, slice } = place(id);
    if (!removed.has(id)) members[shard][slice].push(position);
  });
  // A shard without samples has no network, and none is asked.
  const missing = members.flatMap((slices, shard) =>
    slices.flatMap((_, slice) =>
      slices.flat().length === 0 || artifact.has(nameOf(shard, slice)) ? [] : [{ shard, slice }],
    ),
  );
  const epochs = epochsOf(options);
  let made = begun;
  const keep = (done: Pick<Cost, 'gradientSteps' | 'samplesVisited'>, states: number): Promise<void> => {
    made = {
      ...made,
      seconds: begun.seconds + (performance.now() - started) / 1000,
      gradientSteps: made.gradientSteps + done.gradientSteps,
      samplesVisited: made.samplesVisited + done.samplesVisited,
      statesTrained: made.statesTrained + states,
    };
    artifact.notes = { ...artifact.notes, made };
    return artifact.commit();
  };
  const phase = 'SISA';
  for (const [done, { shard, slice }] of missing.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ phase, fraction: done / missing.length });
    const positions = members[shard].slice(0, slice + 1).flat();
    const set = takeSplit(
      data,
      positions.sort((a, b) => a - b),
    );
    const from = await startOf(input, shard, slice);
    try {
      const stage = await trainStage(options, input, from, set, { shard, slice, epochs: epochs[slice] });
      try {
        await putTree(artifact, nameOf(shard, slice), stage.variables);
      } finally {
        disposeTree(stage.variables);
      }
      await keep(stage.cost, 1);
    } finally {
      disposeTree(from);
    }
  }
  if (missing.length === 0) await keep({ gradientSteps: 0, samplesVisited: 0 }, 0);
  onProgress?.({ phase, fraction: 1 });
  const { seconds, gradientSteps, samplesVisited, statesTrained, shardsHit } = made;
  const details = { statesTrained, ...(shardsHit === undefined ? {} : { shardsHit }) };
  return { cost: { seconds, gradientSteps, samplesVisited }, details };
}

/** The state a stage starts from: that after the slice before, or fresh weights. */
function startOf(
  { artifact, model, data, key }: ForgetInput,
  shard: number,
  slice: number,
): Promise<Variables> {
  if (slice > 0) return getTree<Variables>(artifact, nameOf(shard, slice - 1));
  return Promise.resolve(
    lt.scope(() => model.init(lt.random.foldIn(lt.random.foldIn(key, 0), shard), [1, ...data.shape])),
  );
}

/** One stage: all slices so far, for the stage's epochs. With nothing to train on the state stays as it is. */
async function trainStage(
  options: Options,
  { model, key, signal }: ForgetInput,
  variables: Variables,
  set: Split,
  { shard, slice, epochs }: { shard: number; slice: number; epochs: number },
): Promise<{ variables: Variables; cost: Pick<Cost, 'gradientSteps' | 'samplesVisited'> }> {
  if (set.size === 0 || epochs === 0)
    return { variables: copyOf(variables), cost: { gradientSteps: 0, samplesVisited: 0 } };
  const own = lt.scope(() => lt.random.foldIn(lt.random.foldIn(key, 1 + slice), shard));
  try {
    const passes = [{ name: 'stage', sets: { shard: { set, byId: true } } }];
    return await tune({ ...options, epochs }, own, { name: 'sisa', model, variables, passes, signal });
  } finally {
    own.dispose();
  }
}

/** Adds the softmax of each row to `totals`, and one to `votes` at its largest entry. */
function count(logits: Float32Array, classes: number, totals: Float64Array, votes: Float64Array): void {
  for (let row = 0; row < logits.length; row += classes) {
    const own = logits.subarray(row, row + classes);
    let top = 0;
    for (let k = 1; k < classes; k++) if (own[k] > own[top]) top = k;
    votes[row + top]++;
    let sum = 0;
    for (const v of own) sum += Math.exp(v - own[top]);
    for (let k = 0; k < classes; k++) totals[row + k] += Math.exp(own[k] - own[top]) / sum;
  }
}
