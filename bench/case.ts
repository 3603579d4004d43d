// What a case of the bench is, and what cases are made with.

import { type DType, sizeOf } from '../engine/dtype.ts';
import type { Program } from '../engine/program.ts';
import * as lt from '../index.ts';
import { inputs } from './inputs.ts';
import { productFlops } from './work.ts';

export interface Prepared {
  /** Enqueues one run; what it returns is disposed by the caller once the device has finished. */
  run(): unknown;
  /** Floating-point operations of one run: 2 for each multiply-add of a product or convolution. */
  flops: number;
  /** What is run. */
  program: Program;
  dispose(): void;
}
export interface Case {
  readonly suite:
    | 'matmul'
    | 'convolution'
    | 'attention'
    | 'normalisation'
    | 'memory'
    | 'training'
    | 'derivatives';
  readonly name: string;
  /** The request to a peer; null where it has nothing comparable. */
  readonly peer: Record<string, unknown> | null;
  /** Elements of the result of a run that is compared: the first of this size. */
  readonly size: number;
  /** How far samples of it may be from what is right, as a share of their Euclidean norm; from its type and its sums. */
  readonly tolerance: number;
  /** What is right, in float64: element `at` of the result of every run. Where it is missing, runs build on each other. */
  readonly exact?: (at: number) => number;
  /** Bytes that have to move at least, where memory is what limits. */
  readonly bytes?: number;
  prepare(): Prepared;
}

/** Arithmetic of all products and convolutions of a program. */
export const flopsOf = (program: Program): number =>
  program.instructions.reduce((sum, i) => sum + productFlops(i), 0);

/** `float16` where the device has it. */
export type Float = 'float32' | 'float16';

/** Input n on the device. */
export const input = (n: number, shape: readonly number[], scale = 1, dtype: Float = 'float32'): lt.Tensor =>
  lt.tensor(inputs(n, sizeOf(shape), scale), { shape, dtype: dtype as DType });

/** A sum of n products of random signs, each rounded to `bits`: the error of one in order, four times over. */
export const normTolerance = (terms: number, bits = 24): number => 4 * 2 ** -bits * Math.sqrt(terms);

export function compiled<A extends unknown[]>(
  f: (...xs: A) => unknown,
  args: [...A],
  keep: readonly unknown[] = args,
): Prepared {
  const g = lt.jit(f);
  const program = g.program(...args);
  return {
    program,
    flops: flopsOf(program),
    run: () => g(...args),
    dispose() {
      g.dispose();
      disposeAll(keep);
    },
  };
}
export function disposeAll(tree: unknown): void {
  lt.tree.map((x: unknown) => (x instanceof lt.Tensor ? x.dispose() : undefined), tree);
}
