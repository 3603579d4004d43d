// What an instruction reads and writes: the one place that knows where in it slots stand.

import { type Shape, sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Operand, View } from '../program.ts';

/** A slot that is read or written, and how much of it. */
export interface Touch {
  readonly slot: number;
  /** As many elements, at most. */
  readonly elements: number;
}
export interface Read extends Touch {
  /** Element by element, each just before a store of the same instruction may write the same element. */
  readonly inStep: boolean;
}

/** Every loop of an instruction. */
export const loopsOf = (i: Instruction): readonly Loop[] =>
  i.kind === 'loop' ? [i.loop] : [...i.prologues, i.epilogue].flatMap((l) => l ?? []);

/** Is a view all of a slot in order? Strides along axes of size 1 say nothing. */
export function isDense({ strides, offset }: View, shape: Shape): boolean {
  let run = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== run) return false;
    run *= shape[d];
  }
  return offset === 0;
}

const inMemory = (operands: readonly Operand[]): Touch[] =>
  operands.flatMap(({ slot, shape }) => (slot >= 0 ? [{ slot, elements: sizeOf(shape) }] : []));

function* viewsOf({ shape, inputs }: Loop, inStep: boolean): Iterable<Read> {
  for (const v of inputs) {
    const elements = sizeOf(shape.filter((_, d) => v.strides[d] !== 0));
    yield { slot: v.slot, elements, inStep: inStep && isDense(v, shape) };
  }
}

/** One for each view or operand: a slot may come more than once. */
export function* readsOf(i: Instruction): Iterable<Read> {
  if (i.kind === 'op') {
    for (const touch of inMemory(i.inputs)) yield { ...touch, inStep: false };
    for (const p of i.prologues) if (p) yield* viewsOf(p, false);
  }
  const loop = i.kind === 'op' ? i.epilogue : i.loop;
  if (loop) yield* viewsOf(loop, loop.reductions.length === 0);
}

export function* writesOf(i: Instruction): Iterable<Touch> {
  if (i.kind === 'op') yield* inMemory(i.outputs);
  for (const { shape, stores, reductions } of loopsOf(i)) {
    for (const { slot } of stores) yield { slot, elements: sizeOf(shape) };
    for (const { slot, axes } of reductions)
      yield { slot, elements: sizeOf(shape.filter((_, d) => !axes.includes(d))) };
  }
}
