// Masks, proximal steps and projections around an optimiser; conjugate gradients; passes over several sets.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { tasks } from '../../../unlearn/tasks/index.ts';
import { type LoopInput, runLoop } from '../../../unlearn/train/loop.ts';
import type { Objective } from '../../../unlearn/train/objective.ts';
import { type Pass, Schedule } from '../../../unlearn/train/schedule.ts';
import { masked, softThreshold, withinBall } from '../../../unlearn/train/update.ts';
import { conjugateGradients } from '../../../unlearn/train/vectors.ts';
import { cut, MemoryStore, stripes, tinyCnn, tinyMlp, valuesOf } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const data = stripes(48);
const loop = (change: Partial<LoopInput> = {}): LoopInput => ({
  name: 'test',
  model: tinyMlp(),
  variables: tinyMlp().init(lt.random.key(1), [1, 6, 6, 1]),
  passes: [{ name: 'all', sets: { all: { set: data } } }],
  epochs: 2,
  batchSize: 16,
  optimizer: lt.optim.sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.01 }),
  learningRate: lt.optim.constant(0.1),
  seed: 1,
  ...change,
});

describe('a mask', () => {
  test.each([
    [
      'sgd with momentum and decay',
      () => lt.optim.sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 }),
    ],
    ['adamw', () => lt.optim.adamw({ learningRate: 0.01, weightDecay: 0.1 })],
  ])('keeps what it hides to the bit under %s, slots too; the rest moves as without it', async (_, inner) => {
    const params = { a: lt.tensor([1.5, -2.25, 3]), b: lt.tensor([[0.5], [4]]) };
    const mask = { a: lt.tensor([1, 0, 1], { dtype: 'bool' }), b: lt.tensor([[0], [1]], { dtype: 'bool' }) };
    const optimizer = masked(mask)(inner());
    const plain = inner();
    let [hidden, free] = [
      { params, state: optimizer.init(params) },
      { params, state: plain.init(params) },
    ];
    for (let i = 0; i < 5; i++) {
      const grads = { a: lt.tensor([0.3, 0.7, -0.2]).mul(i + 1), b: lt.tensor([[1], [-1]]) };
      hidden = optimizer.update(grads, hidden.state, hidden.params);
      free = plain.update(grads, free.state, free.params);
    }
    const [a, b, freeA] = [hidden.params.a, hidden.params.b, free.params.a].map((t) => t.data());
    expect((await a)[1]).toBe(-2.25);
    expect((await b)[0]).toBe(0.5);
    expect((await a)[0]).toBe((await freeA)[0]);
    expect((await a)[2]).toBe((await freeA)[2]);
    for (const [name, slot] of Object.entries(hidden.state)) {
      if (name === 'step') expect(await (slot as lt.Tensor).item()).toBe(5);
      else expect((await (slot as typeof params).a.data())[1]).toBe(0);
    }
  });
});

test('the soft threshold moves towards 0 and stops there', async () => {
  const optimizer = softThreshold(0.5)(lt.optim.sgd({ learningRate: 1 }));
  const params = { w: lt.tensor([2, -2, 0.3, -0.3]) };
  const { params: next } = optimizer.update({ w: lt.zeros([4]) }, optimizer.init(params), params);
  expect(await next.w.array()).toEqual([1.5, -1.5, 0, 0].map((v) => expect.closeTo(v, 6)));
});

test('the ball is never left, and what is inside stays', async () => {
  const centre = { w: lt.tensor([1, 1]), v: lt.tensor([0]) };
  const optimizer = withinBall(centre, 2)(lt.optim.sgd({ learningRate: 1 }));
  const step = async (w: number[], v: number[]) => {
    const { params } = optimizer.update({ w: lt.tensor(w), v: lt.tensor(v) }, optimizer.init(centre), centre);
    return [...(await params.w.data()), ...(await params.v.data())];
  };
  expect(await step([-1, 0], [-1])).toEqual([2, 1, 1]);
  const far = await step([-30, 0], [-40]);
  expect(far).toEqual([1 + 2 * 0.6, 1, 2 * 0.8].map((x) => expect.closeTo(x, 5)));
  expect(await step([0, 0], [0])).toEqual([1, 1, 0]);
});

describe('conjugate gradients', () => {
  test('solve a symmetric system, with the residual they print', async () => {
    const A = [
      [4, 1, 0.5],
      [1, 3, -0.2],
      [0.5, -0.2, 2],
    ];
    const matrix = lt.tensor(A);
    const b = { x: lt.tensor([1, 2, 3]) };
    const apply = async (v: unknown) => ({
      x: lt.matmul(matrix, (v as typeof b).x.reshape([3, 1])).reshape([3]),
    });
    const { x, residuals, indefinite } = await conjugateGradients(apply, b, {
      iterations: 10,
      tolerance: 1e-6,
    });
    const solved = [...(await (x as typeof b).x.data())];
    A.forEach((row, i) => {
      const left = row.reduce((sum, a, j) => sum + a * solved[j], 0);
      expect(left).toBeCloseTo([1, 2, 3][i], 4);
    });
    expect(residuals.length).toBeLessThanOrEqual(4);
    expect(residuals.at(-1)).toBeLessThan(1e-5);
    expect(indefinite).toBe(false);
  });
  test('say where there is no positive curvature, and leave nothing behind', async () => {
    const b = { x: lt.tensor([1, 0]) };
    const apply = async (v: unknown) => ({ x: lt.scope(() => (v as typeof b).x.mul(-1)) });
    const leaks = await lt.findLeaks(async () => {
      const { x, indefinite, residuals } = await conjugateGradients(apply, b, {
        iterations: 5,
        tolerance: 0,
      });
      expect([indefinite, residuals]).toEqual([true, []]);
      return x;
    });
    expect(leaks).toEqual([]);
  });
});

describe('passes over named sets', () => {
  const { forget, retain } = cut(data, 1);
  const objective: Objective = (variables, { retain, forget }, { network, task }) => {
    const kept = task.losses(network, variables, retain);
    const gone = task.losses(network, variables, forget);
    return { loss: kept.losses.mean().sub(gone.losses.mean().mul(0.1)), state: kept.state };
  };
  const both: Pass = {
    name: 'both',
    sets: { retain: { set: retain }, forget: { set: forget, batchSize: 6 } },
    objective,
  };

  test('the first is gone through once; the others go round, in full batches and new orders', async () => {
    const schedule = new Schedule('test', [both], 3, 8);
    expect(schedule.steps).toBe(3 * 4);
    const seen: { retain: number[]; forget: number[] }[] = [];
    for await (const { batches } of schedule.from(tasks.classification, 5, 0))
      seen.push({ retain: [...batches.retain.indices], forget: [...batches.forget.indices] });
    for (let epoch = 0; epoch < 3; epoch++) {
      const first = seen.slice(4 * epoch, 4 * epoch + 4).flatMap((s) => s.retain);
      expect(first.sort((a, b) => a - b)).toEqual([...Array(32).keys()]);
    }
    // 16 forgotten samples make two full batches of 6 a round.
    const rounds = Array.from({ length: 6 }, (_, r) => seen.slice(2 * r, 2 * r + 2).flatMap((s) => s.forget));
    for (const round of rounds) expect(new Set(round).size).toBe(12);
    expect(rounds[0]).not.toEqual(rounds[1]);
    for (const from of [1, 5, 11]) {
      const later: typeof seen = [];
      for await (const { batches } of schedule.from(tasks.classification, 5, from))
        later.push({ retain: [...batches.retain.indices], forget: [...batches.forget.indices] });
      expect(later).toEqual(seen.slice(from));
    }
  });

  test('an objective sees both, passes take turns by epoch, and a stopped loop ends with the same bits', async () => {
    const passes: Pass[] = [
      { name: 'away', sets: { forget: { set: forget } }, during: (epoch) => epoch < 1 },
      both,
    ];
    const input = (change: Partial<LoopInput> = {}) =>
      loop({
        model: tinyCnn(),
        variables: tinyCnn().init(lt.random.key(1), [1, 6, 6, 1]),
        passes,
        batchSize: 8,
        ...change,
      });
    const whole = await runLoop(input());
    expect(whole.cost).toMatchObject({ gradientSteps: 2 + 4 + 4, samplesVisited: 16 + 2 * (32 + 4 * 6) });
    expect(whole.history.map(({ epoch }) => epoch)).toEqual([1, 2]);
    const values = await valuesOf(whole.variables);
    const store = new MemoryStore();
    await runLoop(input({ checkpoint: store, saveEverySeconds: 0 }));
    expect(store.saved.length).toBe(9);
    for (const state of store.saved) {
      const again = await runLoop(input({ checkpoint: new MemoryStore(state) }));
      expect(await valuesOf(again.variables)).toEqual(values);
      expect(again.history).toEqual(whole.history);
    }
  });
});

describe('a pass with a number of steps and an update of its own', () => {
  const own = (params: lt.tree.Tree<lt.Tensor>): lt.tree.Tree<lt.Tensor> =>
    lt.tree.map((p: lt.Tensor) => p.add(1), params);
  const passes: Pass[] = [
    { name: 'own', sets: { all: { set: data } }, steps: 7, update: own, during: (epoch) => epoch === 0 },
    { name: 'all', sets: { all: { set: data } } },
  ];

  test('goes round its set, and leaves the optimiser where it is', async () => {
    const schedule = new Schedule('test', passes, 2, 16);
    expect([schedule.steps, schedule.samples]).toEqual([7 + 3 + 3, 7 * 16 + 2 * 48]);
    expect([0, 7, 8, 10, 13].map((step) => schedule.updatesBefore(step))).toEqual([0, 0, 1, 3, 6]);
    expect([0, 0.5, 1, 1.5, 2].map((epoch) => schedule.updatesUntil(epoch))).toEqual([0, 1.5, 3, 4.5, 6]);
    const seen: number[] = [];
    for await (const { at } of schedule.from(tasks.classification as never, 1, 5))
      seen.push(...at.indices.all);
    const all = [...Array(48).keys()];
    // From step 5 on: the end of the second round and the beginning of the third, then an epoch, and another.
    expect(seen.length).toBe(2 * 16 + 2 * 48);
    for (const from of [2 * 16, 5 * 16])
      expect(seen.slice(from, from + 48).sort((a, b) => a - b)).toEqual(all);
  });

  test('moves the parameters as it says', async () => {
    const input = loop({ passes: passes.slice(0, 1), epochs: 1 });
    const { variables, cost } = await runLoop(input);
    expect(cost).toMatchObject({ gradientSteps: 7, samplesVisited: 112 });
    const [before, after] = [await valuesOf({ ...input.variables, state: {} }), await valuesOf(variables)];
    for (const [path, values] of Object.entries(before))
      values.forEach((v, i) => expect(Math.abs(after[path][i] - v - 7)).toBeLessThan(1e-5));
  });
});
