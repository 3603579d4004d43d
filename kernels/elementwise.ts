// One scalar operation of a loop as a WGSL expression. Arguments are names of values; which WGSL semantics would differ
// from the engine's (NaN, integer division, conversions that do not fit) is decided here and in math.ts.

import type { DType } from '../engine/dtype.ts';
import type { ElementwiseName } from '../engine/primitives/names.ts';
import type { Step } from '../engine/program.ts';
import { literal, rounded, valueType } from './shader.ts';

export interface Argument {
  readonly name: string;
  readonly dtype: DType;
  /** Where it is known when the kernel is generated. */
  readonly constant?: number;
}

type Emit = (args: readonly Argument[], step: Step) => string;

const call =
  (f: string): Emit =>
  ([a]) =>
    `${f}(${a.name})`;
const infix =
  (operator: string): Emit =>
  ([a, b]) =>
    `(${a.name} ${operator} ${b.name})`;
const float = (a: Argument): boolean => valueType(a.dtype) === 'f32';
const extreme =
  (onFloats: string, onIntegers: string): Emit =>
  ([a, b]) =>
    `${float(a) ? onFloats : onIntegers}(${a.name}, ${b.name})`;

const convert: Emit = ([a], { dtype }) => {
  const [from, to] = [valueType(a.dtype), valueType(dtype)];
  if (from === to) return a.name;
  if (from === 'bool') return `select(${literal(0, dtype)}, ${literal(1, dtype)}, ${a.name})`;
  if (to === 'bool')
    return from === 'f32' ? `(${a.name} != 0f || isNan(${a.name}))` : `(${a.name} != ${literal(0, a.dtype)})`;
  if (to === 'f32') return `f32(${a.name})`;
  if (from === 'f32') return to === 'i32' ? `toI32(${a.name})` : `toU32(${a.name})`;
  return to === 'u32' ? `u32(max(${a.name}, 0))` : `i32(min(${a.name}, 2147483647u))`;
};

/** Small whole exponents multiply; the rest goes through logarithms. */
const pow: Emit = ([a, b]) => {
  switch (b.constant) {
    case 1:
      return a.name;
    case 2:
      return `(${a.name} * ${a.name})`;
    case 3:
      return `(${a.name} * ${a.name} * ${a.name})`;
    case -1:
      return `(1f / ${a.name})`;
    default:
      return `powOf(${a.name}, ${b.name})`;
  }
};

const TABLE: Record<ElementwiseName, Emit> = {
  neg: ([a]) => (valueType(a.dtype) === 'u32' ? `(0u - ${a.name})` : `(-${a.name})`),
  abs: ([a]) => `abs(${a.name})`,
  sign: ([a]) => {
    const [zero, one] = [literal(0, a.dtype), literal(1, a.dtype)];
    if (valueType(a.dtype) === 'u32') return `min(${a.name}, 1u)`;
    return `select(select(${a.name}, ${literal(-1, a.dtype)}, ${a.name} < ${zero}), ${one}, ${a.name} > ${zero})`;
  },
  exp: call('expOf'),
  log: call('logOf'),
  log1p: call('log1pOf'),
  expm1: call('expm1Of'),
  sqrt: call('sqrt'),
  rsqrt: ([a]) => `(1f / sqrt(${a.name}))`,
  tanh: call('tanhOf'),
  sigmoid: call('sigmoidOf'),
  erf: call('erfOf'),
  sin: call('sinOf'),
  cos: call('cosOf'),
  floor: call('floor'),
  relu: ([a]) =>
    float(a)
      ? `select(0f, ${a.name}, ${a.name} > 0f || isNan(${a.name}))`
      : `max(${a.name}, ${literal(0, a.dtype)})`,
  identity: ([a]) => a.name,
  not: ([a]) => `(!${a.name})`,
  convert,
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: ([a, b]) =>
    float(a)
      ? `(${a.name} / ${b.name})`
      : `${valueType(a.dtype) === 'i32' ? 'divideI' : 'divideU'}(${a.name}, ${b.name})`,
  maximum: extreme('maxOf', 'max'),
  minimum: extreme('minOf', 'min'),
  pow,
  less: infix('<'),
  lessEqual: infix('<='),
  equal: infix('=='),
  and: infix('&&'),
  or: infix('||'),
  select: ([c, a, b]) => `select(${b.name}, ${a.name}, ${c.name})`,
  full: (_, { value, dtype }) => literal(value ?? 0, dtype),
};

/** Operations whose results are halves where their operands are. */
const EXACT: ReadonlySet<ElementwiseName> = new Set([
  'neg',
  'abs',
  'sign',
  'floor',
  'relu',
  'identity',
  'maximum',
  'minimum',
  'select',
  'full',
]);

/** Values of type float16 are always halves: fused or not, an operation yields the same. */
export const expressionOf = (step: Step, args: readonly Argument[]): string => {
  const value = TABLE[step.op](args, step);
  return EXACT.has(step.op) ? value : rounded(value, step.dtype);
};
