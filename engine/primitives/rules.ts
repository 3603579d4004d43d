// What several families share and what calls no primitive: shape checks, and the strided copy that reference
// implementations of data movement stand on.

import {
  type Aval,
  allocate,
  type DType,
  type Shape,
  showAval,
  showShape,
  sizeOf,
  type TypedArray,
} from '../dtype.ts';
import { check, describe } from '../error.ts';

export const aval = (shape: Shape, dtype: DType): Aval => ({ shape, dtype });
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** Sizes or positions come as a list: reshape(x, [2, 3]), not reshape(x, 2, 3). */
export function expectShape(op: string, shape: Shape): void {
  check(
    Array.isArray(shape) && shape.every((d) => typeof d === 'number'),
    'shape',
    () => `${op}: expected a list of numbers, got ${describe(shape)}`,
  );
}
export function checkShape(op: string, shape: Shape): void {
  expectShape(op, shape);
  check(
    shape.every((d) => Number.isInteger(d) && d >= 0),
    'shape',
    () => `${op}: ${showShape(shape)} is no shape; sizes must be whole numbers from 0`,
  );
}

export function checkAxis(op: string, axis: number, shape: Shape): void {
  check(
    Number.isInteger(axis) && axis >= 0 && axis < shape.length,
    'shape',
    () => `${op}: axis ${axis} does not exist in ${showShape(shape)}; expected 0 to ${shape.length - 1}`,
  );
}

export function checkIndices(op: string, indices: Aval): void {
  check(indices.dtype === 'int32', 'dtype', () => `${op}: indices must be int32, got ${showAval(indices)}`);
}

// ---- plain arrays ----------------------------------------------------------------------------------------------------

/** out[i0, i1, ...] = source[offset + sum(ik * strides[k])], row-major over `shape`. */
export function stridedCopy(
  source: TypedArray,
  shape: Shape,
  strides: readonly number[],
  offset: number,
  dtype: DType,
): TypedArray {
  const out = allocate(dtype, sizeOf(shape));
  if (out.length === 0) return out;
  if (shape.length === 0) {
    out[0] = source[offset];
    return out;
  }
  const last = shape.length - 1;
  const index = new Array<number>(shape.length).fill(0);
  const inner = shape[last];
  const step = strides[last];
  let at = offset;
  for (let o = 0; o < out.length; o += inner) {
    for (let i = 0, s = at; i < inner; i++, s += step) out[o + i] = source[s];
    for (let d = last - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

/** How many elements a reduction over these axes makes one of. */
export const countOf = (shape: Shape, axes: readonly number[]): number => sizeOf(axes.map((a) => shape[a]));

/** A dense array seen as [outer, n, inner] around one axis. */
export function around(shape: Shape, axis: number): { outer: number; n: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), n: shape[axis], inner: sizeOf(shape.slice(axis + 1)) };
}
