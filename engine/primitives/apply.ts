// The primitives as functions of tensors. Operations, transformations and the primitives' own rules call each other by
// these; the records behind the names are looked up when a primitive is called, so that broadcasting, whose transpose is
// a sum, and the sum, whose transpose is broadcasting, need not import each other.

import type { Aval, DType, Shape } from '../dtype.ts';
import { check, describe } from '../error.ts';
import { Tensor } from '../tensor.ts';
import { bind } from '../trace.ts';
import type {
  AttentionParams,
  BroadcastParams,
  ConvGradInputParams,
  ConvGradWeightParams,
  ConvParams,
  ParamsOf,
  PlainName,
  PoolParams,
  PoolTransposeParams,
  PrimitiveName,
  RandomParams,
} from './names.ts';
import { sameShape } from './rules.ts';
import type { Primitive } from './types.ts';

let records: Readonly<Record<PrimitiveName, Primitive>>;
/** Called once by the runtime. */
export const setPrimitives = (all: typeof records): void => {
  records = all;
};

/** One primitive on tensors, by the interpreter whose turn it is. */
export const apply = <K extends PrimitiveName>(
  name: K,
  operands: readonly Tensor[],
  params: ParamsOf<K>,
): Tensor[] => bind(records[name], operands, params);

// ---- elementwise -----------------------------------------------------------------------------------------------------

const unary = (name: PlainName) => (x: Tensor) => apply(name, [x], {})[0];
const binary = (name: PlainName) => (x: Tensor, y: Tensor) => apply(name, [x, y], {})[0];

export const neg = unary('neg');
export const abs = unary('abs');
export const sign = unary('sign');
export const floor = unary('floor');
export const exp = unary('exp');
export const log = unary('log');
export const log1p = unary('log1p');
export const expm1 = unary('expm1');
export const sqrt = unary('sqrt');
export const rsqrt = unary('rsqrt');
export const tanh = unary('tanh');
export const sigmoid = unary('sigmoid');
export const erf = unary('erf');
export const sin = unary('sin');
export const cos = unary('cos');
export const relu = unary('relu');
export const identity = unary('identity');
export const not = unary('not');
export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const maximum = binary('maximum');
export const minimum = binary('minimum');
export const pow = binary('pow');
export const less = binary('less');
export const lessEqual = binary('lessEqual');
export const equal = binary('equal');
export const and = binary('and');
export const or = binary('or');
export const select = (c: Tensor, x: Tensor, y: Tensor): Tensor => apply('select', [c, x, y], {})[0];
export const convert = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply('convert', [x], { dtype })[0];
/** `value` in every element. As an integer it is truncated and wraps, as in a typed array: backends meet only what fits. */
export const full = (shape: Shape, value: number, dtype: DType): Tensor => {
  const fitting = dtype === 'int32' ? value | 0 : dtype === 'uint32' ? value >>> 0 : value;
  return apply('full', [], { shape, value: fitting, dtype })[0];
};
/** `value` everywhere, with the shape and type of `x`. */
export const fillLike = (x: Aval, value: number): Tensor => full(x.shape, value, x.dtype);

// ---- views -----------------------------------------------------------------------------------------------------------

export const reshape = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply('reshape', [x], { shape })[0];
export const transpose = (x: Tensor, perm: readonly number[]): Tensor =>
  perm.every((p, i) => p === i) && perm.length === x.ndim ? x : apply('transpose', [x], { perm })[0];
/** Moves axis `from` to position `to`. */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const perm = x.shape.map((_, i) => i).filter((i) => i !== from);
  perm.splice(to, 0, from);
  return transpose(x, perm);
}
export const broadcast = (x: Tensor, shape: Shape, dims: BroadcastParams['dims']): Tensor =>
  sameShape(x.shape, shape) ? x : apply('broadcast', [x], { shape, dims })[0];
export const slice = (
  x: Tensor,
  begin: readonly number[],
  size: readonly number[],
  strides: readonly number[],
): Tensor =>
  sameShape(x.shape, size) && begin.every((b) => b === 0) && strides.every((s) => s === 1)
    ? x
    : apply('slice', [x], { begin, size, strides })[0];
export const flip = (x: Tensor, axes: readonly number[]): Tensor =>
  axes.length === 0 ? x : apply('flip', [x], { axes })[0];
export const barrier = (xs: readonly Tensor[]): Tensor[] => (xs.length === 0 ? [] : apply('barrier', xs, {}));

// ---- movement, reductions, order -------------------------------------------------------------------------------------

export const pad = (
  x: Tensor,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[],
): Tensor =>
  [low, high, interior].every((p) => p.every((v) => v === 0)) && low.length === x.ndim
    ? x
    : apply('pad', [x], { low, high, interior })[0];
export const concat = (xs: readonly Tensor[], axis: number): Tensor => apply('concat', xs, { axis })[0];
export const iota = (shape: Shape, axis: number, dtype: DType): Tensor =>
  apply('iota', [], { shape, axis, dtype })[0];

export const sum = (x: Tensor, axes: readonly number[]): Tensor => apply('sum', [x], { axes })[0];
export const max = (x: Tensor, axes: readonly number[]): Tensor => apply('max', [x], { axes })[0];
export const min = (x: Tensor, axes: readonly number[]): Tensor => apply('min', [x], { axes })[0];
export const argmax = (x: Tensor, axis: number): Tensor => apply('argmax', [x], { axis })[0];
export const argmin = (x: Tensor, axis: number): Tensor => apply('argmin', [x], { axis })[0];
export const moments = (x: Tensor, axes: readonly number[]): [Tensor, Tensor] =>
  apply('moments', [x], { axes }) as [Tensor, Tensor];
/** Puts a reduced value back over the shape it came from. */
export const spread = (y: Tensor, shape: Shape, axes: readonly number[]): Tensor =>
  broadcast(
    y,
    shape,
    shape.map((_, d) => d).filter((d) => !axes.includes(d)),
  );
export const cumsum = (x: Tensor, axis: number, reverse = false): Tensor =>
  apply('cumsum', [x], { axis, reverse })[0];
/** Values along the last axis in order, and the positions they came from. */
export const sort = (x: Tensor): [Tensor, Tensor] => apply('sort', [x], {}) as [Tensor, Tensor];

// ---- computed positions ----------------------------------------------------------------------------------------------

export const gather = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  apply('gather', [x, indices], { axis })[0];
export const scatter = (updates: Tensor, indices: Tensor, axis: number, size: number): Tensor =>
  apply('scatter', [updates, indices], { axis, size })[0];
export const gatherAlong = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  apply('gatherAlong', [x, indices], { axis })[0];
export const scatterAlong = (updates: Tensor, indices: Tensor, axis: number, size: number): Tensor =>
  apply('scatterAlong', [updates, indices], { axis, size })[0];

// ---- products, images, random numbers --------------------------------------------------------------------------------

/** op(a) op(b) with op the transposition of the last two axes where asked. */
export const dot = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  apply('dot', [a, b], { transposeA, transposeB })[0];
export const conv = (x: Tensor, w: Tensor, p: ConvParams): Tensor => apply('conv', [x, w], p)[0];
export const convGradInput = (dy: Tensor, w: Tensor, p: ConvGradInputParams): Tensor =>
  apply('convGradInput', [dy, w], p)[0];
export const convGradWeight = (x: Tensor, dy: Tensor, p: ConvGradWeightParams): Tensor =>
  apply('convGradWeight', [x, dy], p)[0];
/** The largest element of each window, and its position in the image. */
export const maxPool = (x: Tensor, p: PoolParams): [Tensor, Tensor] =>
  apply('maxPool', [x], p) as [Tensor, Tensor];
export const sumPool = (x: Tensor, p: PoolParams): Tensor => apply('sumPool', [x], p)[0];
export const sumPoolTranspose = (dy: Tensor, p: PoolTransposeParams): Tensor =>
  apply('sumPoolTranspose', [dy], p)[0];
/** q [B, N, D], k [B, M, D], m [B, M], v [B, M, C]: [B, N, C], and the logarithms [B, N]. */
export const attention = (
  q: Tensor,
  k: Tensor,
  m: Tensor,
  v: Tensor,
  p: AttentionParams,
): readonly Tensor[] => apply('attention', [q, k, m, v], p);
/** q [B, N, D], k [B, M, D], l [B, N], m [B, M], v [B, M, C], and for each factor [B, N, E] and [B, M, E]: [B, N, C]. */
export const attentionSum = (operands: readonly Tensor[], p: AttentionParams): Tensor =>
  apply('attentionSum', operands, p)[0];
export function random(key: Tensor, p: RandomParams): Tensor {
  check(
    key instanceof Tensor,
    'value',
    () => `random: the key is ${describe(key)}, expected one made by random.key or random.split`,
  );
  return apply('random', [key], p)[0];
}
