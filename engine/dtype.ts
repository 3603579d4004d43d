// Element types, and what each is stored as. Every type but float64 and float16 takes four bytes an element on every
// device (a bool is a 0 or 1 in 32 bits), so that kernels need few lane widths. float64 exists on the reference backend;
// float16 is a format of memory, computed with in float32, and exists there and on WebGPU with shader-f16.

import { LetheError } from './error.ts';
import { roundHalf } from './half.ts';

/**
 * An element type. Every device has float32, int32, uint32 and bool; float64 is the reference's alone; float16 is
 * stored in 16 bits and computed with in float32, on the reference and on WebGPU adapters with shader-f16.
 */
export type DType = 'float16' | 'float32' | 'float64' | 'int32' | 'uint32' | 'bool';
/** All element types. */
export const DTYPES: readonly DType[] = ['float16', 'float32', 'float64', 'int32', 'uint32', 'bool'];
/**
 * Elements on the host: float32 and float16 are Float32Array, float64 Float64Array, uint32 Uint32Array, int32 and bool
 * (0 or 1) Int32Array.
 */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array;
/**
 * Sizes of the axes, whole numbers from 0; [] is the shape of a scalar. Arrays are row-major: the last axis varies
 * fastest.
 */
export type Shape = readonly number[];

/** Shape and element type of a value, known before the value is. */
export interface Aval {
  /** Sizes of the axes. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: DType;
}

/** Bytes of an element on a device. */
export const bytesOf = (dtype: DType): number => (dtype === 'float64' ? 8 : dtype === 'float16' ? 2 : 4);
export const isFloat = (dtype: DType): boolean =>
  dtype === 'float16' || dtype === 'float32' || dtype === 'float64';

export const sizeOf = (shape: Shape): number => {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
};

/**
 * A zero-filled array that can hold `length` elements of `dtype`. Bools are stored as Int32Array of 0 and 1, float16 as
 * Float32Array of numbers that half precision can hold.
 * @throws 'device' where there is no memory for it.
 */
export function allocate(dtype: DType, length: number): TypedArray {
  try {
    switch (dtype) {
      case 'float16':
      case 'float32':
        return new Float32Array(length);
      case 'float64':
        return new Float64Array(length);
      case 'uint32':
        return new Uint32Array(length);
      default:
        return new Int32Array(length);
    }
  } catch (cause) {
    throw new LetheError('device', `out of memory: no room for ${length} elements of ${dtype}`, { cause });
  }
}

/** Rounds elements, in place, to what `dtype` can hold where their array can hold more. */
export function roundTo(data: TypedArray, dtype: DType): TypedArray {
  if (dtype === 'float16') for (let i = 0; i < data.length; i++) data[i] = roundHalf(data[i]);
  return data;
}

/** The largest number of a float type that is less than x. */
export function below(x: number, dtype: DType): number {
  if (!Number.isFinite(x)) return x;
  const rounded = (y: number): number => roundTo(allocate(dtype, 1).fill(y), dtype)[0];
  // A step of up to half a unit in the last place rounds back to x; twice that does not go beyond its neighbour.
  let step = Math.max(Math.abs(x) * 2 ** -54, Number.MIN_VALUE);
  while (!(rounded(x - step) < x)) step *= 2;
  return rounded(x - step);
}

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;
export const showAval = (a: Aval): string => `${a.dtype}${showShape(a.shape)}`;

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let s = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i];
  }
  return strides;
}
