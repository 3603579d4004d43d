// Softmax and the normalisations at the shapes of vision transformers and U-Nets, forward, or with their gradients. Both
// sides do the forward pass and the backward pass in the latter and give the output too, as a training step needs it; none
// starts from statistics that are known already.

import { sizeOf } from '../engine/dtype.ts';
import * as lt from '../index.ts';
import { type Case, compiled, input, normTolerance } from './case.ts';
import { uniform } from './inputs.ts';

type Pass = 'forward' | 'gradient';
const PASSES = ['forward', 'gradient'] as const;
const labelOf = (pass: Pass): string => (pass === 'forward' ? 'forward' : 'forward and backward');
/** x and y of `size` float32 elements; with gradients dy and dx too. */
const bytesOf = (size: number, pass: Pass): number => size * (pass === 'forward' ? 8 : 16);

const average = (xs: readonly number[]): number => xs.reduce((sum, x) => sum + x, 0) / xs.length;

// ---- softmax ---------------------------------------------------------------------------------------------------------

/** Scores are uniform up to this size: weights differ by a factor of thousands. */
const SPREAD = 4;

/** Of the result or of the gradient of the scores: y (dy - sum of y dy), and for the logarithm dy - y sum of dy. */
function exactSoftmax(row: number, log: boolean, pass: Pass, at: number): number {
  const column = at % row;
  const fellows = Array.from({ length: row }, (_, k) => at - column + k);
  const exponentials = fellows.map((i) => Math.exp(uniform(0, i, SPREAD)));
  const total = exponentials.reduce((a, b) => a + b);
  const y = exponentials.map((e) => e / total);
  if (pass === 'forward') return log ? Math.log(y[column]) : y[column];
  const dy = fellows.map((i) => uniform(3, i));
  if (log) return dy[column] - y[column] * dy.reduce((a, b) => a + b);
  return y[column] * (dy[column] - y.reduce((sum, p, k) => sum + p * dy[k], 0));
}

export function softmax(shape: readonly number[], { log = false, pass = 'forward' as Pass } = {}): Case {
  const size = sizeOf(shape);
  const row = shape.at(-1) as number;
  const f = log ? (x: lt.Tensor) => lt.logSoftmax(x) : (x: lt.Tensor) => lt.softmax(x);
  return {
    suite: 'normalisation',
    name: `${log ? 'logSoftmax' : 'softmax'} ${shape.join('x')} ${labelOf(pass)}`,
    peer: { case: 'softmax', shape, log, spread: SPREAD, direction: pass },
    size,
    bytes: bytesOf(size, pass),
    tolerance: 4 * normTolerance(row),
    exact: (at) => exactSoftmax(row, log, pass, at),
    prepare() {
      const [x, dy] = [input(0, shape, SPREAD), input(3, shape)];
      if (pass === 'forward') return compiled(f, [x], [x, dy]);
      return compiled(
        (a: lt.Tensor, d: lt.Tensor) => {
          const [y, back] = lt.vjp(f, a);
          return [...back(d), y];
        },
        [x, dy],
      );
    },
  };
}

// ---- normalisations --------------------------------------------------------------------------------------------------

export interface Norm {
  readonly kind: 'layer' | 'group' | 'batch';
  /** Channels last. */
  readonly shape: readonly number[];
  /** Of group normalisation. */
  readonly groups?: number;
}

/** The elements that are normalised together with element `at`. */
function fellowsOf({ kind, shape, groups = 1 }: Norm, at: number): number[] {
  const channels = shape.at(-1) as number;
  const size = sizeOf(shape);
  if (kind === 'layer')
    return Array.from({ length: channels }, (_, c) => Math.floor(at / channels) * channels + c);
  if (kind === 'batch')
    return Array.from({ length: size / channels }, (_, p) => p * channels + (at % channels));
  const width = channels / groups;
  const image = size / shape[0];
  const first = Math.floor(at / image) * image + Math.floor((at % channels) / width) * width;
  return Array.from(
    { length: image / groups },
    (_, k) => first + Math.floor(k / width) * channels + (k % width),
  );
}

const EPSILON = 1e-5;

/** Of the result or of the gradient of x: (g - mean of g - z mean of g z) / deviation, g = dy scale, z = (x - mean) / deviation. */
function exactNorm(norm: Norm, pass: Pass, at: number): number {
  const channels = norm.shape.at(-1) as number;
  const scale = (i: number): number => uniform(1, i % channels);
  const fellows = fellowsOf(norm, at);
  const x = fellows.map((i) => uniform(0, i));
  const mean = average(x);
  const deviation = Math.sqrt(average(x.map((v) => (v - mean) ** 2)) + EPSILON);
  const own = (uniform(0, at) - mean) / deviation;
  if (pass === 'forward') return own * scale(at) + uniform(2, at % channels);
  const g = fellows.map((i) => uniform(3, i) * scale(i));
  const along = average(g.map((v, k) => (v * (x[k] - mean)) / deviation));
  return (uniform(3, at) * scale(at) - average(g) - own * along) / deviation;
}

const FUNCTIONS = {
  layer: (x: lt.Tensor, options: lt.NormOptions) => lt.layerNorm(x, options),
  group: (x: lt.Tensor, options: lt.NormOptions, groups: number) => lt.groupNorm(x, groups, options),
  batch: (x: lt.Tensor, options: lt.NormOptions) => lt.batchNorm(x, options).output,
};

/** With factors and shifts, whose gradients are among the results. */
export function normalisation(norm: Norm, pass: Pass): Case {
  const { kind, shape, groups = 1 } = norm;
  const size = sizeOf(shape);
  const channels = shape.at(-1) as number;
  const f = (x: lt.Tensor, scale: lt.Tensor, shift: lt.Tensor) =>
    FUNCTIONS[kind](x, { scale, shift, epsilon: EPSILON }, groups);
  return {
    suite: 'normalisation',
    name: `${kind}Norm ${shape.join('x')} ${labelOf(pass)}`,
    peer: { case: 'norm', kind, shape, groups, epsilon: EPSILON, direction: pass },
    size,
    bytes: bytesOf(size, pass),
    tolerance: normTolerance(fellowsOf(norm, 0).length),
    exact: (at) => exactNorm(norm, pass, at),
    prepare() {
      const x = input(0, shape);
      const [scale, shift] = [input(1, [channels]), input(2, [channels])];
      const dy = input(3, shape);
      const all = [x, scale, shift, dy];
      if (pass === 'forward') return compiled(f, [x, scale, shift], all);
      return compiled(
        (a: lt.Tensor, b: lt.Tensor, c: lt.Tensor, d: lt.Tensor) => {
          const [y, back] = lt.vjp(f, a, b, c);
          return [...back(d), y];
        },
        [x, scale, shift, dy],
        all,
      );
    },
  };
}

/** Scores of a vision transformer (196 patches and a class), of a classifier; activations of both and of U-Nets. */
export const normalisations: readonly Case[] = [
  ...[
    [16, 12, 197, 197],
    [4096, 1000],
  ].flatMap((shape) => [false, true].flatMap((log) => PASSES.map((pass) => softmax(shape, { log, pass })))),
  ...(
    [
      { kind: 'layer', shape: [64, 197, 768] },
      { kind: 'group', shape: [16, 32, 32, 128], groups: 32 },
      { kind: 'group', shape: [16, 64, 64, 64], groups: 32 },
      { kind: 'batch', shape: [128, 32, 32, 64] },
      { kind: 'batch', shape: [128, 8, 8, 256] },
    ] as const
  ).flatMap((norm) => PASSES.map((pass) => normalisation(norm, pass))),
];
