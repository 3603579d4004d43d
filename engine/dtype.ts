// Element types, and what each is stored as. Every type but float64 takes four bytes an element on every device
// (a bool is a 0 or 1 in 32 bits), so that kernels need one lane width only; float64 exists on the reference backend.

export type DType = 'float32' | 'float64' | 'int32' | 'uint32' | 'bool';
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array;
export type Shape = readonly number[];

/** Shape and element type of a value, known before the value is. */
export interface Aval {
  readonly shape: Shape;
  readonly dtype: DType;
}

export const bytesOf = (dtype: DType): number => (dtype === 'float64' ? 8 : 4);
export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';

export const sizeOf = (shape: Shape): number => {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
};

/** A zero-filled array that can hold `length` elements of `dtype`. Bools are stored as Int32Array of 0 and 1. */
export function allocate(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'uint32':
      return new Uint32Array(length);
    default:
      return new Int32Array(length);
  }
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
