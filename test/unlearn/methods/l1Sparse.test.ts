// The penalty by epochs and the pruned start against the same in plain numbers, and what the penalty comes to.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { alphaOf } from '../../../unlearn/methods/l1Sparse.ts';
import { pruned } from '../../../unlearn/methods/prune.ts';
import { Stream } from '../../../unlearn/random.ts';
import { accuracyOn, disposeAll, tinyMlp } from '../problems.ts';
import { problem } from './kit.ts';
import {
  apart,
  linearProblem,
  logitsOf,
  oneStep,
  pixelsOf,
  stepped,
  towards,
  type Weights,
  weightsOf,
} from './linear.ts';

const mapped = ({ W, b }: Weights, f: (w: number) => number): Weights => ({
  W: W.map((row) => row.map(f)),
  b: b.map(f),
});

describe('the penalty', () => {
  test('is constant within an epoch, to the last step of many, in float32', async () => {
    await lt.init({ device: 'reference' });
    const [epochs, freeEpochs, alpha] = [12, 2, 1e-4];
    for (const steps of [1, 3, 196, 391]) {
      const all = lt.tensor(Float32Array.from({ length: steps * epochs }, (_, i) => i));
      const expected = {
        decreasing: (e: number) => alpha * (1 - e / 10),
        constant: () => alpha,
        increasing: (e: number) => (alpha * e) / 10,
      };
      for (const [alphaSchedule, at] of Object.entries(expected)) {
        const given = { alpha, alphaSchedule: alphaSchedule as 'constant', epochs, freeEpochs };
        const values = await alphaOf(given, steps)(all).data();
        values.forEach((value: number, i: number) => {
          const e = Math.floor(i / steps);
          expect(Math.abs(value - (e < 10 ? at(e) : 0))).toBeLessThan(1e-11);
        });
      }
    }
    const none = { alpha, alphaSchedule: 'decreasing', epochs: 2, freeEpochs: 5 } as const;
    expect(await alphaOf(none, 3)(lt.tensor([0, 5])).array()).toEqual([0, 0]);
  });

  describe('moves the weights', () => {
    beforeAll(async () => {
      await lt.init({ device: 'reference', dtype: 'float64' });
    });
    const shares = {
      decreasing: [1, 2 / 3, 1 / 3, 0],
      constant: [1, 1, 1, 0],
      increasing: [0, 1 / 3, 2 / 3, 0],
    };
    const cases = (['subgradient', 'proximal'] as const).flatMap((penalty) =>
      (['decreasing', 'constant', 'increasing'] as const).map((schedule) => [penalty, schedule] as const),
    );
    test.each(cases)('%s, %s', async (penalty, alphaSchedule) => {
      const input = linearProblem();
      const { retain } = input;
      const alpha = 0.05;
      const rate = oneStep.learningRate;
      const x = pixelsOf(retain);
      let w = await weightsOf(input.variables);
      for (const share of shares[alphaSchedule]) {
        const gradients = x.map((pixels, i) => {
          const dz = towards(logitsOf(w, pixels), retain.labels[i]);
          return [pixels, dz.map((d) => d / retain.size)] as const;
        });
        const pull = rate * alpha * share;
        const before = w;
        const next = stepped(w, gradients, rate);
        w =
          penalty === 'proximal'
            ? mapped(next, (v) => Math.sign(v) * Math.max(Math.abs(v) - pull, 0))
            : {
                W: next.W.map((row, j) => row.map((v, k) => v - pull * Math.sign(before.W[j][k]))),
                b: next.b.map((v, k) => v - pull * Math.sign(before.b[k])),
              };
      }
      const { variables, details } = await methods
        .l1Sparse({ ...oneStep, epochs: 4, freeEpochs: 1, alpha, alphaSchedule, penalty })
        .unlearn(input);
      const after = await weightsOf(variables);
      expect(apart(after, w)).toBeLessThan(1e-12);
      const all = [...after.W.flat(), ...after.b];
      const zeros = (100 * all.filter((v) => v === 0).length) / all.length;
      expect(details.zeroShare).toBeCloseTo(zeros, 10);
    });
  });
});

describe('a pruned start', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
  });

  test('sets exactly so many to 0, the smallest over all matrices, of equals the last', async () => {
    const stream = new Stream(3);
    for (const share of [0, 0.25, 0.5, 0.77, 1]) {
      // Few values: many ties.
      const draw = (n: number) => Float32Array.from({ length: n }, () => (stream.below(7) - 3) / 2);
      const [a, b, c] = [draw(12), draw(3), draw(20)];
      const params = {
        a: lt.tensor(a, { shape: [3, 4] }),
        b: lt.tensor(b),
        c: lt.tensor(c, { shape: [2, 5, 2] }),
      };
      const both = [...a, ...c];
      const order = [...both.keys()].sort((i, j) => Math.abs(both[i]) - Math.abs(both[j]) || j - i);
      const gone = new Set(order.slice(0, Math.floor(share * 32)));
      const { variables, mask, dispose } = await pruned({ params, state: {} } as never, share);
      const [kept, left] = [variables.params, mask] as unknown as (typeof params)[];
      const values = [...(await kept.a.data()), ...(await kept.c.data())];
      expect(values).toEqual(both.map((v, i) => (gone.has(i) ? 0 : v)));
      expect([...(await left.a.data()), ...(await left.c.data())]).toEqual(
        both.map((_, i) => Number(!gone.has(i))),
      );
      expect([...(await kept.b.data()), ...(await left.b.data())]).toEqual([...b, 1, 1, 1]);
      dispose();
      disposeAll({ params, state: {} } as never);
    }
  });

  test('stays pruned under momentum and weight decay', async () => {
    const input = await problem(tinyMlp(), 15);
    const { variables, details } = await methods
      .l1Sparse({ epochs: 4, batchSize: 16, prune: 0.6, alpha: 0 })
      .unlearn(input);
    const matrices = lt.tree
      .entries<lt.Tensor>(variables.params as never)
      .filter(([, { ndim }]) => ndim === 2);
    const values = await Promise.all(matrices.map(async ([, t]) => [...(await t.data())]));
    const all = values.flat();
    expect(all.filter((v) => v === 0)).toHaveLength(Math.floor(0.6 * all.length));
    expect(details.zeroShare).toBeGreaterThan(50);
    expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
  });
});

test('a strong penalty empties the network of what is no longer taught, and keeps the others', async () => {
  await lt.init({ device: 'reference' });
  const input = await problem(tinyMlp(), 15);
  const { variables } = await methods
    .l1Sparse({ epochs: 10, batchSize: 16, learningRate: 0.1, alpha: 0.03, alphaSchedule: 'constant' })
    .unlearn(input);
  expect(await accuracyOn(input.model, variables, input.forget)).toBeLessThan(20);
  expect(await accuracyOn(input.model, variables, input.retain)).toBeGreaterThan(85);
});
