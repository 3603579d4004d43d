// Operations element by element: the formula in JavaScript's own arithmetic.

import { floatType } from '../../engine/runtime.ts';
import type { DType, TensorLike } from '../../index.ts';
import type { Case, Table } from './case.ts';
import { at, bools, build, common, each, floats, type Kind, list, type Plain, wholes } from './plain.ts';

const special = list([7], [NaN, Infinity, -Infinity, 0, -0, 1, -1]);
const shapes = [floats([2, 3], 1), floats([], 2), floats([1], 3), floats([0, 2], 4)];
const pairs: [Plain, Plain][] = [
  [floats([2, 3], 1), floats([2, 3], 2)],
  [floats([2, 1, 3], 3), floats([4, 1], 4)],
  [floats([3], 5), floats([], 6)],
  [floats([0, 3], 7), floats([1, 3], 8)],
  [special, floats([7], 9)],
  [list([7, 1], special.data), special],
];
const signed: [Plain, Plain][] = [
  [wholes([3, 4], -9, 9, 1), wholes([4], -2, 3, 2)],
  [list([3], [2147483647, -2147483648, 65537], 'int32'), list([3], [1, -1, 65537], 'int32')],
];
const unsigned: [Plain, Plain][] = [
  [list([4], [0, 1, 4294967295, 7], 'uint32'), list([4], [1, 0, 2, 4294967295], 'uint32')],
];
const wrap: Record<Kind, (v: number) => number> = {
  float: (v) => v,
  int32: (v) => v | 0,
  uint32: (v) => v >>> 0,
  bool: (v) => v,
};

const one = (f: (v: number) => number, ...xs: Plain[]): Case[] =>
  xs.map((x) => ({ x: [x], want: (p) => each(f, [p]) }));
/** Of floats: the usual shapes, and what is not an ordinary number. */
const float = (f: (v: number) => number, ...more: Plain[]): Case[] => one(f, ...shapes, special, ...more);
/** Integers stay what they are. */
const whole = (f: (v: number) => number): Case[] =>
  (['int32', 'uint32'] as const).map((kind) => ({
    x: [list([5], kind === 'int32' ? [-2147483648, -3, 0, 1, 2147483647] : [0, 1, 2, 3, 4294967295], kind)],
    want: (p) => each((v) => wrap[kind](f(v)), [p], kind),
  }));
/** Whole numbers become floats. */
const lifted = (f: (v: number) => number): Case[] => [
  { x: [wholes([4], 1, 5)], want: (p) => each(f, [p]) },
  { x: [bools([3])], want: (p) => each(f, [p]) },
];

const two = (
  f: (a: number, b: number) => number,
  { integer = f, kind }: { integer?: (a: number, b: number) => number; kind?: Kind } = {},
): Case[] => [
  ...pairs.map((x): Case => ({ x, want: (a, b) => each(f, [a, b], kind) })),
  ...[...signed, ...unsigned].map(
    (x): Case => ({
      x,
      want: (a, b) => each((v, w) => wrap[kind ?? a.kind](integer(v, w)), [a, b], kind ?? a.kind),
    }),
  ),
  // A number takes the type of the tensor beside it, on either side; a fraction makes whole numbers floats.
  { x: [floats([3], 11)], call: (a) => [a, 2.5], want: (a) => each((v) => f(v, 2.5), [a], kind) },
  {
    x: [wholes([3], -4, 9)],
    call: (a) => [a, 2],
    want: (a) => each((v) => integer(v, 2), [a], kind ?? 'int32'),
  },
  { x: [wholes([3], -4, 9)], call: (a) => [a, 0.5], want: (a) => each((v) => f(v, 0.5), [a], kind) },
  // A float beside whole numbers or bools.
  { x: [floats([2, 3], 12), wholes([3], 1, 5)], want: (a, b) => each(f, [a, b], kind) },
  { x: [bools([3]), floats([3], 13)], want: (a, b) => each(f, [a, b], kind) },
];
const truth = (f: (a: number, b: number) => boolean): Case[] =>
  two((a, b) => Number(f(a, b)), { kind: 'bool' });
const logical = (f: (a: number, b: number) => number): Case[] =>
  [
    [bools([2, 3], 1), bools([3], 2)],
    [list([2], [0, 1], 'bool'), list([2, 1], [0, 1], 'bool')],
  ].map((x) => ({ x, want: (a, b) => each(f, [a, b], 'bool') }));

const sign = (v: number): number => (v > 0 ? 1 : v < 0 ? -1 : v);
const truncated = (a: number, b: number): number => (b === 0 ? 0 : Math.trunc(a / b));
const larger = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? NaN : a > b ? a : b);
const smaller = (a: number, b: number): number => -larger(-a, -b);
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** The error function by its series of positive terms: 2 / sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const RANGE: Partial<Record<DType, [number, number]>> = {
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
};
const cast = (from: Plain, to: 'int32' | 'uint32' | 'bool' | 'float32'): Case => ({
  x: [from],
  call: (x) => [x, to === 'float32' ? floatType() : to],
  want: (p) =>
    each(
      (v) => {
        const [low, high] = RANGE[to] ?? [-Infinity, Infinity];
        if (to === 'bool') return Number(v !== 0);
        if (to === 'float32') return v;
        return Number.isNaN(v) ? 0 : Math.min(high, Math.max(low, Math.trunc(v)));
      },
      [p],
      to === 'float32' ? 'float' : to,
    ),
});
const clipped = (x: Plain, low: Plain | number, high: Plain | number): Case => {
  const given = [low, high].filter((v): v is Plain => typeof v !== 'number');
  const nearest = (v: number, a: number, b: number): number =>
    Number.isNaN(v) ? v : b < (v < a ? a : v) ? b : v < a ? a : v;
  return {
    x: [x, ...given],
    call: (y, ...bounds) => {
      const next = (v: Plain | number): TensorLike => (typeof v === 'number' ? v : bounds.shift()!);
      return [y, next(low), next(high)];
    },
    want: (y) => {
      const bound = (v: Plain | number): Plain => (typeof v === 'number' ? list([], [v]) : v);
      return each(nearest, [y, bound(low), bound(high)], x.kind);
    },
  };
};

const powers: Case[] = [
  ...[0, 1, 2, 3, 8, 9, -1, -2, 0.5, -0.5, 1.7].map(
    (b): Case => ({
      x: [floats([2, 3], 5, 'positive')],
      call: (x) => [x, b],
      want: (x) => each((v) => v ** b, [x]),
    }),
  ),
  { x: [floats([5], 6)], call: (x) => [x, 3], want: (x) => each((v) => v ** 3, [x]) },
  { x: [special], call: (x) => [x, 2], want: (x) => each((v) => v ** 2, [x]) },
  { x: [special], call: (x) => [x, -1], want: (x) => each((v) => v ** -1, [x]) },
  { x: [wholes([4], 1, 5)], call: (x) => [x, 2], want: (x) => each((v) => v ** 2, [x]) },
  { x: [floats([2, 3], 7, 'positive'), floats([3], 8)], want: (a, b) => each((v, w) => v ** w, [a, b]) },
  // JavaScript has no value for 1 and -1 to an infinite power, nor has the engine.
  { x: [list([7, 1], special.data), special], want: (a, b) => each((v, w) => v ** w, [a, b]) },
];

const choice = (condition: Plain, a: Plain, b: Plain): Case => ({
  x: [condition, a, b],
  want: (c, v, w) =>
    build(
      common(c.shape, v.shape, w.shape),
      (i) => (at(c, i) !== 0 ? at(v, i) : at(w, i)),
      a.kind === b.kind ? a.kind : 'float',
    ),
});

export const elementwise: Table = {
  add: two((a, b) => a + b),
  sub: two((a, b) => a - b),
  mul: two((a, b) => a * b, { integer: (a, b) => Number(BigInt.asIntN(32, BigInt(a) * BigInt(b))) }),
  div: two((a, b) => a / b, { integer: truncated }),
  maximum: two(larger),
  minimum: two(smaller),
  equal: truth((a, b) => a === b),
  less: truth((a, b) => a < b),
  greater: truth((a, b) => a > b),
  lessEqual: truth((a, b) => a <= b),
  greaterEqual: truth((a, b) => a >= b),
  logicalAnd: logical((a, b) => a & b),
  logicalOr: logical((a, b) => a | b),
  logicalNot: [{ x: [bools([2, 3])], want: (x) => each((v) => 1 - v, [x], 'bool') }],
  pow: powers,
  neg: [...float((v) => -v), ...whole((v) => -v)],
  abs: [...float(Math.abs), ...whole(Math.abs)],
  sign: [...float(sign), ...whole(sign)],
  square: [
    ...float((v) => v * v),
    { x: [wholes([4], -5, 5)], want: (x) => each((v) => v * v, [x], 'int32') },
  ],
  floor: [...float(Math.floor, list([4], [-1.5, 1.5, -0.25, 2])), ...lifted((v) => v)],
  exp: [...float(Math.exp, list([4], [-200, -100, 80, 800])), ...lifted(Math.exp)],
  expm1: [...float(Math.expm1, list([3], [1e-6, -1e-6, 20])), ...lifted(Math.expm1)],
  log: [...float((v) => Math.log(v), floats([6], 2, 'positive')), ...lifted(Math.log)],
  log1p: [...float((v) => Math.log1p(v), list([3], [1e-6, -1e-6, -0.5])), ...lifted(Math.log1p)],
  sqrt: [...float(Math.sqrt, floats([6], 3, 'positive')), ...lifted(Math.sqrt)],
  rsqrt: [...float((v) => 1 / Math.sqrt(v), floats([6], 4, 'positive')), ...lifted((v) => 1 / Math.sqrt(v))],
  tanh: [...float(Math.tanh, list([4], [-50, 50, 1e-4, 0.3])), ...lifted(Math.tanh)],
  sigmoid: [...float(sigmoid, list([4], [-200, 200, -15, 15])), ...lifted(sigmoid)],
  erf: [...float(erf, list([5], [-5, -2.5, 0.01, 2.5, 5])), ...lifted(erf)],
  sin: [...float(Math.sin, list([3], [100, -31.4, 1000])), ...lifted(Math.sin)],
  cos: [...float(Math.cos, list([3], [100, -31.4, 1000])), ...lifted(Math.cos)],
  relu: [...float((v) => (v < 0 ? 0 : v)), ...whole((v) => Math.max(0, v))],
  silu: [
    ...one((v) => v * sigmoid(v), ...shapes, list([3], [NaN, -30, 30])),
    ...lifted((v) => v * sigmoid(v)),
  ],
  gelu: one((v) => (v / 2) * (1 + erf(v / Math.SQRT2)), ...shapes, list([3], [NaN, -4, 4])),
  softplus: one(
    (v) => Math.log1p(Math.exp(-Math.abs(v))) + Math.max(v, 0),
    ...shapes,
    list([3], [NaN, -200, 200]),
  ),
  clip: [
    clipped(floats([2, 3], 1), -0.5, 0.75),
    clipped(special, -1, 1),
    clipped(wholes([6], -9, 9), -3, 4),
    clipped(floats([2, 3], 2), floats([3], 3), floats([2, 1], 4)),
    clipped(floats([5], 5), 1, -1),
    clipped(floats([0], 5), 0, 1),
  ],
  where: [
    choice(bools([2, 3]), floats([2, 3], 1), floats([2, 3], 2)),
    choice(bools([2, 1]), floats([3], 3), floats([], 4)),
    choice(wholes([4], 0, 2), wholes([4], -9, 9, 5), wholes([4], -9, 9, 6)),
    choice(bools([3]), wholes([3], 0, 9), floats([3], 7)),
    choice(bools([7]), special, floats([7], 8)),
    {
      x: [bools([3])],
      call: (c) => [c, 1, 2],
      want: (c) => each((v) => (v ? 1 : 2), [c], 'int32'),
    },
    {
      x: [bools([3])],
      call: (c) => [c, 1.5, 2],
      want: (c) => each((v) => (v ? 1.5 : 2), [c]),
    },
  ],
  astype: [
    cast(list([9], [1.9, -1.9, 0, -0, NaN, Infinity, -Infinity, 3e9, 5e9]), 'int32'),
    cast(list([9], [1.9, -1.9, 0, -0, NaN, Infinity, -Infinity, 3e9, 5e9]), 'uint32'),
    cast(list([4], [0.5, -0, 0, NaN]), 'bool'),
    cast(floats([2, 3], 1), 'float32'),
    cast(wholes([4], -4, 4), 'float32'),
    cast(wholes([4], -4, 4), 'uint32'),
    cast(list([3], [0, 7, 4294967295], 'uint32'), 'int32'),
    cast(bools([4]), 'float32'),
    cast(bools([4]), 'int32'),
    cast(floats([0, 2]), 'int32'),
  ],
};
