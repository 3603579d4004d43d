// Reproducible data, the oracle (the reference backend in float64), and comparisons whose tolerances follow from the
// element type and from how many terms a program adds up. Runs wherever the engine does: in the tests and in a browser.

import type { Backend } from '../../engine/backend.ts';
import { allocate, type DType, isFloat, type Shape, sizeOf, type TypedArray } from '../../engine/dtype.ts';
import { type Equation, traceGraph } from '../../engine/graph/graph.ts';
import { roundHalf } from '../../engine/half.ts';
import type { NDArray, Sample, SampleOperand } from '../../engine/primitives/types.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import { upload, useBackend } from '../../engine/runtime.ts';
import type { Tensor } from '../../engine/tensor.ts';

export type Float = 'float16' | 'float32' | 'float64';

/** The float type of new tensors that name none: float16 is always asked for by name. */
export const baseOf = (float: Float) => (float === 'float64' ? 'float64' : 'float32');

/** Where expected values come from. */
export const oracle = createReferenceBackend();

/** Runs f with a backend current. Reading results may wait; nothing else of the suite runs meanwhile. */
export async function on<R>(backend: Backend, float: Float, f: () => Promise<R> | R): Promise<R> {
  useBackend(backend, baseOf(float));
  return f();
}

// ---- data ------------------------------------------------------------------------------------------------------------

export function generator(seed: number): () => number {
  let s = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Elements as a sample asks for them; floats are exact in float16, so that all backends start from the same numbers. */
export function elements({ shape, fill = 'normal', below = 4 }: SampleOperand, seed: number): Float64Array {
  const next = generator(seed);
  const n = sizeOf(shape);
  const one = (): number => {
    switch (fill) {
      case 'positive':
        return roundHalf(0.5 + 2 * next());
      case 'away-from-zero':
        return roundHalf((next() < 0.5 ? -1 : 1) * (0.5 + next()));
      case 'bool':
        return next() < 0.5 ? 1 : 0;
      case 'index':
        return Math.floor(next() * below);
      case 'key':
        return Math.floor(next() * 4294967296);
      default:
        return roundHalf((next() + next() + next() + next() - 2) * 1.5);
    }
  };
  const out = Float64Array.from({ length: n }, one);
  if (fill === 'distinct') {
    const order = Array.from({ length: n }, (_, i) => ({ i, k: next() })).sort((a, b) => a.k - b.k);
    order.forEach(({ i }, position) => {
      out[i] = (position - n / 2) * 0.25 + 0.0625;
    });
  }
  return out;
}

export function make(data: ArrayLike<number>, shape: Shape, dtype: DType): Tensor {
  const typed = allocate(dtype, data.length);
  typed.set(data);
  return upload(typed, shape, dtype);
}

/** The type an operand of a sample has on a target: its own, or the target's float type. */
export const operandType = (o: SampleOperand, float: Float): DType =>
  o.dtype === undefined || isFloat(o.dtype) ? float : o.dtype;

/** Parameters name float32 where they mean "the float type". */
export const paramsFor = (params: object, float: Float): object =>
  'dtype' in params && isFloat(params.dtype as DType) ? { ...params, dtype: float } : params;

export const operandsOf = (sample: Sample<object>, float: Float, seed = 1): Tensor[] =>
  sample.operands.map((o, i) => make(elements(o, seed + 31 * i), o.shape, operandType(o, float)));

// ---- comparison ------------------------------------------------------------------------------------------------------

const EPSILON: Record<Float, number> = { float16: 2 ** -10, float32: 2 ** -23, float64: 2 ** -52 };
export const epsilonOf = (float: Float): number => EPSILON[float];

/** How many terms one element of an equation's result adds up. */
function termsOf(e: Equation): number {
  const { inputs, outputs } = e;
  const [x, y] = inputs;
  const ratio = () => Math.ceil(sizeOf(x.shape) / Math.max(1, sizeOf(outputs[0].shape)));
  switch (e.op) {
    case 'sum':
    case 'moments':
      return ratio();
    case 'cumsum':
      return Math.max(0, ...x.shape);
    case 'dot':
      return e.params.transposeA ? x.shape.at(-2)! : x.shape.at(-1)!;
    case 'conv':
      return sizeOf(y.shape.slice(1, 4));
    case 'convGradInput':
      return sizeOf(y.shape.slice(1, 3)) * y.shape[4];
    case 'convGradWeight':
      return sizeOf(y.shape.slice(1, 4));
    case 'scatter':
    case 'scatterAlong':
      return sizeOf(y.shape);
    // A score, then the sum over keys.
    case 'attention':
    case 'attentionSum':
      return x.shape[2] + y.shape[1];
    case 'sumPool':
    case 'sumPoolTranspose':
      return e.params.size[0] * e.params.size[1];
    default:
      return 1;
  }
}

/** Terms that the function adds up on the longest way from an operand to a result: the length of its error bound. */
export function termsIn(f: (xs: Tensor[]) => Tensor[], operands: readonly Tensor[]): number {
  const { graph } = traceGraph(operands, f, (ys) => ys);
  const depth = new Map<object, number>();
  for (const e of graph.equations) {
    const at = Math.max(0, ...e.inputs.map((v) => depth.get(v) ?? 0)) + termsOf(e);
    for (const v of e.outputs) depth.set(v, at);
  }
  return Math.max(1, ...depth.values());
}

export interface Values {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}
export const read = (ys: readonly Tensor[]): Promise<Values[]> =>
  Promise.all(ys.map(async (y) => ({ shape: y.shape, dtype: y.dtype, data: await y.data() })));

/** Integers must be equal; floats within `bound` of the expected value, and not a number exactly where it is not. */
export function mismatch(got: readonly Values[], want: readonly Values[], bound: number): string | null {
  if (got.length !== want.length) return `there are ${got.length} results, expected ${want.length}`;
  for (const [k, w] of want.entries()) {
    const g = got[k];
    if (g.shape.join() !== w.shape.join()) return `result ${k} is [${g.shape}], expected [${w.shape}]`;
    const finite = Array.from(w.data as Float64Array, Math.abs).filter(Number.isFinite);
    const limit = isFloat(g.dtype) ? bound * finite.reduce((a, b) => Math.max(a, b), 1) : 0;
    for (let i = 0; i < w.data.length; i++) {
      const [a, b] = [g.data[i], w.data[i]];
      if (!(Object.is(a, b) || a === b || Math.abs(a - b) <= limit))
        return `result ${k} element ${i} is ${a}, expected ${b} within ${limit.toExponential(2)}`;
    }
  }
  return null;
}

export const asArray = ({ shape, dtype, data }: Values): NDArray => ({ shape, dtype, data });
