// The names of all primitives and the types of their parameters: what equations, instructions and backends know of
// them. Only types; the records (derivatives, batching, reference) stand above, and `index.ts` does not compile where one
// is missing or takes other parameters.

import type { DType, Shape } from '../dtype.ts';
import type { COST, DISTRIBUTIONS, ROOTS, SIGHTS } from './table.ts';

type None = Readonly<Record<string, never>>;

/** Two numbers: of rows and of columns, as all pairs of images are. */
type Pair = readonly [number, number];
/** Zeros before and after the rows, and before and after the columns. */
type Padding = readonly [Pair, Pair];

/** Works on one axis. */
interface AxisParams {
  readonly axis: number;
}
/** Works on several axes, sorted. */
interface AxesParams {
  readonly axes: readonly number[];
}

interface FullParams {
  readonly shape: Shape;
  readonly value: number;
  readonly dtype: DType;
}

export interface BroadcastParams {
  readonly shape: Shape;
  /** Where the operand's axes lie in `shape`, in order. */
  readonly dims: readonly number[];
}
interface SliceParams {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly strides: readonly number[];
}
interface PadParams {
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Zeros between neighbours. */
  readonly interior: readonly number[];
}

interface ScatterParams extends AxisParams {
  /** Of the result along the axis. */
  readonly size: number;
}

interface DotParams {
  /** The operand is stored with its last two axes exchanged. */
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

export interface ConvParams {
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
  readonly groups: number;
}
export interface ConvGradInputParams extends ConvParams {
  readonly inputSize: Pair;
}
export interface ConvGradWeightParams extends ConvParams {
  readonly kernelSize: Pair;
}

export interface PoolParams {
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
}
export interface PoolTransposeParams extends PoolParams {
  readonly inputSize: Pair;
}

export interface RandomParams {
  readonly shape: Shape;
  readonly distribution: keyof typeof DISTRIBUTIONS;
  /** Of the result: uint32 for bits, a float type otherwise. */
  readonly dtype: DType;
}

export interface AttentionParams {
  /** Factor of the scores. */
  readonly scale: number;
  /** Keys that query i sees: all, those up to i, those from i on. */
  readonly sees: keyof typeof SIGHTS;
}

/** Elementwise primitives: they have no parameters, but for two. */
interface Elementwise extends Record<Exclude<keyof typeof COST, 'convert' | 'full'>, None> {
  readonly convert: { readonly dtype: DType };
  readonly full: FullParams;
}

interface View {
  readonly reshape: { readonly shape: Shape };
  readonly transpose: { readonly perm: readonly number[] };
  readonly broadcast: BroadcastParams;
  readonly slice: SliceParams;
  readonly flip: AxesParams;
  readonly barrier: None;
}

/** For each row of ROOTS. */
interface Root {
  readonly pad: PadParams;
  readonly concat: AxisParams;
  readonly iota: { readonly shape: Shape; readonly axis: number; readonly dtype: DType };
  readonly sum: AxesParams;
  readonly max: AxesParams;
  readonly min: AxesParams;
  readonly argmax: AxisParams;
  readonly argmin: AxisParams;
  readonly moments: AxesParams;
  readonly cumsum: { readonly axis: number; readonly reverse: boolean };
  readonly sort: None;
  readonly gather: AxisParams;
  readonly scatter: ScatterParams;
  readonly gatherAlong: AxisParams;
  readonly scatterAlong: ScatterParams;
  readonly dot: DotParams;
  readonly conv: ConvParams;
  readonly convGradInput: ConvGradInputParams;
  readonly convGradWeight: ConvGradWeightParams;
  readonly maxPool: PoolParams;
  readonly sumPool: PoolParams;
  readonly sumPoolTranspose: PoolTransposeParams;
  readonly random: RandomParams;
  readonly attention: AttentionParams;
  readonly attentionSum: AttentionParams;
}

type All = Elementwise & View & Root;

/** Primitives that work element by element: the steps of bodies. */
export type ElementwiseName = keyof Elementwise;
/** Primitives that move nothing: they become strides, aliases or an order. No program has them. */
export type ViewName = keyof View;
/** Primitives with kernels of their own. */
export type RootName = keyof typeof ROOTS;
/** Every primitive. */
export type PrimitiveName = keyof All;

/** What a primitive becomes in a program: a step of a loop, a way to read memory, or a kernel of its own. */
export type KindOf<K extends PrimitiveName> = (Record<ElementwiseName, 'elementwise'> &
  Record<ViewName, 'view'> &
  Record<RootName, 'root'>)[K];
/** The parameters of a primitive. */
export type ParamsOf<K extends PrimitiveName> = All[K];
/** Elementwise primitives without parameters. */
export type PlainName = Exclude<ElementwiseName, 'convert' | 'full'>;

/** What has a function instead of a kernel: see transforms/calls.ts. */
export type CallName = 'checkpoint' | 'customVjp' | 'stopGradient';
