// A record of training: what each step changed, and which samples it saw, so that single steps can be taken back (Graves,
// Nagisetty and Ganesh, "Amnesiac Machine Learning", AAAI 2021). An update is the difference of the weights before and after a
// step, whatever the optimiser did; with w0 the first weights, the last are w0 plus the sum of all updates. The record takes
// steps times the size of the weights, or less where the samples that may be asked to go are known beforehand: then only
// updates of batches that hold one of them are kept, as the paper proposes. It is an artifact: a file for each update, and
// one with the samples of all steps.

import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { Artifact, type ArtifactStore, getTree, putTree } from '../artifact.ts';
import { sha256 } from '../sha256.ts';
import { printable } from '../text.ts';
import { aliasesOf, disposeTree } from './feed.ts';
import type { Hook } from './hooks.ts';
import type { Loop } from './loop.ts';
import type { Position } from './schedule.ts';
import { digestOf, plus, type Vector } from './vectors.ts';

const METHOD = 'updates';
const SAMPLES = 'samples';
const nameOf = (step: number): string => `steps/${step}`;

/** What is recorded. */
export interface RecordOptions {
  /** The network's state too, such as batch-norm statistics. Default false: parameters only, as the paper's code does. */
  readonly statistics?: boolean;
  /** Ids of the samples that may be asked to go: only updates of steps that see one of them are kept. Default: all. */
  readonly ids?: Iterable<number>;
  /** The most bytes that updates may take; a training that could take more is refused before its first step. */
  readonly most?: number;
}

/**
 * A hook for `train` that keeps what each step changes, and the ids of its samples, in a store: `hooks: [recordUpdates(store)]`.
 * A training that was stopped and goes on from its checkpoint goes on with its record.
 * @param place a store, or an artifact of the method 'updates' in it, empty or of this training.
 * @throws LetheError 'value', when training begins, where the store holds something else, and where the record could become
 * too large; 'data' where it lacks steps that the checkpoint has.
 */
export function recordUpdates(place: ArtifactStore | Artifact, options: RecordOptions = {}): Hook {
  const name = 'updates';
  const { statistics = false, ids, most = Number.POSITIVE_INFINITY } = options;
  const chosen = ids ? new Set(ids) : null;
  const store = place instanceof Artifact ? place.store : place;
  const difference = lt.jit((after: Vector, before: Vector) => plus(after, before, -1), {
    name: 'recorded update',
  });
  const recorded = ({ params, state }: Variables) => (statistics ? { params, state } : { params });
  let artifact: Artifact;
  let samples: Int32Array[] = [];
  const commit = async (facts: object): Promise<void> => {
    await artifact.put(SAMPLES, new Uint8Array(packed(samples).buffer));
    artifact.facts = { ...artifact.facts, ...facts };
    await artifact.commit();
  };
  return {
    name,
    async start(loop) {
      checkSize(loop, recorded(loop.carry.variables), chosen, most);
      artifact = await begun(place, loop.identity, { statistics, ids: chosen });
      samples = artifact.has(SAMPLES) ? unpacked(await artifact.bytes(SAMPLES)) : [];
      loop.put(name, aliasesOf(recorded(loop.carry.variables)));
    },
    async step(loop, at) {
      const { length } = samples;
      check(
        at.step <= length,
        'data',
        () =>
          `recordUpdates: ${printable(store.name)} ends after step ${length}, the checkpoint after ${at.step}`,
      );
      const now = recorded(loop.carry.variables);
      const before = loop.carry.extra[name];
      const seen = idsOf(at);
      const update = !chosen || seen.some((id) => chosen.has(id)) ? difference(now, before) : null;
      disposeTree(before);
      loop.put(name, aliasesOf(now));
      try {
        if (update) await putTree(artifact, nameOf(at.step), update);
      } finally {
        if (update) disposeTree(update);
      }
      samples[at.step] = seen;
    },
    saving: () => commit({ result: null }),
    finish: async ({ carry }: Loop) => commit({ result: await digestOf(carry.variables.params) }),
    dispose: () => difference.dispose(),
  };
}

/** @throws LetheError 'value' where the updates could take more bytes than they may. */
function checkSize({ schedule }: Loop, recorded: Vector, chosen: ReadonlySet<number> | null, most: number) {
  const each = lt.tree.flatten<lt.Tensor>(recorded).leaves.reduce((sum, { size }) => sum + 4 * size, 0);
  // A sample is in one batch of an epoch.
  const kept = chosen ? Math.min(schedule.steps, schedule.epochs * chosen.size) : schedule.steps;
  const size = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
  check(
    kept * each <= most,
    'value',
    () =>
      `recordUpdates: up to ${kept} of ${schedule.steps} steps to keep, ${size(kept * each)}; expected at most ${size(most)}: fewer samples to forget, fewer epochs, a smaller network, or more room (storage)`,
  );
}

/** What a store holds of the same training, or an empty record. */
async function begun(
  place: ArtifactStore | Artifact,
  identity: string,
  { statistics, ids }: { readonly statistics: boolean; readonly ids: ReadonlySet<number> | null },
): Promise<Artifact> {
  const chosen = ids && [...ids].sort((a, b) => a - b);
  if (place instanceof Artifact) {
    // Its key is its owner's, and names the training.
    place.facts = { statistics, result: null, ...place.facts };
    return place;
  }
  const store = place;
  const key = sha256(JSON.stringify([identity, statistics, ...(chosen ? [chosen] : [])]));
  const found = await Artifact.find(store);
  check(
    !found || (found.method === METHOD && found.key === key),
    'value',
    () =>
      `recordUpdates: ${printable(store.name)} holds ${found?.method === METHOD ? 'the record of another training' : `an artifact of ${found?.method}`}; expected an empty place, or the record of this one`,
  );
  if (found) return found;
  const artifact = Artifact.create(store, { method: METHOD, key });
  artifact.facts = { statistics, result: null };
  return artifact;
}

const idsOf = ({ pass, indices }: Position): Int32Array =>
  Int32Array.from(
    Object.entries(indices).flatMap(([set, at]) => [...at].map((i) => pass.sets[set].set.ids[i])),
  );

/** Of each step the number of its samples, then their ids. */
const packed = (samples: readonly Int32Array[]): Int32Array =>
  Int32Array.from(samples.flatMap((ids) => [ids.length, ...ids]));

function unpacked(bytes: Uint8Array): Int32Array[] {
  const words = new Int32Array(bytes.slice().buffer);
  const samples: Int32Array[] = [];
  for (let at = 0; at < words.length; at += 1 + words[at])
    samples.push(words.slice(at + 1, at + 1 + words[at]));
  return samples;
}

/** What taking back steps came to. */
interface Undone {
  /** The caller's to dispose. */
  readonly variables: Variables;
  /** Steps taken back. */
  readonly undone: number;
  /** Steps of the training. */
  readonly steps: number;
}

/**
 * The variables less the updates of all steps that saw one of the samples. The variables stay the caller's.
 * @throws LetheError 'value' where the record is not that of the training that ended in these variables; 'data' where it
 * is damaged; what the signal was aborted with.
 */
export async function undoUpdates(
  store: ArtifactStore,
  variables: Variables,
  ids: ReadonlySet<number>,
  how: { readonly signal?: AbortSignal; readonly onFraction?: (fraction: number) => void } = {},
): Promise<Undone> {
  const { signal, onFraction } = how;
  const record = await Artifact.find(store);
  const what = `updates: ${printable(store.name)}`;
  check(record?.method === METHOD, 'value', () => `${what}: expected what recordUpdates kept of a training`);
  const { result, statistics } = record.facts;
  check(result !== null, 'value', () => `${what}: the training it is of did not end`);
  check(
    result === (await digestOf(variables.params)),
    'value',
    () =>
      `${what}: the training it is of ended in other weights; expected the weights of its last step (no best epoch, no average), unchanged`,
  );
  const samples = unpacked(await record.bytes(SAMPLES));
  const hit = [...samples.keys()].filter((step) => samples[step].some((id) => ids.has(id)));
  const lost = hit.find((step) => !record.has(nameOf(step)));
  check(
    lost === undefined,
    'value',
    () =>
      `${what}: keeps the steps of other samples, not step ${lost}, which saw sample ${samples[lost as number].find((id) => ids.has(id))}; expected samples that were among its ids`,
  );
  const less = lt.jit((from: Vector, update: Vector) => plus(from, update, -1), {
    donate: [0],
    name: 'undone update',
  });
  const { params, state } = variables;
  let now: Vector = aliasesOf(statistics ? { params, state } : { params });
  try {
    for (const [done, step] of hit.entries()) {
      signal?.throwIfAborted();
      const update = await getTree<Vector>(record, nameOf(step));
      const before = now;
      now = less(before, update);
      disposeTree([before, update]);
      onFraction?.((done + 1) / hit.length);
    }
    if (hit.length === 0) onFraction?.(1);
    signal?.throwIfAborted();
  } catch (error) {
    disposeTree(now);
    throw error;
  } finally {
    less.dispose();
  }
  const parts = now as unknown as Variables;
  const undone = { params: parts.params, state: statistics ? parts.state : aliasesOf(state) };
  return { variables: undone, undone: hit.length, steps: samples.length };
}
