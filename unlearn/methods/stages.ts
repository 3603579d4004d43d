// Training in stages, with a state kept after each: what SISA and ARCANE share. There are chains (shards, classes), each
// with a network of its own; a chain is trained stage by stage (slices, blocks). A state depends on the samples of its
// chain up to its stage and on nothing else, and carries their sha256. To remove a sample is to plan anew without it, to
// drop the states whose samples are others now, and to train those again.
//
// Exact: a plan is a function of key, options and the samples that are left; what is random follows from the key and a
// sample's id. So the artifact after a removal has the bits of one that was prepared without the sample.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type Artifact, getTree, putTree } from '../artifact.ts';
import { takeSplit } from '../data/split.ts';
import { sha256 } from '../sha256.ts';
import { copyOf, disposeTree } from '../train/feed.ts';
import type { Cost, Split } from '../types.ts';
import type { ForgetInput, Prepared, PrepareInput } from './prepared.ts';

/** The samples of a chain, by stage, each in ascending order. */
export interface Chain {
  /** Of the chain's folder in the artifact, such as `shards/3`. */
  readonly name: string;
  /** Tells its random numbers from those of the others. */
  readonly number: number;
  /** Ids of the samples that come with each stage. */
  readonly stages: readonly (readonly number[])[];
}

/** How chains are trained. */
export interface Layout {
  /** Of a state, behind the chain's name: `slice` makes `shards/3/slice-0`. */
  readonly unit: string;
  /** Epochs of each stage. */
  readonly epochs: readonly number[];
  /** Whether a stage trains on all samples so far, or on its own alone. */
  readonly cumulative: boolean;
}

/** A state to be kept, and what it is trained on. */
interface Stage {
  /** Its name in the artifact. */
  readonly file: string;
  readonly chain: Chain;
  readonly number: number;
  /** sha256 over the samples of the chain so far. */
  readonly key: string;
  /** Ids that it trains on. */
  readonly trains: readonly number[];
  /** Ids of the chain so far. */
  readonly known: readonly number[];
  readonly epochs: number;
  /** The state it starts from; null for the first. */
  readonly from: string | null;
}

/** Every state of the chains, in the order of training. While a chain has no samples there is none. */
export function stagesOf(chains: readonly Chain[], { unit, epochs, cumulative }: Layout): Stage[] {
  return chains.flatMap((chain) => {
    let key = '';
    let known: number[] = [];
    let from: string | null = null;
    return chain.stages.flatMap((ids, number): Stage[] => {
      key = sha256(key, JSON.stringify(ids));
      known = [...known, ...ids].sort((a, b) => a - b);
      if (known.length === 0) return [];
      const file = `${chain.name}/${unit}-${number}`;
      const trains = cumulative ? known : ids;
      const stage = { file, chain, number, key, trains, known, epochs: epochs[number], from };
      from = file;
      return [stage];
    });
  });
}

/** Samples that training visits, each once an epoch. */
export const visitsOf = (stages: readonly Stage[]): number =>
  stages.reduce((sum, { epochs, trains }) => sum + epochs * trains.length, 0);

/** What is to be trained after a removal: the stages of `after` that `before` does not have. */
export function changed(before: readonly Stage[], after: readonly Stage[]): Stage[] {
  const keys = new Map(before.map(({ file, key }) => [file, key]));
  return after.filter(({ file, key }) => keys.get(file) !== key);
}

/**
 * Visits that training is expected to take, for samples that are dealt to chains and stages evenly and independently, as
 * by their hash. A sample is in the set of stage i of its chain with probability w_i = i / R (1 / R where stages train on
 * their own samples alone), and one of k removals changes stage i of a chain with 1 - (1 - i / (S R))^k:
 *
 *     preparation = n sum_i e_i w_i        removal = (n - k) sum_i e_i w_i (1 - (1 - i / (S R))^k)
 */
export function expectedVisits(
  { samples, removed, chains }: { samples: number; removed: number; chains: number },
  { epochs, cumulative }: Pick<Layout, 'epochs' | 'cumulative'>,
): { readonly preparation: number; readonly removal: number } {
  const stages = epochs.length;
  let [preparation, removal] = [0, 0];
  epochs.forEach((e, i) => {
    const share = (e * (cumulative ? i + 1 : 1)) / stages;
    preparation += samples * share;
    removal += (samples - removed) * share * (1 - (1 - (i + 1) / (chains * stages)) ** removed);
  });
  return { preparation, removal };
}

/**
 * Epochs of each of `stages` cumulative stages: the same for all, so that they come to what plain training costs, 2 epochs /
 * (stages + 1), rounded as the code of SISA's authors does.
 */
export function evenEpochs(epochs: number, stages: number): number[] {
  const each = (2 * epochs) / (stages + 1);
  return Array.from({ length: stages }, (_, i) => Math.floor((i + 1) * each) - Math.floor(i * each));
}

/** What a piece of training took. */
export type Took = Pick<Cost, 'gradientSteps' | 'samplesVisited'>;

/** A method that trains in stages. A state is a network, and tensors beside it that stay as they were begun. */
export interface Staged<S extends Variables> {
  /** For progress. */
  readonly title: string;
  readonly layout: Layout;
  /** The chains of these samples. */
  plan(data: Split): Promise<readonly Chain[]>;
  /** What a chain begins with; `set` are the samples of its first stage. */
  begin(chain: Chain, set: Split): Promise<{ readonly state: S; readonly took: Took }>;
  /** Trains the network further. The state stays the caller's; the key is that of chain and stage. */
  train(
    state: S,
    set: Split,
    how: {
      readonly epochs: number;
      readonly key: lt.Tensor;
      readonly onFraction: (fraction: number) => void;
    },
  ): Promise<{ readonly variables: Variables; readonly cost: Took }>;
  /** Facts about the last state of a chain, kept with the artifact. `set` are all samples of the chain. */
  finish?(state: S, set: Split): Promise<{ readonly facts: Facts; readonly took: Took }>;
}

type Facts = Readonly<Record<string, unknown>>;

/** What is known of a state, under its name in the artifact's facts. */
export interface StateFacts {
  /** sha256 over the samples of the chain so far. */
  readonly key: string;
  /** How many they are. */
  readonly samples: number;
  readonly [fact: string]: unknown;
}

/** What was done so far for a request, in this process and those before it that were killed; kept in the artifact. */
interface Made extends Took {
  readonly request: string;
  readonly seconds: number;
  readonly statesTrained: number;
  /** Of a removal: chains that are not what they were. */
  readonly chainsHit?: number;
}

/** What is known of a state; null where the artifact has no such state. */
export const factsOf = ({ facts }: Artifact, file: string): StateFacts | null =>
  Object.hasOwn(facts, file) ? (facts[file] as StateFacts) : null;

/** A preparation, or a removal: drops the states that are not those of the samples that are left, and trains those. */
export async function update<S extends Variables>(
  staged: Staged<S>,
  input: PrepareInput | ForgetInput,
): Promise<Prepared> {
  const { artifact, data } = input;
  const removing = 'ids' in input;
  const asked = removing ? [...new Set(input.ids)].sort((a, b) => a - b) : [];
  const request = removing ? `removal of ${asked.join(' ')}` : 'preparation';
  const there = new Set(data.ids);
  const removed = new Set(removedFrom(artifact));
  for (const id of asked) if (there.has(id)) removed.add(id);
  const left = takeSplit(
    data,
    [...data.ids.keys()].filter((position) => !removed.has(data.ids[position])),
  );
  const stages = stagesOf(await staged.plan(left), staged.layout);
  const keys = new Map(stages.map(({ file, key }) => [file, key]));
  const stale = artifact.names().filter((file) => factsOf(artifact, file)?.key !== keys.get(file));
  let made = artifact.notes.made as Made | undefined;
  if (made?.request !== request) {
    const chainsHit = new Set(stale.map((file) => file.slice(0, file.lastIndexOf('/')))).size;
    const hit = removing ? { chainsHit } : {};
    made = { request, seconds: 0, gradientSteps: 0, samplesVisited: 0, statesTrained: 0, ...hit };
  }
  for (const file of stale) {
    artifact.remove(file);
    delete artifact.facts[file];
  }
  artifact.notes = { ...artifact.notes, removed: [...removed].sort((a, b) => a - b), made };
  // From here on the states that knew the samples are gone, whatever happens next.
  await artifact.commit();
  return fill(staged, { ...input, data: left }, stages, made);
}

const removedFrom = ({ notes }: Artifact): readonly number[] => (notes.removed as number[] | undefined) ?? [];

/** Trains every state that is missing, and commits each. */
async function fill<S extends Variables>(
  staged: Staged<S>,
  input: PrepareInput,
  stages: readonly Stage[],
  begun: Made,
): Promise<Prepared> {
  const { artifact, signal, onProgress } = input;
  const started = performance.now();
  const missing = stages.filter(({ file }) => !artifact.has(file));
  const whole = Math.max(1, visitsOf(missing));
  let made = begun;
  let visits = 0;
  const tell = (more: number) =>
    onProgress?.({ phase: staged.title, fraction: Math.min(1, (visits + more) / whole) });
  for (const stage of missing) {
    signal?.throwIfAborted();
    tell(0);
    const own = visitsOf([stage]);
    const took = await make(staged, input, stage, (fraction) => tell(fraction * own));
    visits += own;
    made = {
      ...made,
      seconds: begun.seconds + (performance.now() - started) / 1000,
      gradientSteps: made.gradientSteps + took.gradientSteps,
      samplesVisited: made.samplesVisited + took.samplesVisited,
      statesTrained: made.statesTrained + 1,
    };
    artifact.notes = { ...artifact.notes, made };
    await artifact.commit();
  }
  onProgress?.({ phase: staged.title, fraction: 1 });
  const { seconds, gradientSteps, samplesVisited, statesTrained, chainsHit } = made;
  const details = { statesTrained, ...(chainsHit === undefined ? {} : { chainsHit }) };
  return { cost: { seconds, gradientSteps, samplesVisited }, details };
}

/** Makes one state, and puts it into the artifact with its facts. */
async function make<S extends Variables>(
  staged: Staged<S>,
  { artifact, data, key }: PrepareInput,
  stage: Stage,
  onFraction: (fraction: number) => void,
): Promise<Took> {
  const { file, chain, number, epochs, from, known } = stage;
  const positions = new Map(Array.from(data.ids, (id, position) => [id, position]));
  const setOf = (ids: readonly number[]) =>
    takeSplit(
      data,
      ids.map((id) => positions.get(id) as number),
    );
  const begun = from
    ? { state: await getTree<S>(artifact, from), took: NOTHING }
    : await staged.begin(chain, setOf(known));
  const own = lt.scope(() => lt.random.foldIn(lt.random.foldIn(key, 1 + number), chain.number));
  try {
    const set = setOf(stage.trains);
    // With nothing to train on the network stays as it is.
    const { variables, cost } =
      set.size === 0 || epochs === 0
        ? { variables: copyOf(begun.state), cost: NOTHING }
        : await staged.train(begun.state, set, { epochs, key: own, onFraction });
    try {
      const state = { ...begun.state, params: variables.params, state: variables.state };
      const last = number + 1 === chain.stages.length;
      const end = last ? await staged.finish?.(state, setOf(known)) : undefined;
      await putTree(artifact, file, state);
      artifact.facts[file] = { key: stage.key, samples: known.length, ...end?.facts };
      return [begun.took, cost, end?.took ?? NOTHING].reduce((a, b) => ({
        gradientSteps: a.gradientSteps + b.gradientSteps,
        samplesVisited: a.samplesVisited + b.samplesVisited,
      }));
    } finally {
      disposeTree([variables.params, variables.state]);
    }
  } finally {
    disposeTree(begun.state);
    own.dispose();
  }
}

const NOTHING: Took = { gradientSteps: 0, samplesVisited: 0 };
