// Pooling windows over [N, H, W, C]. maxPool also yields the position of each maximum, so its derivative is a gather
// whose transpose is a scatter; sumPool is linear, its transpose spreads.

import { type Aval, allocate, isFloat, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import { apply, gatherAlong, maxPool, reshape, sumPool, sumPoolTranspose } from './apply.ts';
import { windowCount } from './conv.ts';
import { multilinear } from './linear.ts';
import type { ParamsOf, PoolParams } from './names.ts';
import { aval } from './rules.ts';
import type { BatchRule, PrimitiveOf } from './types.ts';

function pooledShape(op: string, x: Aval, { size, stride, padding }: PoolParams): number[] {
  check(
    x.shape.length === 4 && isFloat(x.dtype),
    'shape',
    () => `${op}: needs float images [N, H, W, C], got ${showAval(x)}`,
  );
  check(
    [...size, ...stride].every((v) => Number.isInteger(v) && v > 0) &&
      padding.flat().every((v) => Number.isInteger(v) && v >= 0),
    'value',
    () =>
      `${op}: size and stride must be positive, padding non-negative integers; got ${size}, ${stride}, ${JSON.stringify(padding)}`,
  );
  check(
    padding.every((p, i) => Math.max(...p) < size[i]),
    'value',
    () =>
      `${op}: padding ${JSON.stringify(padding)} must be smaller than the window ${size.join('x')}, or a window would hold nothing but padding`,
  );
  const [n, h, w, c] = x.shape;
  return [
    n,
    windowCount(h, size[0], stride[0], padding[0]),
    windowCount(w, size[1], stride[1], padding[1]),
    c,
  ];
}

const mergeBatch =
  <K extends 'maxPool' | 'sumPool' | 'sumPoolTranspose'>(name: K): BatchRule<ParamsOf<K>> =>
  ([x], _, params, size) =>
    apply(name, [reshape(x, [size * x.shape[1], ...x.shape.slice(2)])], params).map((y) =>
      reshape(y, [size, ...x.shape.slice(1, 2), ...y.shape.slice(1)]),
    );

/** Calls f(image position, result position) for every element of every window, padding left out. */
function eachWindow(
  x: readonly number[],
  y: readonly number[],
  p: PoolParams,
  f: (x: number, y: number) => void,
): void {
  const [N, H, W, C] = x;
  const [, OH, OW] = y;
  for (let n = 0; n < N; n++)
    for (let oh = 0; oh < OH; oh++)
      for (let ow = 0; ow < OW; ow++)
        for (let i = 0; i < p.size[0]; i++)
          for (let j = 0; j < p.size[1]; j++) {
            const h = oh * p.stride[0] - p.padding[0][0] + i;
            const w = ow * p.stride[1] - p.padding[1][0] + j;
            if (h < 0 || h >= H || w < 0 || w >= W) continue;
            for (let c = 0; c < C; c++) f(((n * H + h) * W + w) * C + c, ((n * OH + oh) * OW + ow) * C + c);
          }
}

const none = [
  [0, 0],
  [0, 0],
] as const;
const cases: { x: number[]; p: PoolParams; note?: string }[] = [
  { x: [2, 4, 4, 3], p: { size: [2, 2], stride: [2, 2], padding: none } },
  {
    x: [1, 5, 6, 2],
    p: {
      size: [3, 2],
      stride: [2, 1],
      padding: [
        [1, 1],
        [0, 1],
      ],
    },
    note: 'overlapping, uneven padding',
  },
  { x: [1, 5, 5, 1], p: { size: [2, 2], stride: [2, 2], padding: none }, note: 'a rest is left out' },
  { x: [3, 1, 1, 4], p: { size: [1, 1], stride: [1, 1], padding: none } },
];

const maxPoolPrimitive: PrimitiveOf<'maxPool'> = {
  name: 'maxPool',
  kind: 'root',
  shape: ([x], p) => {
    const shape = pooledShape('maxPool', x, p);
    return [aval(shape, x.dtype), aval(shape, 'int32')];
  },
  jvp: ([x], [t], p) => {
    const [y, positions] = maxPool(x, p);
    if (t === null) return { outs: [y, positions], tangents: [null, null] };
    const [n, h, w, c] = x.shape;
    const flat = reshape(positions, [n, y.shape[1] * y.shape[2], c]);
    return {
      outs: [y, positions],
      tangents: [reshape(gatherAlong(reshape(t, [n, h * w, c]), flat, 1), y.shape), null],
    };
  },
  transpose: 'nonlinear',
  batch: mergeBatch('maxPool'),
  reference: ([x], p, [out]) => {
    const values = allocate(out.dtype, sizeOf(out.shape)).fill(-Infinity);
    const positions = allocate('int32', values.length).fill(-1);
    const [, H, W, C] = x.shape;
    eachWindow(x.shape, out.shape, p, (i, o) => {
      const v = x.data[i];
      const best = values[o];
      if (positions[o] < 0 || (!Number.isNaN(best) && (v > best || Number.isNaN(v)))) {
        values[o] = v;
        positions[o] = Math.floor(i / C) % (H * W);
      }
    });
    return [values, positions];
  },
  samples: cases.map(({ x, p, note }) => ({
    operands: [{ shape: x, fill: 'distinct' as const }],
    params: p,
    note,
  })),
};

const sumPoolPrimitive: PrimitiveOf<'sumPool'> = {
  name: 'sumPool',
  kind: 'root',
  shape: ([x], p) => [aval(pooledShape('sumPool', x, p), x.dtype)],
  jvp: multilinear('sumPool', [0]),
  transpose: ([ct], [x], p) => [ct && sumPoolTranspose(ct, { ...p, inputSize: [x.shape[1], x.shape[2]] })],
  batch: mergeBatch('sumPool'),
  reference: ([x], p, [out]) => {
    const total = new Float64Array(sizeOf(out.shape));
    eachWindow(x.shape, out.shape, p, (i, o) => {
      total[o] += x.data[i];
    });
    const result = allocate(out.dtype, total.length);
    result.set(total);
    return [result];
  },
  samples: cases.map(({ x, p, note }) => ({ operands: [{ shape: x }], params: p, note })),
};

const sumPoolTransposePrimitive: PrimitiveOf<'sumPoolTranspose'> = {
  name: 'sumPoolTranspose',
  kind: 'root',
  shape: ([dy], p) => {
    check(
      dy.shape.length === 4,
      'shape',
      () => `sumPoolTranspose: needs pooled images [N, OH, OW, C], got ${showAval(dy)}`,
    );
    const [n, , , c] = dy.shape;
    const x = aval([n, ...p.inputSize, c], dy.dtype);
    const expected = pooledShape('sumPoolTranspose', x, p);
    check(
      expected.every((d, i) => d === dy.shape[i]),
      'shape',
      () =>
        `sumPoolTranspose: ${showAval(dy)} is no pooled ${showAval(x)}; expected [${expected.join(', ')}]`,
    );
    return [x];
  },
  jvp: multilinear('sumPoolTranspose', [0]),
  transpose: ([ct], _, { size, stride, padding }) => [ct && sumPool(ct, { size, stride, padding })],
  batch: mergeBatch('sumPoolTranspose'),
  reference: ([dy], p, [out]) => {
    const total = new Float64Array(sizeOf(out.shape));
    eachWindow(out.shape, dy.shape, p, (i, o) => {
      total[i] += dy.data[o];
    });
    const result = allocate(out.dtype, total.length);
    result.set(total);
    return [result];
  },
  samples: cases.map(({ x, p, note }) => ({
    operands: [{ shape: pooledShape('sample', aval(x, 'float32'), p) }],
    params: { ...p, inputSize: [x[1], x[2]] as const },
    note,
  })),
};

export const poolPrimitives = {
  maxPool: maxPoolPrimitive,
  sumPool: sumPoolPrimitive,
  sumPoolTranspose: sumPoolTransposePrimitive,
};
