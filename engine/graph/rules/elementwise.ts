// Elementwise work: what changes nothing, constants, neutral elements, and work done before broadcasting.

import { allocate, isFloat, roundTo, type Shape } from '../../dtype.ts';
import type { ParamsOf, PrimitiveName } from '../../primitives/names.ts';
import { sameShape } from '../../primitives/rules.ts';
import type { Primitive } from '../../primitives/types.ts';
import { compute } from '../../reference.ts';
import type { Equation } from '../graph.ts';
import { type Builder, rule } from './rule.ts';

/** A mask is chosen by rules of its own (pooling.ts). */
const general = (p: Primitive): boolean =>
  p.kind === 'elementwise' && p.name !== 'full' && p.name !== 'select';

const identity = rule({
  name: 'identity is its operand',
  of: ['identity'],
  match: (_, { inputs: [x] }) => x,
  rewrite: (_, x) => [x],
});

const sameType = rule({
  name: 'conversion to the type it has',
  of: ['convert'],
  match: (_, { inputs: [x], params }) => x.dtype === params.dtype && x,
  rewrite: (_, x) => [x],
});

const halvesAgain = rule({
  name: 'halves that were widened are halves still',
  of: ['convert'],
  match(b, { inputs: [x], params }) {
    const inner = params.dtype === 'float16' ? b.is(x, 'convert')?.inputs[0] : undefined;
    return inner?.dtype === 'float16' && isFloat(x.dtype) ? inner : null;
  },
  rewrite: (_, x) => [x],
});

const twiceNegated = rule({
  name: 'the negative of a negative',
  of: ['neg'],
  match: (b, { inputs: [x] }) => b.is(x, 'neg')?.inputs[0] ?? null,
  rewrite: (_, x) => [x],
});

const equalBranches = rule({
  name: 'a choice between equals',
  of: ['select'],
  match: (_, { inputs: [, x, y] }) => x === y && x,
  rewrite: (_, x) => [x],
});

/** One element is computed as the reference would. */
const constants = rule({
  name: 'work on constants',
  of: general,
  match(b, { inputs }) {
    const values = inputs.map((v) => b.constant(v));
    return values.every((c) => c !== undefined) && values;
  },
  rewrite(b, values, { primitive, inputs, params, outputs: [{ dtype: made }] }) {
    // As it lies in memory: rounded to its type.
    const one = inputs.map(({ dtype }, i) => ({
      shape: [],
      dtype,
      data: roundTo(allocate(dtype, 1).fill(values[i] as number), dtype),
    }));
    const [[value]] = compute(primitive, one, params, [{ shape: [], dtype: made }]);
    return b.full(inputs[0].shape, value, made);
  },
});

const NEUTRAL_RIGHT: Partial<Record<PrimitiveName, number>> = { add: 0, sub: 0, mul: 1, div: 1 };
const NEUTRAL_LEFT: Partial<Record<PrimitiveName, number>> = { add: 0, mul: 1 };

/** -0 + 0 is 0, so only x + (-0) and x - 0 are neutral for the sign of zero; we accept x + 0 = x. */
const neutral = rule({
  name: 'a neutral operand',
  of: ['add', 'sub', 'mul', 'div'],
  match(b, { op, inputs: [x, y] }) {
    if (!isFloat(x.dtype)) return null;
    if (b.constant(y) === NEUTRAL_RIGHT[op]) return x;
    return op in NEUTRAL_LEFT && b.constant(x) === NEUTRAL_LEFT[op] && y;
  },
  rewrite: (_, other) => [other],
});

const timesMinusOne = rule({
  name: 'times -1',
  of: ['mul'],
  match(b, { inputs: [x, y] }) {
    if (!isFloat(x.dtype)) return null;
    return b.constant(y) === -1 ? x : b.constant(x) === -1 && y;
  },
  rewrite: (b, other) => b.call('neg', [other], {}),
});

const plusNegative = rule({
  name: 'plus or minus a negative',
  of: ['add', 'sub'],
  match: (b, { inputs: [x, y] }) => isFloat(x.dtype) && (b.is(y, 'neg')?.inputs[0] ?? null),
  rewrite: (b, y, { op, inputs: [x] }) => b.call(op === 'add' ? 'sub' : 'add', [x, y], {}),
});

interface Spread {
  readonly from: Shape;
  readonly params: ParamsOf<'broadcast'>;
}

function spreadOf(b: Builder, { inputs }: Equation): Spread | null {
  let found: Spread | null = null;
  for (const v of inputs) {
    if (b.constant(v) !== undefined) continue;
    const e = b.is(v, 'broadcast');
    if (!e) return null;
    const own: Spread = { from: e.inputs[0].shape, params: e.params };
    if (found && !(sameShape(found.from, own.from) && sameShape(found.params.dims, own.params.dims)))
      return null;
    found ??= own;
  }
  return found;
}

/** op(broadcast(a), broadcast(b), constant) is broadcast(op(a, b, constant)) when both come from the same smaller shape. */
const beforeBroadcast = rule({
  name: 'work before broadcasting',
  of: general,
  match: spreadOf,
  rewrite(b, { from, params: spread }, { primitive, inputs, params }) {
    const small = inputs.map((v) => {
      const c = b.constant(v);
      return c === undefined ? (b.is(v, 'broadcast') as Equation).inputs[0] : b.full(from, c, v.dtype)[0];
    });
    return b.call('broadcast', b.emit(primitive, small, params), spread);
  },
});

export const elementwiseRules = [
  identity,
  sameType,
  halvesAgain,
  twiceNegated,
  equalBranches,
  constants,
  neutral,
  timesMinusOne,
  plusNegative,
  beforeBroadcast,
];
