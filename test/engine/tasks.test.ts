// Asynchronous tasks that take turns: none disposes another's tensors, and each stays on its own device. With what the
// runtime offers for telling tasks apart, and without.

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { type Context, setTaskLocal } from '../../engine/context.ts';
import type { Concrete } from '../../engine/tensor.ts';
import * as lt from '../../index.ts';
import { findTaskLocal } from '../../task-local.ts';

const absent = inject('absent');
beforeEach(() => lt.init({ device: 'reference' }));
afterEach(() => {
  vi.unstubAllGlobals();
  findTaskLocal();
});
const numbers = async (x: lt.Tensor) => Array.from(await x.data());
/** Lets whatever else is ready go on. */
const turn = () => new Promise<void>((go) => setImmediate(go));

/** Which of these have been given back. */
const gone = (...xs: lt.Tensor[]) => xs.map((x) => (x as Concrete).disposed);

/** A place where tasks wait for one another: open() lets them on. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open = () => {};
  const passed = new Promise<void>((go) => {
    open = go;
  });
  return { passed, open };
}

describe.each([
  ['with AsyncLocalStorage', true],
  ['without task-local state', false],
])('scopes %s', (_, follows) => {
  beforeEach(() => {
    if (!follows) setTaskLocal(null);
  });

  test('an open scope leaves the tensors of other tasks alone', async () => {
    const [opened, made] = [gate(), gate()];
    const scoped = lt.scope(async () => {
      lt.tensor([1]);
      opened.open();
      await made.passed;
    });
    const other = async () => {
      await opened.passed;
      const mine = lt.tensor([2, 3]);
      made.open();
      await scoped;
      return mine;
    };
    expect(await numbers(await other())).toEqual([2, 3]);
  });

  test('scopes that overlap without nesting keep apart', async () => {
    const [a, b] = [gate(), gate()];
    const made: lt.Tensor[] = [];
    const first = lt.scope(async () => {
      const x = lt.tensor([1]);
      made.push(x);
      await a.passed;
      return x.add(1);
    });
    const second = lt.scope(async () => {
      const x = lt.tensor([10]);
      made.push(x);
      a.open();
      await first;
      expect(gone(...made)).toEqual([true, false]);
      await b.passed;
      return lt.scope(() => {
        const y = x.add(1);
        made.push(y);
        return y.add(1);
      });
    });
    const one = await first;
    b.open();
    const two = await second;
    expect([await numbers(one), await numbers(two)]).toEqual([[2], [12]]);
    expect(gone(...made)).toEqual([true, true, true]);
  });

  test('what is made before the first await is given back, also where the function throws', async () => {
    const made: lt.Tensor[] = [];
    const failed = lt.scope(async () => {
      made.push(lt.tensor([1]), lt.ones([2]));
      await turn();
      expect(gone(...made)).toEqual([false, false]);
      throw new Error('stop');
    });
    await expect(failed).rejects.toThrow('stop');
    expect(gone(...made)).toEqual([true, true]);
  });

  test('keep takes a tensor out of the scope of another task', async () => {
    const [ready, taken] = [gate(), gate()];
    let shared: lt.Tensor | undefined;
    const owner = lt.scope(async () => {
      shared = lt.tensor([4]);
      ready.open();
      await taken.passed;
    });
    await ready.passed;
    const mine = lt.keep(shared as lt.Tensor);
    taken.open();
    await owner;
    expect(await numbers(mine)).toEqual([4]);
  });
});

describe('what an async scope owns', () => {
  test('all that its function makes, through every await, and what is started in it', async () => {
    const made: lt.Tensor[] = [];
    const helper = async (x: number) => {
      await turn();
      const y = lt.tensor([x]);
      made.push(y);
      return y.mul(2);
    };
    const sum = await lt.scope(async () => {
      const parts = await Promise.all([helper(1), helper(2)]);
      made.push(...parts);
      await turn();
      return lt.add(parts[0], parts[1]);
    });
    expect(await numbers(sum)).toEqual([6]);
    expect(gone(...made)).toEqual([true, true, true, true]);
  });

  test('what is made too late goes to the scope around it', async () => {
    const late = await lt.scope(async () => {
      const begun = lt.scope(() => [turn().then(() => lt.tensor([1]))]);
      const x = await begun[0];
      expect(await numbers(x)).toEqual([1]);
      // The search for results does not look into sets.
      return new Set([x]);
    });
    expect(gone(...late)).toEqual([true]);
  });

  test('any promise keeps it open, also one that is no Promise of ours', async () => {
    const x = await lt.scope(() => {
      const made = lt.tensor([1, 2]);
      const promise = turn().then(() => made.add(1));
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      return { then: promise.then.bind(promise) } as Promise<lt.Tensor>;
    });
    expect(await numbers(x)).toEqual([2, 3]);
  });

  test('AsyncContext serves as well, where there is one', async () => {
    const storages: AsyncLocalStorage<Context>[] = [];
    class Variable {
      private readonly storage = new AsyncLocalStorage<Context>();
      constructor() {
        storages.push(this.storage);
      }
      get() {
        return this.storage.getStore();
      }
      run<R>(value: Context, f: () => R): R {
        return this.storage.run(value, f);
      }
    }
    vi.stubGlobal('AsyncContext', { Variable });
    findTaskLocal();
    await lt.scope(async () => {
      await turn();
      expect(storages.map((s) => s.getStore()?.scope)).toEqual([expect.anything()]);
    });
  });
});

test('leak checks may overlap', async () => {
  const [begun, over] = [gate(), gate()];
  const kept: lt.Tensor[] = [];
  const first = lt.findLeaks(() => begun.passed);
  const second = lt.findLeaks(async () => {
    begun.open();
    await over.passed;
    kept.push(lt.ones([3]));
  });
  expect(await first).toEqual([]);
  over.open();
  expect(await second).toMatchObject([{ tensor: 'float32[3]', bytes: 12 }]);
});

// ---- devices ---------------------------------------------------------------------------------------------------------

/** A bit of everything that makes or compiles: keys, initialisers, an optimiser with constants of its own, jit. */
function training(): () => Promise<{ loss: number[]; weights: string[]; dtype: string }> {
  const model = lt.nn.sequential([lt.nn.dense(2), lt.nn.tanh()]);
  const optimiser = lt.optim.adam({
    learningRate: lt.optim.cosine({ learningRate: 0.1, total: 5 }),
    beta1: 0,
  });
  // One for all tasks.
  const step = lt.jit((params: lt.nn.Variables['params'], state: lt.optim.OptimiserState, x: lt.Tensor) => {
    const half = lt.ones([8, 2]).mul(0.5);
    const lossOf = (p: typeof params) => lt.mse(model.apply({ params: p, state: {} }, x).output, half);
    const [loss, grads] = lt.valueAndGrad(lossOf)(params);
    return { loss, ...optimiser.update(grads, state, params) };
  });
  return async () => {
    const key = lt.random.key(3);
    await turn();
    let { params } = model.init(lt.random.foldIn(key, 1), [8, 3]);
    await turn();
    let state = optimiser.init(params);
    const loss: number[] = [];
    for (let i = 0; i < 5; i++) {
      const x = lt.random.normal(lt.random.foldIn(key, 10 + i), [8, 3]);
      await turn();
      const next = step(params, state, x.mul(2));
      ({ params, state } = next);
      loss.push(await next.loss.item());
    }
    const leaves: lt.Tensor[] = lt.tree.flatten(params).leaves as never;
    const weights = await Promise.all(leaves.map(async (w) => String(await w.data())));
    return { loss, weights, dtype: leaves[0].dtype };
  };
}

const OTHERS = [
  ['cpu', absent.cpu],
  ['webgpu', absent.webgpu],
] as const;
describe.each(OTHERS)('two devices in one process: reference in float64 and %s', (name, missing) => {
  test.skipIf(missing !== null)('two trainings at once are what each is alone', async () => {
    const precise = await lt.open({ device: 'reference', dtype: 'float64' });
    const fast = await lt.open({ device: name });
    const train = training();
    const both = await Promise.all([
      lt.withDevice(precise, train),
      lt.withDevice(fast, () => lt.scope(train)),
      train().then(({ dtype }) => dtype),
    ]);
    const alone = [await lt.withDevice(precise, train), await lt.withDevice(fast, train)];
    expect(both.slice(0, 2)).toEqual(alone);
    expect(alone.map((x) => x.dtype)).toEqual(['float64', 'float32']);
    expect(alone[1].loss).not.toEqual(alone[0].loss);
    alone[1].loss.forEach((l, i) => {
      expect(l).toBeCloseTo(alone[0].loss[i], 4);
    });
    // Outside, the device that init chose.
    expect(both[2]).toBe('float32');
  });

  test.skipIf(missing !== null)('init in one task is no business of another', async () => {
    const reference = await lt.open({ device: 'reference' });
    const seen: string[] = [];
    const where = async () => seen.push((await lt.init({ device: 'reference' })).device);
    await Promise.all([
      lt.withDevice(reference, async () => {
        await lt.init({ device: name });
        await turn();
        // What it awaits, and what it starts, is part of the task.
        await lt.scope(turn);
        const moved = lt.tensor([1, 2]);
        seen.push(lt.scope(() => String(moved.add(1).dtype)));
        expect(() => lt.withDevice(reference, () => lt.tensor([1, 2])).add(moved)).toThrow(
          `add: an operand lives on ${name}, the others on reference`,
        );
      }),
      (async () => {
        await turn();
        await turn();
        expect(await numbers(lt.tensor([1]).add(1))).toEqual([2]);
        await where();
      })(),
    ]);
    expect(seen.toSorted()).toEqual(['float32', 'reference']);
  });

  test.skipIf(missing !== null)('toDevice copies a tree', async () => {
    const other = await lt.open({ device: name });
    const params = {
      w: lt.tensor([
        [1, 2.5],
        [3, 4],
      ]),
      n: [lt.tensor([1, 2], { dtype: 'int32' }), 'tag'],
    };
    const there = await lt.toDevice(params, other);
    expect(there.n[1]).toBe('tag');
    expect([there.w.shape, (there.n[0] as lt.Tensor).dtype]).toEqual([[2, 2], 'int32']);
    expect(await numbers(lt.withDevice(other, () => there.w.mul(2)))).toEqual([2, 5, 6, 8]);
    expect(await numbers(params.w)).toEqual([1, 2.5, 3, 4]);
    const wide = lt.tensor([1], { dtype: 'float64' });
    await expect(lt.toDevice(wide, other)).rejects.toThrow(`device '${name}' has no float64 here`);
  });
});

test('tasks that ask for a device at once get the same', async () => {
  const [a, b] = await Promise.all([lt.open({ device: 'reference' }), lt.open({ device: 'reference' })]);
  expect(a.backend).toBe(b.backend);
  await lt.close();
  const closing = lt.init({ device: 'reference' }).then(() => lt.close());
  const [c] = await Promise.all([lt.open({ device: 'reference' }), closing]);
  expect((await lt.open({ device: 'reference' })).backend).not.toBe(c.backend);
});

test('what is no device, and options nobody knows, are errors', async () => {
  expect(() => lt.withDevice('cpu' as never, () => 1)).toThrow(
    "withDevice: expected a device, as open() returns, got 'cpu'",
  );
  await expect(lt.toDevice([], undefined as never)).rejects.toThrow('toDevice: expected a device');
  await expect(lt.open({ device: 'gpu' as never })).rejects.toThrow("open: device is 'gpu', expected");
});

test('without task-local state withDevice is for synchronous functions, and says so', async () => {
  const wide = await lt.open({ device: 'reference', dtype: 'float64' });
  setTaskLocal(null);
  expect(lt.withDevice(wide, () => lt.ones([1]).dtype)).toBe('float64');
  expect(lt.ones([1]).dtype).toBe('float32');
  const refused = lt.withDevice(wide, async () => {
    await turn();
    throw new Error('in the function');
  });
  await expect(refused).rejects.toMatchObject({
    kind: 'state',
    message: expect.stringContaining('expected a synchronous function'),
    cause: new Error('in the function'),
  });
  await expect(lt.withDevice(wide, turn)).rejects.toThrow('expected a synchronous function');
  // checkGradients takes turns with others all the same.
  const [report, x] = await Promise.all([
    lt.checkGradients((v) => v.mul(v).sum(), [lt.tensor([1, 2])]),
    turn().then(() => lt.ones([2])),
  ]);
  expect([report.ok, x.dtype]).toEqual([true, 'float32']);
});

// ---- traces ----------------------------------------------------------------------------------------------------------

describe('an asynchronous function cannot be transformed', () => {
  const later = async (x: lt.Tensor) => {
    await turn();
    return x.mul(2).sum();
  };
  const f = later as unknown as (x: lt.Tensor) => lt.Tensor;
  const promise = (name: string) =>
    `${name}: the function returned a promise, expected a synchronous function`;
  const rules = {
    forward: (x: lt.Tensor) => [x, null] as const,
    backward: (_: null, ct: lt.Tensor) => [ct] as [lt.Tensor],
  };
  test.each<[string, string, (x: lt.Tensor) => unknown]>([
    ['grad', 'grad', (x) => lt.grad(f)(x)],
    ['grad of a jitted function', 'grad', (x) => lt.grad(lt.jit(f))(x)],
    ['vjp', 'vjp', (x) => lt.vjp(f, x)],
    ['jvp', 'jvp', (x) => lt.jvp(f, [x], [x])],
    ['hvp', 'grad', (x) => lt.hvp(f, [x], [x])],
    ['jit', 'jit', (x) => lt.jit(f)(x)],
    ['vmap', 'vmap', (x) => lt.vmap(f)(x)],
    ['evalShape', 'evalShape', (x) => lt.evalShape(f, x)],
    ['checkpoint', 'checkpoint', (x) => lt.grad(lt.checkpoint(f))(x)],
    ['customVjp', 'customVjp', (x) => lt.grad(lt.customVjp(f, rules))(x)],
    [
      'forward of customVjp',
      'customVjp: forward',
      (x) => lt.grad(lt.customVjp(lt.sum, { ...rules, forward: later as never }))(x),
    ],
    [
      'backward of customVjp',
      'customVjp: backward',
      (x) => lt.grad(lt.customVjp(lt.sum, { forward: (v) => [v.sum(), null], backward: later as never }))(x),
    ],
    ['checkGradients', 'checkGradients', (x) => lt.checkGradients(f, [x])],
  ])('%s', async (_, name, transform) => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const x = lt.tensor([1, 2]);
      await expect((async () => transform(x))()).rejects.toThrow(promise(name));
      await turn();
      await turn();
      expect(unhandled).not.toHaveBeenCalled();
      // Nothing is left of the trace.
      expect(await numbers(lt.grad((v: lt.Tensor) => v.mul(v).sum())(x))).toEqual([2, 4]);
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });
});
