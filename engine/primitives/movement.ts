// Primitives that move data into memory of its own without computing: pad, concat, iota. All but iota are linear.

import { allocate, showAval, showShape, sizeOf, stridesOf } from '../dtype.ts';
import { check } from '../error.ts';
import { apply, concat, fillLike, pad, slice } from './apply.ts';
import { ensureBatched, multilinear } from './linear.ts';
import { around, aval, checkAxis, checkShape, sameShape, stridedCopy } from './rules.ts';
import { isUndefined, type PrimitiveOf } from './types.ts';

const padPrimitive: PrimitiveOf<'pad'> = {
  name: 'pad',
  kind: 'root',
  shape: ([x], { low, high, interior }) => {
    check(
      [low, high, interior].every(
        (p) => p.length === x.shape.length && p.every((v) => Number.isInteger(v) && v >= 0),
      ),
      'shape',
      () =>
        `pad: low ${showShape(low)}, high ${showShape(high)}, interior ${showShape(interior)} must be non-negative, one each for ${showAval(x)}`,
    );
    return [
      aval(
        x.shape.map((n, i) => low[i] + high[i] + n + Math.max(0, n - 1) * interior[i]),
        x.dtype,
      ),
    ];
  },
  jvp: multilinear('pad', [0]),
  transpose: ([ct], [x], { low, interior }) => [
    ct &&
      slice(
        ct,
        low,
        x.shape,
        interior.map((i) => i + 1),
      ),
  ],
  batch: ([x], _, { low, high, interior }) => [pad(x, [0, ...low], [0, ...high], [0, ...interior])],
  reference: ([x], { low, interior }, [out]) => {
    const result = allocate(out.dtype, sizeOf(out.shape));
    const s = stridesOf(out.shape);
    const offset = low.reduce((at, l, i) => at + l * s[i], 0);
    // Scatter by walking the positions of x inside the result.
    const where = stridedCopy(
      Int32Array.from({ length: result.length }, (_, i) => i),
      x.shape,
      s.map((v, i) => v * (interior[i] + 1)),
      offset,
      'int32',
    );
    for (let i = 0; i < where.length; i++) result[where[i]] = x.data[i];
    return [result];
  },
  samples: [
    { operands: [{ shape: [2, 3] }], params: { low: [1, 0], high: [0, 2], interior: [0, 1] } },
    { operands: [{ shape: [0] }], params: { low: [1], high: [1], interior: [2] } },
    { operands: [{ shape: [1, 2, 1] }], params: { low: [0, 0, 0], high: [0, 1, 0], interior: [1, 1, 1] } },
  ],
};

const concatPrimitive: PrimitiveOf<'concat'> = {
  name: 'concat',
  kind: 'root',
  shape: (inputs, { axis }) => {
    check(inputs.length > 0, 'shape', () => 'concat: needs at least one operand');
    const [first] = inputs;
    checkAxis('concat', axis, first.shape);
    for (const x of inputs)
      check(
        x.dtype === first.dtype && sameShape(x.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1)),
        'shape',
        () => `concat: ${showAval(x)} does not fit ${showAval(first)} off axis ${axis}`,
      );
    return [
      aval(
        first.shape.with(
          axis,
          inputs.reduce((n, x) => n + x.shape[axis], 0),
        ),
        first.dtype,
      ),
    ];
  },
  jvp: (primals, tangents, params) => ({
    outs: apply('concat', primals, params),
    tangents: [
      concat(
        primals.map((p, i) => tangents[i] ?? fillLike(p, 0)),
        params.axis,
      ),
    ],
  }),
  transpose: ([ct], operands, { axis }) => {
    let at = 0;
    return operands.map((x) => {
      const begin = x.shape.map((_, d) => (d === axis ? at : 0));
      at += x.shape[axis];
      return ct !== null && isUndefined(x)
        ? slice(
            ct,
            begin,
            x.shape,
            x.shape.map(() => 1),
          )
        : null;
    });
  },
  batch: (operands, batched, { axis }, size) => [
    concat(
      operands.map((x, i) => ensureBatched(x, batched[i], size)),
      axis + 1,
    ),
  ],
  reference: (inputs, { axis }, [out]) => {
    const result = allocate(out.dtype, sizeOf(out.shape));
    const whole = around(out.shape, axis);
    let at = 0;
    for (const x of inputs) {
      const { n, inner, outer } = around(x.shape, axis);
      for (let o = 0; o < outer; o++)
        result.set(x.data.subarray(o * n * inner, (o + 1) * n * inner), (o * whole.n + at) * inner);
      at += n;
    }
    return [result];
  },
  samples: [
    { operands: [{ shape: [2, 3] }, { shape: [2, 1] }, { shape: [2, 0] }], params: { axis: 1 } },
    { operands: [{ shape: [2] }], params: { axis: 0 } },
    { operands: [{ shape: [1, 2, 2] }, { shape: [3, 2, 2] }], params: { axis: 0 } },
  ],
};
const iotaPrimitive: PrimitiveOf<'iota'> = {
  name: 'iota',
  kind: 'root',
  shape: (_, { shape, axis, dtype }) => {
    checkShape('iota', shape);
    checkAxis('iota', axis, shape);
    return [aval(shape, dtype)];
  },
  jvp: 'constant',
  transpose: 'nonlinear',
  batch: (_, __, { shape, axis, dtype }, size) =>
    apply('iota', [], { shape: [size, ...shape], axis: axis + 1, dtype }),
  reference: (_, { axis }, [out]) => {
    const { n, inner } = around(out.shape, axis);
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let i = 0; i < result.length; i++) result[i] = Math.floor(i / inner) % n;
    return [result];
  },
  samples: [
    { operands: [], params: { shape: [4], axis: 0, dtype: 'int32' } },
    { operands: [], params: { shape: [2, 3, 2], axis: 1, dtype: 'float32' } },
  ],
};

export const movementPrimitives = { pad: padPrimitive, concat: concatPrimitive, iota: iotaPrimitive };
