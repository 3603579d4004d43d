// Sums, extremes, moments, running sums and sorting. `axis` is a number, a list, or nothing for all axes.

import { showAval } from '../dtype.ts';
import { check } from '../error.ts';
import * as prim from '../primitives/apply.ts';
import { countOf } from '../primitives/rules.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { stopGradient } from '../transforms/autodiff.ts';
import { type Axis, axesOf, axisOf, inFloat32, reduction, restoreAxes, toFloat } from './common.ts';
import { abs, less, where } from './elementwise.ts';
import { slice } from './shape.ts';

/**
 * Sum over `axis` (all axes by default); with `keepDims` these stay as axes of size 1. Bools are counted, as int32;
 * integers wrap around at 32 bits; float16 and float32 are accumulated in float32 or better. Of none: 0.
 */
export const sum = reduction('sum', prim.sum);
/**
 * Largest element over `axis` (all axes by default); with `keepDims` these stay as axes of size 1. NaN if there is one;
 * of none, the least number of the type (-Infinity). Tied elements share the derivative. Bools as int32.
 */
export const max = reduction('max', prim.max);
/**
 * Smallest element over `axis` (all axes by default); with `keepDims` these stay as axes of size 1. NaN if there is
 * one; of none, the greatest number of the type (Infinity). Tied elements share the derivative. Bools as int32.
 */
export const min = reduction('min', prim.min);
/** Mean over `axis` (all axes by default), as a float; with `keepDims` these stay as axes of size 1. Of none: NaN. */
export const mean = reduction('mean', (x, axes) =>
  inFloat32((f) => {
    const y = prim.sum(f, axes);
    return prim.mul(y, prim.fillLike(y, 1 / countOf(f.shape, axes)));
  })(x),
);
/**
 * Biased variance over `axis` (all axes by default), as a float: the mean squared distance from the mean. With
 * `keepDims` the axes stay with size 1.
 * @throws 'shape' where there is nothing to average.
 */
export const variance = reduction('variance', (x, axes) =>
  axes.length === 0 ? prim.fillLike(toFloat(x), 0) : inFloat32((f) => prim.moments(f, axes)[1])(x),
);
/**
 * Position of the largest element along `axis` (default the last), int32: the first of equals; NaN counts as the
 * largest.
 * @throws 'shape' for an empty axis, 'dtype' for bool.
 */
export const argmax = (x: Tensor, axis = -1): Tensor => prim.argmax(x, axisOf('argmax', x, axis));
/**
 * Position of the smallest element along `axis` (default the last), int32: the first of equals; NaN counts as the
 * smallest.
 * @throws 'shape' for an empty axis, 'dtype' for bool.
 */
export const argmin = (x: Tensor, axis = -1): Tensor => prim.argmin(x, axisOf('argmin', x, axis));
/**
 * log(sum(exp(x))) over `axis` (all axes by default), as a float, without overflow; -Infinity where all elements are.
 * With `keepDims` the axes stay with size 1.
 */
export function logsumexp(of: Tensor, axis?: Axis, keepDims = false): Tensor {
  expectTensors('logsumexp', of);
  return inFloat32((x) => logsumexpOf(x, axis, keepDims))(of);
}
function logsumexpOf(x: Tensor, axis: Axis | undefined, keepDims: boolean): Tensor {
  const axes = axesOf('logsumexp', x, axis);
  const top = stopGradient(prim.max(x, axes)) as Tensor;
  // An infinite maximum must not meet itself in a subtraction.
  const shift = where(less(abs(top), Infinity), top, 0);
  const total = prim.add(
    prim.log(prim.sum(prim.exp(prim.sub(x, prim.spread(shift, x.shape, axes))), axes)),
    shift,
  );
  return restoreAxes(total, x, axes, keepDims);
}
/**
 * Running sum along `axis` (default the last): element i is the sum of elements 0 to i. Same shape and type.
 * @throws 'dtype' for bool.
 */
export const cumsum = (x: Tensor, axis = -1): Tensor => prim.cumsum(x, axisOf('cumsum', x, axis));
/** What sort and topK give. */
export interface Sorted {
  /** The elements in order, in the type of the operand. */
  values: Tensor;
  /** For each of the values its position along the sorted axis of the operand, int32. */
  indices: Tensor;
}
/**
 * Sorts in ascending order along `axis` (default the last). Stable; NaN last, so that it counts as the largest, as in
 * topK and max. Gradients go to where the values came from.
 * @throws 'shape' for bool or a scalar.
 */
export function sort(x: Tensor, axis = -1): Sorted {
  const a = axisOf('sort', x, axis);
  const [values, indices] = prim.sort(prim.moveAxis(x, a, x.ndim - 1));
  return { values: prim.moveAxis(values, x.ndim - 1, a), indices: prim.moveAxis(indices, x.ndim - 1, a) };
}
/**
 * The k largest elements along the last axis, largest first; the first of equals first. NaN counts as the largest, as
 * in max.
 * @throws 'value' unless k is a whole number from 0 to the size of that axis.
 */
export function topK(x: Tensor, k: number): Sorted {
  expectTensors('topK', x);
  const n = x.shape[x.ndim - 1];
  check(
    Number.isInteger(k) && k >= 0 && k <= n,
    'value',
    () => `topK: k is ${k}, expected 0 to ${n} for ${showAval(x)}`,
  );
  // The last k of an ascending sort, backwards. Equals come out in order if they go in backwards too.
  const last = x.ndim - 1;
  const largest = (y: Tensor): Tensor => {
    const begin = y.shape.map((_, i) => (i === last ? n - k : 0));
    return prim.flip(slice(y, begin, y.shape.with(-1, k)), [last]);
  };
  const [values, indices] = prim.sort(prim.flip(x, [last])).map(largest);
  return { values, indices: prim.sub(prim.fillLike(indices, n - 1), indices) };
}
