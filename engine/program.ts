/**
 * What a backend receives: a planned program, never single operations. An eager operation is a program of one
 * instruction. The engine has already simplified, fused, ordered and placed everything; a backend only has to
 * translate each instruction into its own kernel and replay them in order.
 *
 * @module
 */

import type { DType, Shape } from './dtype.ts';
import type { ElementwiseName, ParamsOf, PrimitiveName, RootName } from './primitives/names.ts';

/**
 * One piece of memory. `input` and `output` slots are bound at every run (`index` says which argument or result);
 * `temporary` slots lie in the program's arena at byte `offset` (a multiple of 256), placed so that slots alive at
 * the same time never overlap, or where a backend without an arena places them. An output whose number is in `Program.donations` is bound to its input's buffer.
 */
export interface Slot {
  /** Bound at every run, or in the arena. */
  readonly kind: 'input' | 'output' | 'temporary';
  /** Type of its elements. */
  readonly dtype: DType;
  /** Elements, not bytes. */
  readonly size: number;
  /** Of an input or output: which one. */
  readonly index: number;
  /** Of a temporary: its first byte in the arena. */
  readonly offset: number;
}

/** A slot seen through a shape; always dense and row-major. */
export interface Operand {
  /** Number of the slot in the program; -1 for none. */
  readonly slot: number;
  /** Sizes of the axes. */
  readonly shape: Shape;
  /** Type of its elements. */
  readonly dtype: DType;
}

/**
 * A slot read over the iteration domain of a loop: element (i0, i1, ...) of the domain is element
 * offset + sum(ik * strides[k]) of the slot. Stride 0 broadcasts; a negative stride flips.
 */
export interface View {
  /** Number of the slot in the program. */
  readonly slot: number;
  /** Type of its elements. */
  readonly dtype: DType;
  /** In elements, one for each axis of the domain. */
  readonly strides: readonly number[];
  /** Element of the slot at the origin of the domain. */
  readonly offset: number;
}

/**
 * One scalar operation of a loop. `args` number values: 0..inputs-1 are the loop's inputs; then, in an epilogue, one
 * value for the operation's (single) result; then the steps in order. `full` takes no args and yields `value`;
 * `convert` turns its argument into `dtype`.
 */
export interface Step {
  /** The primitive. */
  readonly op: ElementwiseName;
  /** Numbers of the values it takes. */
  readonly args: readonly number[];
  /** Type of its result. */
  readonly dtype: DType;
  /** The constant of `full`. */
  readonly value?: number;
}

/** A value of the loop written densely over the domain. */
export interface Store {
  /** Number of the value. */
  readonly value: number;
  /** Where it is written. */
  readonly slot: number;
}

/**
 * A value of the loop reduced over `axes` of the domain (sorted, all reductions of one loop share them) and
 * written densely over the remaining axes. Sums accumulate in float32 or better, in an order that does not depend
 * on the number of threads. `max` and `min` yield NaN as soon as one element is NaN.
 */
export interface Reduction {
  /** How elements are joined. */
  readonly op: 'sum' | 'max' | 'min';
  /** Number of the value that is reduced. */
  readonly value: number;
  /** Axes of the domain that go, sorted. */
  readonly axes: readonly number[];
  /** Where the result is written. */
  readonly slot: number;
}

/** A fused elementwise chain over one iteration domain, with reductions of its values. */
export interface Loop {
  /** The iteration domain. */
  readonly shape: Shape;
  /** What is read: values 0 to inputs - 1. */
  readonly inputs: readonly View[];
  /** What is computed, each step after those it takes values of. */
  readonly steps: readonly Step[];
  /** What is written at every point of the domain. */
  readonly stores: readonly Store[];
  /** What is reduced over axes of the domain. */
  readonly reductions: readonly Reduction[];
}

/**
 * An operation with a kernel of its own: a product, a pooling, a sort. `prologues[i]`, where there is one, computes operand i
 * while it is fetched: a loop over the operand's shape whose last step (or only input) is that operand; the operand then
 * has slot -1. The epilogue is a loop over the shape of the single result, without reductions; the result needs no memory
 * of its own unless it is stored. Only `dot` and the convolutions are given prologues or epilogues.
 */
export interface OpInstruction<K extends RootName = RootName> {
  /** Tells it apart from the other instructions. */
  readonly kind: 'op';
  /** The primitive. */
  readonly op: K;
  /** Its parameters, such as axes or strides. */
  readonly params: ParamsOf<K>;
  /** What it takes. */
  readonly inputs: readonly Operand[];
  /** What it gives; slot -1 where the epilogue consumes it and nothing stores it. */
  readonly outputs: readonly Operand[];
  /** How operands are computed while they are fetched, null for those that lie in memory; empty where all do. */
  readonly prologues: readonly (Loop | null)[];
  /** What is done with the result, element by element. */
  readonly epilogue: Loop | null;
}

/** Elementwise work and reductions of its values. */
export interface LoopInstruction {
  /** Tells it apart from the other instructions. */
  readonly kind: 'loop';
  /** What is done. */
  readonly loop: Loop;
}

interface RowValueBase {
  /** Type of the value. */
  readonly dtype: DType;
  /** One for the whole row, not one for each element. */
  readonly perRow: boolean;
  /** The pass that it can be computed in: a reduction is known in the pass after the one that it runs in. */
  readonly pass: number;
}
/** A value that is read. */
export interface RowLoad extends RowValueBase {
  /** Tells it apart from the other values. */
  readonly kind: 'load';
  /** Over the domain of the rows. */
  readonly view: View;
}
/** A value that is computed from others. */
export interface RowStep extends RowValueBase {
  /** Tells it apart from the other values. */
  readonly kind: 'step';
  /** What is computed. */
  readonly step: Step;
}
/** A value reduced along its row. */
export interface RowReduction extends RowValueBase {
  /** Tells it apart from the other values. */
  readonly kind: 'reduction';
  /** How elements are joined. */
  readonly op: Reduction['op'];
  /** Number of the value that is reduced. */
  readonly value: number;
  /** The total is divided by it: a mean is a sum with its count. */
  readonly divisor: number;
}
/** A value of work on rows. */
export type RowValue = RowLoad | RowStep | RowReduction;

/** A value of rows that is written: densely over the domain, or over its axes that stay. */
export interface RowStore {
  /** Number of the value. */
  readonly value: number;
  /** Where it is written. */
  readonly slot: number;
  /** An element each, not one for the row. */
  readonly whole: boolean;
}

/** A domain cut into rows. */
export interface RowDomain {
  /** Sizes of the axes, none of them 1. */
  readonly shape: Shape;
  /** Axes that make a row, sorted; the last one is among them, unless there are none. */
  readonly axes: readonly number[];
}

/**
 * Reductions along the same rows, and what is done with their results along these rows: softmax, a normalisation with its
 * statistics, a loss. A row takes as many passes as reductions wait for each other; no row needs another one. What is added up over
 * the rows is known when all of them are done.
 */
export interface Rows extends RowDomain {
  /** Each after those it takes values of. */
  readonly values: readonly RowValue[];
  /** What is written. */
  readonly stores: readonly RowStore[];
  /** Values of elements added up over all rows, and written densely over the axes of a row. */
  readonly columns: readonly Store[];
}

/** Work on rows. */
export interface RowsInstruction {
  /** Tells it apart from the other instructions. */
  readonly kind: 'rows';
  /** What is done. */
  readonly rows: Rows;
}

/** What a backend makes a kernel of. A test of `op` tells the type of an operation's parameters. */
export type Instruction = { [K in RootName]: OpInstruction<K> }[RootName] | LoopInstruction | RowsInstruction;

/** A planned program: memory, and kernels in the order they run. */
export interface Program {
  /** For messages and profiles. */
  readonly label: string;
  /** All memory it uses. */
  readonly slots: readonly Slot[];
  /** In the order they run. */
  readonly instructions: readonly Instruction[];
  /** Bytes that temporary slots need together; 0 where the backend places them. */
  readonly arenaBytes: number;
  /** Number of arguments. */
  readonly inputs: number;
  /** Number of results. */
  readonly outputs: number;
  /** [output, input] pairs: that output is bound to that input's buffer, which the caller has given away. */
  readonly donations: readonly (readonly [number, number])[];
}

export type { ElementwiseName, ParamsOf, PrimitiveName, RootName };
