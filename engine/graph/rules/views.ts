// Views: those that change nothing, those of constants, and chains that are one.

import { type Shape, sizeOf } from '../../dtype.ts';
import { sameShape } from '../../primitives/rules.ts';
import type { Primitive } from '../../primitives/types.ts';
import type { Var } from '../graph.ts';
import { type Call, rule } from './rule.ts';

const shapeOf = ({ primitive, inputs, params }: Call): Shape => primitive.shape(inputs, params)[0].shape;

const ofConstant = rule({
  name: 'a view of a constant',
  of: (p: Primitive) => p.kind === 'view' && p.name !== 'barrier',
  match: (b, { inputs: [x] }) => b.constant(x) ?? null,
  rewrite: (b, value, call) => b.full(shapeOf(call), value, call.inputs[0].dtype),
});

const ofAll = rule({
  name: 'a reshape or slice to the shape it has',
  of: ['reshape', 'slice'],
  match: (_, call) => sameShape(call.inputs[0].shape, shapeOf(call)) && call.inputs[0],
  rewrite: (_, x) => [x],
});

const reshapedTwice = rule({
  name: 'a reshape of a reshape',
  of: ['reshape'],
  match: (b, { inputs: [x] }) => b.is(x, 'reshape')?.inputs[0] ?? null,
  rewrite: (b, x, { params }) => b.call('reshape', [x], params),
});

type Transpose = { readonly perm: readonly number[] };

const inOrder = rule<Var, Transpose>({
  name: 'a transpose that moves nothing',
  of: ['transpose'],
  match: (_, { inputs: [x], params }) => params.perm.every((p, i) => p === i) && x,
  rewrite: (_, x) => [x],
});

const transposedTwice = rule<{ readonly x: Var; readonly perm: readonly number[] }, Transpose>({
  name: 'a transpose of a transpose',
  of: ['transpose'],
  match(b, { inputs: [y], params }) {
    const inner = b.is(y, 'transpose');
    if (!inner) return null;
    const { perm } = inner.params as Transpose;
    return { x: inner.inputs[0], perm: params.perm.map((p) => perm[p]) };
  },
  rewrite: (b, { x, perm }) => b.call('transpose', [x], { perm }),
});

const unitAxesMoved = rule<Var, Transpose>({
  name: 'a transpose of axes of size 1',
  of: ['transpose'],
  match(_, { inputs: [x], params }) {
    const moved = params.perm.filter((p) => x.shape[p] !== 1);
    return moved.every((p, i) => i === 0 || p > moved[i - 1]) && x;
  },
  rewrite: (b, x, call) => b.call('reshape', [x], { shape: shapeOf(call) }),
});

const nothingSpread = rule({
  name: 'a broadcast that repeats nothing',
  of: ['broadcast'],
  match: (_, call) => sizeOf(shapeOf(call)) === sizeOf(call.inputs[0].shape) && call.inputs[0],
  rewrite: (b, x, call) => b.call('reshape', [x], { shape: shapeOf(call) }),
});

type Broadcast = { readonly dims: readonly number[] };

const broadcastTwice = rule<{ readonly x: Var; readonly dims: readonly number[] }, Broadcast>({
  name: 'a broadcast of a broadcast',
  of: ['broadcast'],
  match(b, { inputs: [y], params }) {
    const inner = b.is(y, 'broadcast');
    if (!inner) return null;
    return { x: inner.inputs[0], dims: (inner.params as Broadcast).dims.map((d) => params.dims[d]) };
  },
  rewrite: (b, { x, dims }, call) => b.call('broadcast', [x], { shape: shapeOf(call), dims }),
});

const nothingFlipped = rule<Var, { readonly axes: readonly number[] }>({
  name: 'a flip of axes of size 1',
  of: ['flip'],
  match: (_, { inputs: [x], params }) => params.axes.every((a) => x.shape[a] <= 1) && x,
  rewrite: (_, x) => [x],
});

export const viewRules = [
  ofConstant,
  ofAll,
  reshapedTwice,
  inOrder,
  transposedTwice,
  unitAxesMoved,
  nothingSpread,
  broadcastTwice,
  nothingFlipped,
];
