// Operations element by element. Operands broadcast; a number adapts to the tensor beside it.

import { type DType, showAval } from '../dtype.ts';
import { check } from '../error.ts';
import * as e from '../primitives/elementwise.ts';
import { floatType } from '../runtime.ts';
import { expectTensors, Tensor } from '../tensor.ts';
import {
  asFull,
  binary,
  broadcastShapes,
  expand,
  fresh,
  promote,
  type TensorLike,
  toFloat,
  unary,
} from './common.ts';

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

/** Throws 'dtype' where a tensor among the operands is no bool; counted from 1, as the caller sees them. */
const bools = (op: string, ...operands: readonly TensorLike[]): void =>
  operands.forEach((x, i) => {
    const fits = !(x instanceof Tensor) || x.dtype === 'bool';
    check(fits, 'dtype', () => `${op}: operand ${i + 1} is ${showAval(x as Tensor)}, expected bool`);
  });
const logical = (op: string, f: (a: Tensor, b: Tensor) => Tensor) => {
  const joined = binary(op, f, false);
  return (a: TensorLike, b: TensorLike): Tensor => {
    bools(op, a, b);
    return joined(a, b);
  };
};
export const logicalAnd = logical('logicalAnd', e.and);
export const logicalOr = logical('logicalOr', e.or);
export const logicalNot = unary('logicalNot', (x) => {
  bools('logicalNot', x);
  return e.not(x);
});

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

export const neg = unary('neg', e.neg);
export const abs = unary('abs', e.abs);
export const sign = unary('sign', e.sign);
export const floor = unary('floor', e.floor, true);
export const exp = unary('exp', e.exp, true);
export const log = unary('log', e.log, true);
export const log1p = unary('log1p', e.log1p, true);
export const expm1 = unary('expm1', e.expm1, true);
export const sqrt = unary('sqrt', e.sqrt, true);
export const rsqrt = unary('rsqrt', e.rsqrt, true);
export const tanh = unary('tanh', e.tanh, true);
export const sigmoid = unary('sigmoid', e.sigmoid, true);
export const erf = unary('erf', e.erf, true);
export const sin = unary('sin', e.sin, true);
export const cos = unary('cos', e.cos, true);
/** max(x, 0); derivative 0 at 0. */
export const relu = unary('relu', e.relu);
/** x * sigmoid(x). */
export const silu = unary('silu', (x) => e.mul(x, e.sigmoid(x)), true);
/** x * Phi(x) with the exact normal distribution function (Hendrycks and Gimpel 2016), not the tanh approximation. */
export const gelu = unary('gelu', (x) => mul(mul(x, 0.5), add(e.erf(mul(x, Math.SQRT1_2)), 1)), true);
/** log(1 + exp(x)), without overflow. */
export const softplus = unary('softplus', (x) => e.add(e.relu(x), e.log1p(e.exp(e.neg(e.abs(x))))), true);
export const square = unary('square', (x) => e.mul(x, x));

/**
 * The nearest value in [low, high], which is high where low is above it; NaN stays. Derivative 1 inside and at the bounds, 0
 * outside; there it is the bound's.
 */
export const clip = (x: Tensor, low: TensorLike, high: TensorLike): Tensor => {
  const [a, b, c] = promote('clip', [x, low, high], true);
  const raised = e.select(e.less(a, b), b, a);
  return e.select(e.less(c, raised), c, raised);
};

/** Elements of a where the condition (bool, or nonzero) holds, of b elsewhere. All three broadcast. */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  expectTensors('where', condition);
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
export const astype = (x: Tensor, dtype: DType): Tensor => {
  expectTensors('astype', x);
  return fresh(e.convert(x, dtype), x);
};
