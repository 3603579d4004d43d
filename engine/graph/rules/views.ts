// Views: those that change nothing, those of constants, and chains that are one.

import { sizeOf } from '../../dtype.ts';
import { sameShape } from '../../primitives/rules.ts';
import type { Primitive } from '../../primitives/types.ts';
import { rule } from './rule.ts';

const ofConstant = rule({
  name: 'a view of a constant',
  of: (p: Primitive) => p.kind === 'view' && p.name !== 'barrier',
  match: (b, { inputs: [x] }) => b.constant(x) ?? null,
  rewrite: (b, value, { inputs: [x], outputs: [{ shape }] }) => b.full(shape, value, x.dtype),
});

const ofAll = rule({
  name: 'a reshape or slice to the shape it has',
  of: ['reshape', 'slice'],
  match: (_, { inputs: [x], outputs: [{ shape }] }) => sameShape(x.shape, shape) && x,
  rewrite: (_, x) => [x],
});

const reshapedTwice = rule({
  name: 'a reshape of a reshape',
  of: ['reshape'],
  match: (b, { inputs: [x] }) => b.is(x, 'reshape')?.inputs[0] ?? null,
  rewrite: (b, x, { params }) => b.call('reshape', [x], params),
});

const inOrder = rule({
  name: 'a transpose that moves nothing',
  of: ['transpose'],
  match: (_, { inputs: [x], params }) => params.perm.every((p, i) => p === i) && x,
  rewrite: (_, x) => [x],
});

const transposedTwice = rule({
  name: 'a transpose of a transpose',
  of: ['transpose'],
  match(b, { inputs: [y], params }) {
    const inner = b.is(y, 'transpose');
    return inner ? { x: inner.inputs[0], perm: params.perm.map((p) => inner.params.perm[p]) } : null;
  },
  rewrite: (b, { x, perm }) => b.call('transpose', [x], { perm }),
});

const unitAxesMoved = rule({
  name: 'a transpose of axes of size 1',
  of: ['transpose'],
  match(_, { inputs: [x], params }) {
    const moved = params.perm.filter((p) => x.shape[p] !== 1);
    return moved.every((p, i) => i === 0 || p > moved[i - 1]) && x;
  },
  rewrite: (b, x, { outputs: [{ shape }] }) => b.call('reshape', [x], { shape }),
});

const nothingSpread = rule({
  name: 'a broadcast that repeats nothing',
  of: ['broadcast'],
  match: (_, { inputs: [x], outputs: [{ shape }] }) => sizeOf(shape) === sizeOf(x.shape) && x,
  rewrite: (b, x, { outputs: [{ shape }] }) => b.call('reshape', [x], { shape }),
});

const broadcastTwice = rule({
  name: 'a broadcast of a broadcast',
  of: ['broadcast'],
  match(b, { inputs: [y], params }) {
    const inner = b.is(y, 'broadcast');
    return inner ? { x: inner.inputs[0], dims: inner.params.dims.map((d) => params.dims[d]) } : null;
  },
  rewrite: (b, { x, dims }, { outputs: [{ shape }] }) => b.call('broadcast', [x], { shape, dims }),
});

const nothingFlipped = rule({
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
