// Sorting along the last axis: values and the int32 positions they came from. Stable, ascending, NaN last. The
// derivative follows the positions.

import { allocate, showAval } from '../dtype.ts';
import { check } from '../error.ts';
import { apply, gatherAlong, sort } from './apply.ts';
import { aval } from './rules.ts';
import type { PrimitiveOf } from './types.ts';

const sortPrimitive: PrimitiveOf<'sort'> = {
  name: 'sort',
  kind: 'root',
  shape: ([x]) => {
    check(
      x.shape.length > 0 && x.dtype !== 'bool',
      'shape',
      () => `sort: needs numbers with at least one axis, got ${showAval(x)}`,
    );
    return [aval(x.shape, x.dtype), aval(x.shape, 'int32')];
  },
  jvp: ([x], [t]) => {
    const [values, positions] = sort(x);
    return { outs: [values, positions], tangents: [t && gatherAlong(t, positions, x.ndim - 1), null] };
  },
  transpose: 'nonlinear',
  batch: ([x], _, params) => apply('sort', [x], params),
  reference: ([x], _, [out]) => {
    const n = out.shape[out.shape.length - 1];
    const values = allocate(out.dtype, x.data.length);
    const positions = allocate('int32', x.data.length);
    for (let row = 0; row < x.data.length; row += n) {
      const order = Array.from({ length: n }, (_v, i) => i);
      order.sort((i, j) => {
        const a = x.data[row + i];
        const b = x.data[row + j];
        const missing = Number(Number.isNaN(a)) - Number(Number.isNaN(b));
        if (Number.isNaN(a) || Number.isNaN(b)) return missing || i - j;
        // Infinities of one sign have no difference.
        return a < b ? -1 : a > b ? 1 : i - j;
      });
      order.forEach((from, i) => {
        values[row + i] = x.data[row + from];
        positions[row + i] = from;
      });
    }
    return [values, positions];
  },
  samples: [
    { operands: [{ shape: [2, 5], fill: 'distinct' }], params: {} },
    { operands: [{ shape: [1], fill: 'distinct' }], params: {} },
    { operands: [{ shape: [3, 2, 4], fill: 'distinct' }], params: {} },
  ],
};

export const sortPrimitives = { sort: sortPrimitive };
