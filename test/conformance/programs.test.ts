// Random programs: what simplification, fusion and planning do to them must not show. A program is a list of small
// operations on the values made so far; compiled and eager runs agree with each other and with the oracle, and so do
// their gradients.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Shape, sizeOf } from '../../engine/dtype.ts';
import { verifyProgram } from '../../engine/graph/verify.ts';
import * as lt from '../../engine/index.ts';
import { barrier } from '../../engine/primitives/apply.ts';
import type { Program } from '../../engine/program.ts';
import {
  agree,
  describeBackends,
  elements,
  epsilonOf,
  type Float,
  make,
  on,
  oracle,
  read,
  termsIn,
} from './support.ts';

/** Numbers from which an operation takes its operands and parameters. */
interface Op {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}
interface Recipe {
  readonly shapes: readonly Shape[];
  readonly ops: readonly Op[];
  readonly outputs: readonly number[];
}

const recipes: fc.Arbitrary<Recipe> = fc.record({
  shapes: fc.array(fc.array(fc.constantFrom(1, 2, 3, 4, 2, 3), { minLength: 0, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  ops: fc.array(fc.record({ kind: fc.nat(99), a: fc.nat(99), b: fc.nat(99), c: fc.nat(99) }), {
    minLength: 2,
    maxLength: 18,
  }),
  outputs: fc.array(fc.nat(99), { minLength: 1, maxLength: 4 }),
});

const LARGEST = 96;
const pick = <T>(list: readonly T[], n: number): T => list[n % list.length];
const tame = (x: lt.Tensor): lt.Tensor => lt.tanh(x);

/** Each operation keeps its values small and smooth, so that differences of order are the only differences. */
const operations: readonly ((x: lt.Tensor, y: lt.Tensor, op: Op) => lt.Tensor | readonly lt.Tensor[])[] = [
  (x) => lt.tanh(x),
  (x) => lt.sigmoid(x),
  (x) => lt.neg(x),
  (x) => lt.mul(x, 0.5),
  (x) => lt.add(x, 1),
  (x) => lt.sin(x),
  (x) => lt.exp(tame(x)),
  (x) => lt.relu(x),
  (x) => lt.where(lt.less(x, 0.25), x, lt.mul(x, -0.5)),
  (x, y) => lt.add(x, y),
  (x, y) => lt.sub(x, y),
  (x, y) => tame(lt.mul(x, y)),
  (x, y) => lt.div(x, lt.add(lt.square(y), 1)),
  (x, y) => lt.where(lt.logicalAnd(lt.less(y, x), lt.greater(x, -0.5)), x, y),
  (x, y) => lt.maximum(x, lt.sub(y, 0.125)),
  (x, _, { b }) =>
    lt.transpose(
      x,
      x.shape.map((_d, i) => i).sort((i, j) => ((i * 7 + b) % 5) - ((j * 7 + b) % 5) || i - j),
    ),
  (x) => lt.reshape(x, [x.size]),
  (x, _, { b }) => lt.reshape(x, b % 2 ? [1, ...x.shape] : [...x.shape, 1]),
  (x, _, { b }) => {
    const d = [2, 3, 4, 6].filter((n) => x.size % n === 0);
    return d.length ? lt.reshape(x, b % 2 ? [pick(d, b), -1] : [-1, pick(d, b)]) : x;
  },
  (x, _, { b }) => lt.broadcastTo(lt.reshape(x, [1, ...x.shape]), [1 + (b % 3), ...x.shape]),
  (x, _, { b, c }) =>
    lt.slice(
      x,
      x.shape.map((n) => b % n),
      x.shape.map((n) => Math.ceil((n - (b % n)) / (1 + (c % 2)))),
      x.shape.map(() => 1 + (c % 2)),
    ),
  (x, _, { b }) => (x.ndim ? lt.flip(x, b % x.ndim) : x),
  (x, _, { b, c }) => (x.ndim ? lt.mul(lt.sum(x, b % x.ndim, c % 2 === 0), 0.25) : x),
  (x, _, { c }) => lt.mean(x, undefined, c % 2 === 0),
  (x, _, { b, c }) => (x.ndim ? lt.max(x, b % x.ndim, c % 2 === 0) : x),
  (x, _, { b }) => (x.ndim && x.size ? lt.sub(x, lt.mean(x, b % x.ndim, true)) : x),
  (x) => (x.ndim ? lt.softmax(x) : x),
  (x) => (x.ndim && x.shape[x.ndim - 1] > 1 ? lt.layerNorm(x, { epsilon: 0.1 }) : x),
  (x, y) => (x.ndim >= 2 && y.ndim >= 2 && x.shape.at(-1) === y.shape.at(-2) ? tame(lt.matmul(x, y)) : x),
  (x) =>
    x.ndim >= 2
      ? tame(
          lt.matmul(
            x,
            lt.transpose(
              x,
              [...x.shape.keys()].map((i) => (i === x.ndim - 1 ? i - 1 : i === x.ndim - 2 ? i + 1 : i)),
            ),
          ),
        )
      : x,
  (x, _, { b }) =>
    x.ndim
      ? lt.pad(
          x,
          x.shape.map((_n, i) => (i === b % x.ndim ? [1, b % 2] : [0, 0]) as [number, number]),
        )
      : x,
  (x, y) =>
    x.ndim && x.ndim === y.ndim && x.shape.slice(1).every((d, i) => d === y.shape[i + 1])
      ? lt.concat([x, y])
      : x,
  (x) => (x.ndim ? lt.cumsum(x).mul(0.5) : x),
  (x, y) => barrier([x, y]),
  (x) => lt.stopGradient(x),
  (x) => (x.ndim ? lt.logsumexp(x, -1) : x),
  (x, _, { b }) => lt.checkpoint((t: lt.Tensor) => tame(lt.add(lt.mul(lt.sin(t), t), b % 3)))(x),
  // It closes over y, which depends on what is differentiated.
  (x, y) => lt.checkpoint((t: lt.Tensor) => tame(lt.add(lt.mul(lt.sin(t), y), y)))(x),
];

const compatible = (a: Shape, b: Shape): boolean => {
  const n = Math.min(a.length, b.length);
  for (let i = 1; i <= n; i++) {
    const [d, e] = [a[a.length - i], b[b.length - i]];
    if (d !== e && d !== 1 && e !== 1) return false;
  }
  return true;
};
const joined = (a: Shape, b: Shape): number => {
  const n = Math.max(a.length, b.length);
  let size = 1;
  for (let i = 1; i <= n; i++) size *= Math.max(a[a.length - i] ?? 1, b[b.length - i] ?? 1);
  return size;
};

function build({ ops, outputs }: Recipe): (xs: lt.Tensor[]) => lt.Tensor[] {
  return (xs) => {
    const values = [...xs];
    for (const op of ops) {
      const x = pick(values, op.a);
      const partners = values.filter(
        (v) => compatible(v.shape, x.shape) && joined(v.shape, x.shape) <= LARGEST,
      );
      const y = partners.length ? pick(partners, op.b) : x;
      const made = pick(operations, op.kind)(x, y, op);
      for (const z of Array.isArray(made) ? made : [made])
        if (z.size <= LARGEST && z.ndim <= 4) values.push(z);
    }
    return outputs.map((n) => values[values.length - 1 - (n % values.length)]);
  };
}

const inputs = ({ shapes }: Recipe, float: Float): lt.Tensor[] =>
  shapes.map((shape, i) => make(elements({ shape }, 7 + i), shape, float));

/** One scalar that every result has a part in. */
const scalar =
  (f: (xs: lt.Tensor[]) => lt.Tensor[]) =>
  (xs: lt.Tensor[]): lt.Tensor =>
    f(xs)
      .map((y, i) => lt.mul(lt.sum(lt.sin(lt.add(y, i))), 0.5))
      .reduce((a, b) => lt.add(a, b));

const show = (r: Recipe): string => JSON.stringify(r);
const RUNS = Number(process.env.LETHE_FUZZ_RUNS ?? 60);
const seed = Number(process.env.LETHE_FUZZ_SEED ?? 4242);

describeBackends((target) => {
  const check = (name: string, transform: (r: Recipe) => (xs: lt.Tensor[]) => lt.Tensor[], runs: number) =>
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(recipes, async (r) => {
          const f = transform(r);
          const want = await on(oracle, 'float64', () => read(f(inputs(r, 'float64'))));
          await on(target.backend(), target.float, async () => {
            const xs = inputs(r, target.float);
            // Values stay near 1, but a derivative may grow with every operation it passes.
            const bound = epsilonOf(target.float) * (64 + 4 * termsIn(f, xs)) * 4;
            agree(await read(f(xs)), want, bound, `eager ${show(r)}`);
            const compiled = lt.jit((...args: lt.Tensor[]) => f(args));
            verifyProgram(compiled.program(...xs) as Program);
            agree(await read(compiled(...xs)), want, bound, `compiled ${show(r)}`);
            agree(await read(compiled(...xs)), want, bound, `compiled, second run ${show(r)}`);
            compiled.dispose();
            for (const x of xs) x.dispose();
          });
        }),
        { numRuns: runs, seed },
      );
    });
  check('values', build, RUNS);
  check(
    'gradients',
    (r) => (xs) => {
      const loss = scalar(build(r));
      return lt.grad(
        (...args: lt.Tensor[]) => loss(args),
        xs.map((_, i) => i),
      )(...xs);
    },
    RUNS,
  );
  check(
    'values beside gradients of gradients',
    (r) => (xs) => {
      const loss = scalar(build({ ...r, ops: r.ops.slice(0, 6) }));
      const all = xs.map((_, i) => i);
      const first = lt.grad((...args: lt.Tensor[]) => loss(args), all);
      const length = (...args: lt.Tensor[]) =>
        first(...args)
          .map((g: lt.Tensor) => lt.sum(lt.square(lt.tanh(g))))
          .reduce((a: lt.Tensor, b: lt.Tensor) => lt.add(a, b));
      return [loss(xs), ...lt.grad(length, all)(...xs)];
    },
    Math.ceil(RUNS / 3),
  );
});

test('the plan verifier sees an overlap', () => {
  const slot = (kind: 'input' | 'output' | 'temporary', index: number, offset = 0) => ({
    kind,
    dtype: 'float32' as const,
    size: 4,
    index,
    offset,
  });
  const loop = (from: number, to: number) => ({
    kind: 'loop' as const,
    loop: {
      shape: [4],
      inputs: [{ slot: from, dtype: 'float32' as const, strides: [1], offset: 0 }],
      steps: [{ op: 'neg' as const, args: [0], dtype: 'float32' as const }],
      stores: [{ value: 1, slot: to }],
      reductions: [],
    },
  });
  const two = (offset: number): Program => ({
    label: 'two',
    slots: [
      slot('input', 0),
      slot('temporary', -1),
      slot('temporary', -1, offset),
      slot('output', 0),
      slot('output', 1),
    ],
    instructions: [loop(0, 1), loop(0, 2), loop(1, 3), loop(2, 4)],
    arenaBytes: 512,
    inputs: 1,
    outputs: 2,
    donations: [],
  });
  verifyProgram(two(256));
  expect(() => verifyProgram(two(0))).toThrow('overlap');
  expect(sizeOf([4])).toBe(4);
});
