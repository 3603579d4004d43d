// What all methods share around their own computation: options checked when the method is made, data checked when it
// runs, and the empty forget set, for which every method gives back the values it was given.

import type * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Artifact, type ArtifactStore, memoryStore } from '../artifact.ts';
import { completeOptions } from '../options/complete.ts';
import type { OptionsOf, OptionsSection } from '../options/fields.ts';
import { sha256 } from '../sha256.ts';
import { defaultTask } from '../tasks/index.ts';
import { printable } from '../text.ts';
import { copyOf } from '../train/loop.ts';
import type { Method, Split, UnlearnInput } from '../types.ts';
import type { PreparedMethod } from './prepared.ts';
import type { MethodRecord, PreparedRecord, UnlearnRecord } from './record.ts';

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
  record: UnlearnRecord<S> & { readonly name: N },
): MakeMethod<S, N> {
  const { name } = record;
  const make = (given?: Given<S>): Method<OptionsOf<S>> => {
    const options = completeOptions<OptionsOf<S>>(name, record.options, given);
    return {
      name,
      options,
      record: record as unknown as UnlearnRecord,
      async unlearn(input) {
        input.signal?.throwIfAborted();
        checkSets(record, input as unknown as UnlearnInput);
        if (input.forget.size > 0) return record.forget(options, input as unknown as UnlearnInput);
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
      async forget(prepared, { ids }, { folder, store = memoryStore(), ...listening } = {}) {
        listening.signal?.throwIfAborted();
        const to = folder === undefined ? store : await folderOf(folder);
        const { model, data, key } = prepared;
        const artifact = await openOrFork(to, prepared.artifact, ids);
        const done = await record.forget(options, { model, data, key, ids, artifact, ...listening });
        return { ...done, artifact, model, data, key };
      },
      predict: ({ model, artifact }, samples, how) =>
        record.predict(options, { model, artifact, samples, ...how }),
      digest: ({ artifact }) => artifact.digest(),
    };
  };
  defined.add(make);
  return Object.assign(make, { record });
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
  if (!found) return from.fork(to, { key });
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
