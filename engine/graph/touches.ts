// What an instruction reads and writes: the one place that knows where in it slots stand.

import { type Shape, sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Operand, View } from '../program.ts';
import { isDense } from './dense.ts';

/** A slot that is read or written, and how much of it. */
interface Touch {
  readonly slot: number;
  /** As many elements, at most. */
  readonly elements: number;
  /** Element for element over the domain: what is read in step is read before anything is written there in step. */
  readonly inStep: boolean;
}

/** Every loop of an instruction. */
export const loopsOf = (i: Instruction): readonly Loop[] =>
  i.kind === 'op' ? [...i.prologues, i.epilogue].flatMap((l) => l ?? []) : i.kind === 'loop' ? [i.loop] : [];

const kept = (shape: Shape, axes: readonly number[]): number =>
  sizeOf(shape.filter((_, d) => !axes.includes(d)));

const operands = (list: readonly Operand[]): Touch[] =>
  list.flatMap(({ slot, shape }) => (slot >= 0 ? [{ slot, elements: sizeOf(shape), inStep: false }] : []));

const viewed = (v: View, shape: Shape, inStep: boolean): Touch => ({
  slot: v.slot,
  elements: sizeOf(shape.filter((_, d) => v.strides[d] !== 0)),
  inStep: inStep && isDense(v, shape),
});

/** One for each view or operand: a slot may come more than once. */
export function readsOf(i: Instruction): Touch[] {
  switch (i.kind) {
    case 'op': {
      const made = i.prologues.flatMap((p) => p?.inputs.map((v) => viewed(v, p.shape, false)) ?? []);
      const { epilogue } = i;
      const after = epilogue?.inputs.map((v) => viewed(v, epilogue.shape, true)) ?? [];
      return [...operands(i.inputs), ...made, ...after];
    }
    case 'loop': {
      const { shape, inputs, reductions } = i.loop;
      return inputs.map((v) => viewed(v, shape, reductions.length === 0));
    }
    case 'rows':
      return i.rows.values.flatMap((v) => (v.kind === 'load' ? [viewed(v.view, i.rows.shape, true)] : []));
  }
}

export function writesOf(i: Instruction): Touch[] {
  if (i.kind === 'rows') {
    const { shape, axes, stores } = i.rows;
    return stores.map(({ slot, whole }) => ({
      slot,
      elements: whole ? sizeOf(shape) : kept(shape, axes),
      inStep: whole,
    }));
  }
  const results = i.kind === 'op' ? operands(i.outputs) : [];
  const loops = loopsOf(i).flatMap(({ shape, stores, reductions }) => [
    ...stores.map(({ slot }) => ({ slot, elements: sizeOf(shape), inStep: reductions.length === 0 })),
    ...reductions.map(({ slot, axes }) => ({ slot, elements: kept(shape, axes), inStep: false })),
  ]);
  return [...results, ...loops];
}
