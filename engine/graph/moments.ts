// Mean and variance as loops, of which work on rows is made: as accurate as the data, and exact where all of it is one number.

import { type DType, sizeOf, stridesOf } from '../dtype.ts';
import type { ElementwiseName } from '../primitives/names.ts';
import type { Loop, OpInstruction, Reduction, Step } from '../program.ts';
import { alongRows, denseView, lengthOf } from './dense.ts';

/** A loop whose totals are divided by a number: a mean is a sum with the count. */
export interface Reduced extends Loop {
  /** Default: 1. */
  readonly divisor?: number;
}

type Reducing = OpInstruction<'sum' | 'max' | 'min' | 'moments'>;

/** One of the operations sum, max and min as a loop. */
export const reductionLoop = (
  op: Reduction['op'],
  { inputs: [x], outputs: [y], params }: Reducing,
): Loop => ({
  shape: x.shape,
  inputs: [denseView(x.slot, x.dtype, x.shape)],
  steps: [],
  stores: [],
  reductions: [{ op, value: 0, axes: params.axes, slot: y.slot }],
});

/**
 * A mean first, rounded as sums of float32 are; then the mean distance from it and the mean squared distance; then both
 * results, corrected by that distance. `scratch` gives slots for what is between.
 */
export function momentLoops(
  i: Reducing,
  scratch: (size: number, dtype: DType) => number,
): readonly Reduced[] {
  const [x] = i.inputs;
  const [{ shape, dtype, slot: mean }, { slot: variance }] = i.outputs;
  const { axes } = i.params;
  const domain = { shape: x.shape, axes };
  const divisor = lengthOf(domain);
  const strides = alongRows(domain, stridesOf(shape));
  const [rough, off, squares] = [0, 1, 2].map(() => scratch(sizeOf(shape), dtype));
  const step = (op: ElementwiseName, ...args: number[]): Step => ({ op, args, dtype });
  const constant = (value: number): Step => ({ ...step('full'), value });
  const one = reductionLoop('sum', { ...i, outputs: [{ ...i.outputs[0], slot: rough }] });
  const two: Loop = {
    ...one,
    inputs: [...one.inputs, { slot: rough, dtype, strides, offset: 0 }],
    steps: [step('sub', 0, 1), step('mul', 2, 2)],
    reductions: [
      { op: 'sum', value: 2, axes, slot: off },
      { op: 'sum', value: 3, axes, slot: squares },
    ],
  };
  const after: Loop = {
    shape,
    inputs: [rough, off, squares].map((slot) => denseView(slot, dtype, shape)),
    // An infinite mean has no distance. A mean of squares is not negative, not even by rounding.
    steps: [
      step('abs', 1),
      constant(Infinity),
      { ...step('less', 3, 4), dtype: 'bool' },
      step('add', 0, 1),
      step('select', 5, 6, 0),
      step('mul', 1, 1),
      step('sub', 2, 8),
      constant(0),
      step('maximum', 9, 10),
    ],
    stores: [
      { value: 7, slot: mean },
      { value: 11, slot: variance },
    ],
    reductions: [],
  };
  return [{ ...one, divisor }, { ...two, divisor }, after];
}
