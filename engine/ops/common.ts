// What all operations share: number-or-tensor operands, broadcasting, type promotion, axes counted from the end.

import { type DType, isFloat, type Shape, showShape } from '../dtype.ts';
import { check } from '../error.ts';
import * as e from '../primitives/elementwise.ts';
import * as m from '../primitives/movement.ts';
import { floatType } from '../runtime.ts';
import { Concrete, Tensor } from '../tensor.ts';

/** A tensor, or a number that adapts to the tensor beside it. */
export type TensorLike = Tensor | number | boolean;
export type Axis = number | readonly number[];
export type Pair = number | readonly [number, number];

/** A no-op must still give the caller a tensor of its own. */
export const fresh = (y: Tensor, ...xs: readonly Tensor[]): Tensor =>
  y instanceof Concrete && xs.includes(y) ? y.alias() : y;

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
  m.broadcast(
    x,
    shape,
    x.shape.map((_, i) => i + shape.length - x.ndim),
  );

export const asFull = (x: number | boolean, dtype: DType): Tensor => e.full([], Number(x), dtype);

/** The type that values of these types share: the widest float, else the widest integer. */
const WIDER: readonly DType[] = ['bool', 'uint32', 'int32', 'float16', 'float32', 'float64'];
export const widest = (types: readonly DType[]): DType =>
  WIDER.reduce<DType>((best, d) => (types.includes(d) ? d : best), 'bool');

/**
 * Operands of one type and shape. Of several float types the widest wins; mixed floats and integers become floats; bools
 * become integers in arithmetic.
 */
export function promote(op: string, operands: readonly TensorLike[], arithmetic: boolean): Tensor[] {
  const tensors = operands.filter((x): x is Tensor => x instanceof Tensor);
  check(tensors.length > 0, 'value', () => `${op}: at least one operand must be a tensor`);
  let dtype = widest(tensors.map((x) => x.dtype));
  if (operands.some((x) => typeof x === 'number' && !Number.isInteger(x)) && !isFloat(dtype))
    dtype = floatType();
  if (dtype === 'bool' && (arithmetic || operands.some((x) => typeof x === 'number'))) dtype = 'int32';
  const shape = broadcastShapes(op, ...tensors.map((x) => x.shape));
  return operands.map((x) => expand(x instanceof Tensor ? e.convert(x, dtype) : asFull(x, dtype), shape));
}

/** Floats as they are; anything else in the device's float type. */
export const toFloat = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : e.convert(x, floatType()));

/** f of floats; for float16 computed in float32 throughout and rounded once, at the end. */
export const inFloat32 =
  (f: (x: Tensor) => Tensor) =>
  (of: Tensor): Tensor => {
    const x = toFloat(of);
    return x.dtype === 'float16' ? e.convert(f(e.convert(x, 'float32')), 'float16') : f(x);
  };

export const unary =
  (f: (x: Tensor) => Tensor, floatOnly = false) =>
  (x: Tensor): Tensor =>
    f(floatOnly ? toFloat(x) : x);
export const binary =
  (op: string, f: (a: Tensor, b: Tensor) => Tensor, arithmetic = true) =>
  (a: TensorLike, b: TensorLike): Tensor => {
    const [x, y] = promote(op, [a, b], arithmetic);
    return f(x, y);
  };

export function normaliseAxis(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  check(
    Number.isInteger(a) && a >= 0 && a < rank,
    'shape',
    () => `${op}: axis ${axis} does not exist; the operand has ${rank} axes`,
  );
  return a;
}
export function axesOf(op: string, x: Tensor, axis: Axis | undefined): number[] {
  if (axis === undefined) return x.shape.map((_, i) => i);
  const list = (typeof axis === 'number' ? [axis] : [...axis]).map((a) => normaliseAxis(op, a, x.ndim));
  const sorted = [...new Set(list)].sort((a, b) => a - b);
  check(sorted.length === list.length, 'value', () => `${op}: axes [${list.join(', ')}] name one axis twice`);
  return sorted;
}
