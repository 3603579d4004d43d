// Mixed precision: it learns what float32 learns, skips what float16 cannot hold, resumes to the same bits, and says where
// it does not run.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createReferenceBackend } from '../../../engine/reference.ts';
import { useBackend } from '../../../engine/runtime.ts';
import * as lt from '../../../index.ts';
import { parseRecipe } from '../../../unlearn/recipe.ts';
import { lineOf } from '../../../unlearn/run/log.ts';
import { runLoop } from '../../../unlearn/train/loop.ts';
import { meanLoss, type Objective } from '../../../unlearn/train/objective.ts';
import { firstScaling, nextScaling, unscale } from '../../../unlearn/train/precision.ts';
import { train } from '../../../unlearn/train.ts';
import { hasCpu } from '../../native/support.ts';
import { MemoryStore, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';

afterAll(() => lt.close());

const data = stripes(72);
const validation = stripes(60, 9);
const learn = (precision: 'float32' | 'mixed', epochs: number) =>
  train({
    model: tinyCnn(),
    data,
    options: { epochs, batchSize: 16, learningRate: 0.1, precision },
    key: lt.random.key(5),
    validation,
  });

/** Both ways; the loss of mixed precision follows float32's, and both solve the problem. */
async function learnsAlike(epochs: number): Promise<void> {
  const [plain, mixed] = [await learn('float32', epochs), await learn('mixed', epochs)];
  const [a, b] = [plain.history.at(-1), mixed.history.at(-1)];
  expect(a?.validationAccuracy).toBeGreaterThan(90);
  expect(b?.validationAccuracy).toBeGreaterThan(90);
  expect(Math.abs((a?.validationAccuracy ?? 0) - (b?.validationAccuracy ?? 0))).toBeLessThan(5);
  // The first epoch has not had the time to drift: weights differ by float16's rounding.
  expect(Math.abs(plain.history[0].loss - mixed.history[0].loss)).toBeLessThan(0.02);
  expect(mixed.history[0]).toMatchObject({ skippedSteps: 0, lossScale: 2 ** 15 });
  expect(plain.history[0]).not.toHaveProperty('skippedSteps');
  for (const [, t] of lt.tree.entries<lt.Tensor>(mixed.variables as never)) expect(t.dtype).toBe('float32');
  expect(await valuesOf(mixed.variables)).not.toEqual(await valuesOf(plain.variables));
}

describe('on the reference', () => {
  beforeAll(() => lt.init({ device: 'reference' }));

  test('learns what float32 learns', () => learnsAlike(12));

  test('the scale halves with each step that is not finite and doubles after 2000 that are', async () => {
    const facts = async (s: Awaited<ReturnType<typeof firstScaling>>) =>
      Promise.all([s.scale.item(), s.good.item(), s.skipped.item()]);
    const [yes, no] = [lt.tensor(true), lt.tensor(false)];
    const start = firstScaling('test', 8);
    expect(await facts(nextScaling(start, yes))).toEqual([8, 1, 0]);
    expect(await facts(nextScaling({ ...start, good: lt.full([], 1998, 'int32') }, yes))).toEqual([
      8, 1999, 0,
    ]);
    const patient = { ...start, good: lt.full([], 1999, 'int32') };
    expect(await facts(nextScaling(patient, yes))).toEqual([16, 0, 0]);
    expect(await facts(nextScaling(patient, no))).toEqual([4, 0, 1]);
    expect(await facts(nextScaling(firstScaling('test', 1), no))).toEqual([1, 0, 1]);
    expect(await facts(nextScaling({ ...patient, scale: lt.full([], 2 ** 24) }, yes))).toEqual([
      2 ** 24,
      0,
      0,
    ]);

    for (const [bad, finite] of [
      [1, 1],
      [Infinity, 0],
      [-Infinity, 0],
      [Number.NaN, 0],
    ]) {
      const tree = { a: lt.tensor([16, bad]), b: lt.tensor([[-2]]) };
      const { grads, finite: seen } = unscale(tree, start);
      expect(await seen.item()).toBe(finite);
      expect([...(await grads.b.data())]).toEqual([-0.25]);
    }
  });

  const steeper =
    (steepness: number): Objective =>
    (variables, batches, context) => {
      const { loss, state } = meanLoss('data')(variables, batches, context);
      return { loss: loss.mul(steepness), state };
    };

  /** A loss so steep that the first scales lift its gradients beyond float16. */
  const steep = (checkpoint?: MemoryStore, steepness = 100, epochs = 2) =>
    lt.scope(() =>
      runLoop({
        name: 'steep',
        model: tinyMlp(),
        variables: tinyMlp().init(lt.random.key(1), [1, 6, 6, 1]),
        passes: [{ name: 'steep', sets: { data: { set: data } }, objective: steeper(steepness) }],
        epochs,
        batchSize: 16,
        optimizer: lt.optim.sgd({ learningRate: 0.0001, momentum: 0.9 }),
        learningRate: lt.optim.constant(0.0001),
        precision: 'mixed',
        seed: 3,
        saveEverySeconds: 0,
        checkpoint,
      }),
    );

  test('steps with gradients beyond float16 are skipped, counted, and change nothing', async () => {
    const store = new MemoryStore();
    const { cost, history, variables } = await steep(store);
    const skipped = history[1].skippedSteps;
    expect(skipped).toBeGreaterThan(0);
    expect(skipped).toBeLessThan(8);
    expect(history[1].lossScale).toBe(2 ** (15 - skipped));
    expect(cost).toMatchObject({ gradientSteps: 10 - skipped, skippedSteps: skipped });
    const weights = (k: number) => Array.from(store.saved[k].arrays['variables.params.fc1.weight'].data);
    const start = tinyMlp().init(lt.random.key(1), [1, 6, 6, 1]);
    const first = (await valuesOf(start))['params.fc1.weight'];
    // The first state saved is that after one step, which was skipped.
    expect(weights(0)).toEqual(first);
    expect((await valuesOf(variables))['params.fc1.weight']).not.toEqual(first);
  });

  test('gradients beyond float16 at any scale are an error', () =>
    expect(steep(undefined, 1e8, 4)).rejects.toThrow(
      /^steep: gradients are beyond float16 even without a loss scale at epoch 3 of 4, .*; train with precision 'float32'$/,
    ));

  test('resumes from every state ever saved to the same bits, scale included', async () => {
    const store = new MemoryStore();
    const target = await steep(store);
    const values = await valuesOf(target.variables);
    expect(store.saved.length).toBeGreaterThan(5);
    for (const state of store.saved) {
      const again = await steep(new MemoryStore(structuredClone(state)));
      expect(await valuesOf(again.variables)).toEqual(values);
      expect(again.history).toEqual(target.history);
    }
  });

  test('no readback: a step is one program', async () => {
    const backend = createReferenceBackend();
    let runs = 0;
    const run = backend.run.bind(backend);
    backend.run = (e, ...rest) => {
      if (e.program.label.endsWith(' step')) runs++;
      run(e, ...rest);
    };
    useBackend(backend);
    await learn('mixed', 1);
    expect(runs).toBe(5);
    await lt.init({ device: 'reference' });
  });

  test('the log of a run says how many were skipped', () => {
    const end = { type: 'end', cell: 'original', action: 'train', seconds: 2 } as const;
    expect(lineOf({ ...end, skippedSteps: 3 })).toBe(
      'original: train took 2.0 s, 3 steps skipped for gradients beyond float16',
    );
    expect(lineOf({ ...end, skippedSteps: 0 })).toBe('original: train took 2.0 s');
  });

  test('a recipe says it in one key', () => {
    const text = `name: x
dataset: { name: glyphs }
forget: { class: 0 }
model: { name: smallCnn }
train: { precision: mixed }
methods: [{ name: finetune }]
`;
    expect(parseRecipe(text, 'x.yaml').train.precision).toBe('mixed');
    expect(parseRecipe(text.replace('train: { precision: mixed }\n', ''), 'x.yaml').train.precision).toBe(
      'float32',
    );
    expect(() => parseRecipe(text.replace('mixed', 'half'), 'x.yaml')).toThrow(/precision/);
  });
});

test.skipIf(!hasCpu)('on the CPU it says where it runs', async () => {
  await lt.init({ device: 'cpu' });
  await expect(learn('mixed', 1)).rejects.toThrow(
    /^train: precision 'mixed' computes in float16; device 'cpu' has no float16 here; device 'webgpu' has/,
  );
});

test.skipIf(inject('absent').webgpu !== null)('on WebGPU it learns what float32 learns', async ({ skip }) => {
  await lt.init({ device: 'webgpu' });
  try {
    firstScaling('probe');
  } catch {
    skip('no float16');
  }
  await learnsAlike(40);
});
