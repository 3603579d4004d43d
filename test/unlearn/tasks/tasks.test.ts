// A task makes batches, loses something on each sample and measures; training, reductions and methods that run on any task
// need no more. Classification is held by the other suites; here is what both tasks promise, and denoising whole.
import { beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import * as lt from '../../../index.ts';
import { glyphs } from '../../../unlearn/data/sets/glyphs.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { datasets, methods } from '../../../unlearn/index.ts';
import { type Pictures, pictures } from '../../../unlearn/tasks/denoising.ts';
import { tasks } from '../../../unlearn/tasks/index.ts';
import type { Batch, Samples, Task } from '../../../unlearn/tasks/record.ts';
import { tensorsOf } from '../../../unlearn/train/feed.ts';
import { movingAverage } from '../../../unlearn/train/hooks.ts';
import { networkOf } from '../../../unlearn/train/network.ts';
import { train } from '../../../unlearn/train.ts';
import type { Split } from '../../../unlearn/types.ts';
import { disposeAll, MemoryStore, stripes, tinyCnn, valuesOf } from '../problems.ts';

let drawn: Split;
beforeAll(async () => {
  await lt.init({ device: 'reference' });
  drawn = (await datasets.load(glyphs, { trainSize: 64, testSize: 10 })).train;
});

/** Predicts noise [n, 16, 16, 1] from [n, 16, 16, 2]. */
const denoiser = (): lt.nn.Model =>
  lt.nn.sequential({
    first: lt.nn.conv2d(8, { padding: 1 }),
    relu: lt.nn.relu(),
    last: lt.nn.conv2d(1, { padding: 1 }),
  });

const all = async (task: Task<never>, samples: Samples, options: object) => {
  const list: Batch[] = [];
  for await (const batch of task.batches(samples as never, { batchSize: 10, ...options })) list.push(batch);
  return list;
};

describe.each(['classification', 'denoising'] as const)('%s', (name) => {
  const task = tasks[name] as unknown as Task<never>;
  const samples = (): Samples =>
    name === 'classification' ? stripes(34) : pictures(takeSplit(drawn, [...Array(34).keys()]));
  const model = () => (name === 'classification' ? tinyCnn() : denoiser());

  test('batches are a function of samples and options; from batch k on they are those of a whole run', async () => {
    for (const byId of [false, true]) {
      const options = { shuffle: true, seed: 7, epoch: 2, stream: 1, byId };
      const whole = await all(task, samples(), options);
      expect(whole.map(({ indices }) => indices.length)).toEqual([10, 10, 10, 4]);
      expect([...whole.flatMap(({ indices }) => [...indices])].sort((a, b) => a - b)).toEqual([
        ...Array(34).keys(),
      ]);
      expect(await all(task, samples(), { ...options, startBatch: 2 })).toEqual(whole.slice(2));
      expect(await all(task, samples(), { ...options, epoch: 3 })).not.toEqual(whole);
      expect(await all(task, samples(), { ...options, stream: 2 })).not.toEqual(whole);
    }
  });

  test('every array has a row for each sample; losses are one a sample, finite, and near chance for fresh weights', async () => {
    const set = samples();
    task.check('samples', set as never);
    const network = networkOf(model());
    const variables = model().init(lt.random.key(3), [...task.inputShape(set as never, 4)]);
    const [batch] = await all(task, set, {});
    for (const { data, shape } of Object.values(batch.arrays)) {
      expect(shape[0]).toBe(10);
      expect(data.length).toBe(shape.reduce((a, b) => a * b));
    }
    const { losses } = task.losses(network, variables, tensorsOf(batch));
    expect(losses.shape).toEqual([10]);
    const values: number[] = Array.from(await losses.data());
    const mean = values.reduce((a, b) => a + b) / 10;
    expect(mean).toBeGreaterThan(0.3 * task.chance(set as never));
    expect(mean).toBeLessThan(4 * task.chance(set as never));
    for (const measure of Object.values(task.measures)) {
      const found = measure.of(network, variables, tensorsOf(batch));
      expect(found.shape).toEqual([10]);
    }
  });

  test('what is no sample of it is refused', () => {
    expect(() => task.check('data', {} as never)).toThrow(/^data: expected/);
  });
});

test('byId: leaving a sample out changes neither order nor contents of the others', async () => {
  const split = stripes(30);
  const ids = [...split.ids.keys()].filter((i) => i !== 4 && i !== 17);
  const options = {
    batchSize: 100,
    shuffle: true,
    seed: 3,
    epoch: 1,
    byId: true,
    augment: { crop: 1, flip: true },
  };
  const [[whole], [part]] = await Promise.all(
    [split, takeSplit(split, ids)].map((s) => all(tasks.classification as never, s, options)),
  );
  const rows = ({ arrays, indices }: Batch, from: Split) =>
    [...indices].map((position, i) => [
      from.ids[position],
      ...arrays.images.data.subarray(36 * i, 36 * i + 36),
    ]);
  const kept = rows(whole, split).filter(([id]) => id !== 4 && id !== 17);
  expect(rows(part, takeSplit(split, ids))).toEqual(kept);
});

describe('denoising', () => {
  test('noise is standard normal, levels lie inside, both follow the id and not the place', async () => {
    const set = pictures(drawn);
    const [{ arrays }] = await all(tasks.denoising as never, set, { batchSize: 64 });
    const noise = arrays.noise.data as Float32Array;
    const mean = noise.reduce((a: number, b: number) => a + b, 0) / noise.length;
    const square = noise.reduce((a: number, b: number) => a + b * b, 0) / noise.length;
    // Standard errors at 16,384 numbers: 0.0078 of the mean, 0.011 of the square.
    expect(Math.abs(mean)).toBeLessThan(4 * 0.0078);
    expect(Math.abs(square - 1)).toBeLessThan(4 * 0.011);
    for (const level of arrays.level.data) expect(level > 0 && level < 1).toBe(true);
    for (const pixel of set.pixels) expect(pixel >= -1 && pixel <= 1).toBe(true);
    const [{ arrays: other }] = await all(tasks.denoising as never, pictures(takeSplit(drawn, [9])), {});
    expect(other.noise.data).toEqual(noise.slice(9 * 256, 10 * 256));
    expect(other.level.data[0]).toBe(arrays.level.data[9]);
  });

  test('a network learns it; methods that run on any task forget on it, others say that they do not', async () => {
    const data = pictures(drawn);
    const options = {
      epochs: 12,
      batchSize: 16,
      learningRate: 0.01,
      optimizer: 'adam',
      weightDecay: 0,
    } as const;
    const input = { model: denoiser(), task: tasks.denoising, data, key: lt.random.key(5) };
    const result = await train({ ...input, options, validation: data, keepBest: true });
    const { history, details } = result;
    expect(history[0].validationError).toBeGreaterThan(history[11].validationError);
    // Anything below 1 is knowledge of the picture.
    expect(history[11].validationError).toBeLessThan(0.6);
    expect(details.learned).toBe(true);

    const sets = {
      forget: pictures(takeSplit(drawn, [0, 1, 2, 3])),
      retain: pictures(
        takeSplit(
          drawn,
          [...Array(60).keys()].map((i) => i + 4),
        ),
      ),
    };
    const before = await valuesOf(result.variables);
    const quick = { epochs: 1, batchSize: 16, learningRate: 0.01 };
    for (const method of [
      methods.finetune(quick),
      methods.gradientAscent(quick),
      methods.influence({ iterations: 2 }),
    ]) {
      const after = await method.unlearn<Pictures>({ ...input, ...sets, variables: result.variables });
      expect(await valuesOf(after.variables)).not.toEqual(before);
      disposeAll(after.variables);
    }
    await expect(
      methods.boundaryShrink(quick).unlearn<Pictures>({ ...input, ...sets, variables: result.variables }),
    ).rejects.toThrow('boundaryShrink: runs on the task classification, got denoising');
  });
});

test('a moving average is the average, is returned, and survives a stop to the bit', async () => {
  const decay = 0.8;
  const input = {
    model: tinyCnn(),
    data: stripes(40),
    key: lt.random.key(2),
    options: { epochs: 2, batchSize: 10, learningRate: 0.05 },
  };
  const seen: Record<string, number[]>[] = [];
  const watch = {
    name: 'watch',
    async step(loop: { carry: { variables: lt.nn.Variables } }) {
      seen.push(await valuesOf(loop.carry.variables));
    },
  };
  const { variables } = await train({ ...input, hooks: [movingAverage(decay), watch] });
  const values = await valuesOf(variables);
  const start = await valuesOf(
    lt.scope(() => input.model.init(lt.random.foldIn(input.key, 0), [1, 6, 6, 1])),
  );
  for (const path of Object.keys(start).filter((p) => p.startsWith('params'))) {
    const average = seen.reduce(
      (mean, step) => mean.map((v, i) => decay * v + (1 - decay) * step[path][i]),
      start[path],
    );
    // Eight steps of two roundings each, in float32.
    values[path].forEach((v, i) =>
      expect(Math.abs(v - average[i])).toBeLessThan(2e-6 * Math.max(1, Math.abs(average[i]))),
    );
  }
  const store = new MemoryStore();
  const stop = new AbortController();
  const hooks = () => [movingAverage(decay)];
  await train({
    ...input,
    hooks: hooks(),
    checkpoint: store,
    signal: stop.signal,
    onProgress: () => stop.abort(),
  }).catch(() => {});
  expect(store.saved.length).toBeGreaterThan(0);
  const resumed = await train({ ...input, hooks: hooks(), checkpoint: store });
  expect(await valuesOf(resumed.variables)).toEqual(values);
});

test('batches that arrive over time train to the same bits as those in memory', async () => {
  const streamed: Task<Split> = {
    ...tasks.classification,
    name: 'streamed',
    async *batches(samples, options) {
      for (const batch of tasks.classification.batches(samples, options) as Iterable<Batch>) {
        await new Promise((resolve) => setTimeout(resolve));
        yield batch;
      }
    },
  };
  const input = { model: tinyCnn(), data: stripes(40), key: lt.random.key(2), validation: stripes(12, 5) };
  const options = { epochs: 2, batchSize: 16, learningRate: 0.05 };
  const [here, there] = [
    await train({ ...input, options }),
    await train({ ...input, options, task: streamed }),
  ];
  expect(await valuesOf(there.variables)).toEqual(await valuesOf(here.variables));
  expect(there.history).toEqual(here.history);
});

test('tasks are a table of records', () => {
  expect(Object.keys(tasks)).toEqual(['classification', 'denoising']);
  for (const [name, task] of Object.entries(tasks)) expect(task.name).toBe(name);
  expectTypeOf(tasks.denoising).toEqualTypeOf<Task<Pictures>>();
});
