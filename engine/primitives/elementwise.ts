// Primitives that work element by element, and fuse: one table of formulas and derivatives. All operands of one call
// have the same shape (broadcasting is made explicit by the public operations).

import { allocate, type DType, isFloat, showAval, sizeOf, type TypedArray } from '../dtype.ts';
import { check } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import {
  add,
  apply,
  convert,
  cos,
  div,
  equal,
  exp,
  fillLike,
  less,
  log,
  mul,
  neg,
  pow,
  select,
  sign,
  sin,
  sub,
} from './apply.ts';
import { erf } from './erf.ts';
import { addMaybe, ensureBatched } from './linear.ts';
import type { ElementwiseName, ParamsOf, PlainName } from './names.ts';
import { aval, checkShape, sameShape } from './rules.ts';
import type { ELEMENTWISE } from './table.ts';
import type { BatchRule, MaybeZero, PrimitiveOf, Sample, TransposeRule } from './types.ts';
import { isUndefined } from './types.ts';

type Kind = 'float' | 'number' | 'bool' | 'any';
const fits = (kind: Kind, dtype: DType): boolean =>
  kind === 'any' ||
  (kind === 'float' ? isFloat(dtype) : kind === 'bool' ? dtype === 'bool' : dtype !== 'bool');

const batchAll =
  <K extends ElementwiseName>(name: K): BatchRule<ParamsOf<K>> =>
  (operands, batched, params, size) =>
    apply(
      name,
      operands.map((x, i) => ensureBatched(x, batched[i], size)),
      params,
    );

/** As many as table.ts has of it. */
type Operands<K extends PlainName> = K extends keyof typeof ELEMENTWISE.unary
  ? readonly [Kind]
  : K extends keyof typeof ELEMENTWISE.binary
    ? readonly [Kind, Kind]
    : readonly [Kind, Kind, Kind];

interface Spec<K extends PlainName> {
  name: K;
  operands: Operands<K>;
  /** Result type; default that of the last operand. */
  result?: DType;
  compute: (...x: number[]) => number;
  /** For integers, where doubles are too short to wrap exactly. */
  computeInteger?: (...x: number[]) => number;
  /** One tangent rule an operand: (tangent, result, ...operands) -> tangent of the result. Absent: constant. */
  tangents?: readonly ((t: Tensor, y: Tensor, ...x: Tensor[]) => MaybeZero)[];
  transpose?: TransposeRule<ParamsOf<PlainName>>;
  samples?: readonly Sample<ParamsOf<PlainName>>[];
}

function elementwise<K extends PlainName>(spec: Spec<K>): PrimitiveOf<K> {
  const { name, operands } = spec;
  return {
    name,
    kind: 'elementwise',
    shape: (inputs) => {
      check(
        inputs.length === operands.length,
        'shape',
        () => `${name}: takes ${operands.length} operands, got ${inputs.length}`,
      );
      const first = inputs[0];
      const numbers = name === 'select' ? inputs.slice(1) : inputs;
      for (const x of inputs)
        check(
          sameShape(x.shape, first.shape),
          'shape',
          () => `${name}: operands must have the same shape, got ${inputs.map(showAval).join(' and ')}`,
        );
      for (const x of numbers)
        check(
          x.dtype === numbers[0].dtype,
          'dtype',
          () => `${name}: operands must have the same type, got ${inputs.map(showAval).join(' and ')}`,
        );
      inputs.forEach((x, i) => {
        check(
          fits(operands[i], x.dtype),
          'dtype',
          () => `${name}: operand ${i} must be ${operands[i]}, got ${showAval(x)}`,
        );
      });
      return [aval(first.shape, spec.result ?? inputs[inputs.length - 1].dtype)];
    },
    jvp:
      spec.tangents === undefined
        ? 'constant'
        : (primals, tangents) => {
            const [y] = apply(name, primals, {});
            let total: MaybeZero = null;
            spec.tangents?.forEach((rule, i) => {
              const t = tangents[i];
              if (t !== null) total = addMaybe(total, rule(t, y, ...primals));
            });
            return { outs: [y], tangents: [total] };
          },
    transpose: spec.transpose ?? 'nonlinear',
    batch: batchAll(name),
    reference: (inputs, _, [out]) => {
      const n = sizeOf(out.shape);
      const result = allocate(out.dtype, n);
      const [a, b, c] = inputs.map((x) => x.data);
      const compute = isFloat(out.dtype) ? spec.compute : (spec.computeInteger ?? spec.compute);
      if (inputs.length === 1) for (let i = 0; i < n; i++) result[i] = compute(a[i]);
      else if (inputs.length === 2) for (let i = 0; i < n; i++) result[i] = compute(a[i], b[i]);
      else for (let i = 0; i < n; i++) result[i] = compute(a[i], b[i], c[i]);
      return [result];
    },
    samples: spec.samples ?? defaultSamples(operands, name),
  };
}

const defaultSamples = (operands: readonly Kind[], name: PlainName): Sample<ParamsOf<PlainName>>[] => {
  const oneOf = (...names: PlainName[]): boolean => names.includes(name);
  const positive = oneOf('log', 'sqrt', 'rsqrt', 'log1p', 'pow');
  const kinked = oneOf('relu', 'abs', 'sign', 'div');
  const fill = positive ? 'positive' : kinked ? 'away-from-zero' : 'normal';
  return [[2, 3], [5], [], [1, 4, 1], [0, 3]].map((shape) => ({
    operands: operands.map((k) =>
      k === 'bool'
        ? { shape, dtype: 'bool' as const, fill: 'bool' as const }
        : { shape, fill: fill as 'normal' },
    ),
    params: {},
  }));
};

// ---- derivatives -----------------------------------------------------------------------------------------------------

const times = (x: Tensor, value: number): Tensor => mul(x, fillLike(x, value));
const plus = (x: Tensor, value: number): Tensor => add(x, fillLike(x, value));

/** 1 where a wins, 0 where b wins, half each on a tie. */
const share = (a: Tensor, b: Tensor, wins: Tensor): Tensor =>
  select(equal(a, b), fillLike(a, 0.5), select(wins, fillLike(a, 1), fillLike(a, 0)));

const linearIn =
  (f: (ct: Tensor) => (MaybeZero | undefined)[]): TransposeRule<ParamsOf<PlainName>> =>
  ([ct], operands) =>
    ct === null ? operands.map(() => null) : f(ct).map((x) => x ?? null);

const table = {
  neg: elementwise({
    name: 'neg',
    operands: ['number'],
    compute: (x) => -x,
    tangents: [(t) => neg(t)],
    transpose: linearIn((ct) => [neg(ct)]),
  }),
  abs: elementwise({
    name: 'abs',
    operands: ['number'],
    compute: Math.abs,
    tangents: [(t, _, x) => mul(t, sign(x))],
  }),
  sign: elementwise({
    name: 'sign',
    operands: ['number'],
    compute: (x) => (x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : x),
  }),
  floor: elementwise({ name: 'floor', operands: ['float'], compute: Math.floor }),
  exp: elementwise({ name: 'exp', operands: ['float'], compute: Math.exp, tangents: [(t, y) => mul(t, y)] }),
  log: elementwise({
    name: 'log',
    operands: ['float'],
    compute: Math.log,
    tangents: [(t, _, x) => div(t, x)],
  }),
  log1p: elementwise({
    name: 'log1p',
    operands: ['float'],
    compute: Math.log1p,
    tangents: [(t, _, x) => div(t, plus(x, 1))],
  }),
  expm1: elementwise({
    name: 'expm1',
    operands: ['float'],
    compute: Math.expm1,
    tangents: [(t, y) => mul(t, plus(y, 1))],
  }),
  sqrt: elementwise({
    name: 'sqrt',
    operands: ['float'],
    compute: Math.sqrt,
    tangents: [(t, y) => div(times(t, 0.5), y)],
  }),
  rsqrt: elementwise({
    name: 'rsqrt',
    operands: ['float'],
    compute: (x) => 1 / Math.sqrt(x),
    tangents: [(t, y, x) => mul(t, div(times(y, -0.5), x))],
  }),
  tanh: elementwise({
    name: 'tanh',
    operands: ['float'],
    compute: Math.tanh,
    tangents: [(t, y) => mul(t, sub(fillLike(y, 1), mul(y, y)))],
  }),
  sigmoid: elementwise({
    name: 'sigmoid',
    operands: ['float'],
    compute: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
    tangents: [(t, y) => mul(t, mul(y, sub(fillLike(y, 1), y)))],
  }),
  erf: elementwise({
    name: 'erf',
    operands: ['float'],
    compute: erf,
    tangents: [(t, _, x) => mul(t, times(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))],
  }),
  sin: elementwise({
    name: 'sin',
    operands: ['float'],
    compute: Math.sin,
    tangents: [(t, _, x) => mul(t, cos(x))],
  }),
  cos: elementwise({
    name: 'cos',
    operands: ['float'],
    compute: Math.cos,
    tangents: [(t, _, x) => neg(mul(t, sin(x)))],
  }),
  relu: elementwise({
    name: 'relu',
    operands: ['number'],
    compute: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    // Through the result, so that a compiled program need not keep the operand.
    tangents: [(t, y) => select(less(fillLike(y, 0), y), t, fillLike(t, 0))],
  }),
  identity: elementwise({
    name: 'identity',
    operands: ['any'],
    compute: (x) => x,
    tangents: [(t) => t],
    transpose: linearIn((ct) => [ct]),
  }),
  not: elementwise({ name: 'not', operands: ['bool'], compute: (x) => (x ? 0 : 1) }),
  add: elementwise({
    name: 'add',
    operands: ['number', 'number'],
    compute: (a, b) => a + b,
    tangents: [(t) => t, (t) => t],
    transpose: ([ct], operands) => operands.map((x) => (isUndefined(x) ? ct : null)),
  }),
  sub: elementwise({
    name: 'sub',
    operands: ['number', 'number'],
    compute: (a, b) => a - b,
    tangents: [(t) => t, (t) => neg(t)],
    transpose: ([ct], [a, b]) => [isUndefined(a) ? ct : null, isUndefined(b) && ct !== null ? neg(ct) : null],
  }),
  mul: elementwise({
    name: 'mul',
    operands: ['number', 'number'],
    compute: (a, b) => a * b,
    computeInteger: Math.imul,
    tangents: [(t, _, _a, b) => mul(t, b), (t, _, a) => mul(a, t)],
    transpose: ([ct], [a, b]) =>
      ct === null ? [null, null] : isUndefined(a) ? [mul(ct, b as Tensor), null] : [null, mul(ct, a)],
  }),
  div: elementwise({
    name: 'div',
    operands: ['number', 'number'],
    compute: (a, b) => a / b,
    tangents: [(t, _, _a, b) => div(t, b), (t, y, _a, b) => neg(mul(t, div(y, b)))],
    transpose: ([ct], [, b]) => [ct === null ? null : div(ct, b as Tensor), null],
  }),
  maximum: elementwise({
    name: 'maximum',
    operands: ['number', 'number'],
    compute: (a, b) => (a > b || Number.isNaN(a) ? a : b),
    tangents: [
      (t, _, a, b) => mul(t, share(a, b, less(b, a))),
      (t, _, a, b) => mul(t, share(a, b, less(a, b))),
    ],
  }),
  minimum: elementwise({
    name: 'minimum',
    operands: ['number', 'number'],
    compute: (a, b) => (a < b || Number.isNaN(a) ? a : b),
    tangents: [
      (t, _, a, b) => mul(t, share(a, b, less(a, b))),
      (t, _, a, b) => mul(t, share(a, b, less(b, a))),
    ],
  }),
  pow: elementwise({
    name: 'pow',
    operands: ['float', 'float'],
    compute: (a, b) => a ** b,
    tangents: [
      // a ** 0 is 1 everywhere; 0 * 0 ** -1 would be NaN.
      (t, _, a, b) => {
        const zero = fillLike(b, 0);
        return mul(t, select(equal(b, zero), zero, mul(b, pow(a, plus(b, -1)))));
      },
      // 0 ** b has derivative 0 in b for b > 0; log(0) * 0 would be NaN.
      (t, y, a) => mul(t, select(equal(a, fillLike(a, 0)), fillLike(a, 0), mul(y, log(a)))),
    ],
  }),
  less: elementwise({
    name: 'less',
    operands: ['number', 'number'],
    result: 'bool',
    compute: (a, b) => (a < b ? 1 : 0),
  }),
  lessEqual: elementwise({
    name: 'lessEqual',
    operands: ['number', 'number'],
    result: 'bool',
    compute: (a, b) => (a <= b ? 1 : 0),
  }),
  equal: elementwise({
    name: 'equal',
    operands: ['any', 'any'],
    result: 'bool',
    compute: (a, b) => (a === b ? 1 : 0),
  }),
  and: elementwise({ name: 'and', operands: ['bool', 'bool'], compute: (a, b) => a & b }),
  or: elementwise({ name: 'or', operands: ['bool', 'bool'], compute: (a, b) => a | b }),
  select: elementwise({
    name: 'select',
    operands: ['bool', 'any', 'any'],
    compute: (c, a, b) => (c ? a : b),
    tangents: [
      () => null,
      (t, _, c) => select(c, t, fillLike(t, 0)),
      (t, _, c) => select(c, fillLike(t, 0), t),
    ],
    transpose: ([ct], [c, a, b]) => {
      if (ct === null) return [null, null, null];
      const zero = fillLike(ct, 0);
      return [
        null,
        isUndefined(a) ? select(c as Tensor, ct, zero) : null,
        isUndefined(b) ? select(c as Tensor, zero, ct) : null,
      ];
    },
  }),
};

// Integer division truncates towards zero and yields 0 for a zero divisor; storing into an Int32Array does both.

// ---- the two with parameters -----------------------------------------------------------------------------------------

const toInteger = (x: number, low: number, high: number): number =>
  Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x)));
const convertOne: Record<DType, (x: number) => number> = {
  float16: (x) => x,
  float32: (x) => x,
  float64: (x) => x,
  int32: (x) => toInteger(x, -2147483648, 2147483647),
  uint32: (x) => toInteger(x, 0, 4294967295),
  bool: (x) => (x !== 0 ? 1 : 0),
};

const convertPrimitive: PrimitiveOf<'convert'> = {
  name: 'convert',
  kind: 'elementwise',
  shape: ([x], { dtype }) => [aval(x.shape, dtype)],
  jvp: ([x], [t], params) => ({
    outs: apply('convert', [x], params),
    tangents: [t !== null && isFloat(params.dtype) ? convert(t, params.dtype) : null],
  }),
  transpose: ([ct], [x]) => [ct === null ? null : convert(ct, x.dtype)],
  batch: batchAll('convert'),
  reference: ([x], { dtype }) => {
    const f = convertOne[dtype];
    return [(allocate(dtype, x.data.length) as Float32Array).map((_, i) => f(x.data[i])) as TypedArray];
  },
  samples: [
    { operands: [{ shape: [2, 3] }], params: { dtype: 'float32' } },
    { operands: [{ shape: [2, 3] }], params: { dtype: 'int32' } },
    { operands: [{ shape: [4], dtype: 'bool', fill: 'bool' }], params: { dtype: 'float32' } },
    { operands: [{ shape: [4], dtype: 'int32', fill: 'index', below: 3 }], params: { dtype: 'float32' } },
    { operands: [{ shape: [4], dtype: 'int32', fill: 'index', below: 2 }], params: { dtype: 'bool' } },
  ],
};

const fullPrimitive: PrimitiveOf<'full'> = {
  name: 'full',
  kind: 'elementwise',
  shape: (_, { shape, dtype }) => {
    checkShape('full', shape);
    return [aval(shape, dtype)];
  },
  jvp: 'constant',
  transpose: 'nonlinear',
  batch: (_, __, params, size) => apply('full', [], { ...params, shape: [size, ...params.shape] }),
  reference: (_, { value }, [out]) => [allocate(out.dtype, sizeOf(out.shape)).fill(value)],
  samples: [
    { operands: [], params: { shape: [2, 3], value: 1.5, dtype: 'float32' } },
    { operands: [], params: { shape: [], value: -2, dtype: 'int32' } },
    { operands: [], params: { shape: [0, 2], value: 1, dtype: 'bool' } },
  ],
};

export const elementwisePrimitives = { ...table, convert: convertPrimitive, full: fullPrimitive };
