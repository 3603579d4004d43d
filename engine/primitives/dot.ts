// Matrix products with leading batch axes; either operand may be stored transposed, so that no derivative of a product
// ever needs a transposing copy.

import { allocate, isFloat, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import { dot, reshape } from './apply.ts';
import { ensureBatched, multilinear } from './linear.ts';
import { aval, sameShape } from './rules.ts';
import type { PrimitiveOf } from './types.ts';
import { isUndefined } from './types.ts';

const dotPrimitive: PrimitiveOf<'dot'> = {
  name: 'dot',
  kind: 'root',
  shape: ([a, b], { transposeA, transposeB }) => {
    const describe = () =>
      `dot: ${showAval(a)}${transposeA ? ' (transposed)' : ''} x ${showAval(b)}${transposeB ? ' (transposed)' : ''}`;
    check(
      a.shape.length >= 2 && b.shape.length >= 2,
      'shape',
      () => `${describe()}: both need at least two axes`,
    );
    check(
      a.dtype === b.dtype && isFloat(a.dtype),
      'dtype',
      () => `${describe()}: both must be floats of one type`,
    );
    check(
      sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)),
      'shape',
      () => `${describe()}: batch axes differ`,
    );
    const [m, k] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
    const [k2, n] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
    check(k === k2, 'shape', () => `${describe()}: inner sizes ${k} and ${k2} differ`);
    return [aval([...a.shape.slice(0, -2), m!, n!], a.dtype)];
  },
  jvp: multilinear('dot', [0, 1]),
  transpose: ([ct], [a, b], { transposeA: ta, transposeB: tb }) => {
    if (ct === null) return [null, null];
    if (isUndefined(a)) return [ta ? dot(b as Tensor, ct, tb, true) : dot(ct, b as Tensor, false, !tb), null];
    return [null, tb ? dot(ct, a, true, ta) : dot(a, ct, !ta, false)];
  },
  batch: ([a, b], [ba, bb], { transposeA, transposeB }, size) => {
    // Rows of all samples against one matrix: a single larger product.
    if (ba && !bb && b.ndim === 2 && !transposeA) {
      const [, m, k] = a.shape;
      const out = dot(reshape(a, [size * m, k]), b, false, transposeB);
      return [reshape(out, [size, m, out.shape[1]])];
    }
    return [dot(ensureBatched(a, ba, size), ensureBatched(b, bb, size), transposeA, transposeB)];
  },
  reference: ([a, b], { transposeA, transposeB }, [out]) => {
    const [m, n] = out.shape.slice(-2);
    const k = a.shape.at(transposeA ? -2 : -1)!;
    const result = allocate(out.dtype, sizeOf(out.shape));
    const [sm, sk] = transposeA ? [1, m] : [k, 1];
    const [tk, tn] = transposeB ? [1, k] : [n, 1];
    const row = new Float64Array(n);
    for (let batch = 0, o = 0; o < result.length; batch++)
      for (let i = 0; i < m; i++, o += n) {
        row.fill(0);
        for (let p = 0; p < k; p++) {
          const x = a.data[batch * m * k + i * sm + p * sk];
          for (let j = 0, at = batch * k * n + p * tk; j < n; j++, at += tn) row[j] += x * b.data[at];
        }
        result.set(row, o);
      }
    return [result];
  },
  samples: [
    { operands: [{ shape: [3, 4] }, { shape: [4, 2] }], params: { transposeA: false, transposeB: false } },
    { operands: [{ shape: [4, 3] }, { shape: [2, 4] }], params: { transposeA: true, transposeB: true } },
    {
      operands: [{ shape: [2, 1, 3] }, { shape: [2, 5, 3] }],
      params: { transposeA: false, transposeB: true },
    },
    {
      operands: [{ shape: [2, 2, 3, 1] }, { shape: [2, 2, 3, 2] }],
      params: { transposeA: true, transposeB: false },
    },
    {
      operands: [{ shape: [2, 0] }, { shape: [0, 3] }],
      params: { transposeA: false, transposeB: false },
      note: 'empty sum',
    },
    {
      operands: [{ shape: [17, 33] }, { shape: [33, 19] }],
      params: { transposeA: false, transposeB: false },
    },
  ],
};

export const dotPrimitives = { dot: dotPrimitive };
