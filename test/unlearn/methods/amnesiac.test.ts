// The record of training and what can be taken back with it; the two methods of Amnesiac Machine Learning.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { Artifact, type ArtifactStore, memoryStore } from '../../../unlearn/artifact.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import type { Hook } from '../../../unlearn/train/hooks.ts';
import { randomMask } from '../../../unlearn/train/mask.ts';
import { recordUpdates } from '../../../unlearn/train/undo.ts';
import { train } from '../../../unlearn/train.ts';
import type { Split, UnlearnInput } from '../../../unlearn/types.ts';
import { accuracyOn, MemoryStore, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';
import { without } from './kit.ts';

let key: lt.Tensor;
beforeAll(async () => {
  await lt.init({ device: 'reference' });
  key = lt.random.key(1);
});

const data = stripes(24);
const options = { epochs: 3, batchSize: 5, learningRate: 0.1 };
const part = (ids: readonly number[]): Split =>
  takeSplit(
    data,
    [...data.ids.keys()].filter((position) => ids.includes(data.ids[position])),
  );

/** Trains with a record; `seen` tells the weights before and after each step, and the ids of its batch. */
async function recorded(model = tinyMlp(), how: { statistics?: boolean } = {}) {
  const updates = memoryStore();
  const first = lt.scope(() => model.init(lt.random.foldIn(key, 0), [1, 6, 6, 1]));
  const seen: { ids: number[]; after: Record<string, number[]> }[] = [];
  const watch: Hook = {
    name: 'watch',
    async step({ carry }, { pass, indices }) {
      const ids = [...indices.data].map((at) => pass.sets.data.set.ids[at]);
      seen.push({ ids, after: await valuesOf({ params: carry.variables.params, state: {} }) });
    },
  };
  const { variables } = await train({
    model,
    data,
    options,
    key,
    hooks: [recordUpdates(updates, how), watch],
  });
  return { model, variables, updates, first, seen };
}
const undo = (
  { model, variables, updates }: Pick<UnlearnInput, 'model' | 'variables' | 'updates'>,
  ids: number[],
) =>
  methods
    .amnesiac({ variant: 'undo', epochs: 0 })
    .unlearn({ model, variables, updates, key, forget: part(ids), retain: without(data, ids) });
/** The same to float32's precision, for weights of about 1 and a sum of some steps. */
const expectClose = (got: Record<string, number[]>, wanted: Record<string, number[]>) => {
  for (const [path, values] of Object.entries(wanted))
    values.forEach((value, i) => expect(Math.abs(got[path][i] - value), path).toBeLessThan(2e-6));
};

describe('undo', () => {
  test('of all batches gives the first weights back, and their statistics where they are recorded', async () => {
    for (const statistics of [false, true]) {
      const run = await recorded(tinyCnn(), { statistics });
      const { variables, details } = await undo(run, [...data.ids]);
      expect(details).toEqual({ undone: 15, steps: 15 });
      expectClose(await valuesOf({ ...variables, state: {} }), await valuesOf({ ...run.first, state: {} }));
      const { state } = statistics ? run.first : run.variables;
      expectClose(
        await valuesOf({ params: {}, state: variables.state }),
        await valuesOf({ params: {}, state }),
      );
    }
  });

  test('of samples takes back what their batches changed, and no more; of none it keeps the bits', async () => {
    const run = await recorded();
    const ids = [3, 17];
    const { variables, details, cost } = await undo(run, ids);
    const steps = [await valuesOf({ ...run.first, state: {} }), ...run.seen.map(({ after }) => after)];
    const hit = [...run.seen.keys()].filter((k) => run.seen[k].ids.some((id) => ids.includes(id)));
    expect(details).toEqual({ undone: hit.length, steps: 15 });
    expect(hit.length).toBeLessThan(7);
    expect(cost).toMatchObject({ gradientSteps: 0, samplesVisited: 0 });
    const original = await valuesOf(run.variables);
    const wanted = Object.fromEntries(
      Object.entries(original).map(([path, values]) => [
        path,
        values.map((v, i) => hit.reduce((w, k) => w - (steps[k + 1][path][i] - steps[k][path][i]), v)),
      ]),
    );
    expectClose(await valuesOf(variables), wanted);

    const stranger = { ...part([5]), ids: Int32Array.of(999) };
    const input = { ...run, key, forget: stranger, retain: data };
    const seen: number[] = [];
    const onProgress = ({ fraction }: { fraction: number }) => seen.push(fraction);
    const same = await methods.amnesiac({ variant: 'undo', epochs: 0 }).unlearn({ ...input, onProgress });
    expect(same.details.undone).toBe(0);
    expect(await valuesOf(same.variables)).toEqual(original);
    expect(seen).toEqual([1]);
  });

  test('with a mask gives back what the mask lets move', async () => {
    const run = await recorded(tinyCnn());
    const mask = await randomMask({ variables: run.variables, density: 0.5, key });
    const [was, first, marks] = await Promise.all(
      [run.variables.params, run.first.params, mask].map((params) => valuesOf({ params, state: {} })),
    );
    const input = { ...run, key, mask, forget: data, retain: part([]) };
    const undone = () => methods.amnesiac({ variant: 'undo', epochs: 0 }).unlearn(input);
    const { variables } = await undone();
    expectClose(
      await valuesOf({ ...variables, state: {} }),
      Object.fromEntries(
        Object.entries(was).map(([path, values]) => [
          path,
          values.map((v, i) => (marks[path][i] ? first[path][i] : v)),
        ]),
      ),
    );
    expect(await lt.findLeaks(async () => (await undone()).variables)).toEqual([]);
  });

  test('needs the record of these weights, whole', async () => {
    const run = await recorded();
    await expect(undo({ ...run, updates: undefined }, [1])).rejects.toThrow(
      /amnesiac: undo needs updates, .*recordUpdates\(store\)/,
    );
    await expect(undo({ ...run, variables: run.first }, [1])).rejects.toThrow(/ended in other weights/);
    await expect(undo({ ...run, updates: memoryStore() }, [1])).rejects.toThrow(
      /expected what recordUpdates kept/,
    );
    const input = { model: run.model, data, key, hooks: [recordUpdates(run.updates)] };
    await expect(train({ ...input, options: { ...options, epochs: 1 } })).rejects.toThrow(
      /holds the record of another training/,
    );
  });
});

test('a training that was stopped goes on with its record, to the same bits', async () => {
  const model = tinyMlp();
  const digest = async (store: ArtifactStore) => (await Artifact.open(store)).digest();
  const whole = memoryStore();
  await train({ model, data, options, key, hooks: [recordUpdates(whole)] });

  const updates = memoryStore();
  const checkpoint = new MemoryStore();
  const stop = new AbortController();
  const stopping: Hook = { name: 'stop', step: (_, { step }) => (step === 7 ? stop.abort() : undefined) };
  const input = { model, data, options, key, checkpoint };
  const hooks = [recordUpdates(updates), stopping];
  await expect(train({ ...input, hooks, signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
  const unfinished = { model, variables: model.init(key, [1, 6, 6, 1]), updates };
  await expect(undo(unfinished, [1])).rejects.toThrow(/did not end/);
  const elsewhere = train({ ...input, hooks: [recordUpdates(memoryStore())] });
  await expect(elsewhere).rejects.toThrow(/ends after step 0, the checkpoint after 8/);
  await train({ ...input, hooks: [recordUpdates(updates)] });
  expect(await digest(updates)).toBe(await digest(whole));
  expect(await lt.findLeaks(async () => train({ ...input, hooks: [recordUpdates(updates)] }))).toEqual([]);
});

test('relabelling sees each copy of the forget set beside what is kept', async () => {
  const { model, variables } = await recorded();
  const ids = [1, 4, 7];
  const input = { model, variables, key, forget: part(ids), retain: without(data, ids) };
  const { cost } = await methods.amnesiac({ copies: 2, epochs: 3, batchSize: 9 }).unlearn(input);
  expect(cost).toMatchObject({ gradientSteps: 9, samplesVisited: 81 });
  await expect(methods.amnesiac({ epochs: 0 }).unlearn(input)).rejects.toThrow(/expected 1 or more/);
});

// As in the paper the class has few samples, so that few batches hold one.
test('undoing forgets at once, relabelling after training; what is kept comes back', async () => {
  const model = tinyMlp();
  const all = stripes(120);
  const few = takeSplit(
    all,
    [...all.ids.keys()].filter((i) => all.labels[i] !== 1 || i < 18),
  );
  const updates = memoryStore();
  const how = { epochs: 8, batchSize: 3, learningRate: 0.2, momentum: 0 };
  const { variables } = await train({ model, data: few, options: how, key, hooks: [recordUpdates(updates)] });
  const of = (keep: (label: number) => boolean) =>
    takeSplit(
      few,
      [...few.ids.keys()].filter((i) => keep(few.labels[i])),
    );
  const [forget, retain] = [of((label) => label === 1), of((label) => label !== 1)];
  expect(await accuracyOn(model, variables, forget)).toBe(100);
  const after = async (settings: Parameters<typeof methods.amnesiac>[0]) => {
    const result = await methods
      .amnesiac({ batchSize: 4, ...settings })
      .unlearn({ model, variables, forget, retain, key, updates });
    return [
      await accuracyOn(model, result.variables, forget),
      await accuracyOn(model, result.variables, retain),
      result.details.undone,
    ];
  };
  const [lost, rest, undone] = await after({ variant: 'undo', epochs: 0 });
  expect(lost).toBe(0);
  expect(rest).toBeGreaterThan(80);
  expect(undone).toBeLessThanOrEqual(48);
  const [later, mended] = await after({ variant: 'undo', epochs: 1 });
  expect(later).toBe(0);
  expect(mended).toBeGreaterThan(95);
  const [relabelled, kept] = await after({ epochs: 1, learningRate: 0.01 });
  expect(relabelled).toBeLessThan(40);
  expect(kept).toBeGreaterThan(90);
});
