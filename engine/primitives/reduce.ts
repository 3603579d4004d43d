// Reductions: sum, max, min over sorted axes (removed from the result), argmax and argmin along one axis, and moments
// (mean and biased variance together, which batch, layer and group normalisation stand on).

import {
  type Aval,
  allocate,
  type DType,
  isFloat,
  type Shape,
  showAval,
  sizeOf,
  stridesOf,
  type TypedArray,
} from '../dtype.ts';
import { check } from '../error.ts';
import { apply, convert, div, equal, fillLike, moments, mul, spread, sub, sum } from './apply.ts';
import { multilinear } from './linear.ts';
import type { ParamsOf } from './names.ts';
import { around, aval, checkAxis, countOf, stridedCopy } from './rules.ts';
import type { JvpRule, NDArray, PrimitiveOf, Sample } from './types.ts';

const keptAxes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((_, i) => i).filter((i) => !axes.includes(i));

const reducedShape =
  (name: string) =>
  ([x]: readonly Aval[], { axes }: ParamsOf<'sum'>): Shape => {
    check(
      axes.every(
        (a, i) => Number.isInteger(a) && a >= 0 && a < x.shape.length && (i === 0 || a > axes[i - 1]),
      ),
      'shape',
      () => `${name}: axes [${axes.join(', ')}] must be different axes of ${showAval(x)}, in order`,
    );
    check(x.dtype !== 'bool', 'dtype', () => `${name}: needs numbers, got ${showAval(x)}`);
    return keptAxes(x.shape, axes).map((i) => x.shape[i]);
  };

/** The operand with the reduced axes moved last: rows of `count` consecutive elements. */
function rows(x: NDArray, axes: readonly number[]): { data: TypedArray; count: number } {
  const order = [...keptAxes(x.shape, axes), ...axes];
  const s = stridesOf(x.shape);
  const shape = order.map((i) => x.shape[i]);
  return {
    data: stridedCopy(
      x.data,
      shape,
      order.map((i) => s[i]),
      0,
      x.dtype,
    ),
    count: countOf(x.shape, axes),
  };
}

const samples: Sample<ParamsOf<'sum'>>[] = [
  { operands: [{ shape: [2, 3, 4], fill: 'distinct' }], params: { axes: [1] } },
  { operands: [{ shape: [2, 3, 4], fill: 'distinct' }], params: { axes: [0, 2] } },
  { operands: [{ shape: [3, 2], fill: 'distinct' }], params: { axes: [0, 1] } },
  { operands: [{ shape: [5, 1], fill: 'distinct' }], params: { axes: [] } },
  { operands: [{ shape: [33, 7], fill: 'distinct' }], params: { axes: [0] } },
];

const sumPrimitive: PrimitiveOf<'sum'> = {
  name: 'sum',
  kind: 'root',
  shape: (inputs, params) => [aval(reducedShape('sum')(inputs, params), inputs[0].dtype)],
  jvp: multilinear('sum', [0]),
  transpose: ([ct], [x], { axes }) => [ct && spread(ct, x.shape, axes)],
  batch: ([x], _, { axes }) => [
    sum(
      x,
      axes.map((a) => a + 1),
    ),
  ],
  reference: ([x], { axes }, [out]) => {
    const { data, count } = rows(x, axes);
    const result = allocate(out.dtype, sizeOf(out.shape));
    for (let i = 0; i < result.length; i++) {
      let total = 0;
      for (let j = i * count; j < (i + 1) * count; j++) total += data[j];
      result[i] = total;
    }
    return [result];
  },
  samples: [...samples, { operands: [{ shape: [0, 3] }], params: { axes: [0] } }],
};

/** All maximal elements share the derivative equally. */
const extremeJvp =
  (name: 'max' | 'min'): JvpRule<ParamsOf<'max' | 'min'>> =>
  ([x], [t], params) => {
    const [y] = apply(name, [x], params);
    if (t === null || countOf(x.shape, params.axes) === 0) return { outs: [y], tangents: [null] };
    const hit = convert(equal(x, spread(y, x.shape, params.axes)), x.dtype);
    return { outs: [y], tangents: [div(sum(mul(t, hit), params.axes), sum(hit, params.axes))] };
  };

const INTEGER_RANGE: Partial<Record<DType, { min: number; max: number }>> = {
  int32: { min: -2147483648, max: 2147483647 },
  uint32: { min: 0, max: 4294967295 },
};
/** The extreme of no elements at all: what every element of the type wins against, or equals. */
export const extremeOfNone = (op: 'max' | 'min', dtype: DType): number => {
  const { min, max } = INTEGER_RANGE[dtype] ?? { min: -Infinity, max: Infinity };
  return op === 'max' ? min : max;
};

function extreme<K extends 'max' | 'min'>(name: K, wins: (a: number, b: number) => boolean): PrimitiveOf<K> {
  return {
    name,
    kind: 'root',
    shape: (inputs, params) => [aval(reducedShape(name)(inputs, params), inputs[0].dtype)],
    jvp: extremeJvp(name),
    transpose: 'nonlinear',
    batch: ([x], _, { axes }) => apply(name, [x], { axes: axes.map((a) => a + 1) }),
    reference: ([x], { axes }, [out]) => {
      const { data, count } = rows(x, axes);
      const result = allocate(out.dtype, sizeOf(out.shape));
      for (let i = 0; i < result.length; i++) {
        let best = extremeOfNone(name, out.dtype);
        for (let j = i * count; j < (i + 1) * count; j++) {
          const v = data[j];
          if (Number.isNaN(v) || wins(v, best)) best = v;
          if (Number.isNaN(best)) break;
        }
        result[i] = best;
      }
      return [result];
    },
    samples: [
      ...samples,
      { operands: [{ shape: [0, 3] }], params: { axes: [0] }, note: 'empty' },
      { operands: [{ shape: [0, 3], dtype: 'int32' }], params: { axes: [0] }, note: 'empty integers' },
      { operands: [{ shape: [0, 3], dtype: 'uint32' }], params: { axes: [0] }, note: 'empty uint32' },
    ],
  };
}
const maxPrimitive = extreme('max', (a, b) => a > b);
const minPrimitive = extreme('min', (a, b) => a < b);

function argExtreme<K extends 'argmax' | 'argmin'>(
  name: K,
  wins: (a: number, b: number) => boolean,
): PrimitiveOf<K> {
  return {
    name,
    kind: 'root',
    shape: ([x], { axis }) => {
      checkAxis(name, axis, x.shape);
      check(x.shape[axis] > 0, 'shape', () => `${name}: axis ${axis} of ${showAval(x)} is empty`);
      check(x.dtype !== 'bool', 'dtype', () => `${name}: needs numbers, got ${showAval(x)}`);
      return [aval(x.shape.toSpliced(axis, 1), 'int32')];
    },
    jvp: 'constant',
    transpose: 'nonlinear',
    batch: ([x], _, { axis }) => apply(name, [x], { axis: axis + 1 }),
    reference: ([x], { axis }, [out]) => {
      const { n, inner } = around(x.shape, axis);
      const result = allocate('int32', sizeOf(out.shape));
      for (let i = 0; i < result.length; i++) {
        const base = Math.floor(i / inner) * n * inner + (i % inner);
        let best = 0;
        for (let k = 0; k < n; k++) {
          const v = x.data[base + k * inner];
          const b = x.data[base + best * inner];
          if (Number.isNaN(b)) break;
          if (Number.isNaN(v) || wins(v, b)) best = k;
        }
        result[i] = best;
      }
      return [result];
    },
    samples: [
      { operands: [{ shape: [2, 5], fill: 'distinct' }], params: { axis: 1 } },
      { operands: [{ shape: [4, 1, 3], fill: 'distinct' }], params: { axis: 0 } },
      { operands: [{ shape: [3], fill: 'distinct' }], params: { axis: 0 } },
    ],
  };
}
const argmaxPrimitive = argExtreme('argmax', (a, b) => a > b);
const argminPrimitive = argExtreme('argmin', (a, b) => a < b);

const momentsPrimitive: PrimitiveOf<'moments'> = {
  name: 'moments',
  kind: 'root',
  shape: (inputs, params) => {
    const [x] = inputs;
    check(isFloat(x.dtype), 'dtype', () => `moments: needs floats, got ${showAval(x)}`);
    // Statistics of float16 stay in the float32 they are computed in.
    const dtype = x.dtype === 'float16' ? 'float32' : x.dtype;
    const y = aval(reducedShape('moments')(inputs, params), dtype);
    check(
      countOf(x.shape, params.axes) > 0,
      'shape',
      () => `moments: nothing to average in ${showAval(x)} over axes [${params.axes.join(', ')}]`,
    );
    return [y, y];
  },
  // d mean = mean(t); d variance = 2/n sum((x - mean) t): the term through the mean vanishes because sum(x - mean) = 0.
  jvp: ([x], [t], params) => {
    const [mean, variance] = moments(x, params.axes);
    if (t === null) return { outs: [mean, variance], tangents: [null, null] };
    const scale = 1 / countOf(x.shape, params.axes);
    const tangent = convert(t, mean.dtype);
    const centred = sub(convert(x, mean.dtype), spread(mean, x.shape, params.axes));
    const dMean = sum(tangent, params.axes);
    const dVariance = sum(mul(tangent, centred), params.axes);
    return {
      outs: [mean, variance],
      tangents: [mul(dMean, fillLike(dMean, scale)), mul(dVariance, fillLike(dVariance, 2 * scale))],
    };
  },
  transpose: 'nonlinear',
  batch: ([x], _, { axes }) => apply('moments', [x], { axes: axes.map((a) => a + 1) }),
  reference: ([x], { axes }, [out]) => {
    const { data, count } = rows(x, axes);
    const mean = allocate(out.dtype, sizeOf(out.shape));
    const variance = allocate(out.dtype, mean.length);
    for (let i = 0; i < mean.length; i++) {
      let total = 0;
      for (let j = i * count; j < (i + 1) * count; j++) total += data[j];
      const m = total / count;
      let squares = 0;
      for (let j = i * count; j < (i + 1) * count; j++) squares += (data[j] - m) ** 2;
      mean[i] = m;
      variance[i] = squares / count;
    }
    return [mean, variance];
  },
  samples: samples.filter((s) => s.params.axes.length > 0),
};

export const reducePrimitives = {
  sum: sumPrimitive,
  max: maxPrimitive,
  min: minPrimitive,
  argmax: argmaxPrimitive,
  argmin: argminPrimitive,
  moments: momentsPrimitive,
};
