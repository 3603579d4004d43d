// What a backend receives: a planned program, never single operations. An eager operation is a program of one
// instruction. The engine has already simplified, fused, ordered and placed everything; a backend only has to
// translate each instruction into its own kernel and replay them in order.

import type { DType, Shape } from './dtype.ts';
import type { ElementwiseName, PrimitiveName, RootName } from './primitives/index.ts';

/**
 * One piece of memory. `input` and `output` slots are bound at every run (`index` says which argument or result);
 * `temporary` slots lie in the program's arena at byte `offset` (a multiple of 256), placed so that slots alive at
 * the same time never overlap. An output whose number is in `Program.donations` is bound to its input's buffer.
 */
export interface Slot {
  readonly kind: 'input' | 'output' | 'temporary';
  readonly dtype: DType;
  /** Elements, not bytes. */
  readonly size: number;
  readonly index: number;
  readonly offset: number;
}

/** A slot seen through a shape; always dense and row-major. */
export interface Operand {
  readonly slot: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * A slot read over the iteration domain of a body: element (i0, i1, ...) of the domain is element
 * offset + sum(ik * strides[k]) of the slot. Stride 0 broadcasts; a negative stride flips.
 */
export interface View {
  readonly slot: number;
  readonly dtype: DType;
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * One scalar operation of a body. `args` number values: 0..inputs-1 are the body's inputs; then, if the instruction
 * has a root, one value for the root's (single) result; then the steps in order. `full` takes no args and yields
 * `value`; `convert` turns its argument into `dtype`.
 */
export interface Step {
  readonly op: ElementwiseName;
  readonly args: readonly number[];
  readonly dtype: DType;
  readonly value?: number;
}

/** A value of the body written densely over the domain. */
export interface Store {
  readonly value: number;
  readonly slot: number;
}

/**
 * A value of the body reduced over `axes` of the domain (sorted, all reductions of one body share them) and
 * written densely over the remaining axes. Sums accumulate in float32 or better, in an order that does not depend
 * on the number of threads. `max` and `min` yield NaN as soon as one element is NaN.
 */
export interface Reduction {
  readonly op: 'sum' | 'max' | 'min';
  readonly value: number;
  readonly axes: readonly number[];
  readonly slot: number;
}

/** A fused elementwise chain over one iteration domain, with reductions of its values. */
export interface Body {
  readonly shape: Shape;
  readonly inputs: readonly View[];
  readonly steps: readonly Step[];
  readonly stores: readonly Store[];
  readonly reductions: readonly Reduction[];
}

/**
 * One kernel: a root primitive, a body, or a root with a body as its epilogue (then the body's domain is the shape
 * of the root's single result, which needs no memory of its own unless a store asks for it, and the body has no
 * reductions). `prologues[i]`, where present, computes the root's i-th operand while it is loaded: a body over
 * the operand's shape whose last step (or only input) is that operand; the operand then has slot -1. Only `dot` and the convolutions are
 * given prologues or epilogues.
 */
export interface Instruction {
  readonly root: RootName | null;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Operand[];
  /** Results of the root; slot -1 where a body consumes the result and nothing stores it. */
  readonly outputs: readonly Operand[];
  readonly prologues?: readonly (Body | null)[];
  readonly body: Body | null;
}

export interface Program {
  readonly label: string;
  readonly slots: readonly Slot[];
  readonly instructions: readonly Instruction[];
  readonly arenaBytes: number;
  readonly inputs: number;
  readonly outputs: number;
  /** [output, input] pairs: that output is bound to that input's buffer, which the caller has given away. */
  readonly donations: readonly (readonly [number, number])[];
}

export type { ElementwiseName, PrimitiveName, RootName };
