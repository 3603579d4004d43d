// Operations that only move elements.

import { type Shape, showAval, showShape, sizeOf } from '../dtype.ts';
import { check, describe } from '../error.ts';
import * as prim from '../primitives/apply.ts';
import { expectShape, sameShape } from '../primitives/rules.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { type Axis, axesOf, axisOf, broadcastShapes, expand, fresh, normaliseAxis } from './common.ts';

/**
 * The same elements, row-major, in another shape; one size may be -1 and is found from the others.
 * @throws 'shape' where the number of elements differs.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  expectTensors('reshape', x);
  expectShape('reshape', shape);
  const unknown = shape.filter((d) => d === -1).length;
  check(unknown <= 1, 'shape', () => `reshape: ${showShape(shape)} leaves more than one size open`);
  const known = sizeOf(shape.filter((d) => d !== -1));
  const full = unknown ? shape.map((d) => (d === -1 ? (known === 0 ? 0 : x.size / known) : d)) : shape;
  check(
    full.every((d) => Number.isInteger(d) && d >= 0),
    'shape',
    () => `reshape: ${showAval(x)} does not fit ${showShape(shape)}`,
  );
  return fresh(prim.reshape(x, full), x);
}
/**
 * Axes in a new order: axis i of the result is axis perm[i] of x. Without `perm` the order is reversed.
 * @throws 'shape' unless perm names each axis once.
 */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  expectTensors('transpose', x);
  if (perm !== undefined) expectShape('transpose', perm);
  const order =
    perm?.map((p) => normaliseAxis('transpose', p, x.ndim)) ?? x.shape.map((_, i) => x.ndim - 1 - i);
  return fresh(prim.transpose(x, order), x);
}
/**
 * x repeated to a larger shape by NumPy's rules: counted from the last axis, each size of x is 1 or that of `shape`.
 * @throws 'shape' where they do not fit.
 */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor => {
  expectTensors('broadcastTo', x);
  expectShape('broadcastTo', shape);
  check(
    sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape),
    'shape',
    () => `broadcastTo: ${showAval(x)} does not broadcast to ${showShape(shape)}`,
  );
  return fresh(expand(x, shape), x);
};
function expectList(op: string, xs: readonly Tensor[]): void {
  check(Array.isArray(xs) && xs.length > 0, 'value', () => `${op}: needs a list of at least one tensor`);
  expectTensors(op, ...xs);
}
/**
 * Joins tensors of one element type along an axis they have (default 0); their other sizes are equal.
 * @throws 'shape' where shapes or types do not fit, 'value' for an empty list.
 */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  expectList('concat', xs);
  return prim.concat(xs, normaliseAxis('concat', axis, xs[0].ndim));
}
/**
 * Joins tensors of one shape and element type along a new axis, at position `axis` of the result (default 0).
 * @throws 'shape' where shapes or types differ, 'value' for an empty list.
 */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  expectList('stack', xs);
  for (const x of xs)
    check(
      sameShape(x.shape, xs[0].shape),
      'shape',
      () => `stack: ${showAval(x)} has another shape than ${showAval(xs[0])}`,
    );
  const a = normaliseAxis('stack', axis, xs[0].ndim + 1);
  return prim.concat(
    xs.map((x) => prim.reshape(x, x.shape.toSpliced(a, 0, 1))),
    a,
  );
}
/**
 * Cuts axis `axis` (default 0) into equal parts (a number of parts) or into parts of the given sizes.
 * @throws 'shape' where the parts do not make up the axis.
 */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  const a = axisOf('split', x, axis);
  const sizes = typeof parts === 'number' ? Array.from({ length: parts }, () => x.shape[a] / parts) : parts;
  expectShape('split', sizes);
  check(
    sizes.reduce((s, v) => s + v, 0) === x.shape[a] && sizes.every(Number.isInteger),
    'shape',
    () => `split: parts [${sizes.join(', ')}] do not make up axis ${axis} of ${showAval(x)}`,
  );
  let at = 0;
  return sizes.map((n) => {
    const y = slice(
      x,
      x.shape.map((_, i) => (i === a ? at : 0)),
      x.shape.with(a, n),
    );
    at += n;
    return y;
  });
}
/**
 * The block that starts at `begin` and takes `size` elements along each axis, every strides-th one (default 1). All
 * lists have one entry an axis; a size of -1 goes to the end; begin counts from 0 and is not negative.
 * @throws 'shape' where the block does not lie inside x.
 */
export function slice(
  x: Tensor,
  begin: readonly number[],
  size: readonly number[],
  strides?: readonly number[],
): Tensor {
  expectTensors('slice', x);
  for (const list of [begin, size, strides ?? []]) expectShape('slice', list);
  check(
    begin.length === x.ndim && size.length === x.ndim,
    'shape',
    () =>
      `slice: begin ${showShape(begin)} and size ${showShape(size)} need one entry for each axis of ${showAval(x)}`,
  );
  const step = strides ?? x.shape.map(() => 1);
  const full = size.map((s, i) => (s === -1 ? Math.ceil((x.shape[i] - begin[i]) / step[i]) : s));
  return fresh(prim.slice(x, begin, full, step), x);
}
/**
 * Adds [before, after] elements of `value` (default 0) to each axis: one pair of whole numbers from 0 for each.
 * @throws 'shape' for other widths.
 */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], value = 0): Tensor {
  expectTensors('pad', x);
  check(
    Array.isArray(widths) && widths.length === x.ndim && widths.every(Array.isArray),
    'shape',
    () =>
      `pad: needs one [before, after] for each axis of ${showAval(x)}, got ${JSON.stringify(widths) ?? describe(widths)}`,
  );
  const go = (y: Tensor) =>
    prim.pad(
      y,
      widths.map((w) => w[0]),
      widths.map((w) => w[1]),
      widths.map(() => 0),
    );
  if (value === 0) return fresh(go(x), x);
  const inside = go(prim.fillLike(x, 1));
  return prim.select(prim.equal(inside, prim.fillLike(inside, 1)), go(x), prim.fillLike(inside, value));
}
/** Reverses the order along `axis` (all axes by default). */
export const flip = (x: Tensor, axis?: Axis): Tensor => fresh(prim.flip(x, axesOf('flip', x, axis)), x);
/** Without its axes of size 1, or without those of the named ones that have size 1. */
export const squeeze = (x: Tensor, axis?: Axis): Tensor => {
  expectTensors('squeeze', x);
  const axes =
    axis === undefined ? x.shape.flatMap((d, i) => (d === 1 ? [i] : [])) : axesOf('squeeze', x, axis);
  return reshape(
    x,
    x.shape.filter((d, i) => !axes.includes(i) || d !== 1),
  );
};
/** With a new axis of size 1 at position `axis` of the result; -1 puts it last. */
export const expandDims = (x: Tensor, axis: number): Tensor => {
  expectTensors('expandDims', x);
  return reshape(x, x.shape.toSpliced(normaliseAxis('expandDims', axis, x.ndim + 1), 0, 1));
};
/** All elements in one axis, row-major. */
export const flatten = (x: Tensor): Tensor => {
  expectTensors('flatten', x);
  return reshape(x, [x.size]);
};
