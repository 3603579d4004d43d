// The operations users call, each a function and (where its first argument is a tensor) a method. They promote numbers,
// broadcast as NumPy does, turn negative axes round, and check shapes before anything runs; the work is done by the
// primitives they are composed of.
//
// Conventions: images are [N, H, W, C], convolution weights [kh, kw, C / groups, O]; reductions take `axis` (a number, a
// list, or nothing for all axes) and `keepDims`; a number among the operands takes the type of the tensor beside it.

import { type DType, isFloat, type Shape, showAval, showShape, sizeOf } from './dtype.ts';
import { check, LetheError } from './error.ts';
import * as c from './primitives/conv.ts';
import { dot as dotPrimitive } from './primitives/dot.ts';
import * as e from './primitives/elementwise.ts';
import * as g from './primitives/gather.ts';
import * as m from './primitives/movement.ts';
import * as pl from './primitives/pool.ts';
import * as r from './primitives/reduce.ts';
import { sameShape } from './primitives/rules.ts';
import { cumsum as cumsumPrimitive } from './primitives/scan.ts';
import { sort as sortPrimitive } from './primitives/sort.ts';
import { floatType, upload } from './runtime.ts';
import { Concrete, Tensor } from './tensor.ts';
import { stopGradient } from './transforms/autodiff.ts';

/** A tensor, or a number that adapts to the tensor beside it. */
export type TensorLike = Tensor | number | boolean;
export type Axis = number | readonly number[];
type Pair = number | readonly [number, number];

/** A no-op must still give the caller a tensor of its own. */
const fresh = (y: Tensor, ...xs: readonly Tensor[]): Tensor =>
  y instanceof Concrete && xs.includes(y) ? y.alias() : y;

// ---- broadcasting and promotion --------------------------------------------------------------------------------------

export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const s of shapes) {
      const d = s[i - rank + s.length] ?? 1;
      check(
        d === 1 || size === 1 || d === size,
        'shape',
        () =>
          `${op}: shapes ${shapes.map(showShape).join(' and ')} do not broadcast; sizes must be equal or 1, counted from the last axis`,
      );
      if (d !== 1) size = d;
    }
    return size;
  });
}

const expand = (x: Tensor, shape: Shape): Tensor =>
  m.broadcast(
    x,
    shape,
    x.shape.map((_, i) => i + shape.length - x.ndim),
  );

const asFull = (x: number | boolean, dtype: DType): Tensor => e.full([], Number(x), dtype);

/** Operands of one type and shape. Mixed floats and integers become floats; bools become integers in arithmetic. */
function promote(op: string, operands: readonly TensorLike[], arithmetic: boolean): Tensor[] {
  const tensors = operands.filter((x): x is Tensor => x instanceof Tensor);
  check(tensors.length > 0, 'value', () => `${op}: at least one operand must be a tensor`);
  const types = new Set<DType>(tensors.map((x) => x.dtype));
  const rank: DType[] = ['bool', 'uint32', 'int32', 'float32', 'float64'];
  let dtype = rank.reduce<DType>((best, d) => (types.has(d) ? d : best), 'bool');
  if (operands.some((x) => typeof x === 'number' && !Number.isInteger(x)) && !isFloat(dtype))
    dtype = floatType();
  if (dtype === 'bool' && (arithmetic || operands.some((x) => typeof x === 'number'))) dtype = 'int32';
  const shape = broadcastShapes(op, ...tensors.map((x) => x.shape));
  return operands.map((x) => expand(x instanceof Tensor ? e.convert(x, dtype) : asFull(x, dtype), shape));
}

/** Floats as they are; anything else in the device's float type. */
const toFloat = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : e.convert(x, floatType()));

const unary =
  (f: (x: Tensor) => Tensor, floatOnly = false) =>
  (x: Tensor): Tensor =>
    f(floatOnly ? toFloat(x) : x);
const binary =
  (op: string, f: (a: Tensor, b: Tensor) => Tensor, arithmetic = true) =>
  (a: TensorLike, b: TensorLike): Tensor => {
    const [x, y] = promote(op, [a, b], arithmetic);
    return f(x, y);
  };

export function normaliseAxis(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  check(
    Number.isInteger(a) && a >= 0 && a < rank,
    'shape',
    () => `${op}: axis ${axis} does not exist; the operand has ${rank} axes`,
  );
  return a;
}
function axesOf(op: string, x: Tensor, axis: Axis | undefined): number[] {
  if (axis === undefined) return x.shape.map((_, i) => i);
  const list = (typeof axis === 'number' ? [axis] : [...axis]).map((a) => normaliseAxis(op, a, x.ndim));
  const sorted = [...new Set(list)].sort((a, b) => a - b);
  check(sorted.length === list.length, 'value', () => `${op}: axes [${list.join(', ')}] name one axis twice`);
  return sorted;
}

// ---- elementwise -----------------------------------------------------------------------------------------------------

export const add = binary('add', e.add);
export const sub = binary('sub', e.sub);
export const mul = binary('mul', e.mul);
/** Quotient; of two integers, truncated towards zero (0 where the divisor is 0). */
export const div = binary('div', e.div);
export const maximum = binary('maximum', e.maximum);
export const minimum = binary('minimum', e.minimum);
export const equal = binary('equal', e.equal, false);
export const less = binary('less', e.less);
export const greater = binary('greater', (a, b) => e.less(b, a));
export const lessEqual = binary('lessEqual', e.lessEqual);
export const greaterEqual = binary('greaterEqual', (a, b) => e.lessEqual(b, a));
export const logicalAnd = binary('logicalAnd', e.and, false);
export const logicalOr = binary('logicalOr', e.or, false);
export const logicalNot = unary(e.not);

/** a to the power b. Small whole-number exponents become products, so that negative bases and zero have derivatives. */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  if (a instanceof Tensor && typeof b === 'number') {
    const x = toFloat(a);
    if (b === 0) return e.fillLike(x, 1);
    if (b === 1) return fresh(x, a);
    if (b === 0.5) return e.sqrt(x);
    if (b === -0.5) return e.rsqrt(x);
    if (Number.isInteger(b) && Math.abs(b) <= 8) {
      let y = x;
      for (let i = 1; i < Math.abs(b); i++) y = e.mul(y, x);
      return b < 0 ? e.div(e.fillLike(y, 1), y) : y;
    }
  }
  const [x, y] = promote('pow', [a, b], true);
  return e.pow(toFloat(x), toFloat(y));
}

export const neg = unary(e.neg);
export const abs = unary(e.abs);
export const sign = unary(e.sign);
export const floor = unary(e.floor, true);
export const exp = unary(e.exp, true);
export const log = unary(e.log, true);
export const log1p = unary(e.log1p, true);
export const expm1 = unary(e.expm1, true);
export const sqrt = unary(e.sqrt, true);
export const rsqrt = unary(e.rsqrt, true);
export const tanh = unary(e.tanh, true);
export const sigmoid = unary(e.sigmoid, true);
export const erf = unary(e.erf, true);
export const sin = unary(e.sin, true);
export const cos = unary(e.cos, true);
/** max(x, 0); derivative 0 at 0. */
export const relu = unary(e.relu);
/** x * sigmoid(x). */
export const silu = unary((x) => e.mul(x, e.sigmoid(x)), true);
/** x * Phi(x) with the exact normal distribution function (Hendrycks and Gimpel 2016), not the tanh approximation. */
export const gelu = unary((x) => mul(mul(x, 0.5), add(e.erf(mul(x, Math.SQRT1_2)), 1)), true);
/** log(1 + exp(x)), without overflow. */
export const softplus = unary((x) => e.add(e.relu(x), e.log1p(e.exp(e.neg(e.abs(x))))), true);
export const square = unary((x) => e.mul(x, x));

/** The nearest value in [low, high]; derivative 1 inside, 0 outside. */
export const clip = (x: Tensor, low: TensorLike, high: TensorLike): Tensor => minimum(maximum(x, low), high);

/** Elements of a where the condition (bool, or nonzero) holds, of b elsewhere. All three broadcast. */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  if (!(a instanceof Tensor) && !(b instanceof Tensor)) {
    const whole = [a, b].every((v) => typeof v !== 'number' || Number.isInteger(v));
    return where(
      condition,
      asFull(a, typeof a === 'boolean' && typeof b === 'boolean' ? 'bool' : whole ? 'int32' : floatType()),
      b,
    );
  }
  const [x, y] = promote('where', [a, b], false);
  const shape = broadcastShapes('where', condition.shape, x.shape);
  return e.select(expand(e.convert(condition, 'bool'), shape), expand(x, shape), expand(y, shape));
}

/** Changes the element type; floats to integers truncate, anything to bool is x != 0. */
export const astype = (x: Tensor, dtype: DType): Tensor => fresh(e.convert(x, dtype), x);

// ---- reductions ------------------------------------------------------------------------------------------------------

const keep = (y: Tensor, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor =>
  keepDims
    ? m.reshape(
        y,
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      )
    : y;
const reduction =
  (op: string, f: (x: Tensor, axes: readonly number[]) => Tensor) =>
  (x: Tensor, axis?: Axis, keepDims = false): Tensor => {
    const y = x.dtype === 'bool' ? e.convert(x, 'int32') : x;
    const axes = axesOf(op, y, axis);
    return keep(f(y, axes), y, axes, keepDims);
  };

export const sum = reduction('sum', r.sum);
/** Largest element; NaN if there is one. Tied elements share the derivative. */
export const max = reduction('max', r.max);
export const min = reduction('min', r.min);
export const mean = reduction('mean', (x, axes) => {
  const f = toFloat(x);
  const y = r.sum(f, axes);
  return e.mul(y, e.fillLike(y, 1 / r.countOf(f.shape, axes)));
});
/** Biased variance: the mean squared distance from the mean. */
export const variance = reduction('variance', (x, axes) =>
  axes.length === 0 ? e.fillLike(toFloat(x), 0) : r.moments(toFloat(x), axes)[1],
);
/** Position of the largest element along `axis` (default the last), int32; the first of equals. */
export const argmax = (x: Tensor, axis = -1): Tensor => r.argmax(x, normaliseAxis('argmax', axis, x.ndim));
export const argmin = (x: Tensor, axis = -1): Tensor => r.argmin(x, normaliseAxis('argmin', axis, x.ndim));
/** log(sum(exp(x))) without overflow. */
export function logsumexp(of: Tensor, axis?: Axis, keepDims = false): Tensor {
  const x = toFloat(of);
  const axes = axesOf('logsumexp', x, axis);
  const top = stopGradient(r.max(x, axes)) as Tensor;
  // An infinite maximum must not meet itself in a subtraction.
  const shift = where(less(abs(top), Infinity), top, 0);
  const total = e.add(e.log(r.sum(e.exp(e.sub(x, r.spread(shift, x.shape, axes))), axes)), shift);
  return keep(total, x, axes, keepDims);
}
/** Inclusive running sum along an axis (default the last). */
export const cumsum = (x: Tensor, axis = -1): Tensor =>
  cumsumPrimitive(x, normaliseAxis('cumsum', axis, x.ndim));
/** Ascending along an axis (default the last): values and the int32 positions they came from. Stable, NaN last. */
export function sort(x: Tensor, axis = -1): { values: Tensor; indices: Tensor } {
  const a = normaliseAxis('sort', axis, x.ndim);
  const [values, indices] = sortPrimitive(m.moveAxis(x, a, x.ndim - 1));
  return { values: m.moveAxis(values, x.ndim - 1, a), indices: m.moveAxis(indices, x.ndim - 1, a) };
}
/** The k largest along the last axis, largest first, with their positions. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const n = x.shape[x.ndim - 1];
  check(
    Number.isInteger(k) && k >= 0 && k <= n,
    'value',
    () => `topK: k is ${k}, expected 0 to ${n} for ${showAval(x)}`,
  );
  const [values, indices] = sortPrimitive(e.neg(x));
  const first = (y: Tensor) =>
    slice(
      y,
      y.shape.map(() => 0),
      y.shape.with(-1, k),
    );
  return { values: e.neg(first(values)), indices: first(indices) };
}

// ---- shape -----------------------------------------------------------------------------------------------------------

/** The same elements in another shape; one size may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const unknown = shape.filter((d) => d === -1).length;
  check(unknown <= 1, 'shape', () => `reshape: ${showShape(shape)} leaves more than one size open`);
  const known = sizeOf(shape.filter((d) => d !== -1));
  const full = unknown ? shape.map((d) => (d === -1 ? (known === 0 ? 0 : x.size / known) : d)) : shape;
  check(
    full.every((d) => Number.isInteger(d) && d >= 0),
    'shape',
    () => `reshape: ${showAval(x)} does not fit ${showShape(shape)}`,
  );
  return fresh(m.reshape(x, full), x);
}
/** Axes in a new order; without one, reversed. */
export const transpose = (x: Tensor, perm?: readonly number[]): Tensor =>
  fresh(
    m.transpose(
      x,
      perm?.map((p) => normaliseAxis('transpose', p, x.ndim)) ?? x.shape.map((_, i) => x.ndim - 1 - i),
    ),
    x,
  );
export const broadcastTo = (x: Tensor, shape: Shape): Tensor => {
  check(
    sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape),
    'shape',
    () => `broadcastTo: ${showAval(x)} does not broadcast to ${showShape(shape)}`,
  );
  return fresh(expand(x, shape), x);
};
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  check(xs.length > 0, 'value', () => 'concat: needs at least one tensor');
  return m.concat(xs, normaliseAxis('concat', axis, xs[0].ndim));
}
/** Joins tensors of one shape along a new axis. */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  check(xs.length > 0, 'value', () => 'stack: needs at least one tensor');
  const a = normaliseAxis('stack', axis, xs[0].ndim + 1);
  return m.concat(
    xs.map((x) => m.reshape(x, x.shape.toSpliced(a, 0, 1))),
    a,
  );
}
/** Cuts an axis into equal parts (a number) or into parts of the given sizes. */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  const a = normaliseAxis('split', axis, x.ndim);
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(x.shape[a] / parts) : parts;
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
/** The block of `size` elements from `begin` (both one entry an axis), taking every strides-th element. Size -1: to the end. */
export function slice(
  x: Tensor,
  begin: readonly number[],
  size: readonly number[],
  strides?: readonly number[],
): Tensor {
  check(
    begin.length === x.ndim && size.length === x.ndim,
    'shape',
    () =>
      `slice: begin ${showShape(begin)} and size ${showShape(size)} need one entry for each axis of ${showAval(x)}`,
  );
  const step = strides ?? x.shape.map(() => 1);
  const full = size.map((s, i) => (s === -1 ? Math.ceil((x.shape[i] - begin[i]) / step[i]) : s));
  return fresh(m.slice(x, begin, full, step), x);
}
/** Adds `[before, after]` elements of `value` (default 0) to each axis. */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], value = 0): Tensor {
  check(
    widths.length === x.ndim,
    'shape',
    () => `pad: needs one [before, after] for each axis of ${showAval(x)}, got ${widths.length}`,
  );
  const go = (y: Tensor) =>
    m.pad(
      y,
      widths.map((w) => w[0]),
      widths.map((w) => w[1]),
      widths.map(() => 0),
    );
  if (value === 0) return fresh(go(x), x);
  const inside = go(e.fillLike(x, 1));
  return e.select(e.equal(inside, e.fillLike(inside, 1)), go(x), e.fillLike(inside, value));
}
export const flip = (x: Tensor, axis?: Axis): Tensor => fresh(m.flip(x, axesOf('flip', x, axis)), x);
export const squeeze = (x: Tensor, axis?: Axis): Tensor => {
  const axes =
    axis === undefined ? x.shape.flatMap((d, i) => (d === 1 ? [i] : [])) : axesOf('squeeze', x, axis);
  return reshape(
    x,
    x.shape.filter((d, i) => !axes.includes(i) || d !== 1),
  );
};
export const expandDims = (x: Tensor, axis: number): Tensor =>
  reshape(x, x.shape.toSpliced(normaliseAxis('expandDims', axis, x.ndim + 1), 0, 1));
export const flatten = (x: Tensor): Tensor => reshape(x, [x.size]);

// ---- indexing --------------------------------------------------------------------------------------------------------

/** Slices of x at int32 positions along an axis: x.shape[:axis] + indices.shape + x.shape[axis+1:]. Out of range: NaN (0 for integers). */
export const take = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  g.gather(x, indices, normaliseAxis('take', axis, x.ndim));
/** One element of x for each index, at the index's own position off the axis. */
export const takeAlongAxis = (x: Tensor, indices: Tensor, axis = -1): Tensor =>
  g.gatherAlong(x, indices, normaliseAxis('takeAlongAxis', axis, x.ndim));
/** x with updates added at int32 positions along an axis (default 0); updates have the shape take(x, indices, axis) has. */
export const scatterAdd = (x: Tensor, indices: Tensor, updates: Tensor, axis = 0): Tensor => {
  const a = normaliseAxis('scatterAdd', axis, x.ndim);
  return add(x, g.scatter(updates, indices, a, x.shape[a]));
};
/** Rows of the unit matrix: indices.shape + [classes]. An index out of range gives a row of zeros. */
export function oneHot(indices: Tensor, classes: number, dtype: DType = floatType()): Tensor {
  const shape = [...indices.shape, classes];
  return e.convert(
    e.equal(
      m.broadcast(
        indices,
        shape,
        indices.shape.map((_, i) => i),
      ),
      m.iota(shape, indices.ndim, indices.dtype),
    ),
    dtype,
  );
}

// ---- products --------------------------------------------------------------------------------------------------------

/** Matrix product as NumPy's matmul: vectors act as a row or column, leading axes broadcast. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  check(
    a.ndim > 0 && b.ndim > 0,
    'shape',
    () => `matmul: needs at least one axis each, got ${showAval(a)} and ${showAval(b)}`,
  );
  const [x, y] = promoteTypes(a, b);
  const p = x.ndim === 1 ? m.reshape(x, [1, x.shape[0]]) : x;
  const q = y.ndim === 1 ? m.reshape(y, [y.shape[0], 1]) : y;
  check(
    p.shape.at(-1) === q.shape.at(-2),
    'shape',
    () =>
      `matmul: ${showAval(a)} x ${showAval(b)}: inner sizes ${p.shape.at(-1)} and ${q.shape.at(-2)} differ`,
  );
  let out: Tensor;
  if (q.ndim === 2 && p.ndim > 2) {
    // Many rows against one matrix are one larger product.
    const rows = sizeOf(p.shape.slice(0, -1));
    out = m.reshape(dotPrimitive(m.reshape(p, [rows, p.shape.at(-1)!]), q), [
      ...p.shape.slice(0, -1),
      q.shape[1],
    ]);
  } else {
    const batch = broadcastShapes('matmul', p.shape.slice(0, -2), q.shape.slice(0, -2));
    out = dotPrimitive(
      expand(p, [...batch, ...p.shape.slice(-2)]),
      expand(q, [...batch, ...q.shape.slice(-2)]),
    );
  }
  if (x.ndim === 1) out = m.reshape(out, out.shape.toSpliced(-2, 1));
  if (y.ndim === 1) out = m.reshape(out, out.shape.slice(0, -1));
  return out;
}
function promoteTypes(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const dtype: DType = a.dtype === 'float64' || b.dtype === 'float64' ? 'float64' : 'float32';
  return [e.convert(a, dtype), e.convert(b, dtype)];
}
/** Inner product over the last axis of a and the last but one (or only) axis of b; for vectors and matrices, matmul. */
export const dot = (a: Tensor, b: Tensor): Tensor =>
  a.ndim === 0 || b.ndim === 0 ? mul(a, b) : matmul(a, b);

/**
 * Einstein summation of one or more operands: 'bij,bjk->bik'. Letters that appear in one operand only and not in the
 * result are summed; without '->' the result has the letters that appear once, in alphabetical order.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  check(
    terms.length === operands.length,
    'value',
    () => `einsum: '${equation}' has ${terms.length} operands, got ${operands.length}`,
  );
  const sizes = new Map<string, number>();
  terms.forEach((t, i) => {
    check(
      /^[a-zA-Z]*$/.test(t) && t.length === operands[i].ndim,
      'value',
      () => `einsum: '${t}' does not name the axes of ${showAval(operands[i])}`,
    );
    check(
      new Set(t).size === t.length,
      'value',
      () => `einsum: a letter appears twice in '${t}'; take the diagonal first`,
    );
    [...t].forEach((l, d) => {
      const n = sizes.get(l) ?? operands[i].shape[d];
      check(
        n === operands[i].shape[d],
        'shape',
        () => `einsum: '${l}' is ${n} and ${operands[i].shape[d]} in '${equation}'`,
      );
      sizes.set(l, n);
    });
  });
  const all = terms.join('');
  const target =
    right ??
    [...new Set(all)]
      .filter((l) => all.split(l).length === 2)
      .sort()
      .join('');
  check(
    [...target].every((l) => sizes.has(l)) && new Set(target).size === target.length,
    'value',
    () => `einsum: '${target}' has a letter no operand has, or one twice`,
  );
  const sizeOfLetters = (ls: readonly string[]): number => sizeOf(ls.map((l) => sizes.get(l) as number));
  const sumOut = (x: Tensor, t: string, keptLetters: string): [Tensor, string] => {
    const gone = [...t].flatMap((l, i) => (keptLetters.includes(l) ? [] : [i]));
    return gone.length ? [r.sum(x, gone), [...t].filter((l) => keptLetters.includes(l)).join('')] : [x, t];
  };
  const arrange = (x: Tensor, t: string, order: readonly string[], shape: Shape): Tensor =>
    m.reshape(
      m.transpose(
        x,
        order.map((l) => t.indexOf(l)),
      ),
      shape,
    );

  let [acc, t] = sumOut(operands[0], terms[0], terms.slice(1).join('') + target);
  for (let i = 1; i < operands.length; i++) {
    const later = terms.slice(i + 1).join('') + target;
    const [x, u] = sumOut(operands[i], terms[i], t + later);
    [acc, t] = sumOut(acc, t, u + later);
    const batch = [...t].filter((l) => u.includes(l) && later.includes(l));
    const inner = [...t].filter((l) => u.includes(l) && !later.includes(l));
    const rows = [...t].filter((l) => !u.includes(l));
    const columns = [...u].filter((l) => !t.includes(l));
    const [b, k, p, q] = [batch, inner, rows, columns].map(sizeOfLetters);
    const [A, B] = promoteTypes(
      arrange(acc, t, [...batch, ...rows, ...inner], [b, p, k]),
      arrange(x, u, [...batch, ...inner, ...columns], [b, k, q]),
    );
    const letters = [...batch, ...rows, ...columns];
    acc = m.reshape(
      dotPrimitive(A, B),
      letters.map((l) => sizes.get(l) as number),
    );
    t = letters.join('');
  }
  [acc, t] = sumOut(acc, t, target);
  return fresh(
    m.transpose(
      acc,
      [...target].map((l) => t.indexOf(l)),
    ),
    ...operands,
  );
}

// ---- convolution and pooling -----------------------------------------------------------------------------------------

export type Padding =
  | 'same'
  | 'valid'
  | Pair
  | readonly [readonly [number, number], readonly [number, number]];
export interface ConvOptions {
  stride?: Pair;
  /** 'same' (size divided by stride, rounded up; the odd pixel goes last), 'valid', a number, [height, width], or [[top, bottom], [left, right]]. Default 'valid'. */
  padding?: Padding;
  dilation?: Pair;
  groups?: number;
}
export const pair = (x: Pair): readonly [number, number] => (typeof x === 'number' ? [x, x] : x);

function paddingOf(
  padding: Padding,
  image: readonly number[],
  window: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
) {
  if (padding === 'valid')
    return [
      [0, 0],
      [0, 0],
    ] as const;
  if (padding === 'same') {
    const one = (i: number): readonly [number, number] => {
      const total = Math.max(
        0,
        (Math.ceil(image[i] / stride[i]) - 1) * stride[i] + (window[i] - 1) * dilation[i] + 1 - image[i],
      );
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    };
    return [one(0), one(1)] as const;
  }
  if (typeof padding === 'string')
    throw new LetheError('value', `padding is '${padding}', expected 'same', 'valid' or numbers`);
  if (typeof padding === 'number')
    return [
      [padding, padding],
      [padding, padding],
    ] as const;
  const [a, b] = padding;
  return [typeof a === 'number' ? [a, a] : a, typeof b === 'number' ? [b, b] : b] as readonly [
    readonly [number, number],
    readonly [number, number],
  ];
}

/** Cross-correlation of images [N, H, W, C] with weights [kh, kw, C / groups, O]: [N, OH, OW, O]. */
export function conv2d(
  x: Tensor,
  w: Tensor,
  { stride = 1, padding = 'valid', dilation = 1, groups = 1 }: ConvOptions = {},
): Tensor {
  check(
    x.ndim === 4 && w.ndim === 4,
    'shape',
    () =>
      `conv2d: needs images [N, H, W, C] and weights [kh, kw, C / groups, O], got ${showAval(x)} and ${showAval(w)}`,
  );
  const [s, d] = [pair(stride), pair(dilation)];
  const p = paddingOf(padding, x.shape.slice(1, 3), w.shape.slice(0, 2), s, d);
  const y = c.conv(m.reshape(x, [1, ...x.shape]), m.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: p,
    dilation: d,
    groups,
  });
  return m.reshape(y, y.shape.slice(1));
}

/**
 * Transposed convolution: the linear map that is conv2d's input gradient, with weights [kh, kw, O / groups, C] for images
 * [N, H, W, C] giving O channels. Without padding the result has (H - 1) * stride + dilation * (kh - 1) + 1 + outputPadding rows;
 * 'same' gives H * stride.
 */
export function convTranspose2d(
  x: Tensor,
  w: Tensor,
  {
    stride = 1,
    padding = 'valid',
    dilation = 1,
    groups = 1,
    outputPadding = 0,
  }: ConvOptions & { outputPadding?: Pair } = {},
): Tensor {
  check(
    x.ndim === 4 && w.ndim === 4,
    'shape',
    () =>
      `convTranspose2d: needs images [N, H, W, C] and weights [kh, kw, O / groups, C], got ${showAval(x)} and ${showAval(w)}`,
  );
  const [s, d, extra] = [pair(stride), pair(dilation), pair(outputPadding)];
  const [h, v] = [x.shape[1], x.shape[2]];
  let p: ReturnType<typeof paddingOf>;
  let size: readonly [number, number];
  if (padding === 'same') {
    size = [h * s[0], v * s[1]];
    p = paddingOf('same', size, w.shape.slice(0, 2), s, d);
  } else {
    p = paddingOf(padding, [h, v], w.shape.slice(0, 2), s, d);
    const one = (n: number, i: 0 | 1): number =>
      (n - 1) * s[i] + d[i] * (w.shape[i] - 1) + 1 - p[i][0] - p[i][1] + extra[i];
    size = [one(h, 0), one(v, 1)];
  }
  const y = c.convGradInput(m.reshape(x, [1, ...x.shape]), m.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: p,
    dilation: d,
    groups,
    inputSize: size,
  });
  return m.reshape(y, y.shape.slice(1));
}

export interface PoolOptions {
  size: Pair;
  /** Default: the window size. */
  stride?: Pair;
  padding?: Padding;
}
function poolParams(
  op: string,
  x: Tensor,
  { size, stride = size, padding = 'valid' }: PoolOptions,
): pl.PoolParams {
  check(x.ndim === 4, 'shape', () => `${op}: needs images [N, H, W, C], got ${showAval(x)}`);
  const [n, s] = [pair(size), pair(stride)];
  return { size: n, stride: s, padding: paddingOf(padding, x.shape.slice(1, 3), n, s, [1, 1]) };
}
/** Largest element of each window; padding never wins, NaN does. */
export const maxPool2d = (x: Tensor, options: PoolOptions): Tensor =>
  pl.maxPool(x, poolParams('maxPool2d', x, options))[0];
/** Mean of each window over the elements inside the image. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  const p = poolParams('avgPool2d', x, options);
  const total = pl.sumPool(x, p);
  if (p.padding.flat().every((v) => v === 0)) return mul(total, 1 / (p.size[0] * p.size[1]));
  const counts = pl.sumPool(e.full([1, x.shape[1], x.shape[2], 1], 1, x.dtype), p);
  return div(total, counts);
}
/** Mean over all pixels: [N, H, W, C] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => mean(x, [1, 2]);
/** Nearest-neighbour resize of [N, H, W, C] to [height, width]; source pixel floor(i * H / height). */
export function resizeNearest(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  check(x.ndim === 4, 'shape', () => `resizeNearest: needs images [N, H, W, C], got ${showAval(x)}`);
  const [n, h, w, ch] = x.shape;
  if (height % h === 0 && width % w === 0) {
    const [a, b] = [height / h, width / w];
    return m.reshape(m.broadcast(x, [n, h, a, w, b, ch], [0, 1, 3, 5]), [n, height, width, ch]);
  }
  const positions = (from: number, to: number): Tensor =>
    upload(
      Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to)),
      [to],
      'int32',
    );
  return g.gather(g.gather(x, positions(h, height), 1), positions(w, width), 2);
}

// ---- normalisation, attention, losses --------------------------------------------------------------------------------

export function softmax(of: Tensor, axis = -1): Tensor {
  const x = toFloat(of);
  const axes = [normaliseAxis('softmax', axis, x.ndim)];
  const top = stopGradient(r.max(x, axes)) as Tensor;
  const ex = e.exp(e.sub(x, r.spread(top, x.shape, axes)));
  return e.div(ex, r.spread(r.sum(ex, axes), x.shape, axes));
}
export function logSoftmax(of: Tensor, axis = -1): Tensor {
  const x = toFloat(of);
  const axes = [normaliseAxis('logSoftmax', axis, x.ndim)];
  const centred = e.sub(x, r.spread(stopGradient(r.max(x, axes)) as Tensor, x.shape, axes));
  return e.sub(centred, r.spread(e.log(r.sum(e.exp(centred), axes)), x.shape, axes));
}

export interface NormOptions {
  /** Per-channel factor and shift, [C]. */
  scale?: Tensor;
  shift?: Tensor;
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
}
/** (x - mean) / sqrt(variance + epsilon) * scale + shift, folded into one factor and one shift a channel. */
function normaliseWith(
  x: Tensor,
  mean: Tensor,
  varianceT: Tensor,
  { scale, shift, epsilon = 1e-5 }: NormOptions,
): Tensor {
  const inverse = e.rsqrt(add(varianceT, epsilon));
  const factor = scale ? mul(inverse, scale) : inverse;
  const y = mul(sub(x, mean), factor);
  return shift ? add(y, shift) : y;
}
/** Normalises over the last axis (or the last `axes` axes); scale and shift have the normalised shape. */
export function layerNorm(x: Tensor, { axes = 1, ...options }: NormOptions & { axes?: number } = {}): Tensor {
  const over = x.shape.map((_, i) => i).slice(-axes);
  const [mu, v] = r.moments(x, over).map((y) => keep(y, x, over, true));
  return normaliseWith(x, mu, v, options);
}
/** Normalises each image over its pixels and each group of channels. x is [N, ..., C]. */
export function groupNorm(x: Tensor, groups: number, { scale, shift, epsilon }: NormOptions = {}): Tensor {
  const ch = x.shape.at(-1) as number;
  check(ch % groups === 0, 'shape', () => `groupNorm: ${ch} channels do not divide into ${groups} groups`);
  const pixels = sizeOf(x.shape.slice(1, -1));
  const split4 = m.reshape(x, [x.shape[0], pixels, groups, ch / groups]);
  const [mu, v] = r.moments(split4, [1, 3]).map((y) => m.reshape(y, [x.shape[0], 1, groups, 1]));
  const y = m.reshape(normaliseWith(split4, mu, v, { epsilon }), x.shape);
  const scaled = scale ? mul(y, scale) : y;
  return shift ? add(scaled, shift) : scaled;
}
/**
 * Batch normalisation over all axes but the last. With `mean` and `variance` given, uses them (inference); otherwise
 * those of the batch. Returns the result and the (biased) batch statistics that were used.
 */
export function batchNorm(
  x: Tensor,
  {
    mean: givenMean,
    variance: givenVariance,
    ...options
  }: NormOptions & { mean?: Tensor; variance?: Tensor } = {},
): {
  output: Tensor;
  mean: Tensor;
  variance: Tensor;
} {
  const axes = x.shape.map((_, i) => i).slice(0, -1);
  const [mu, v] = givenMean && givenVariance ? [givenMean, givenVariance] : r.moments(x, axes);
  return { output: normaliseWith(x, mu, v, options), mean: mu, variance: v };
}
/** softmax(q k^T / sqrt(d)) v over [..., L, d]; `mask` (bool, broadcast to the scores) keeps where true. */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, scale }: { mask?: Tensor; scale?: number } = {},
): Tensor {
  const perm = k.shape.map((_, i) => i);
  perm.splice(-2, 2, k.ndim - 1, k.ndim - 2);
  const scores = mul(matmul(q, m.transpose(k, perm)), scale ?? 1 / Math.sqrt(q.shape.at(-1) as number));
  return matmul(softmax(mask ? where(mask, scores, -1e30) : scores), v);
}

export interface LossOptions {
  /** Default 'mean' over all samples. */
  reduction?: 'mean' | 'sum' | 'none';
}
const reduceLoss = (loss: Tensor, how: LossOptions['reduction'] = 'mean'): Tensor =>
  how === 'none' ? loss : how === 'sum' ? sum(loss) : mean(loss);
/**
 * Cross-entropy of logits [..., K] against integer labels [...] (int32) or distributions [..., K] (float); nats,
 * averaged over the batch unless told otherwise. A label out of range gives NaN.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, { reduction: how }: LossOptions = {}): Tensor {
  const logp = logSoftmax(logits);
  if (isFloat(labels.dtype)) {
    check(
      sameShape(labels.shape, logits.shape),
      'shape',
      () =>
        `crossEntropy: distributions ${showAval(labels)} must have the shape of the logits ${showAval(logits)}`,
    );
    return reduceLoss(e.neg(r.sum(e.mul(logp, e.convert(labels, logits.dtype)), [logits.ndim - 1])), how);
  }
  check(
    sameShape(labels.shape, logits.shape.slice(0, -1)),
    'shape',
    () =>
      `crossEntropy: labels ${showAval(labels)} must have shape ${showShape(logits.shape.slice(0, -1))} for logits ${showAval(logits)}`,
  );
  const picked = g.gatherAlong(
    logp,
    m.reshape(e.convert(labels, 'int32'), [...labels.shape, 1]),
    logits.ndim - 1,
  );
  return reduceLoss(e.neg(m.reshape(picked, labels.shape)), how);
}
/** Mean squared error over all elements. */
export const mse = (prediction: Tensor, target: TensorLike, { reduction: how }: LossOptions = {}): Tensor =>
  reduceLoss(square(sub(prediction, target)), how);

// ---- methods ---------------------------------------------------------------------------------------------------------

const methods = {
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  equal,
  less,
  greater,
  lessEqual,
  greaterEqual,
  logicalAnd,
  logicalOr,
  logicalNot,
  neg,
  abs,
  sign,
  floor,
  exp,
  log,
  log1p,
  expm1,
  sqrt,
  rsqrt,
  tanh,
  sigmoid,
  erf,
  sin,
  cos,
  relu,
  silu,
  gelu,
  softplus,
  square,
  clip,
  where,
  astype,
  sum,
  mean,
  max,
  min,
  variance,
  argmax,
  argmin,
  logsumexp,
  cumsum,
  sort,
  topK,
  reshape,
  transpose,
  broadcastTo,
  split,
  slice,
  pad,
  flip,
  squeeze,
  expandDims,
  flatten,
  take,
  takeAlongAxis,
  scatterAdd,
  oneHot,
  matmul,
  dot,
  conv2d,
  convTranspose2d,
  maxPool2d,
  avgPool2d,
  globalAvgPool,
  resizeNearest,
  softmax,
  logSoftmax,
  layerNorm,
  groupNorm,
  batchNorm,
  attention,
  crossEntropy,
  mse,
};

type AsMethod<F> = F extends (first: infer _First, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;
type Methods = { [K in keyof typeof methods]: AsMethod<(typeof methods)[K]> };

declare module './tensor.ts' {
  interface Tensor extends Methods {}
}

for (const [name, f] of Object.entries(methods))
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (f as (...args: unknown[]) => unknown)(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
