// What all methods share around their own computation: options checked when the method is made, data checked when it
// runs, the mask that its options ask for, and the empty forget set, for which every method gives back the values it was
// given.

import type * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Artifact, type ArtifactStore, memoryStore } from '../artifact.ts';
import { makeSplit } from '../data/split.ts';
import { completeOptions } from '../options/complete.ts';
import { docOf, type OptionsOf, type OptionsSection } from '../options/fields.ts';
import { takesMask } from '../options/training.ts';
import { sha256 } from '../sha256.ts';
import { defaultTask } from '../tasks/index.ts';
import { printable } from '../text.ts';
import { copyOf } from '../train/feed.ts';
import { asksForSaliency, withMask } from '../train/mask.ts';
import type { Method, Split, UnlearnInput } from '../types.ts';
import type { Images, PreparedMethod } from './prepared.ts';
import type { MethodRecord, PreparedRecord, Sizes, UnlearnRecord } from './record.ts';

/** Options as they are given: any of them. */
export type Given<S extends OptionsSection> = Partial<v.InferInput<S> & object>;

/** A method as users make it, methods.NAME(options).unlearn(input), with its record. */
export interface MakeMethod<S extends OptionsSection, N extends string = string> {
  (options?: Given<S>): Method<OptionsOf<S>>;
  /** What is known of it. */
  readonly record: UnlearnRecord<S> & {
    /** As code and recipes call it. */
    readonly name: N;
  };
}

/** A method with a preparation of its own, as users make it: methods.NAME(options).prepare(input). */
export interface MakePrepared<S extends OptionsSection, N extends string = string> {
  (options?: Given<S>): PreparedMethod<OptionsOf<S>>;
  /** What is known of it. */
  readonly record: PreparedRecord<S> & {
    /** As code and recipes call it. */
    readonly name: N;
  };
}

/** Any method as users make it. */
export interface AnyMethod {
  // biome-ignore lint/suspicious/noExplicitAny: each method has options of its own
  (options?: any): Method | PreparedMethod;
  /** What is said of it. */
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  readonly record: MethodRecord<any>;
}

const defined = new WeakSet<object>();

/** Whether a value was made by `define` or `definePrepared` of this very copy of Lethe. */
export const isDefined = (value: unknown): value is AnyMethod =>
  typeof value === 'function' && defined.has(value);

/**
 * A method from its record. What all methods share is added: options are checked and completed, sets are checked, and an
 * empty forget set gives back the values that were given.
 * @throws LetheError 'value', when the method is called with options that are unknown or out of range.
 */
export function define<S extends OptionsSection, const N extends string>(
  given: UnlearnRecord<S> & { readonly name: N },
): MakeMethod<S, N> {
  const { name } = given;
  const masks = takesMask(given.options?.entries ?? {});
  const record = masks ? countingMask(given) : given;
  const make = (stated?: Given<S>): Method<OptionsOf<S>> => {
    const options = completeOptions<OptionsOf<S>>(name, record.options, stated);
    return {
      name,
      options,
      record: record as unknown as UnlearnRecord,
      async unlearn(input) {
        input.signal?.throwIfAborted();
        checkSets(record, input as unknown as UnlearnInput);
        check(masks || !input.mask, 'value', () => `${name}: takes no mask${whyNot(given.options)}`);
        if (input.forget.size > 0)
          return withMask(name, options, input as unknown as UnlearnInput, (masked) =>
            record.forget(options, masked),
          );
        const cost = { seconds: 0, gradientSteps: 0, samplesVisited: 0 };
        return { variables: copyOf(input.variables), cost, details: { nothingToForget: true } };
      },
    };
  };
  defined.add(make);
  return Object.assign(make, { record });
}

function checkSets(
  { name, tasks }: { readonly name: string; readonly tasks: 'any' | readonly string[] },
  input: UnlearnInput,
): void {
  const task = input.task ?? defaultTask();
  check(
    tasks === 'any' || tasks.includes(task.name),
    'value',
    () => `${name}: runs on the task ${(tasks as readonly string[]).join(', ')}, got ${task.name}`,
  );
  for (const set of ['forget', 'retain'] as const) {
    check(input[set], 'value', () => `${name}: needs ${set}, a split of training samples`);
    task.check(`${name}: ${set}`, input[set]);
  }
}

/** Why a method refuses masks, where its option says so. */
function whyNot({ entries }: OptionsSection): string {
  const { mask } = entries as { readonly mask?: { readonly wrapped: v.GenericSchema } };
  return mask ? `; expected ${docOf(mask.wrapped).expected}` : '';
}

/** The record with the pass over the forget set that a saliency mask takes among its cost. */
const countingMask = <R extends UnlearnRecord<S>, S extends OptionsSection>(record: R): R => ({
  ...record,
  cost(sizes: Sizes, options: OptionsOf<S>) {
    const { train, infer } = record.cost(sizes, options);
    return { train: train + (asksForSaliency(options) ? sizes.forget : 0), infer };
  },
});

/** As `define`, for a method with a preparation of its own. */
export function definePrepared<S extends OptionsSection, const N extends string>(
  record: PreparedRecord<S> & { readonly name: N },
): MakePrepared<S, N> {
  const { name } = record;
  const make = (given?: Given<S>): PreparedMethod<OptionsOf<S>> => {
    const options = completeOptions<OptionsOf<S>>(name, record.options, given);
    return {
      name,
      options,
      record: record as unknown as PreparedRecord,
      async prepare({ folder, store = memoryStore(), ...input }) {
        input.signal?.throwIfAborted();
        defaultTask().check(`${name}: data`, input.data);
        const key = await keyOf(options, input.data, input.key);
        const place = folder === undefined ? store : await folderOf(folder);
        const artifact = await openOrCreate(place, { method: name, key });
        const done = await record.prepare(options, { ...input, artifact });
        return { ...done, artifact, model: input.model, data: input.data, key: input.key };
      },
      async forget(prepared, request, { folder, store = memoryStore(), ...listening } = {}) {
        listening.signal?.throwIfAborted();
        const to = folder === undefined ? store : await folderOf(folder);
        const { model, data, key } = prepared;
        const ids = withQueued(prepared.artifact, request);
        const artifact = await openOrFork(to, prepared.artifact, ids);
        const done = await record.forget(options, { model, data, key, ids, artifact, ...listening });
        // After the removal: what is stopped between goes again, and finds nothing to do.
        if (artifact.notes.queue !== undefined) await enqueue(artifact, undefined);
        return { ...done, artifact, model, data, key };
      },
      async queue({ artifact }, request) {
        const ids = withQueued(artifact, request);
        await enqueue(artifact, ids);
        return ids;
      },
      async predict({ model, artifact, data }, images, how) {
        const samples = await splitOf(name, images, data.shape);
        const shares = await record.predict(options, { model, artifact, samples, ...how });
        const shape = [samples.size, shares.length / Math.max(1, samples.size)] as const;
        return Object.assign(shares, { shape });
      },
      digest: ({ artifact }) => artifact.digest(),
    };
  };
  defined.add(make);
  return Object.assign(make, { record });
}

/** All ids that are to go, each once, in order: those that wait and those asked for now. */
const withQueued = ({ notes }: Artifact, { ids }: { readonly ids: readonly number[] }): readonly number[] =>
  [...new Set([...((notes.queue as number[] | undefined) ?? []), ...ids])].sort((a, b) => a - b);

async function enqueue(artifact: Artifact, ids: readonly number[] | undefined): Promise<void> {
  const { queue: _, ...others } = artifact.notes;
  artifact.notes = ids === undefined ? others : { ...others, queue: ids };
  await artifact.commit();
}

/** Images as a split, without labels where they have none. */
async function splitOf(name: string, images: Images, shape: Split['shape']): Promise<Split> {
  const wrong = (found: string) => () =>
    `${name}: images are ${found}; expected [${shape.join(', ')}] each, as those trained on`;
  if (!(images instanceof Uint8Array) && 'ids' in images) {
    check(String(images.shape) === String(shape), 'shape', wrong(`[${images.shape.join(', ')}]`));
    return images;
  }
  let bytes = images;
  if (!(bytes instanceof Uint8Array)) {
    const [, ...each] = bytes.shape;
    check(String(each) === String(shape), 'shape', wrong(`[${bytes.shape.join(', ')}]`));
    bytes = Uint8Array.from(await bytes.data(), (v) => Math.round(255 * Math.min(1, Math.max(0, v))));
  }
  const size = bytes.length / (shape[0] * shape[1] * shape[2]);
  check(Number.isInteger(size), 'shape', wrong(`${bytes.length} bytes`));
  return makeSplit({ shape, images: bytes, labels: new Int32Array(size) });
}

/** What stands in a store, if it is of the same making, or an empty artifact. */
async function openOrCreate(store: ArtifactStore, made: { method: string; key: string }): Promise<Artifact> {
  const found = await Artifact.find(store);
  if (!found) return Artifact.create(store, made);
  check(
    found.method === made.method && found.key === made.key,
    'value',
    () =>
      `${made.method}: ${printable(store.name)} holds an artifact of ${found.method} with other options, data or key; expected an empty place, or the one this was begun in`,
  );
  return found;
}

/**
 * Where a removal works: on a copy of the prepared artifact, on what an earlier try of the same removal left, or in place
 * where the store is that of the prepared artifact.
 */
async function openOrFork(to: ArtifactStore, from: Artifact, ids: readonly number[]): Promise<Artifact> {
  const key = sha256(from.key, JSON.stringify([...new Set(ids)].sort((a, b) => a - b)));
  const found = await Artifact.find(to);
  if (!found) {
    const copy = await from.fork(to, { key });
    // What the one before it took is not what this one takes.
    const { made: _, ...notes } = copy.notes;
    copy.notes = notes;
    return copy;
  }
  check(
    found.method === from.method && (found.key === key || found.key === from.key),
    'value',
    () =>
      `${from.method}: ${printable(to.name)} holds another artifact; expected an empty place, the one this removal was begun in, or that of the preparation`,
  );
  return found;
}

/** Names all that a preparation depends on but the model, which has no name of its own. */
async function keyOf(
  options: object,
  { size, shape, images, labels, ids }: Split,
  key: Tensor,
): Promise<string> {
  const arrays = [images, labels, ids, Uint32Array.from(await key.data())];
  const bytes = arrays.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  return sha256(JSON.stringify([options, size, shape]), ...bytes);
}

const folderOf = async (folder: string) => (await import('../artifact-folder.ts')).folderStore(folder);
