// What all operations share: number-or-tensor operands, broadcasting, type promotion, axes counted from the end.

import { type DType, isFloat, type Shape, showShape } from '../dtype.ts';
import { check, describe } from '../error.ts';
import * as prim from '../primitives/apply.ts';
import { floatType } from '../runtime.ts';
import { Concrete, expectTensors, Tensor } from '../tensor.ts';

/**
 * What operations take: a tensor, or a number or boolean that adapts to the tensor beside it. At least one operand must
 * be a tensor.
 *
 * Shapes broadcast as in NumPy: counted from the last axis, sizes are equal or 1. Element types are promoted: the
 * widest float among the operands; without floats int32, or uint32 where all are uint32; bools become int32 in
 * arithmetic. A number takes the type of the tensors, but a fraction beside integers makes them floats (the device's
 * float type), and a number beside bools makes them int32. Integers wrap around at 32 bits.
 */
export type TensorLike = Tensor | number | boolean;
/** One axis or a list of axes; negative numbers count from the last axis, -1. */
export type Axis = number | readonly number[];
/** One number for both directions, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];
export function pair(op: string, what: string, x: Pair, least = 1): readonly [number, number] {
  const both = typeof x === 'number' ? ([x, x] as const) : x;
  check(
    Array.isArray(both) && both.length === 2 && both.every((n) => Number.isInteger(n) && n >= least),
    'value',
    () =>
      `${op}: ${what} is ${JSON.stringify(x)}, expected a whole number from ${least} or two of them, [vertical, horizontal]`,
  );
  return both;
}

/** A no-op must still give the caller a tensor of its own. */
export const fresh = (y: Tensor, ...xs: readonly Tensor[]): Tensor =>
  y instanceof Concrete && xs.includes(y) ? y.alias() : y;

/**
 * The shape that values of these shapes broadcast to. `op` names the caller in errors.
 * @throws 'shape' where two sizes are neither equal nor 1.
 */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const s of shapes) {
      const d = s[i - rank + s.length] ?? 1;
      check(
        d === 1 || size === 1 || d === size,
        'shape',
        () =>
          `${op}: shapes ${shapes.map(showShape).join(' and ')} do not broadcast; sizes must be equal or 1, counted from the last axis`,
      );
      if (d !== 1) size = d;
    }
    return size;
  });
}

export const expand = (x: Tensor, shape: Shape): Tensor =>
  prim.broadcast(
    x,
    shape,
    x.shape.map((_, i) => i + shape.length - x.ndim),
  );

export const asFull = (x: number | boolean, dtype: DType): Tensor => prim.full([], Number(x), dtype);

/** From the narrowest to the widest. */
const PROMOTION_ORDER: readonly DType[] = ['bool', 'uint32', 'int32', 'float16', 'float32', 'float64'];
/** The type that values of these types share: the widest float, else the widest integer. */
export const widest = (types: readonly DType[]): DType =>
  PROMOTION_ORDER.reduce<DType>((best, d) => (types.includes(d) ? d : best), 'bool');

/**
 * Operands of one type and shape. Of several float types the widest wins; mixed floats and integers become floats; bools
 * become integers in arithmetic.
 */
export function promote(op: string, operands: readonly TensorLike[], arithmetic: boolean): Tensor[] {
  operands.forEach((x, i) => {
    check(
      x instanceof Tensor || typeof x === 'number' || typeof x === 'boolean',
      'value',
      () => `${op}: operand ${i + 1} is ${describe(x)}, expected a tensor or a number`,
    );
  });
  const tensors = operands.filter((x): x is Tensor => x instanceof Tensor);
  check(tensors.length > 0, 'value', () => `${op}: at least one operand must be a tensor`);
  let dtype = widest(tensors.map((x) => x.dtype));
  if (operands.some((x) => typeof x === 'number' && !Number.isInteger(x)) && !isFloat(dtype))
    dtype = floatType();
  if (dtype === 'bool' && (arithmetic || operands.some((x) => typeof x === 'number'))) dtype = 'int32';
  const shape = broadcastShapes(op, ...tensors.map((x) => x.shape));
  return operands.map((x) => expand(x instanceof Tensor ? prim.convert(x, dtype) : asFull(x, dtype), shape));
}

/** Floats as they are; anything else in the device's float type. */
export const toFloat = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : prim.convert(x, floatType()));

/** f of floats; for float16 computed in float32 throughout and rounded once, at the end. */
export const inFloat32 =
  (f: (x: Tensor) => Tensor) =>
  (of: Tensor): Tensor => {
    const x = toFloat(of);
    return x.dtype === 'float16' ? prim.convert(f(prim.convert(x, 'float32')), 'float16') : f(x);
  };

export const unary =
  (op: string, f: (x: Tensor) => Tensor, floatOnly = false) =>
  (x: Tensor): Tensor => {
    expectTensors(op, x);
    return f(floatOnly ? toFloat(x) : x);
  };
export const binary =
  (op: string, f: (a: Tensor, b: Tensor) => Tensor, arithmetic = true) =>
  (a: TensorLike, b: TensorLike): Tensor => {
    const [x, y] = promote(op, [a, b], arithmetic);
    return f(x, y);
  };

/**
 * An axis as a number from 0 to rank - 1; a negative one counts from the end. `op` names the caller in errors.
 * @throws 'shape' where there is no such axis.
 */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  check(
    Number.isInteger(a) && a >= 0 && a < rank,
    'shape',
    () =>
      `${op}: axis ${typeof axis === 'number' ? axis : describe(axis)} does not exist; the operand has ${rank} axes`,
  );
  return a;
}
/** normaliseAxis of an operand that nobody has looked at yet. */
export function axisOf(op: string, x: Tensor, axis: number): number {
  expectTensors(op, x);
  return normaliseAxis(op, axis, x.ndim);
}
export function axesOf(op: string, x: Tensor, axis: Axis | undefined): number[] {
  expectTensors(op, x);
  check(
    axis === undefined || typeof axis === 'number' || Array.isArray(axis),
    'value',
    () => `${op}: axis is ${describe(axis)}, expected a number, a list of numbers, or nothing for all axes`,
  );
  if (axis === undefined) return x.shape.map((_, i) => i);
  const list = (typeof axis === 'number' ? [axis] : [...axis]).map((a) => normaliseAxis(op, a, x.ndim));
  const sorted = [...new Set(list)].sort((a, b) => a - b);
  check(sorted.length === list.length, 'value', () => `${op}: axes [${list.join(', ')}] name one axis twice`);
  return sorted;
}

/** y, which is x reduced over `axes`, with these axes as ones again if they are to be kept. */
export const restoreAxes = (y: Tensor, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor =>
  keepDims
    ? prim.reshape(
        y,
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      )
    : y;
export const reduction =
  (op: string, f: (x: Tensor, axes: readonly number[]) => Tensor) =>
  (x: Tensor, axis?: Axis, keepDims = false): Tensor => {
    expectTensors(op, x); // its type is read before axesOf looks at it
    const y = x.dtype === 'bool' ? prim.convert(x, 'int32') : x;
    const axes = axesOf(op, y, axis);
    return restoreAxes(f(y, axes), y, axes, keepDims);
  };

/** The defaults of ConvOptions, here and in layers. */
export const CONV_DEFAULTS = { stride: 1, padding: 'valid', dilation: 1, groups: 1 } as const;
