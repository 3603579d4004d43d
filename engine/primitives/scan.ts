// Running sums along an axis. Linear; the transpose runs the other way.

import { allocate, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import { cumsum } from './apply.ts';
import { multilinear } from './linear.ts';
import { around, aval, checkAxis } from './rules.ts';
import type { PrimitiveOf } from './types.ts';

const cumsumPrimitive: PrimitiveOf<'cumsum'> = {
  name: 'cumsum',
  kind: 'root',
  shape: ([x], { axis }) => {
    checkAxis('cumsum', axis, x.shape);
    check(x.dtype !== 'bool', 'dtype', () => `cumsum: needs numbers, got ${showAval(x)}`);
    return [aval(x.shape, x.dtype)];
  },
  jvp: multilinear('cumsum', [0]),
  transpose: ([ct], _, { axis, reverse }) => [ct && cumsum(ct, axis, !reverse)],
  batch: ([x], _, { axis, reverse }) => [cumsum(x, axis + 1, reverse)],
  reference: ([x], { axis, reverse }, [out]) => {
    const { outer, n, inner } = around(x.shape, axis);
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        let total = 0;
        for (let k = 0; k < n; k++) {
          const at = (o * n + (reverse ? n - 1 - k : k)) * inner + i;
          total += x.data[at];
          result[at] = total;
        }
      }
    return [result];
  },
  samples: [
    { operands: [{ shape: [2, 4] }], params: { axis: 1, reverse: false } },
    { operands: [{ shape: [3, 2, 2] }], params: { axis: 0, reverse: true } },
    { operands: [{ shape: [2, 0] }], params: { axis: 1, reverse: false } },
  ],
};

export const scanPrimitives = { cumsum: cumsumPrimitive };
