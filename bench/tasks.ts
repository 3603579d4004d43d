// What a kernel of one's own can be written for: names for the sizes of a problem and for its arrays, the program that
// defines the result, how far results may be apart, and at which sizes all that is tried.

import type { Aval, Shape } from '../engine/dtype.ts';
import { check } from '../engine/error.ts';
import { traceGraph } from '../engine/graph/graph.ts';
import { lower } from '../engine/graph/lower.ts';
import { simplify } from '../engine/graph/simplify.ts';
import { primitives } from '../engine/primitives/index.ts';
import type { Program } from '../engine/program.ts';
import { device } from '../engine/runtime.ts';
import { bind } from '../engine/trace.ts';
import * as lt from '../index.ts';

export type Sizes = Readonly<Record<string, number>>;

export interface Task {
  /** Names of the sizes that are given, and of those that follow from them. */
  readonly sizes: readonly string[];
  readonly derived: readonly string[];
  derive(s: Sizes): Sizes;
  /** Operands in order, the result last, each with its shape; all float32, row-major. */
  readonly operands: Readonly<Record<string, (s: Sizes) => Shape>>;
  program(s: Sizes): Program;
  /** For inputs of variance 1. */
  tolerance(s: Sizes): Tolerance;
  /** Small and awkward ones, for the result; larger ones, for the time. Values in the order of `sizes`. */
  readonly checked: readonly (readonly number[])[];
  readonly timed: readonly (readonly number[])[];
}

/** |got - want| may be absolute + relative * |want|. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/**
 * How far two results of sums of `length` products of numbers of variance 1 may be apart. Each addition errs by up to half
 * a unit of the partial sum, which grows like the root of its length, or, on the way to a large result, in
 * proportion. Errors of random sign so add up to a standard deviation of less than epsilon * sqrt(length) / 4 times the
 * root mean square of the partial sums; both results err, and the largest of millions lies within six deviations.
 */
export const sumTolerance = (length: number): Tolerance => ({
  absolute: 2 * (length + 16) * 2 ** -23,
  relative: 1.5 * Math.sqrt(length) * 2 ** -23,
});

/** What the engine makes of a function of float32 tensors. */
function planned(label: string, shapes: readonly Shape[], f: (...xs: lt.Tensor[]) => lt.Tensor): Program {
  const avals = shapes.map((shape): Aval => ({ shape, dtype: 'float32' }));
  const { graph } = traceGraph(
    avals,
    (xs) => f(...xs),
    (y) => [y],
  );
  const simple = simplify(graph);
  check(
    simple.equations.some((e) => e.op !== 'reshape'),
    'value',
    () => `${label}: at these sizes the result is an operand; nothing is computed`,
  );
  return lower(simple, label, [], device().backend.capabilities).program;
}

const dot: Task = {
  sizes: ['batch', 'rows', 'columns', 'depth'],
  derived: [],
  derive: (s) => s,
  operands: {
    a: (s) => [s.batch, s.rows, s.depth],
    b: (s) => [s.batch, s.depth, s.columns],
    c: (s) => [s.batch, s.rows, s.columns],
  },
  program: (s) => planned('dot', [dot.operands.a(s), dot.operands.b(s)], (a, b) => lt.matmul(a, b)),
  tolerance: ({ depth }) => sumTolerance(depth),
  checked: [
    [1, 1, 1, 1],
    [2, 37, 29, 23],
    [1, 64, 68, 36],
    [3, 64, 64, 64],
    [1, 128, 256, 128],
  ],
  timed: [
    [1, 256, 256, 256],
    [1, 512, 512, 512],
    [1, 1024, 1024, 1024],
    [1, 4096, 4096, 4096],
  ],
};

type Direction = 'conv' | 'convGradInput' | 'convGradWeight';
function convolution(name: Direction): Task {
  const x = (s: Sizes): Shape => [s.images, s.height, s.width, s.channels];
  const w = (s: Sizes): Shape => [s.kernel, s.kernel, s.channels, s.filters];
  const y = (s: Sizes): Shape => [s.images, s.outHeight, s.outWidth, s.filters];
  const operands: Task['operands'] =
    name === 'conv' ? { x, w, y } : name === 'convGradInput' ? { dy: y, w, dx: x } : { x, dy: y, dw: w };
  const [left, right, result] = Object.values(operands);
  const terms = (s: Sizes): number => {
    const window = s.kernel * s.kernel;
    if (name === 'convGradWeight') return s.images * s.outHeight * s.outWidth;
    return window * (name === 'conv' ? s.channels : s.filters);
  };
  return {
    sizes: ['images', 'height', 'width', 'channels', 'filters', 'kernel', 'stride', 'padding'],
    derived: ['outHeight', 'outWidth'],
    derive(s) {
      const out = (n: number): number => Math.floor((n + 2 * s.padding - s.kernel) / s.stride) + 1;
      return { ...s, outHeight: out(s.height), outWidth: out(s.width) };
    },
    operands,
    program(s) {
      const params = {
        stride: [s.stride, s.stride],
        padding: [
          [s.padding, s.padding],
          [s.padding, s.padding],
        ],
        dilation: [1, 1],
        groups: 1,
        ...(name === 'convGradInput' && { inputSize: [s.height, s.width] }),
        ...(name === 'convGradWeight' && { kernelSize: [s.kernel, s.kernel] }),
      };
      // The primitives have one more axis in front, of independent convolutions.
      const whole = (t: lt.Tensor): lt.Tensor => lt.reshape(t, [1, ...t.shape]);
      return planned(name, [left(s), right(s)], (a, b) =>
        lt.reshape(bind(primitives[name], [whole(a), whole(b)], params)[0], result(s)),
      );
    },
    tolerance: (s) => sumTolerance(terms(s)),
    checked: [
      [1, 1, 1, 1, 1, 1, 1, 0],
      [2, 9, 7, 3, 5, 3, 2, 1],
      [2, 8, 8, 8, 16, 3, 1, 1],
      [1, 11, 11, 4, 12, 5, 3, 0],
      [2, 8, 8, 64, 64, 3, 1, 1],
    ],
    timed: [
      [8, 16, 16, 32, 32, 3, 1, 1],
      [32, 16, 16, 64, 64, 3, 1, 1],
      [128, 32, 32, 64, 64, 3, 1, 1],
      [128, 8, 8, 256, 256, 3, 1, 1],
    ],
  };
}

/** Rows of numbers, each of which becomes a row or a number. */
function rows(
  name: string,
  f: (x: lt.Tensor) => lt.Tensor,
  shape: (s: Sizes) => Shape,
): Omit<Task, 'tolerance'> {
  const x = (s: Sizes): Shape => [s.rows, s.columns];
  return {
    sizes: ['rows', 'columns'],
    derived: [],
    derive: (s) => s,
    operands: { x, y: shape },
    program: (s) => planned(name, [x(s)], f),
    checked: [
      [1, 2],
      [3, 37],
      [65, 64],
      [2, 3000],
      [256, 256],
    ],
    timed: [
      [1024, 1024],
      [16384, 256],
      [64, 65536],
      [16384, 2048],
    ],
  };
}

export const tasks: Readonly<Record<string, Task>> = {
  dot,
  conv: convolution('conv'),
  convGradInput: convolution('convGradInput'),
  convGradWeight: convolution('convGradWeight'),
  softmax: {
    ...rows(
      'softmax',
      (x) => lt.softmax(x),
      (s) => [s.rows, s.columns],
    ),
    // WGSL allows exp an error of 3 + 2 |x| units; x - max lies within 16, and the sum adds its own.
    tolerance: ({ columns }) => ({ absolute: 2 ** -30, relative: (64 + Math.sqrt(columns)) * 2 ** -23 }),
  },
  sum: {
    ...rows(
      'sum',
      (x) => lt.sum(x, 1),
      (s) => [s.rows],
    ),
    tolerance: ({ columns }) => sumTolerance(columns),
  },
};
