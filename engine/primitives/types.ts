// What a primitive is: one total record. A record that lacks a rule does not compile, so no transformation can meet a
// primitive it does not know. `'nonlinear'` and `'constant'` are rules too: they say that there is nothing to transpose,
// or that the derivative is zero everywhere (integer results, comparisons).

import type { Aval, Shape, TypedArray } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';

export type Params = Readonly<Record<string, unknown>>;

/** A plain dense array: what reference implementations compute with. */
export interface NDArray extends Aval {
  readonly data: TypedArray;
}

/** null is a symbolic zero: a tangent or cotangent known to vanish. */
export type MaybeZero = Tensor | null;

/** A linear operand whose value is not known during transposition. */
export class Undefined implements Aval {
  constructor(
    readonly shape: Shape,
    readonly dtype: Aval['dtype'],
  ) {}
}
export const isUndefined = (x: unknown): x is Undefined => x instanceof Undefined;

type ShapeRule<P> = (inputs: readonly Aval[], params: P) => Aval[];

/** Outputs and their tangents. `outs` must be computed by the rule so that values (exp, softmax) can be shared. */
export type JvpRule<P> = (
  primals: readonly Tensor[],
  tangents: readonly MaybeZero[],
  params: P,
) => { outs: Tensor[]; tangents: MaybeZero[] };

/** Cotangents of the Undefined operands (null elsewhere) from the cotangents of the results. */
export type TransposeRule<P> = (
  cotangents: readonly MaybeZero[],
  operands: readonly (Tensor | Undefined)[],
  params: P,
) => MaybeZero[];

/** A result of a batching rule that is the same for all samples, and does not carry the batch. */
export class Unbatched {
  constructor(readonly value: Tensor) {}
}

/** `batched[i]`: operand i carries the batch as axis 0. Every result must carry it as axis 0, or be marked Unbatched. */
export type BatchRule<P> = (
  operands: readonly Tensor[],
  batched: readonly boolean[],
  params: P,
  size: number,
) => (Tensor | Unbatched)[];

/** Plain code, readable before fast; float32 results accumulate in double. Writes new arrays. */
type ReferenceRule<P> = (inputs: readonly NDArray[], params: P, outputs: readonly Aval[]) => TypedArray[];

/** An operand for the test suites: a shape filled from a distribution that keeps the primitive away from its kinks. */
export interface SampleOperand {
  readonly shape: Shape;
  readonly dtype?: Aval['dtype'];
  /** Default 'normal'. 'distinct' has no two equal elements; 'index' takes integers below `below`. */
  readonly fill?: 'normal' | 'positive' | 'distinct' | 'bool' | 'index' | 'key' | 'away-from-zero';
  readonly below?: number;
}
export interface Sample<P> {
  readonly operands: readonly SampleOperand[];
  readonly params: P;
  readonly note?: string;
}

/** What transformations ask of all that can be bound. */
interface Rules<P extends object> {
  readonly name: string;
  readonly shape: ShapeRule<P>;
  readonly transpose: TransposeRule<P> | 'nonlinear';
  readonly batch: BatchRule<P>;
}

export interface Primitive<P extends object = object> extends Rules<P> {
  /** 'elementwise' primitives fuse into bodies; 'view' ones become strides or aliases; 'root' ones are kernels. */
  readonly kind: 'elementwise' | 'view' | 'root';
  readonly jvp: JvpRule<P> | 'constant';
  readonly reference: ReferenceRule<P>;
  readonly samples: readonly Sample<P>[];
}

/**
 * What has a function instead of a kernel: checkpoint, customVjp, stopGradient. Interpreters that do not treat it specially
 * run `expand` on their own values, so no device ever sees it.
 */
export interface Call<P extends object = object> extends Rules<P> {
  readonly kind: 'call';
  readonly jvp: JvpRule<P> | 'constant';
  readonly expand: (operands: readonly Tensor[], params: P) => Tensor[];
}
/** A call that is linear in its tangents: what a call becomes on a tape. Forward mode runs `expand`. */
export interface LinearCall<P extends object = object> extends Rules<P> {
  readonly kind: 'linear call';
  readonly expand: (operands: readonly Tensor[], params: P) => Tensor[];
}

/** All that can be bound. */
export type Operation<P extends object = object> = Primitive<P> | Call<P> | LinearCall<P>;
export const isCall = (of: Operation): of is Call | LinearCall => 'expand' in of;
