// Reading and adding at computed positions.

import { type DType, showAval } from '../dtype.ts';
import { check, describe } from '../error.ts';
import * as prim from '../primitives/apply.ts';
import { floatType } from '../runtime.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { normaliseAxis } from './common.ts';
import { add } from './elementwise.ts';

function positions(op: string, x: Tensor, indices: Tensor, ...more: readonly Tensor[]): void {
  expectTensors(op, x, indices, ...more);
  check(
    indices.dtype === 'int32',
    'dtype',
    () =>
      `${op}: indices must be int32, got ${showAval(indices)}; make them with tensor(list, { dtype: 'int32' })`,
  );
}

/**
 * Slices of x at int32 positions along `axis` (default 0): the result has shape x.shape[:axis] + indices.shape +
 * x.shape[axis+1:]. A position out of range, also a negative one, gives NaN (0 for integers, false for bools).
 * @throws 'dtype' for indices of another type.
 */
export const take = (x: Tensor, indices: Tensor, axis = 0): Tensor => {
  positions('take', x, indices);
  return prim.gather(x, indices, normaliseAxis('take', axis, x.ndim));
};
/**
 * result[..., i, ...] = x[..., indices[..., i, ...], ...]: one element of x for each int32 index, along `axis` (default
 * the last). Indices have the shape of x but for that axis. Out of range as in take.
 * @throws 'shape' for other shapes, 'dtype' for indices of another type.
 */
export const takeAlongAxis = (x: Tensor, indices: Tensor, axis = -1): Tensor => {
  positions('takeAlongAxis', x, indices);
  return prim.gatherAlong(x, indices, normaliseAxis('takeAlongAxis', axis, x.ndim));
};
/**
 * x with `updates` added at int32 positions along `axis` (default 0); updates have the shape of take(x, indices, axis).
 * Updates of one position add up; positions out of range are left out.
 * @throws 'dtype' for indices of another type, 'shape' for other updates.
 */
export const scatterAdd = (x: Tensor, indices: Tensor, updates: Tensor, axis = 0): Tensor => {
  positions('scatterAdd', x, indices, updates);
  const a = normaliseAxis('scatterAdd', axis, x.ndim);
  return add(x, prim.scatter(updates, indices, a, x.shape[a]));
};
/**
 * 1 at position `indices[...]` of a new last axis of size `classes`, 0 elsewhere: shape indices.shape + [classes].
 * Default type: the device's float type. An index out of range gives a row of zeros.
 * @throws 'value' unless classes is a whole number from 0.
 */
export function oneHot(indices: Tensor, classes: number, dtype: DType = floatType()): Tensor {
  expectTensors('oneHot', indices);
  check(
    Number.isInteger(classes) && classes >= 0,
    'value',
    () => `oneHot: the number of classes must be a whole number, got ${describe(classes)}`,
  );
  const shape = [...indices.shape, classes];
  return prim.convert(
    prim.equal(
      prim.broadcast(
        indices,
        shape,
        indices.shape.map((_, i) => i),
      ),
      prim.iota(shape, indices.ndim, indices.dtype),
    ),
    dtype,
  );
}
