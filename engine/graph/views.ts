// Which memory a value is read from. View primitives (transpose, broadcast, slice, flip, reshape) make no kernel where a
// strided read of an existing value will do; this file finds that value and the strides.

import { type Shape, sizeOf, stridesOf } from '../dtype.ts';
import { viewOf } from '../primitives/views.ts';
import { type Equation, isView, type Var } from './graph.ts';

export interface Reading {
  /** A value in memory, dense and row-major. */
  readonly base: Var;
  /** Element (i0, i1, ...) of the reading's shape is element offset + sum(ik * strides[k]) of base. */
  readonly strides: readonly number[];
  readonly offset: number;
}

/** The same strided elements in the same order under another shape; null if no strides can express it. */
export function reshapeStrides(shape: Shape, strides: readonly number[], to: Shape): number[] | null {
  const size = sizeOf(shape);
  if (size === 0 || size === 1) return to.map(() => 0);
  // Drop unit axes, then walk both shapes in blocks of equal size.
  const from = shape.map((d, i) => ({ d, s: strides[i] })).filter((x) => x.d !== 1);
  const out = new Array<number>(to.length).fill(0);
  let i = 0;
  let j = 0;
  while (j < to.length) {
    if (to[j] === 1) {
      j++;
      continue;
    }
    let a = from[i].d;
    let b = to[j];
    const startI = i;
    const startJ = j;
    while (a !== b) {
      if (a < b) a *= from[++i].d;
      else b *= to[++j];
    }
    // Axes startI..i of the source must be one contiguous run to be cut anew.
    for (let k = startI; k < i; k++) if (from[k].s !== from[k + 1].d * from[k + 1].s) return null;
    let s = from[i].s;
    for (let k = j; k >= startJ; k--) {
      out[k] = s;
      s *= to[k];
    }
    i++;
    j++;
  }
  return out;
}

/** Answers, for one graph, where values live. `copied` holds view results that had to be written out. */
export class Views {
  readonly copied = new Set<Var>();
  constructor(readonly definition: ReadonlyMap<Var, Equation>) {}

  /** Follows aliases that keep every element at its flat position: reshape and barrier. */
  flat(v: Var): Var {
    for (let at = v; ; ) {
      const e = this.definition.get(at);
      if (e === undefined || this.copied.has(at)) return at;
      if (e.op === 'reshape') at = e.inputs[0];
      else if (e.op === 'barrier') at = e.inputs[e.outputs.indexOf(at)];
      else return at;
    }
  }

  /** Does a barrier stand between v and the memory it is read from? Then no work on v may move to where that is made. */
  held(v: Var): boolean {
    for (let at = v; ; ) {
      const e = this.definition.get(at);
      if (e === undefined || this.copied.has(at)) return false;
      if (e.op === 'barrier') return true;
      if (e.op !== 'reshape') return false;
      at = e.inputs[0];
    }
  }

  reading(v: Var): Reading {
    const e = this.definition.get(v);
    const dense = { base: v, strides: stridesOf(v.shape), offset: 0 };
    if (e === undefined || this.copied.has(v) || !isView(e)) return dense;
    if (e.op === 'barrier') return this.reading(e.inputs[e.outputs.indexOf(v)]);
    const [x] = e.inputs;
    const under = this.reading(x);
    if (e.op === 'reshape') {
      const strides = reshapeStrides(x.shape, under.strides, v.shape);
      if (strides) return { base: under.base, strides, offset: under.offset };
      // The operand itself has to be written out; its reshape is then an alias.
      return { base: this.flat(x), strides: stridesOf(v.shape), offset: 0 };
    }
    return { base: under.base, ...viewOf(e, x.shape, under) };
  }
}
