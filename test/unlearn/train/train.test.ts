// Training: it learns, it resumes to the same bits from anywhere, it stops cleanly, it leaks nothing.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { predict } from '../../../unlearn/predict.ts';
import { tasks } from '../../../unlearn/tasks/index.ts';
import { chanceWarning, hasLearned } from '../../../unlearn/train/chance.ts';
import { runLoop } from '../../../unlearn/train/loop.ts';
import { scheduleOf } from '../../../unlearn/train/tune.ts';
import { train } from '../../../unlearn/train.ts';
import type { Progress } from '../../../unlearn/types.ts';
import { disposeAll, MemoryStore, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const options = { epochs: 3, batchSize: 16, learningRate: 0.1, warmupEpochs: 0.5 } as const;
const augmented = { ...options, augment: { crop: 1, flip: true } };
const data = stripes(72);
const setup = (model = tinyCnn()) => ({ model, data, options: augmented, key: lt.random.key(5) });

test('a small network learns the problem; loss, rate and progress are reported', async () => {
  const seen: Progress[] = [];
  const test = stripes(60, 9);
  const { variables, cost, history } = await train({
    ...setup(tinyMlp()),
    options: { ...options, epochs: 12 },
    validation: test,
    onProgress: (p) => seen.push(p),
  });
  expect(history).toHaveLength(12);
  expect(history[11].loss).toBeLessThan(history[0].loss / 2);
  expect(history[11].validationAccuracy).toBeGreaterThan(90);
  expect(cost.gradientSteps).toBe(12 * 5);
  expect(cost.samplesVisited).toBe(12 * 72);
  expect(cost.seconds).toBeGreaterThan(0);
  expect(seen.at(-1)).toMatchObject({ phase: 'train', fraction: 1, epoch: 12, epochs: 12 });
  const logits = await predict(tinyMlp(), variables, test, { batchSize: 7 });
  expect(await predict(tinyMlp(), variables, test, { batchSize: 60 })).toEqual(logits);
  expect(logits).toHaveLength(60 * 3);
});

describe('training that stays at chance', () => {
  const warnings = async (change: object, from?: MemoryStore) => {
    const seen: Progress[] = [];
    const result = await train({
      ...setup(tinyMlp()),
      options: { ...options, epochs: 6, ...change },
      checkpoint: from,
      onProgress: (p) => p.warning !== undefined && seen.push(p),
    });
    disposeAll(result.variables);
    return { seen, details: result.details };
  };

  test('says so once, from a third of the epochs on, and in the details', async () => {
    const { seen, details } = await warnings({ learningRate: 1e-7 });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ phase: 'train', epoch: 2, epochs: 6, fraction: 1 / 3 });
    expect(seen[0].warning).toMatch(
      /^the network has learned nothing so far: loss 1\.\d\d after epoch 2 of 6, chance 1\.10; try more epochs, or/,
    );
    expect(details.learned).toBe(false);
    expect(details.trainLoss).toBe(details.history[5].loss);
    // Never before the warm-up is over, and at the end where there is one epoch.
    expect((await warnings({ learningRate: 1e-7, warmupEpochs: 3.5 })).seen[0]).toMatchObject({ epoch: 5 });
    expect((await warnings({ learningRate: 1e-7, epochs: 1 })).seen[0]).toMatchObject({ epoch: 1 });
  });

  test('nothing is said where it learns', async () => {
    const { seen, details } = await warnings({ epochs: 12 });
    expect(seen).toEqual([]);
    expect(details.learned).toBe(true);
  });

  test('chance is the entropy of the labels; loss may collapse late, and what learns late is told so far', () => {
    const chanceLoss = (labels: number[]) =>
      tasks.classification.chance({ ...data, labels: Int32Array.from(labels) });
    expect(chanceLoss([0, 1, 2, 3])).toBeCloseTo(Math.log(4), 12);
    expect(chanceLoss([0, 0, 0, 1])).toBeCloseTo(2 * Math.LN2 - 0.75 * Math.log(3), 12);
    expect(chanceLoss([2, 2])).toBe(0);
    expect([hasLearned(5, 0), hasLearned(0.9, 1), hasLearned(0.96, 1)]).toEqual([true, true, false]);
    const told = (losses: number[]) =>
      losses.map((_, i) => {
        const history = losses.slice(0, i + 1).map((loss, e) => ({ epoch: e + 1, loss, learningRate: 0.01 }));
        const options = { epochs: losses.length, warmupEpochs: 0, learningRate: 0.1 };
        const warning = chanceWarning(history, { ...options, chance: 1 });
        // The rate that was asked for, not the one a schedule made of it.
        if (warning) expect(warning).toContain('another learning rate than 0.1');
        return warning !== null;
      });
    expect(told([1, 0.5, 0.4, 0.3, 1.2, 1])).toEqual([false, false, false, false, true, false]);
    expect(told([1, 1, 1, 0.3, 0.2, 0.1])).toEqual([false, true, false, false, false, false]);
  });
});

test('the same key gives the same bits, another key does not', async () => {
  const run = async (seed: number) =>
    valuesOf((await train({ ...setup(), key: lt.random.key(seed) })).variables);
  expect(await run(3)).toEqual(await run(3));
  expect(await run(3)).not.toEqual(await run(4));
});

describe('resuming', () => {
  const whole = async () => {
    const { variables, history, cost } = await train(setup());
    return { values: await valuesOf(variables), history, steps: cost.gradientSteps };
  };

  test('after an abort at any step: the same final weights and history', async () => {
    const target = await whole();
    for (const stopAt of [1, 4, 5, 7, 14]) {
      const store = new MemoryStore();
      let sessions = 0;
      for (let done = false; !done; sessions++) {
        const stop = new AbortController();
        let steps = 0;
        // Aborts when so many images have been read.
        const counted = {
          ...data,
          get images() {
            if (++steps > 72 * stopAt) stop.abort();
            return data.images;
          },
        };
        try {
          const result = await train({ ...setup(), data: counted, signal: stop.signal, checkpoint: store });
          expect(await valuesOf(result.variables)).toEqual(target.values);
          expect(result.history).toEqual(target.history);
          expect(result.cost.gradientSteps).toBe(target.steps);
          done = true;
        } catch (error) {
          expect((error as Error).name).toBe('AbortError');
        }
        expect(sessions).toBeLessThan(40);
      }
    }
  });

  test('from every state ever saved, as after a kill', async () => {
    const target = await whole();
    const store = new MemoryStore();
    const again = (checkpoint: MemoryStore) => {
      const { model, key } = setup();
      const schedule = scheduleOf({ ...augmented, momentum: 0.9, weightDecay: 0 }, 5);
      return runLoop({
        name: 'kill',
        model,
        variables: model.init(key, [1, 6, 6, 1]),
        passes: [{ name: 'all', sets: { data: { set: data, augment: augmented.augment } } }],
        epochs: 3,
        batchSize: 16,
        optimizer: lt.optim.sgd({ learningRate: schedule, momentum: 0.9 }),
        learningRate: schedule,
        seed: 5,
        checkpoint,
        saveEverySeconds: 0,
      });
    };
    const first = await valuesOf((await again(store)).variables);
    expect(store.saved.length).toBe(14);
    for (const state of store.saved)
      expect(await valuesOf((await again(new MemoryStore(state))).variables)).toEqual(first);
    expect(Object.keys(first)).toEqual(Object.keys(target.values));
  });

  test('a checkpoint of something else is refused', async () => {
    const store = new MemoryStore();
    await train({ ...setup(), checkpoint: store });
    const others = [{ key: lt.random.key(6) }, { options: { ...augmented, learningRate: 0.2 } }];
    for (const other of others)
      await expect(train({ ...setup(), ...other, checkpoint: store })).rejects.toThrow(
        /of another computation/,
      );
  });
});

test('keepBest returns the epoch with the best validation accuracy', async () => {
  const validation = stripes(30, 3);
  const { variables, history } = await train({ ...setup(), validation, keepBest: true });
  const logits = await predict(tinyCnn(), variables, validation);
  let hits = 0;
  for (let i = 0; i < 30; i++) {
    const row = [...logits.subarray(3 * i, 3 * i + 3)];
    if (row.indexOf(Math.max(...row)) === validation.labels[i]) hits++;
  }
  expect((100 * hits) / 30).toBe(Math.max(...history.map((h) => h.validationAccuracy)));
});

test('memory: steps leak nothing, a finished or aborted run leaves only its result', async () => {
  // A fresh device: no garbage of other tests that might be collected meanwhile.
  await lt.close();
  await lt.init({ device: 'reference' });
  const given = setup();
  const before = lt.memory().buffers;
  const during: number[] = [];
  const store = new MemoryStore();
  store.onSave = () => during.push(lt.memory().buffers);
  const { variables } = await train({ ...given, checkpoint: store, options: { ...options, epochs: 4 } });
  expect(new Set(during).size).toBe(1);
  disposeAll(variables);
  expect(lt.memory().buffers).toBe(before);
  const stop = new AbortController();
  await expect(
    train({ ...given, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }),
  ).rejects.toThrow('enough');
  expect(lt.memory().buffers).toBe(before);
});

test('divergence is one clear error that says where and what to try', async () => {
  const wild = { ...options, learningRate: 1000, epochs: 30, weightDecay: 1 };
  await expect(train({ ...setup(tinyMlp()), options: wild })).rejects.toThrow(
    /^train: .* at epoch \d+ of 30, step \d+ of 5, learning rate .*; lower the learning rate/,
  );
});

test('wrong options are refused with the key that was probably meant', async () => {
  await expect(train({ ...setup(), options: { learningrate: 0.1 } as never })).rejects.toThrow(
    'train: unknown key "learningrate"; did you mean "learningRate"?',
  );
  await expect(train({ ...setup(), options: { epochs: 0 } })).rejects.toThrow(
    /train: epochs: expected a whole number/,
  );
  await expect(train({ ...setup(), keepBest: true })).rejects.toThrow(/keepBest needs validation/);
});

test('schedules: warm-up, cosine, steps', async () => {
  const at = async (change: object, step: number) => {
    const tuning = { epochs: 4, batchSize: 1, learningRate: 1, momentum: 0, weightDecay: 0, ...change };
    return scheduleOf(tuning, 10)(lt.full([], step)).item();
  };
  expect(await at({}, 39)).toBe(1);
  expect(await at({ warmupEpochs: 1 }, 0)).toBeCloseTo(0.1, 6);
  expect(await at({ warmupEpochs: 1 }, 9)).toBeCloseTo(1, 6);
  expect(await at({ schedule: 'cosine' }, 20)).toBeCloseTo(0.5, 6);
  const steps = { schedule: 'step', milestones: [1, 3], gamma: 0.1, warmupEpochs: 0.5 };
  expect(await at(steps, 9)).toBeCloseTo(1, 6);
  expect(await at(steps, 10)).toBeCloseTo(0.1, 6);
  expect(await at(steps, 30)).toBeCloseTo(0.01, 6);
});
