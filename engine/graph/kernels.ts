// What fusion makes of a graph: kernels, each some equations that are done together. Passes take kernels and give kernels;
// none changes what it was given. `verifyKernels` says what holds between any two passes.

import type { Shape } from '../dtype.ts';
import { sizeOf } from '../dtype.ts';
import {
  type ElementwiseEquation,
  type Equation,
  type Graph,
  isElementwise,
  type RootEquation,
  type Var,
} from './graph.ts';
import { type Reading, reshapeStrides, type Views } from './views.ts';

export interface KernelReduction {
  readonly equation: Equation;
  readonly op: 'sum' | 'max' | 'min';
  /** Axes of the kernel's domain. */
  readonly axes: readonly number[];
}

/** Elementwise work on an operand, over its shape. */
export interface Prologue {
  readonly value: Var;
  readonly shape: Shape;
  readonly steps: readonly ElementwiseEquation[];
  readonly readings: ReadonlyMap<Var, Reading>;
}

export interface Kernel {
  /** Names it from pass to pass. */
  readonly id: number;
  /** Shape of the elementwise domain; of an operation with an epilogue, the shape of its result. */
  readonly domain: Shape;
  /** The operation, and the values in memory that are its operands. */
  readonly op: RootEquation | null;
  readonly operands: readonly Var[];
  /** Elementwise equations in order. */
  readonly steps: readonly ElementwiseEquation[];
  readonly reductions: readonly KernelReduction[];
  /** How each operand of the steps that comes from memory is read. */
  readonly readings: ReadonlyMap<Var, Reading>;
  /** A view or constant written out: `target` gets the elements of `source` (null: the constant of target). */
  readonly copy: { readonly target: Var; readonly source: Reading | null } | null;
  /** The operation's operands that are computed while they are fetched, by their number. */
  readonly prologues: ReadonlyMap<number, Prologue>;
}

/** A kernel that a pass is at work on. */
export interface Draft extends Kernel {
  readonly steps: ElementwiseEquation[];
  readonly readings: Map<Var, Reading>;
  readonly prologues: Map<number, Prologue>;
}
export const draftOf = (k: Kernel): Draft => ({
  ...k,
  steps: [...k.steps],
  readings: new Map(k.readings),
  prologues: new Map(k.prologues),
});

export interface Fused {
  readonly graph: Graph;
  readonly views: Views;
  readonly definition: ReadonlyMap<Var, Equation>;
  /** The kernel that writes a value, or keeps it in registers: its id. A step may also stand in others that do it again. */
  readonly maker: ReadonlyMap<Var, number>;
  /** Each after those it reads from. */
  readonly kernels: readonly Kernel[];
}

/** Constants and comparisons: cheaper to compute anew than to keep. */
export const isCheap = (e: Equation): e is ElementwiseEquation =>
  isElementwise(e) && (e.op === 'full' || e.outputs[0].dtype === 'bool');

/** Values in memory that a kernel reads: those of operands that it computes itself are those the computing reads. */
export function* readBy(k: Kernel): Iterable<Var> {
  for (const [n, v] of k.operands.entries()) {
    const made = k.prologues.get(n);
    if (made === undefined) yield v;
    else for (const r of made.readings.values()) yield r.base;
  }
  for (const r of k.readings.values()) yield r.base;
  if (k.copy?.source) yield k.copy.source.base;
}

/** Values that a kernel has, written or not. */
export function* madeBy(k: Kernel): Iterable<Var> {
  if (k.op) yield* k.op.outputs;
  if (k.copy) yield k.copy.target;
  for (const e of k.steps) yield* e.outputs;
  for (const r of k.reductions) yield* r.equation.outputs;
}

/** Throws unless the kernels can be run in their order; `pass` is the one they come from. */
export function verifyKernels({ graph, views, definition, maker, kernels }: Fused, pass: string): void {
  const check = (ok: boolean, k: Kernel | null, what: string): void => {
    if (ok) return;
    const names = k ? [...madeBy(k)].map((v) => definition.get(v)?.op).join(' ') : '';
    throw new Error(`after ${pass}: ${k ? `the kernel of ${names} ` : ''}${what}`);
  };
  const there = new Set<Var>([...graph.inputs, ...graph.constants.map((c) => c.variable)]);
  for (const k of kernels) {
    for (const v of readBy(k)) check(there.has(v), k, 'reads what is not there');
    const over = (shape: Shape, own: Set<Var>, readings: Kernel['readings'], e: Equation): void => {
      for (const x of e.inputs) {
        const flat = views.flat(x);
        const reading = readings.get(x);
        const lazy = definition.get(flat);
        if (own.has(flat)) continue;
        if (reading)
          check(reshapeStrides(x.shape, reading.strides, shape) !== null, k, 'cannot read an operand');
        else if (lazy && isCheap(lazy)) over(shape, own, readings, lazy);
        else check(false, k, 'has a step without an operand');
      }
    };
    const own = new Set([
      ...(k.op?.outputs.length === 1 ? k.op.outputs : []),
      ...k.steps.map((e) => e.outputs[0]),
    ]);
    for (const e of k.steps) {
      check(sizeOf(e.outputs[0].shape) === sizeOf(k.domain), k, 'has a step of another size');
      over(k.domain, own, k.readings, e);
    }
    for (const { shape, steps, readings } of k.prologues.values()) {
      const made = new Set(steps.map((e) => e.outputs[0]));
      for (const e of steps) over(shape, made, readings, e);
    }
    check(k.op === null || k.reductions.length === 0, k, 'reduces the result of an operation');
    const [first] = k.reductions;
    for (const r of k.reductions) check(`${r.axes}` === `${first.axes}`, k, 'reduces over different axes');
    for (const v of madeBy(k)) if (maker.get(v) === k.id) there.add(v);
  }
  for (const v of graph.outputs) check(there.has(views.flat(v)), null, 'a result is not made');
}
