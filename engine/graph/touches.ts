// What an instruction reads and writes: the one place that knows where in it slots stand.

import { type Shape, sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Operand, Slot, View } from '../program.ts';
import { isDense, keptOf, lengthOf } from './dense.ts';

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
    const { shape, stores, columns } = i.rows;
    return [
      ...stores.map(({ slot, whole }) => ({
        slot,
        elements: sizeOf(whole ? shape : keptOf(i.rows)),
        inStep: whole,
      })),
      ...columns.map(({ slot }) => ({ slot, elements: lengthOf(i.rows), inStep: false })),
    ];
  }
  const results = i.kind === 'op' ? operands(i.outputs) : [];
  const loops = loopsOf(i).flatMap(({ shape, stores, reductions }) => [
    ...stores.map(({ slot }) => ({ slot, elements: sizeOf(shape), inStep: reductions.length === 0 })),
    ...reductions.map(({ slot, axes }) => ({
      slot,
      elements: sizeOf(keptOf({ shape, axes })),
      inStep: false,
    })),
  ]);
  return [...results, ...loops];
}

/** Slots that an instruction reads; one may come more than once. */
export const slotsRead = (i: Instruction): number[] => readsOf(i).map((r) => r.slot);
/** Slots that it writes. */
export const slotsWritten = (i: Instruction): number[] => writesOf(i).map((w) => w.slot);

/** The slot of an argument or result, by its number among those. */
export const slotOf = (slots: readonly Slot[], kind: 'input' | 'output', index: number): number =>
  slots.findIndex((s) => s.kind === kind && s.index === index);
