// Primitives that move nothing: reshape is an alias; transpose, broadcast, slice and flip are strided views (`viewOf` gives
// their strides). All are linear.

import { type Shape, showAval, showShape, sizeOf, stridesOf } from '../dtype.ts';
import { check } from '../error.ts';
import { broadcast, flip, pad, reshape, slice, sum, transpose } from './apply.ts';
import { multilinear } from './linear.ts';
import type { ParamsOf, ViewName } from './names.ts';
import { aval, checkAxis, checkShape, stridedCopy } from './rules.ts';
import type { NDArray, PrimitiveOf } from './types.ts';

/** Elements of an array: (i0, i1, ...) is at offset + sum(ik * strides[k]). How view primitives are executed. */
interface Strided {
  readonly strides: readonly number[];
  readonly offset: number;
}
/** A view of `operand`, whose own elements are read as `from` says. */
type ViewRule<K extends ViewName> = (operand: Shape, from: Strided, params: ParamsOf<K>) => Strided;

/** A view of a dense array, copied out. */
const copied = ({ data, dtype }: NDArray, shape: Shape, { strides, offset }: Strided) => [
  stridedCopy(data, shape, strides, offset, dtype),
];
const dense = (shape: Shape): Strided => ({ strides: stridesOf(shape), offset: 0 });

const reshapePrimitive: PrimitiveOf<'reshape'> = {
  name: 'reshape',
  kind: 'view',
  shape: ([x], { shape }) => {
    checkShape('reshape', shape);
    check(
      sizeOf(shape) === sizeOf(x.shape),
      'shape',
      () =>
        `reshape: ${showAval(x)} has ${sizeOf(x.shape)} elements, ${showShape(shape)} has ${sizeOf(shape)}`,
    );
    return [aval(shape, x.dtype)];
  },
  jvp: multilinear('reshape', [0]),
  transpose: ([ct], [x]) => [ct && reshape(ct, x.shape)],
  batch: ([x], _, { shape }, size) => [reshape(x, [size, ...shape])],
  reference: ([x]) => [x.data.slice()],
  samples: [
    { operands: [{ shape: [2, 6] }], params: { shape: [3, 4] } },
    { operands: [{ shape: [1] }], params: { shape: [] } },
    { operands: [{ shape: [0, 3] }], params: { shape: [5, 0] } },
  ],
};

const transposePrimitive: PrimitiveOf<'transpose'> = {
  name: 'transpose',
  kind: 'view',
  shape: ([x], { perm }) => {
    check(
      perm.length === x.shape.length && [...perm].sort((a, b) => a - b).every((p, i) => p === i),
      'shape',
      () =>
        `transpose: ${showShape(perm)} is not a permutation of the ${x.shape.length} axes of ${showAval(x)}`,
    );
    return [
      aval(
        perm.map((p) => x.shape[p]),
        x.dtype,
      ),
    ];
  },
  jvp: multilinear('transpose', [0]),
  transpose: ([ct], _, { perm }) => [ct && transpose(ct, inverse(perm))],
  batch: ([x], _, { perm }) => [transpose(x, [0, ...perm.map((p) => p + 1)])],
  reference: ([x], p, [out]) => copied(x, out.shape, transposed(x.shape, dense(x.shape), p)),
  samples: [
    { operands: [{ shape: [2, 3, 4] }], params: { perm: [2, 0, 1] } },
    { operands: [{ shape: [3, 1] }], params: { perm: [1, 0] } },
    { operands: [{ shape: [] }], params: { perm: [] } },
  ],
};

const transposed: ViewRule<'transpose'> = (_, { strides, offset }, { perm }) => ({
  strides: perm.map((p) => strides[p]),
  offset,
});

const inverse = (perm: readonly number[]): number[] => {
  const out = new Array<number>(perm.length);
  perm.forEach((p, i) => {
    out[p] = i;
  });
  return out;
};

const broadcastPrimitive: PrimitiveOf<'broadcast'> = {
  name: 'broadcast',
  kind: 'view',
  shape: ([x], { shape, dims }) => {
    checkShape('broadcast', shape);
    check(
      dims.length === x.shape.length &&
        dims.every(
          (d, i) =>
            d < shape.length && (i === 0 || d > dims[i - 1]) && (x.shape[i] === 1 || x.shape[i] === shape[d]),
        ),
      'shape',
      () =>
        `broadcast: ${showAval(x)} does not fit ${showShape(shape)} with its axes at ${showShape(dims)}; each size must be equal or 1`,
    );
    return [aval(shape, x.dtype)];
  },
  jvp: multilinear('broadcast', [0]),
  transpose: ([ct], [x], { shape, dims }) => {
    if (ct === null) return [null];
    const kept = new Map(dims.map((d, i) => [d, x.shape[i]]));
    const axes = shape.map((_, d) => d).filter((d) => !kept.has(d) || kept.get(d) !== shape[d]);
    return [reshape(axes.length ? sum(ct, axes) : ct, x.shape)];
  },
  batch: ([x], _, { shape, dims }, size) => [broadcast(x, [size, ...shape], [0, ...dims.map((d) => d + 1)])],
  reference: ([x], p, [out]) => copied(x, out.shape, broadcasted(x.shape, dense(x.shape), p)),
  samples: [
    { operands: [{ shape: [3] }], params: { shape: [2, 3], dims: [1] } },
    { operands: [{ shape: [2, 1, 3] }], params: { shape: [2, 4, 3], dims: [0, 1, 2] } },
    { operands: [{ shape: [] }], params: { shape: [2, 2], dims: [] } },
    { operands: [{ shape: [2] }], params: { shape: [2, 0], dims: [0] } },
  ],
};

const broadcasted: ViewRule<'broadcast'> = (operand, from, { shape, dims }) => {
  const strides = new Array<number>(shape.length).fill(0);
  dims.forEach((d, i) => {
    strides[d] = operand[i] === 1 ? 0 : from.strides[i];
  });
  return { strides, offset: from.offset };
};

const slicePrimitive: PrimitiveOf<'slice'> = {
  name: 'slice',
  kind: 'view',
  shape: ([x], { begin, size, strides }) => {
    check(
      begin.length === x.shape.length &&
        size.length === x.shape.length &&
        strides.length === x.shape.length &&
        x.shape.every(
          (n, i) =>
            strides[i] >= 1 &&
            begin[i] >= 0 &&
            size[i] >= 0 &&
            (size[i] === 0 || begin[i] + (size[i] - 1) * strides[i] < n),
        ),
      'shape',
      () =>
        `slice: begin ${showShape(begin)}, size ${showShape(size)}, strides ${showShape(strides)} do not lie inside ${showAval(x)}`,
    );
    return [aval(size, x.dtype)];
  },
  jvp: multilinear('slice', [0]),
  transpose: ([ct], [x], { begin, size, strides }) => {
    if (ct === null) return [null];
    const covered = size.map((n, i) => (n === 0 ? 0 : (n - 1) * strides[i] + 1));
    return [
      pad(
        ct,
        begin,
        x.shape.map((n, i) => n - begin[i] - covered[i]),
        strides.map((s) => s - 1),
      ),
    ];
  },
  batch: ([x], _, { begin, size, strides }, n) => [slice(x, [0, ...begin], [n, ...size], [1, ...strides])],
  reference: ([x], p, [out]) => copied(x, out.shape, sliced(x.shape, dense(x.shape), p)),
  samples: [
    { operands: [{ shape: [4, 5] }], params: { begin: [1, 0], size: [2, 3], strides: [1, 2] } },
    { operands: [{ shape: [6] }], params: { begin: [5], size: [1], strides: [1] } },
    { operands: [{ shape: [3, 2] }], params: { begin: [1, 2], size: [2, 0], strides: [1, 1] } },
  ],
};

const sliced: ViewRule<'slice'> = (_, from, { begin, strides }) => ({
  strides: from.strides.map((s, i) => s * strides[i]),
  offset: begin.reduce((at, b, i) => at + b * from.strides[i], from.offset),
});

const flipPrimitive: PrimitiveOf<'flip'> = {
  name: 'flip',
  kind: 'view',
  shape: ([x], { axes }) => {
    for (const a of axes) checkAxis('flip', a, x.shape);
    return [aval(x.shape, x.dtype)];
  },
  jvp: multilinear('flip', [0]),
  transpose: ([ct], _, { axes }) => [ct && flip(ct, axes)],
  batch: ([x], _, { axes }) => [
    flip(
      x,
      axes.map((a) => a + 1),
    ),
  ],
  reference: ([x], p, [out]) => copied(x, out.shape, flipped(x.shape, dense(x.shape), p)),
  samples: [
    { operands: [{ shape: [2, 3] }], params: { axes: [1] } },
    { operands: [{ shape: [2, 3, 2] }], params: { axes: [0, 2] } },
    { operands: [{ shape: [0] }], params: { axes: [0] } },
  ],
};

const flipped: ViewRule<'flip'> = (operand, from, { axes }) => {
  const strides = [...from.strides];
  let { offset } = from;
  for (const a of axes) {
    offset += Math.max(0, operand[a] - 1) * strides[a];
    strides[a] = -strides[a];
  }
  return { strides, offset };
};

/** A call of a primitive that gives strides. */
type ViewCall = {
  readonly [K in ViewName]: { readonly op: K; readonly params: ParamsOf<K> };
}['transpose' | 'broadcast' | 'slice' | 'flip'];

/** The result of a view primitive on `operand`, whose own elements are read as `from` says. */
export function viewOf({ op, params }: ViewCall, operand: Shape, from: Strided): Strided {
  switch (op) {
    case 'transpose':
      return transposed(operand, from, params);
    case 'broadcast':
      return broadcasted(operand, from, params);
    case 'slice':
      return sliced(operand, from, params);
    case 'flip':
      return flipped(operand, from, params);
  }
}

export const viewPrimitives = {
  reshape: reshapePrimitive,
  transpose: transposePrimitive,
  broadcast: broadcastPrimitive,
  slice: slicePrimitive,
  flip: flipPrimitive,
};
