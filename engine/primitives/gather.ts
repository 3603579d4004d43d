// Reading and adding at computed positions. gather and scatter work on whole slices along one axis, gatherAlong and
// scatterAlong on single elements; within each pair one is the transpose of the other. Indices out of range make a
// gather yield NaN (0 for integers) and a scatter drop the update.

import { allocate, type DType, isFloat, showAval, showShape, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import {
  add,
  and,
  broadcast,
  fillLike,
  gather,
  gatherAlong,
  iota,
  less,
  lessEqual,
  moveAxis,
  mul,
  reshape,
  scatter,
  scatterAlong,
  select,
} from './apply.ts';
import { ensureBatched, multilinear } from './linear.ts';
import { around, aval, checkAxis, checkIndices, sameShape } from './rules.ts';
import type { PrimitiveOf } from './types.ts';

const missing = (dtype: DType): number => (isFloat(dtype) ? Number.NaN : 0);

/** True where an index points at one of n slices. */
const inRange = (indices: Tensor, n: number): Tensor =>
  and(lessEqual(fillLike(indices, 0), indices), less(indices, fillLike(indices, n)));

/** Indices [V, ...] into n slices each become indices into V * n slices; invalid ones stay invalid. */
function offsetIndices(indices: Tensor, n: number): Tensor {
  const row = mul(iota(indices.shape, 0, 'int32'), fillLike(indices, n));
  return select(inRange(indices, n), add(indices, row), fillLike(indices, -1));
}

const gatherPrimitive: PrimitiveOf<'gather'> = {
  name: 'gather',
  kind: 'root',
  shape: ([x, indices], { axis }) => {
    checkAxis('gather', axis, x.shape);
    checkIndices('gather', indices);
    return [aval(x.shape.toSpliced(axis, 1, ...indices.shape), x.dtype)];
  },
  jvp: multilinear('gather', [0]),
  transpose: ([ct], [x, indices], { axis }) => [
    ct && scatter(ct, indices as Tensor, axis, x.shape[axis]),
    null,
  ],
  batch: ([x, indices], [bx, bi], { axis }, size) => {
    if (!bi) return [gather(x, indices, axis + 1)];
    if (!bx) return [moveAxis(gather(x, indices, axis), axis, 0)];
    // Both: slices of all samples in one axis, then back to where they belong.
    const n = x.shape[axis + 1];
    const front = moveAxis(x, axis + 1, 1);
    const rest = front.shape.slice(2);
    const flat = gather(reshape(front, [size * n, ...rest]), offsetIndices(indices, n), 0);
    let out = flat;
    const k = indices.ndim - 1;
    for (let i = 0; i < axis; i++) out = moveAxis(out, 1 + k + i, 1 + i);
    return [out];
  },
  reference: ([x, indices], { axis }, [out]) => {
    const { outer, n, inner } = around(x.shape, axis);
    const count = indices.data.length;
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let o = 0; o < outer; o++)
      for (let k = 0; k < count; k++) {
        const from = indices.data[k];
        const valid = from >= 0 && from < n;
        for (let i = 0; i < inner; i++)
          result[(o * count + k) * inner + i] = valid
            ? x.data[(o * n + from) * inner + i]
            : missing(out.dtype);
      }
    return [result];
  },
  samples: [
    {
      operands: [{ shape: [5, 3] }, { shape: [4], dtype: 'int32', fill: 'index', below: 5 }],
      params: { axis: 0 },
    },
    {
      operands: [{ shape: [2, 4, 3] }, { shape: [2, 2], dtype: 'int32', fill: 'index', below: 4 }],
      params: { axis: 1 },
    },
    {
      operands: [{ shape: [3] }, { shape: [], dtype: 'int32', fill: 'index', below: 3 }],
      params: { axis: 0 },
    },
    {
      operands: [{ shape: [3, 2] }, { shape: [0], dtype: 'int32', fill: 'index', below: 3 }],
      params: { axis: 0 },
    },
  ],
};

const scatterPrimitive: PrimitiveOf<'scatter'> = {
  name: 'scatter',
  kind: 'root',
  shape: ([updates, indices], { axis, size }) => {
    checkIndices('scatter', indices);
    check(
      Number.isInteger(axis) && axis >= 0 && axis + indices.shape.length <= updates.shape.length,
      'shape',
      () =>
        `scatter: updates ${showAval(updates)} have no axes for indices ${showAval(indices)} at axis ${axis}`,
    );
    check(
      sameShape(updates.shape.slice(axis, axis + indices.shape.length), indices.shape),
      'shape',
      () =>
        `scatter: updates ${showAval(updates)} must have the indices' shape ${showShape(indices.shape)} at axis ${axis}`,
    );
    return [aval(updates.shape.toSpliced(axis, indices.shape.length, size), updates.dtype)];
  },
  jvp: multilinear('scatter', [0]),
  // A dropped update has no influence: zero, where a gather alone would say NaN.
  transpose: ([ct], [updates, i], { axis, size }) => {
    if (ct === null) return [null, null];
    const indices = i as Tensor;
    const g = gather(ct, indices, axis);
    const dims = indices.shape.map((_, d) => d + axis);
    return [select(broadcast(inRange(indices, size), updates.shape, dims), g, fillLike(g, 0)), null];
  },
  batch: ([updates, indices], [bu, bi], { axis, size }, batch) => {
    const u = ensureBatched(updates, bu, batch);
    if (!bi) return [scatter(u, indices, axis + 1, size)];
    const k = indices.ndim - 1;
    let front = u;
    for (let i = 0; i < k; i++) front = moveAxis(front, axis + 1 + i, 1 + i);
    const flat = scatter(front, offsetIndices(indices, size), 0, batch * size);
    return [moveAxis(reshape(flat, [batch, size, ...flat.shape.slice(1)]), 1, axis + 1)];
  },
  reference: ([updates, indices], { axis, size }, [out]) => {
    const { outer, inner } = around(out.shape, axis);
    const count = indices.data.length;
    const total = new Float64Array(sizeOf(out.shape));
    for (let o = 0; o < outer; o++)
      for (let k = 0; k < count; k++) {
        const to = indices.data[k];
        if (to < 0 || to >= size) continue;
        for (let i = 0; i < inner; i++)
          total[(o * size + to) * inner + i] += updates.data[(o * count + k) * inner + i];
      }
    const result = allocate(out.dtype, total.length);
    result.set(total);
    return [result];
  },
  samples: [
    {
      operands: [{ shape: [4, 3] }, { shape: [4], dtype: 'int32', fill: 'index', below: 5 }],
      params: { axis: 0, size: 5 },
    },
    {
      operands: [{ shape: [2, 2, 2, 3] }, { shape: [2, 2], dtype: 'int32', fill: 'index', below: 4 }],
      params: { axis: 1, size: 4 },
    },
  ],
};

const offAxisEqual = (a: readonly number[], b: readonly number[], axis: number): boolean =>
  a.length === b.length && a.every((d, i) => i === axis || d === b[i]);

const gatherAlongPrimitive: PrimitiveOf<'gatherAlong'> = {
  name: 'gatherAlong',
  kind: 'root',
  shape: ([x, indices], { axis }) => {
    checkAxis('gatherAlong', axis, x.shape);
    checkIndices('gatherAlong', indices);
    check(
      offAxisEqual(x.shape, indices.shape, axis),
      'shape',
      () => `gatherAlong: indices ${showAval(indices)} must match ${showAval(x)} off axis ${axis}`,
    );
    return [aval(indices.shape, x.dtype)];
  },
  jvp: multilinear('gatherAlong', [0]),
  transpose: ([ct], [x, indices], { axis }) => [
    ct && scatterAlong(ct, indices as Tensor, axis, x.shape[axis]),
    null,
  ],
  batch: ([x, indices], [bx, bi], { axis }, size) => [
    gatherAlong(ensureBatched(x, bx, size), ensureBatched(indices, bi, size), axis + 1),
  ],
  reference: ([x, indices], { axis }, [out]) => {
    const { outer, n, inner } = around(x.shape, axis);
    const k = out.shape[axis];
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let o = 0; o < outer; o++)
      for (let j = 0; j < k; j++)
        for (let i = 0; i < inner; i++) {
          const at = (o * k + j) * inner + i;
          const from = indices.data[at];
          result[at] = from >= 0 && from < n ? x.data[(o * n + from) * inner + i] : missing(out.dtype);
        }
    return [result];
  },
  samples: [
    {
      operands: [{ shape: [2, 5] }, { shape: [2, 3], dtype: 'int32', fill: 'index', below: 5 }],
      params: { axis: 1 },
    },
    {
      operands: [{ shape: [4, 2, 3] }, { shape: [2, 2, 3], dtype: 'int32', fill: 'index', below: 4 }],
      params: { axis: 0 },
    },
    {
      operands: [{ shape: [2, 4, 3] }, { shape: [2, 1, 3], dtype: 'int32', fill: 'index', below: 4 }],
      params: { axis: 1 },
    },
  ],
};

const scatterAlongPrimitive: PrimitiveOf<'scatterAlong'> = {
  name: 'scatterAlong',
  kind: 'root',
  shape: ([updates, indices], { axis, size }) => {
    checkAxis('scatterAlong', axis, updates.shape);
    checkIndices('scatterAlong', indices);
    check(
      sameShape(updates.shape, indices.shape),
      'shape',
      () => `scatterAlong: updates ${showAval(updates)} and indices ${showAval(indices)} must have one shape`,
    );
    return [aval(updates.shape.with(axis, size), updates.dtype)];
  },
  jvp: multilinear('scatterAlong', [0]),
  transpose: ([ct], [, i], { axis, size }) => {
    if (ct === null) return [null, null];
    const g = gatherAlong(ct, i as Tensor, axis);
    return [select(inRange(i as Tensor, size), g, fillLike(g, 0)), null];
  },
  batch: ([updates, indices], [bu, bi], { axis, size }, batch) => [
    scatterAlong(ensureBatched(updates, bu, batch), ensureBatched(indices, bi, batch), axis + 1, size),
  ],
  reference: ([updates, indices], { axis, size }, [out]) => {
    const { outer, n: k, inner } = around(updates.shape, axis);
    const total = new Float64Array(sizeOf(out.shape));
    for (let o = 0; o < outer; o++)
      for (let j = 0; j < k; j++)
        for (let i = 0; i < inner; i++) {
          const at = (o * k + j) * inner + i;
          const to = indices.data[at];
          if (to >= 0 && to < size) total[(o * size + to) * inner + i] += updates.data[at];
        }
    const result = allocate(out.dtype, total.length);
    result.set(total);
    return [result];
  },
  samples: [
    {
      operands: [{ shape: [2, 3] }, { shape: [2, 3], dtype: 'int32', fill: 'index', below: 5 }],
      params: { axis: 1, size: 5 },
    },
    {
      operands: [{ shape: [2, 2, 3] }, { shape: [2, 2, 3], dtype: 'int32', fill: 'index', below: 4 }],
      params: { axis: 0, size: 4 },
    },
  ],
};

export const gatherPrimitives = {
  gather: gatherPrimitive,
  scatter: scatterPrimitive,
  gatherAlong: gatherAlongPrimitive,
  scatterAlong: scatterAlongPrimitive,
};
