// What checkpoint and customVjp share: calls, operations whose meaning is a function. Both act only where a tape is
// recorded; everywhere else they are the function they stand for. Batching a call gives the call of the batched function
// (and rules).
//
// The function is traced once, when it is called, and what it closes over becomes operands of the call: a call that is
// batched or differentiated later so misses nothing. From then on it is a graph of its operands alone.
//
// Under differentiation a call gives its value, and one linear call on the tangents. On a tape the linear call stays a
// single entry, and its transpose is what we want: for checkpoint, run the function again and pull back; for customVjp,
// the user's rule. Anywhere else (forward mode) the linear call of checkpoint expands into an ordinary jvp.

import { type Aval, isFloat } from '../dtype.ts';
import { fillLike } from '../primitives/apply.ts';
import { ensureBatched } from '../primitives/linear.ts';
import { aval } from '../primitives/rules.ts';
import type { MaybeZero } from '../primitives/types.ts';
import { Concrete, scope, Tensor } from '../tensor.ts';
import { isStaging } from '../trace.ts';
import { flatten, type Leaf, type TreeDef, unflatten } from '../tree.ts';
import { asTensor } from './autodiff.ts';
import { withBatch } from './vmap.ts';

/** A function of its operands alone. */
export type Closed = (xs: readonly Tensor[]) => Tensor[];
export interface CallParams {
  readonly run: Closed;
  /** Types of the results. */
  readonly outputs: readonly Aval[];
}
/** A call on tangents: its operands end with the tangents of the operands where `active` holds. */
export interface LinearParams extends CallParams {
  readonly active: readonly boolean[];
}

/** The shape rule of every call. */
export const shapeOfCall = (_: unknown, { outputs }: CallParams): Aval[] => [...outputs];

export const typesOf = (ys: readonly Aval[]): Aval[] => ys.map((y) => aval(y.shape, y.dtype));
export const batchTypes = (ys: readonly Aval[], size: number): Aval[] =>
  ys.map((y) => aval([size, ...y.shape], y.dtype));

/** Runs work on the operands of a call. What it makes on the way is given back at once where nothing traces it. */
export const within = <R>(operands: readonly Tensor[], work: () => R): R =>
  !isStaging() && operands.every((x) => x instanceof Concrete) ? scope(work) : work();

export const activeOf = (tangents: readonly MaybeZero[]): { active: boolean[]; given: Tensor[] } => ({
  active: tangents.map((t) => t !== null),
  given: tangents.filter((t): t is Tensor => t !== null),
});
/** Results of integer type have no tangent. */
export const floatsOnly = (outs: readonly Tensor[], tangents: readonly Tensor[]): MaybeZero[] =>
  tangents.map((t, i) => (isFloat(outs[i].dtype) ? t : null));

/** Cotangents with zeros where none came. */
export const withZeros = (cotangents: readonly MaybeZero[], outputs: readonly Aval[]): Tensor[] =>
  cotangents.map((c, i) => c ?? fillLike(outputs[i], 0));

/** The function of whole batches: every result carries the batch as axis 0. */
export const batchRun =
  (run: Closed, batched: readonly boolean[], size: number): Closed =>
  (xs) => {
    const ys = withBatch(xs, batched, size, run, (r) => r);
    return ys.values.map((y, i) => ensureBatched(y, ys.batched[i], size));
  };

/** The tensors among the leaves of the arguments, and the way back to arguments. */
export function argumentsOf(args: readonly Leaf[]): {
  tensors: Tensor[];
  rebuild: (xs: readonly Tensor[]) => Leaf[];
} {
  const { leaves, def } = flatten<Leaf>(args);
  return {
    tensors: leaves.filter((x) => x instanceof Tensor),
    rebuild: (xs) => {
      let next = 0;
      return unflatten(
        def,
        leaves.map((x) => (x instanceof Tensor ? xs[next++] : x)),
      );
    },
  };
}

/** A result of trees: its leaves as tensors. */
export const resultOf = (what: string, tree: Leaf): { leaves: Tensor[]; def: TreeDef } => {
  const { leaves, def } = flatten<Leaf>(tree);
  return { leaves: leaves.map((y) => asTensor(y, what)), def };
};
