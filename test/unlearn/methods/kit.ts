// What must hold for every method, whatever it does. checkMethod runs one that turns weights into weights on a tiny problem
// and checks that it is deterministic under its key, leaves its input alone, leaks nothing, counts its cost, stops
// cleanly, resumes to the same bits, and does nothing when there is nothing to forget. checkPrepared does the same for one
// with a preparation of its own, and that forgetting comes to the bits of a preparation without the samples.

import { expect } from 'vitest';
import * as lt from '../../../index.ts';
import { memoryStore } from '../../../unlearn/artifact.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import type { PreparedMethod } from '../../../unlearn/methods/prepared.ts';
import type { MethodRecord } from '../../../unlearn/methods/record.ts';
import { randomMask } from '../../../unlearn/train/mask.ts';
import { recordUpdates } from '../../../unlearn/train/undo.ts';
import { train } from '../../../unlearn/train.ts';
import type { Method, Progress, Split, UnlearnInput, UnlearnResult } from '../../../unlearn/types.ts';
import { cut, disposeAll, MemoryStore, stripes, tinyCnn, valuesOf } from '../problems.ts';

type Schema = {
  readonly wrapped?: Schema;
  readonly type: string;
  readonly options?: readonly unknown[];
  readonly default?: unknown;
};

/** What a method needs beside that for something to happen on the tiny problem. */
const particular: Readonly<Record<string, Record<string, unknown>>> = {
  ssd: { alpha: 1 },
  // Ten noisy steps with gradients clipped.
  certified: { gradientNorm: 100 },
};

/**
 * Settings to try a record with: quick ones, then each other value of each of its choices and switches, alone.
 * Read off the schema, so that a new option is tried without a line here.
 */
export function settingsOf({ name, options }: MethodRecord): Record<string, unknown>[] {
  const quickly = {
    epochs: 2,
    batchSize: 10,
    learningRate: 0.01,
    iterations: 3,
    shards: 2,
    slices: 2,
    steps: 3,
    adversaries: 2,
    doublings: 3,
    forgetBatchSize: 12,
    importanceBatch: 12,
    samples: 20,
    blocks: 2,
    train: { epochs: 2, batchSize: 10, learningRate: 0.01 },
  };
  const shared = Object.entries(quickly).filter(([key]) => key in options.entries);
  const quick = { ...Object.fromEntries(shared), ...particular[name] };
  const others = Object.entries(options.entries).flatMap(([key, entry]) => {
    const { wrapped, default: preset } = entry as unknown as Schema;
    const values =
      wrapped?.type === 'picklist' ? wrapped.options : wrapped?.type === 'boolean' ? [true, false] : [];
    // Mixed precision needs a device with float16: train/precision.test.ts.
    return (values ?? [])
      .filter((value) => value !== preset && value !== 'mixed')
      .map((value) => ({ ...quick, [key]: value, ...(value === 'step' ? { milestones: [1] } : {}) }));
  });
  return [quick, ...others];
}

/** A trained model with one class to forget. */
export async function problem(model = tinyCnn(), epochs = 4): Promise<UnlearnInput> {
  const data = stripes(72);
  const options = { epochs, batchSize: 16, learningRate: 0.1 };
  const updates = memoryStore();
  const hooks = [recordUpdates(updates)];
  const { variables } = await train({ model, data, options, key: lt.random.key(1), hooks });
  return { model, variables, ...cut(data, 1), validation: stripes(30, 7), key: lt.random.key(2), updates };
}

function checkProgress(seen: readonly Progress[]): void {
  expect(seen.at(-1)?.fraction).toBe(1);
  for (const p of seen) expect(p.fraction >= 0 && p.fraction <= 1).toBe(true);
}

/** @param thorough also stops and resumes it, and looks for leaks. */
export async function checkMethod(make: () => Method, input: UnlearnInput, thorough = true): Promise<void> {
  const original = await valuesOf(input.variables);

  const seen: Progress[] = [];
  let first = {} as UnlearnResult;
  const work = async () => {
    first = await make().unlearn({ ...input, onProgress: (p) => seen.push(p) });
    return first;
  };
  expect(await lt.findLeaks(work), 'nothing but the result is left').toEqual([]);
  const values = await valuesOf(first.variables);
  expect(await valuesOf(input.variables), 'the input is not changed').toEqual(original);
  expect(Object.keys(values), 'the same parameters').toEqual(Object.keys(original));
  for (const [path, v] of Object.entries(values)) expect(v, path).toHaveLength(original[path].length);
  expect(values, 'something happens').not.toEqual(original);
  expect(first.cost.seconds).toBeGreaterThan(0);
  expect(first.cost.gradientSteps).toBeGreaterThan(0);
  expect(first.cost.samplesVisited).toBeGreaterThan(0);
  const { forget, retain } = input;
  const { record, options } = make();
  const work_ = record.cost({ forget: forget.size, retain: retain.size }, options as never);
  expect(first.cost.samplesVisited, 'the estimate is no less than what was visited').toBeLessThanOrEqual(
    work_.train + work_.infer,
  );
  expect(JSON.parse(JSON.stringify(first.details)), 'details are JSON').toEqual(first.details);
  checkProgress(seen);
  disposeAll(first.variables);
  if (!thorough) return;

  const second = await make().unlearn(input);
  expect(await valuesOf(second.variables), 'the same key gives the same bits').toEqual(values);
  disposeAll(second.variables);

  const stop = new AbortController();
  const store = new MemoryStore();
  const stopping = { ...input, signal: stop.signal, checkpoint: store, onProgress: () => stop.abort() };
  const stopped = () => expect(make().unlearn(stopping)).rejects.toMatchObject({ name: 'AbortError' });
  expect(await lt.findLeaks(stopped), 'an abort leaves nothing behind').toEqual([]);
  const gone = AbortSignal.abort();
  await expect(make().unlearn({ ...input, signal: gone })).rejects.toMatchObject({ name: 'AbortError' });

  const resumed = await make().unlearn({ ...input, checkpoint: store });
  expect(await valuesOf(resumed.variables), 'resumed to the same bits').toEqual(values);
  disposeAll(resumed.variables);

  if ('mask' in record.options.entries) await checkMasked(make(), input);

  const nothing = await make().unlearn({ ...input, forget: takeSplit(input.forget, []) });
  expect(await valuesOf(nothing.variables), 'nothing to forget').toEqual(original);
  disposeAll(nothing.variables);
  expect(await valuesOf(input.variables), 'the input is still there').toEqual(original);
}

/** Where a method takes a mask, what the mask hides keeps its bits. */
async function checkMasked(method: Method, input: UnlearnInput): Promise<void> {
  const mask = await randomMask({ ...input, density: 0.3 });
  const { variables, details } = await method.unlearn({ ...input, mask });
  const [before, after, free] = await Promise.all(
    [input.variables, variables, { params: mask, state: {} }].map(valuesOf),
  );
  const moved = Object.entries(free).map(([path, marks]) => {
    expect(
      after[path].filter((_, i) => !marks[i]),
      path,
    ).toEqual(before[path].filter((_, i) => !marks[i]));
    return after[path].filter((v, i) => v !== before[path][i]).length;
  });
  expect(Math.max(...moved), 'what it does not hide moves').toBeGreaterThan(0);
  const marks = Object.values(free).flat();
  expect(details.maskDensity).toBe(Math.floor(0.3 * marks.length) / marks.length);
  disposeAll(variables);
  disposeAll({ params: mask, state: {} });
}

/** The split without the samples of these ids. */
export const without = (split: Split, ids: readonly number[]): Split =>
  takeSplit(
    split,
    [...split.ids.keys()].filter((position) => !ids.includes(split.ids[position])),
  );

export async function checkPrepared(make: () => PreparedMethod): Promise<void> {
  const data = stripes(60);
  const input = { model: tinyCnn(), data, key: lt.random.key(4) };
  const method = make();
  const exact = method.record.kind === 'exact';
  const ids = [7, 8, 31];
  const seen: Progress[] = [];
  const onProgress = (p: Progress) => seen.push(p);

  let prepared = {} as Awaited<ReturnType<PreparedMethod['prepare']>>;
  const leaks = await lt.findLeaks(async () => {
    prepared = await method.prepare({ ...input, onProgress });
  });
  expect(leaks, 'no tensor is left').toEqual([]);
  checkProgress(seen);
  expect(prepared.cost.gradientSteps).toBeGreaterThan(0);
  expect(prepared.cost.samplesVisited).toBeGreaterThan(0);
  const digest = method.digest(prepared);
  const again = await make().prepare({ ...input });
  expect(make().digest(again), 'the same key gives the same bits').toBe(digest);

  const forgotten = await method.forget(prepared, { ids });
  expect(method.digest(prepared), 'what was given stays as it was').toBe(digest);
  expect(method.digest(forgotten), 'something happens').not.toBe(digest);
  expect(forgotten.cost.samplesVisited, 'less work than anew').toBeLessThan(prepared.cost.samplesVisited);
  const anew = await method.prepare({ ...input, data: without(data, ids) });
  if (exact) expect(method.digest(forgotten), 'the bits of never having seen them').toBe(method.digest(anew));
  const one = await method.forget(await method.forget(prepared, { ids: ids.slice(1) }), { ids: [ids[0]] });
  if (exact) expect(method.digest(one), 'one after the other comes to the same').toBe(method.digest(anew));
  expect(method.digest(await method.forget(prepared, { ids: [] })), 'nothing to forget').toBe(digest);
  expect(method.digest(await method.forget(prepared, { ids: [9999] })), 'nobody knows it').toBe(digest);

  const answers = await method.predict(forgotten, data);
  expect(answers.length % data.size).toBe(0);
  for (const value of answers) expect(Number.isFinite(value)).toBe(true);

  // Stopped after any number of reports, and taken up where it stands.
  for (const after of [0, 2, 3]) {
    const store = memoryStore();
    const stop = new AbortController();
    let reports = 0;
    const stopping = method.forget(
      prepared,
      { ids },
      {
        store,
        signal: stop.signal,
        onProgress: () => {
          if (reports++ === after) stop.abort();
        },
      },
    );
    await stopping.catch((error) => expect(error).toMatchObject({ name: 'AbortError' }));
    const resumed = await method.forget(prepared, { ids }, { store });
    expect(method.digest(resumed), `stopped after ${after} reports`).toBe(method.digest(forgotten));
    const begun = memoryStore();
    const stop2 = new AbortController();
    reports = 0;
    const preparing = method.prepare({
      ...input,
      store: begun,
      signal: stop2.signal,
      onProgress: () => {
        if (reports++ === after) stop2.abort();
      },
    });
    await preparing.catch((error) => expect(error).toMatchObject({ name: 'AbortError' }));
    expect(method.digest(await method.prepare({ ...input, store: begun }))).toBe(digest);
  }
}
