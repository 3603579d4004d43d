// What a primitive is: one total record. A record that lacks a rule does not compile, so no transformation can meet a
// primitive it does not know. `'nonlinear'` and `'constant'` are rules too: they say that there is nothing to transpose,
// or that the derivative is zero everywhere (integer results, comparisons).

import type { Aval, Shape, TypedArray } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';
import type { CallName, KindOf, ParamsOf, PrimitiveName } from './names.ts';

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

// A rule is written for the parameters of its own primitive, and called by code that holds some primitive with parameters
// that go with it (`bind` saw to that). Hence rules are typed as methods, whose parameters TypeScript does not compare
// strictly: then PrimitiveOf<'pad'> is a Primitive without a cast.

type ShapeRule<P> = { rule(inputs: readonly Aval[], params: P): Aval[] }['rule'];

/** Outputs and their tangents. `outs` must be computed by the rule so that values (exp, softmax) can be shared. */
export type JvpRule<P> = {
  rule(
    primals: readonly Tensor[],
    tangents: readonly MaybeZero[],
    params: P,
  ): { outs: Tensor[]; tangents: MaybeZero[] };
}['rule'];

/** Cotangents of the Undefined operands (null elsewhere) from the cotangents of the results. */
export type TransposeRule<P> = {
  rule(cotangents: readonly MaybeZero[], operands: readonly (Tensor | Undefined)[], params: P): MaybeZero[];
}['rule'];

/** A result of a batching rule that is the same for all samples, and does not carry the batch. */
export class Unbatched {
  constructor(readonly value: Tensor) {}
}

/** `batched[i]`: operand i carries the batch as axis 0. Every result must carry it as axis 0, or be marked Unbatched. */
export type BatchRule<P> = {
  rule(
    operands: readonly Tensor[],
    batched: readonly boolean[],
    params: P,
    size: number,
  ): (Tensor | Unbatched)[];
}['rule'];

/** Plain code, readable before fast; float32 results accumulate in double. Writes new arrays. */
type ReferenceRule<P> = {
  rule(inputs: readonly NDArray[], params: P, outputs: readonly Aval[]): TypedArray[];
}['rule'];

/** What a call runs: its function on tensors. */
type ExpandRule<P> = { rule(operands: readonly Tensor[], params: P): Tensor[] }['rule'];

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
  readonly shape: ShapeRule<P>;
  readonly batch: BatchRule<P>;
}

/** A primitive: its name, what it becomes in a program, and its rules. */
export interface Primitive<P extends object = object, K extends PrimitiveName = PrimitiveName>
  extends Rules<P> {
  readonly name: K;
  /** 'elementwise' primitives fuse into bodies; 'view' ones become strides or aliases; 'root' ones are kernels. */
  readonly kind: KindOf<K>;
  readonly jvp: JvpRule<P> | 'constant';
  readonly transpose: TransposeRule<P> | 'nonlinear';
  readonly reference: ReferenceRule<P>;
  readonly samples: readonly Sample<P>[];
}
/** The record of the primitive with this name. */
export type PrimitiveOf<K extends PrimitiveName> = Primitive<ParamsOf<K>, K>;

/**
 * What has a function instead of a kernel: checkpoint, customVjp, stopGradient. Interpreters that do not treat it specially,
 * a tape among them, run `expand` on their own values, so no device ever sees it.
 */
export interface Call<P extends object = object> extends Rules<P> {
  readonly name: CallName;
  readonly kind: 'call';
  readonly jvp: JvpRule<P> | 'constant';
  readonly expand: ExpandRule<P>;
}
/** A call that is linear in its tangents: what a call becomes on a tape. Forward mode runs `expand`. */
export interface LinearCall<P extends object = object> extends Rules<P> {
  readonly name: `${CallName} of tangents`;
  readonly kind: 'linear call';
  readonly transpose: TransposeRule<P>;
  readonly expand: ExpandRule<P>;
}

/** All that can be bound. */
export type Operation<P extends object = object> = Primitive<P> | Call<P> | LinearCall<P>;
export const isCall = <P extends object>(of: Operation<P>): of is Call<P> | LinearCall<P> =>
  of.kind === 'call' || of.kind === 'linear call';
