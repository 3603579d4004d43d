// Reading and adding at computed positions.

import type { DType } from '../dtype.ts';
import * as e from '../primitives/elementwise.ts';
import * as g from '../primitives/gather.ts';
import * as m from '../primitives/movement.ts';
import { floatType } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import { normaliseAxis } from './common.ts';
import { add } from './elementwise.ts';

/** Slices of x at int32 positions along an axis: x.shape[:axis] + indices.shape + x.shape[axis+1:]. Out of range: NaN (0 for integers). */
export const take = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  g.gather(x, indices, normaliseAxis('take', axis, x.ndim));
/** One element of x for each index, at the index's own position off the axis. */
export const takeAlongAxis = (x: Tensor, indices: Tensor, axis = -1): Tensor =>
  g.gatherAlong(x, indices, normaliseAxis('takeAlongAxis', axis, x.ndim));
/** x with updates added at int32 positions along an axis (default 0); updates have the shape take(x, indices, axis) has. */
export const scatterAdd = (x: Tensor, indices: Tensor, updates: Tensor, axis = 0): Tensor => {
  const a = normaliseAxis('scatterAdd', axis, x.ndim);
  return add(x, g.scatter(updates, indices, a, x.shape[a]));
};
/** Rows of the unit matrix: indices.shape + [classes]. An index out of range gives a row of zeros. */
export function oneHot(indices: Tensor, classes: number, dtype: DType = floatType()): Tensor {
  const shape = [...indices.shape, classes];
  return e.convert(
    e.equal(
      m.broadcast(
        indices,
        shape,
        indices.shape.map((_, i) => i),
      ),
      m.iota(shape, indices.ndim, indices.dtype),
    ),
    dtype,
  );
}
