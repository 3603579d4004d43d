// What must hold for every method, whatever it does: checkMethod runs it on a tiny problem and checks that it is
// deterministic under its key, leaves its input alone, leaks nothing, counts its cost, stops cleanly, resumes to the
// same bits, and does nothing when there is nothing to forget.

import { expect } from 'vitest';
import * as lt from '../../../index.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { train } from '../../../unlearn/train.ts';
import type { Method, Progress, UnlearnInput, UnlearnResult } from '../../../unlearn/types.ts';
import { cut, disposeAll, MemoryStore, stripes, tinyCnn, valuesOf } from '../problems.ts';

/** A trained model with one class to forget. */
export async function problem(model = tinyCnn(), epochs = 4): Promise<UnlearnInput> {
  const data = stripes(72);
  const options = { epochs, batchSize: 16, learningRate: 0.1 };
  const { variables } = await train({ model, data, options, key: lt.random.key(1) });
  return { model, variables, ...cut(data, 1), key: lt.random.key(2) };
}

export async function checkMethod(make: () => Method): Promise<void> {
  const input = await problem();
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
  expect(JSON.parse(JSON.stringify(first.details)), 'details are JSON').toEqual(first.details);
  expect(seen.at(-1)?.fraction).toBe(1);
  for (const p of seen) expect(p.fraction >= 0 && p.fraction <= 1).toBe(true);
  disposeAll(first.variables);

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

  const nothing = await make().unlearn({ ...input, forget: takeSplit(input.forget, []) });
  expect(await valuesOf(nothing.variables), 'nothing to forget').toEqual(original);
  disposeAll(nothing.variables);
  expect(await valuesOf(input.variables), 'the input is still there').toEqual(original);
}
