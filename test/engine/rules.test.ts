// Every simplification by itself: what is left of a small graph where it applies, and that the values are the same. Both
// graphs are replayed equation by equation on the reference, so nothing but the rule makes the difference.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Aval, DType, Shape } from '../../engine/dtype.ts';
import { type Graph, replay, traceGraph } from '../../engine/graph/graph.ts';
import { RULES } from '../../engine/graph/rules/index.ts';
import { simplify } from '../../engine/graph/simplify.ts';
import { primitives } from '../../engine/primitives/index.ts';
import { bind } from '../../engine/trace.ts';
import * as lt from '../../index.ts';

beforeAll(() => lt.init({ device: 'reference' }));

type F = (...xs: lt.Tensor[]) => lt.Tensor;
/** A primitive as it is: the functions of the library leave out what changes nothing. */
const call = (name: keyof typeof primitives, params: object, ...xs: lt.Tensor[]): lt.Tensor =>
  bind(primitives[name], xs, params)[0];
const full = (shape: Shape, value: number): lt.Tensor => call('full', { shape, value, dtype: 'float32' });
const spread = (x: lt.Tensor, shape: Shape, dims: number[]): lt.Tensor =>
  call('broadcast', { shape, dims }, x);

interface Case {
  readonly f: F;
  readonly shapes: readonly Shape[];
  readonly dtype?: DType;
  /** Primitives that are left, in order. */
  readonly left: string;
  /** A function of the same kind that the rule leaves alone. */
  readonly not?: F;
  /** Sums are taken in another order. */
  readonly close?: boolean;
}

const pooled = (x: lt.Tensor): { y: lt.Tensor; gradient: lt.Tensor } => {
  const y = x.relu();
  const pull = lt.vjp((v: lt.Tensor) => lt.maxPool2d(v, { size: 2 }), y)[1] as (dy: lt.Tensor) => [lt.Tensor];
  return { y, gradient: [pull(full([2, 2, 2, 3], 1.5))].flat()[0] };
};

// biome-ignore format: a line each
const CASES: Readonly<Record<string, Case>> = {
  'identity is its operand': { f: (x) => call('identity', {}, x).exp(), shapes: [[3]], left: 'exp' },
  'conversion to the type it has': { f: (x) => call('convert', { dtype: 'float32' }, x).exp(), shapes: [[3]], left: 'exp', not: (x) => call('convert', { dtype: 'int32' }, x) },
  'halves that were widened are halves still': { f: (x) => call('convert', { dtype: 'float16' }, call('convert', { dtype: 'float32' }, x)).neg(), shapes: [[3]], dtype: 'float16', left: 'neg', not: (x) => call('convert', { dtype: 'int32' }, call('convert', { dtype: 'float32' }, x)) },
  'the negative of a negative': { f: (x) => call('neg', {}, call('neg', {}, x)).exp(), shapes: [[3]], left: 'exp', not: (x) => call('neg', {}, x.exp()) },
  'a choice between equals': { f: (x, y) => call('select', {}, call('less', {}, x, y), y, y).exp(), shapes: [[3], [3]], left: 'exp', not: (x, y) => call('select', {}, call('less', {}, x, y), y, x) },
  'work on constants': { f: (x) => call('mul', {}, x, call('exp', {}, full([3], 2))), shapes: [[3]], left: 'full mul', not: (x) => call('mul', {}, x, full([3], 2)) },
  'a neutral operand': { f: (x) => call('div', {}, call('add', {}, full([3], 0), call('mul', {}, x, full([3], 1))), full([3], 1)).exp(), shapes: [[3]], left: 'exp', not: (x) => call('div', {}, full([3], 1), x) },
  'times -1': { f: (x) => call('mul', {}, full([3], -1), x), shapes: [[3]], left: 'neg', not: (x) => call('mul', {}, full([3], -2), x) },
  'plus or minus a negative': { f: (x, y) => call('sub', {}, call('add', {}, x, call('neg', {}, y)), call('neg', {}, y)), shapes: [[3], [3]], left: 'sub add', not: (x, y) => call('add', {}, call('neg', {}, x), y) },
  'work before broadcasting': { f: (x, y) => call('mul', {}, spread(x, [4, 3], [1]), call('add', {}, spread(y, [4, 3], [1]), full([4, 3], 2))), shapes: [[3], [3]], left: 'full add mul broadcast', not: (x, y) => call('mul', {}, spread(x, [3, 3], [1]), spread(y, [3, 3], [0])) },
  'a view of a constant': { f: (x) => call('mul', {}, x, call('transpose', { perm: [1, 0] }, full([2, 3], 2))), shapes: [[3, 2]], left: 'full mul', not: (x) => call('transpose', { perm: [1, 0] }, x) },
  'a reshape or slice to the shape it has': { f: (x) => call('slice', { begin: [0], size: [3], strides: [1] }, call('reshape', { shape: [3] }, x)).exp(), shapes: [[3]], left: 'exp', not: (x) => call('reshape', { shape: [1, 3] }, x) },
  'a reshape of a reshape': { f: (x) => call('reshape', { shape: [3, 2] }, call('reshape', { shape: [6] }, x)), shapes: [[2, 3]], left: 'reshape', not: (x) => call('reshape', { shape: [3, 2] }, x.exp()) },
  'a transpose that moves nothing': { f: (x) => call('transpose', { perm: [0, 1] }, x).exp(), shapes: [[2, 3]], left: 'exp', not: (x) => call('transpose', { perm: [1, 0] }, x) },
  'a transpose of a transpose': { f: (x) => call('transpose', { perm: [2, 0, 1] }, call('transpose', { perm: [0, 2, 1] }, x)), shapes: [[2, 3, 4]], left: 'transpose' },
  'a transpose of axes of size 1': { f: (x) => call('transpose', { perm: [1, 2, 0] }, x), shapes: [[1, 3, 4]], left: 'reshape', not: (x) => call('transpose', { perm: [0, 2, 1] }, x) },
  'a broadcast that repeats nothing': { f: (x) => spread(x, [1, 3], [1]), shapes: [[3]], left: 'reshape', not: (x) => spread(x, [2, 3], [1]) },
  'a broadcast of a broadcast': { f: (x) => spread(spread(x, [3, 2], [0]), [4, 3, 2], [1, 2]), shapes: [[3]], left: 'broadcast' },
  'a flip of axes of size 1': { f: (x) => call('flip', { axes: [0] }, x).exp(), shapes: [[1, 3]], left: 'exp', not: (x) => call('flip', { axes: [1] }, x) },
  'a sum over axes of size 1': { f: (x) => call('sum', { axes: [1] }, x), shapes: [[3, 1]], left: 'reshape', not: (x) => call('sum', { axes: [0] }, x) },
  'a sum of negatives': { f: (x) => call('sum', { axes: [1] }, call('neg', {}, x)), shapes: [[2, 3]], left: 'sum neg' },
  'a sum of products with one factor': { f: (x, y) => call('sum', { axes: [1] }, call('mul', {}, spread(y, [2, 3], [0]), x)), shapes: [[2, 3], [2]], left: 'sum reshape broadcast mul', close: true, not: (x, y) => call('sum', { axes: [0] }, call('mul', {}, spread(y, [2, 3], [0]), x)) },
  "a mask on a max-pool's gradient": { f: (x) => { const { y, gradient } = pooled(x); return call('select', {}, call('less', {}, full(y.shape, 0), y), gradient, full(y.shape, 0)); }, shapes: [[2, 4, 4, 3]], left: '' },
  "a sum of a max-pool's gradient": { f: (x) => call('sum', { axes: [0, 1, 2] }, pooled(x).gradient), shapes: [[2, 4, 4, 3]], left: '', close: true },
};

const traced = (f: F, shapes: readonly Shape[], dtype: DType = 'float32'): Graph =>
  traceGraph(
    shapes.map((shape): Aval => ({ shape, dtype })),
    (xs) => f(...xs),
    (y) => [y],
  ).graph;
const names = (g: Graph): string[] => g.equations.map((e) => e.primitive.name);
/** Without rules: only what nobody needs goes, and what is there twice. */
const plain = (g: Graph): Graph => simplify(g, []);

describe('each rule', () => {
  test('has a case here', () => {
    expect(Object.keys(CASES).sort()).toEqual(RULES.map((r) => r.name).sort());
  });

  test.each(RULES.map((r) => [r.name, r] as const))('%s', async (name, rule) => {
    const { f, shapes, dtype, left, not, close } = CASES[name];
    const before = plain(traced(f, shapes, dtype));
    const after = simplify(traced(f, shapes, dtype), [rule]);
    expect(names(after)).not.toEqual(names(before));
    if (left) expect(names(after).join(' ')).toBe(left);
    const inputs = shapes.map((shape, i) => {
      const x = lt.random.normal(lt.random.key(i + 5), shape);
      return dtype ? call('convert', { dtype }, x) : x;
    });
    const [want, got] = [before, after].map((g) => replay(g, inputs)[0]);
    expect([got.shape, got.dtype]).toEqual([want.shape, want.dtype]);
    const [a, b] = [Array.from(await got.data()), Array.from(await want.data())];
    if (close) for (const [k, v] of a.entries()) expect(v).toBeCloseTo(b[k], 5);
    else expect(a).toEqual(b);
    if (!not) return;
    const other = traced(not, shapes, dtype);
    expect(names(simplify(other, [rule]))).toEqual(names(plain(other)));
  });
});

test("work on a max-pool's gradient is done on the updates, which are smaller", () => {
  const largest = (g: Graph, op: string): number =>
    Math.max(
      ...g.equations
        .filter((e) => e.primitive.name === op)
        .map((e) => e.inputs[0].shape.reduce((n, d) => n * d, 1)),
    );
  const masked = CASES["a mask on a max-pool's gradient"];
  expect(largest(plain(traced(masked.f, masked.shapes)), 'select')).toBe(2 * 4 * 4 * 3);
  expect(largest(simplify(traced(masked.f, masked.shapes)), 'select')).toBe(2 * 2 * 2 * 3);
  const summed = CASES["a sum of a max-pool's gradient"];
  expect(largest(plain(traced(summed.f, summed.shapes)), 'sum')).toBe(2 * 4 * 4 * 3);
  expect(largest(simplify(traced(summed.f, summed.shapes)), 'sum')).toBe(2 * 2 * 2 * 3);
});
