// Operations element by element. Operands broadcast; a number adapts to the tensor beside it.

import { type DType, showAval } from '../dtype.ts';
import { check } from '../error.ts';
import * as prim from '../primitives/apply.ts';
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

/** a + b, broadcast and promoted as {@link TensorLike} says. */
export const add = binary('add', prim.add);
/** a - b, broadcast and promoted as {@link TensorLike} says. */
export const sub = binary('sub', prim.sub);
/** a * b element by element, broadcast and promoted as {@link TensorLike} says. For matrix products see matmul. */
export const mul = binary('mul', prim.mul);
/**
 * a / b, broadcast and promoted as {@link TensorLike} says. Of two integers: the quotient truncated towards zero, and 0
 * where the divisor is 0.
 */
export const div = binary('div', prim.div);
/**
 * The larger of a and b, broadcast and promoted as {@link TensorLike} says. NaN where either is NaN; where they are
 * equal each gets half of the derivative.
 */
export const maximum = binary('maximum', prim.maximum);
/**
 * The smaller of a and b, broadcast and promoted as {@link TensorLike} says. NaN where either is NaN; where they are
 * equal each gets half of the derivative.
 */
export const minimum = binary('minimum', prim.minimum);
/** Bool: a == b, broadcast and promoted as {@link TensorLike} says (bools stay bools). NaN equals nothing. */
export const equal = binary('equal', prim.equal, false);
/** Bool: a < b, broadcast and promoted as {@link TensorLike} says. False where either is NaN. */
export const less = binary('less', prim.less);
/** Bool: a > b, broadcast and promoted as {@link TensorLike} says. False where either is NaN. */
export const greater = binary('greater', (a, b) => prim.less(b, a));
/** Bool: a <= b, broadcast and promoted as {@link TensorLike} says. False where either is NaN. */
export const lessEqual = binary('lessEqual', prim.lessEqual);
/** Bool: a >= b, broadcast and promoted as {@link TensorLike} says. False where either is NaN. */
export const greaterEqual = binary('greaterEqual', (a, b) => prim.lessEqual(b, a));

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
/**
 * Bool: both hold. Operands are bool tensors or booleans, and broadcast.
 * @throws 'dtype' for other types.
 */
export const logicalAnd = logical('logicalAnd', prim.and);
/**
 * Bool: one of them holds, or both. Operands are bool tensors or booleans, and broadcast.
 * @throws 'dtype' for other types.
 */
export const logicalOr = logical('logicalOr', prim.or);
/**
 * Bool: x does not hold.
 * @throws 'dtype' unless x is bool.
 */
export const logicalNot = unary('logicalNot', (x) => {
  bools('logicalNot', x);
  return prim.not(x);
});

/**
 * a to the power b, broadcast; the result is a float. A negative base gives NaN unless the exponent is a whole number.
 * Whole-number exponents from -8 to 8 given as numbers become products, so that negative bases and zero have
 * derivatives.
 */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  if (a instanceof Tensor && typeof b === 'number') {
    const x = toFloat(a);
    if (b === 0) return prim.fillLike(x, 1);
    if (b === 1) return fresh(x, a);
    if (b === 0.5) return prim.sqrt(x);
    if (b === -0.5) return prim.rsqrt(x);
    if (Number.isInteger(b) && Math.abs(b) <= 8) {
      let y = x;
      for (let i = 1; i < Math.abs(b); i++) y = prim.mul(y, x);
      return b < 0 ? prim.div(prim.fillLike(y, 1), y) : y;
    }
  }
  const [x, y] = promote('pow', [a, b], true);
  return prim.pow(toFloat(x), toFloat(y));
}

/**
 * -x, of floats or integers; uint32 wraps around.
 * @throws 'dtype' for bool.
 */
export const neg = unary('neg', prim.neg);
/**
 * |x|, of floats or integers; derivative 0 at 0.
 * @throws 'dtype' for bool.
 */
export const abs = unary('abs', prim.abs);
/**
 * -1, 0 or 1 as x is negative, zero or positive, in the type of x; NaN stays NaN. Derivative 0 everywhere.
 * @throws 'dtype' for bool.
 */
export const sign = unary('sign', prim.sign);
/** The largest whole number not above x, as a float. Derivative 0 everywhere. */
export const floor = unary('floor', prim.floor, true);
/** e to the power x, as a float; Infinity where that is beyond the type's range. */
export const exp = unary('exp', prim.exp, true);
/** Natural logarithm, as a float: -Infinity at 0, NaN below. */
export const log = unary('log', prim.log, true);
/** log(1 + x), as a float, accurate for small x too. */
export const log1p = unary('log1p', prim.log1p, true);
/** exp(x) - 1, as a float, accurate for small x too. */
export const expm1 = unary('expm1', prim.expm1, true);
/** Square root, as a float: NaN below 0; derivative Infinity at 0. */
export const sqrt = unary('sqrt', prim.sqrt, true);
/** 1 / sqrt(x), as a float: Infinity at 0, NaN below. */
export const rsqrt = unary('rsqrt', prim.rsqrt, true);
/** Hyperbolic tangent, as a float. */
export const tanh = unary('tanh', prim.tanh, true);
/** Logistic function 1 / (1 + exp(-x)), as a float. */
export const sigmoid = unary('sigmoid', prim.sigmoid, true);
/** Error function 2 / sqrt(pi) * (integral of exp(-t^2) from 0 to x), as a float. */
export const erf = unary('erf', prim.erf, true);
/** Sine, as a float; x in radians. */
export const sin = unary('sin', prim.sin, true);
/** Cosine, as a float; x in radians. */
export const cos = unary('cos', prim.cos, true);
/** max(x, 0), in the type of x (no bool); derivative 0 at 0. */
export const relu = unary('relu', prim.relu);
/** SiLU or swish, x * sigmoid(x), as a float (Hendrycks and Gimpel 2016; Ramachandran et al. 2017). */
export const silu = unary('silu', (x) => prim.mul(x, prim.sigmoid(x)), true);
/**
 * x * Phi(x), as a float, with the exact normal distribution function (Hendrycks and Gimpel 2016), not the tanh
 * approximation.
 */
export const gelu = unary('gelu', (x) => mul(mul(x, 0.5), add(prim.erf(mul(x, Math.SQRT1_2)), 1)), true);
/** log(1 + exp(x)), as a float, without overflow. */
export const softplus = unary(
  'softplus',
  (x) => prim.add(prim.relu(x), prim.log1p(prim.exp(prim.neg(prim.abs(x))))),
  true,
);
/** x * x, in the type of x (no bool). */
export const square = unary('square', (x) => prim.mul(x, x));

/**
 * The nearest value to x in [low, high]; high where low is above it; NaN stays NaN. The three broadcast and are
 * promoted as {@link TensorLike} says. The derivative is 1 inside and at the bounds; outside it goes to the bound.
 */
export const clip = (x: Tensor, low: TensorLike, high: TensorLike): Tensor => {
  const [a, b, c] = promote('clip', [x, low, high], true);
  const raised = prim.select(prim.less(a, b), b, a);
  return prim.select(prim.less(c, raised), c, raised);
};

/**
 * Elements of a where the condition holds, of b elsewhere. The condition is bool, or any type, for x != 0. All three
 * broadcast; a and b are promoted as {@link TensorLike} says, and may both be numbers: int32 if whole, else the
 * device's float type; bool for two booleans.
 */
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
  return prim.select(expand(prim.convert(condition, 'bool'), shape), expand(x, shape), expand(y, shape));
}

/**
 * x with another element type; a handle on the same memory where it has that type already. Floats become integers by
 * truncation, held within the integer type's range, NaN as 0; bool is x != 0.
 * @throws 'dtype' where the device lacks the type.
 */
export const astype = (x: Tensor, dtype: DType): Tensor => {
  expectTensors('astype', x);
  return fresh(prim.convert(x, dtype), x);
};
