// Optimisers against PyTorch's update rules written out in plain numbers, and what they compile to.
import { beforeAll, describe, expect, test } from 'vitest';
import { loopsOf } from '../../../engine/graph/touches.ts';
import * as lt from '../../../index.ts';

const { optim } = lt;
beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const gradients = [
  [0.5, -1],
  [0.25, 2],
  [-1, 0.125],
  [0, 3],
];
/** The parameter after each update, starting at [1, -2]. */
async function trajectory(optimiser: lt.optim.Optimiser, compiled: boolean): Promise<number[][]> {
  let params = { w: lt.tensor([1, -2]) };
  let state = optimiser.init(params);
  const update = compiled
    ? lt.jit((g, s, p) => optimiser.update(g, s, p), { donate: [1, 2] })
    : optimiser.update;
  const seen: number[][] = [];
  for (const g of gradients) {
    ({ params, state } = update({ w: lt.tensor(g) }, state, params));
    seen.push(Array.from(await params.w.data()));
  }
  expect(await state.step.item()).toBe(gradients.length);
  return seen;
}
/** The same by a rule on numbers: rule(p, g, t, memory) -> p, one memory for each element. */
function byHand(rule: (p: number, g: number, t: number, m: Record<string, number>) => number): number[][] {
  const p = [1, -2];
  const memory: Record<string, number>[] = [{}, {}];
  return gradients.map((g, k) => p.map((_, i) => (p[i] = rule(p[i], g[i], k + 1, memory[i]))));
}
async function agree(
  optimiser: lt.optim.Optimiser,
  rule: (p: number, g: number, t: number, m: Record<string, number>) => number,
) {
  const expected = byHand(rule).flat();
  for (const compiled of [false, true]) {
    const found = (await trajectory(optimiser, compiled)).flat();
    found.forEach((v, i) => {
      expect(Math.abs(v - expected[i])).toBeLessThan(1e-12);
    });
  }
}

describe('sgd', () => {
  test('plain', () => agree(optim.sgd({ learningRate: 0.1 }), (p, g) => p - 0.1 * g));
  test('weight decay', () =>
    agree(optim.sgd({ learningRate: 0.1, weightDecay: 0.01 }), (p, g) => p - 0.1 * (g + 0.01 * p)));
  test.each([false, true])('momentum, nesterov %s', (nesterov) =>
    agree(optim.sgd({ learningRate: 0.1, momentum: 0.9, nesterov, weightDecay: 0.01 }), (p, g, t, m) => {
      const d = g + 0.01 * p;
      m.v = t === 1 ? d : 0.9 * m.v + d;
      return p - 0.1 * (nesterov ? d + 0.9 * m.v : m.v);
    }),
  );
});

describe('adam', () => {
  const adam =
    (l2: number, decay: number) => (p0: number, g0: number, t: number, m: Record<string, number>) => {
      const g = g0 + l2 * p0;
      const p = p0 * (1 - 0.1 * decay);
      m.m = 0.9 * (m.m ?? 0) + 0.1 * g;
      m.v = 0.999 * (m.v ?? 0) + 0.001 * g * g;
      return p - (0.1 / (1 - 0.9 ** t)) * (m.m / (Math.sqrt(m.v) / Math.sqrt(1 - 0.999 ** t) + 1e-8));
    };
  test('adam', () => agree(optim.adam({ learningRate: 0.1 }), adam(0, 0)));
  test('adam with L2', () => agree(optim.adam({ learningRate: 0.1, weightDecay: 0.02 }), adam(0.02, 0)));
  test('adamw', () => agree(optim.adamw({ learningRate: 0.1 }), adam(0, 0.01)));
});

describe('schedules', () => {
  const at = async (schedule: lt.optim.Schedule, steps: number[]) =>
    Promise.all(steps.map((s) => schedule(lt.tensor(s)).item()));
  const close = (found: number[], expected: number[]) =>
    found.forEach((v, i) => {
      expect(Math.abs(v - expected[i])).toBeLessThan(1e-12);
    });

  test('constant, multiStep', async () => {
    close(await at(optim.constant(0.3), [0, 9]), [0.3, 0.3]);
    const s = optim.multiStep({ learningRate: 1, milestones: [2, 4], gamma: 0.1 });
    close(await at(s, [0, 1, 2, 3, 4, 9]), [1, 1, 0.1, 0.1, 0.01, 0.01]);
  });
  test('cosine with warm-up', async () => {
    const s = optim.cosine({ learningRate: 2, total: 12, warmup: 4, final: 1 });
    close(await at(s, [0, 1, 3, 4, 8, 12, 20]), [0.5, 1, 2, 2, 1.5, 1, 1]);
  });
  test('oneCycle', async () => {
    // 20 steps, rise over the first 30%: PyTorch's phases end at steps 5 and 19.
    const s = optim.oneCycle({ learningRate: 1, total: 20 });
    close(await at(s, [0, 2.5, 5, 12, 19]), [0.04, 0.52, 1, (1 + 4e-6) / 2, 4e-6]);
  });
  test('a schedule drives an optimiser without a new trace', () => {
    const schedule = optim.multiStep({ learningRate: 0.1, milestones: [1, 3], gamma: 0.5 });
    const rates = [0.1, 0.05, 0.05, 0.025];
    return agree(optim.sgd({ learningRate: schedule }), (p, g, t) => p - rates[t - 1] * g);
  });
});

test('a compiled update is one kernel for each parameter, in place', () => {
  const params = { a: lt.ones([3, 3, 2, 4]), b: lt.ones([4]), c: lt.ones([8, 2]) };
  const rate = optim.cosine({ learningRate: 0.1, total: 100, warmup: 5 });
  for (const [optimiser, slots] of [
    [optim.sgd({ learningRate: rate, momentum: 0.9, weightDecay: 5e-4 }), 2],
    [optim.adamw({ learningRate: rate }), 3],
  ] as const) {
    const state = optimiser.init(params);
    const update = lt.jit((g, s, p) => optimiser.update(g, s, p), { donate: [1, 2] });
    const program = update.program(params, state, params);
    const kernels = program.instructions.flatMap(loopsOf).filter(({ shape }) => shape.length > 0);
    expect(kernels.length).toBe(3);
    // Scalars (count, rate, bias corrections) are computed once, not in every element.
    for (const k of kernels) expect(k.steps.length).toBeLessThanOrEqual(22);
    expect(program.donations.length).toBeGreaterThanOrEqual(3 * slots);
  }
});

test('clipByGlobalNorm', async () => {
  const grads = { a: lt.tensor([3, 0]), b: [lt.tensor(4)] };
  expect(await optim.globalNorm(grads).item()).toBe(5);
  const clipped = optim.clipByGlobalNorm(grads, 1);
  expect(await clipped.a.array()).toEqual([3 / (5 + 1e-6), 0]);
  const kept = optim.clipByGlobalNorm(grads, 10);
  expect(await kept.b[0].item()).toBe(4);
});

test('options that cannot be', () => {
  expect(() => optim.sgd({ learningRate: -1 })).toThrow(/learningRate/);
  expect(() => optim.sgd({ learningRate: 1, nesterov: true })).toThrow(/momentum/);
  expect(() => optim.adam({ learningRate: 1, beta2: 1 })).toThrow(/beta2/);
  expect(() => optim.cosine({ learningRate: 1, total: 5, warmup: 5 })).toThrow(/total/);
});
