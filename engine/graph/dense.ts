// Views of all of a slot in order.

import { type DType, type Shape, stridesOf } from '../dtype.ts';
import type { View } from '../program.ts';

export const denseView = (slot: number, dtype: DType, shape: Shape): View => ({
  slot,
  dtype,
  strides: stridesOf(shape),
  offset: 0,
});

/** Is a view all of a slot in order? Strides along axes of size 1 say nothing. */
export function isDense({ strides, offset }: View, shape: Shape): boolean {
  let run = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== run) return false;
    run *= shape[d];
  }
  return offset === 0;
}
