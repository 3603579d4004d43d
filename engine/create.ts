// Making tensors: from data, and constants.

import type { Device } from './device.ts';
import { allocate, type DType, roundTo, type Shape, showShape, sizeOf, type TypedArray } from './dtype.ts';
import { check, LetheError } from './error.ts';
import { convert, equal, full as fullOf, iota } from './primitives/apply.ts';
import { checkShape } from './primitives/rules.ts';
import { expectDevice, floatType, upload } from './runtime.ts';
import { Tensor } from './tensor.ts';
import { flatten, type Leaf, unflatten } from './tree.ts';

/**
 * What tensor() takes: a number, a boolean, nested arrays of them (rows of equal length), or a typed array of numbers.
 */
export type TensorData =
  | number
  | boolean
  | readonly TensorData[]
  | TypedArray
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array;
/** Options of tensor(). */
export interface TensorOptions {
  /** Default: the nesting of the data; for a typed array, one axis. */
  shape?: Shape;
  /**
   * Default: of a typed array uint32 for Uint32Array, int32 for other integers, the device's float type for floats; of
   * numbers the device's float type; bool where the first element is a boolean.
   */
  dtype?: DType;
}

function nesting(data: TensorData): number[] {
  const shape: number[] = [];
  for (let at: TensorData = data; Array.isArray(at); at = at[0]) {
    shape.push(at.length);
    if (at.length === 0) break;
  }
  return shape;
}

function fill(out: TypedArray, data: TensorData, shape: readonly number[]): void {
  let at = 0;
  const walk = (x: TensorData, axis: number): void => {
    if (axis === shape.length) {
      check(
        typeof x === 'number' || typeof x === 'boolean',
        'value',
        () =>
          `tensor: element ${at} is ${Array.isArray(x) ? 'an array' : typeof x}, expected a number; rows must have equal length`,
      );
      out[at++] = Number(x);
      return;
    }
    check(
      Array.isArray(x) && x.length === shape[axis],
      'shape',
      () =>
        `tensor: rows must have equal length; axis ${axis} is ${shape[axis]} long, found ${Array.isArray(x) ? x.length : String(x)}`,
    );
    for (const y of x as readonly TensorData[]) walk(y, axis + 1);
  };
  walk(data, 0);
}

/** Every method of a typed array but its plain getters throws where the memory is gone; they say that it has no elements. */
function checkElements(source: TypedArray | Uint8Array): void {
  try {
    const first: unknown = source.at(0);
    if (first === undefined || typeof first === 'number') return;
  } catch (cause) {
    if (typeof source.at === 'function')
      throw new LetheError(
        'value',
        'tensor: the typed array has lost its memory: its buffer was transferred, or shrunk below its end',
        { cause },
      );
  }
  throw new LetheError(
    'value',
    `tensor: expected a typed array of numbers, got a ${source.constructor.name}`,
  );
}

const leafOf = (data: TensorData): TensorData =>
  Array.isArray(data) && data.length > 0 ? leafOf(data[0]) : data;

/**
 * A tensor with a copy of nested arrays, a typed array, or one number. Numbers are converted as typed arrays do it:
 * integers wrap around, fractions are cut. What has a shape and a dtype of its own, such as another tensor or one out
 * of a file, will do for options.
 * @throws 'value' for other data, 'shape' for rows of unequal length or data that do not fill `shape`, 'dtype' where
 * the device lacks the type, 'state' without a device.
 */
export function tensor(data: TensorData, { shape, dtype }: TensorOptions = {}): Tensor {
  if (ArrayBuffer.isView(data)) {
    const source = data as TypedArray | Uint8Array;
    checkElements(source);
    const type: DType =
      dtype ??
      (source instanceof Float32Array || source instanceof Float64Array
        ? floatType()
        : source instanceof Uint32Array
          ? 'uint32'
          : 'int32');
    const s = shape ?? [source.length];
    checkShape('tensor', s);
    check(
      sizeOf(s) === source.length,
      'shape',
      () => `tensor: ${source.length} elements do not fill ${showShape(s)}`,
    );
    return upload(cast(source, type), s, type);
  }
  if (!Array.isArray(data) && typeof data !== 'number' && typeof data !== 'boolean')
    throw new LetheError(
      'value',
      `tensor: expected numbers, nested arrays or a typed array, got ${data === null ? 'null' : typeof data}`,
    );
  const own = nesting(data);
  const type: DType = dtype ?? (typeof leafOf(data) === 'boolean' ? 'bool' : floatType());
  const flat = new Float64Array(sizeOf(own));
  fill(flat, data, own);
  const s = shape ?? own;
  checkShape('tensor', s);
  check(
    sizeOf(s) === flat.length,
    'shape',
    () => `tensor: ${flat.length} elements do not fill ${showShape(s)}`,
  );
  return upload(cast(flat, type), s, type);
}

function cast(source: ArrayLike<number>, dtype: DType): TypedArray {
  const out = allocate(dtype, source.length);
  if (dtype === 'bool') for (let i = 0; i < source.length; i++) out[i] = source[i] !== 0 ? 1 : 0;
  else out.set(source);
  return roundTo(out, dtype);
}

/**
 * `value` everywhere. Default type: bool for a boolean, else the device's float type (float32, or float64 if init said
 * so).
 * @throws 'shape' unless all sizes are whole numbers from 0, 'dtype' where the device lacks the type.
 */
export const full = (
  shape: Shape,
  value: number | boolean,
  dtype: DType = typeof value === 'boolean' ? 'bool' : floatType(),
): Tensor => fullOf(shape, Number(value), dtype);
/** Zeros, by default of the device's float type. */
export const zeros = (shape: Shape, dtype?: DType): Tensor => full(shape, 0, dtype);
/** Ones, by default of the device's float type. */
export const ones = (shape: Shape, dtype?: DType): Tensor => full(shape, 1, dtype);
/** Zeros in the shape and element type of x. */
export const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, x.dtype);
/** Ones in the shape and element type of x. */
export const onesLike = (x: Tensor): Tensor => full(x.shape, 1, x.dtype);

/**
 * arange(stop), arange(start, stop) or arange(start, stop, step): start + i * step for i = 0, 1, ..., up to but without
 * stop; downwards for a negative step. int32 where all three are whole numbers, else the device's float type.
 * @throws 'value' for a step of 0 or numbers that are not finite.
 */
export function arange(a: number, b?: number, step = 1, dtype?: DType): Tensor {
  const [start, stop] = b === undefined ? [0, a] : [a, b];
  check(
    step !== 0 && [start, stop, step].every(Number.isFinite),
    'value',
    () => `arange: cannot go from ${start} to ${stop} in steps of ${step}`,
  );
  const type = dtype ?? ([start, stop, step].every(Number.isInteger) ? 'int32' : floatType());
  const n = Math.max(0, Math.ceil((stop - start) / step));
  if (start === 0 && step === 1) return iota([n], 0, type);
  const out = allocate(type, n);
  for (let i = 0; i < n; i++) out[i] = start + i * step;
  return upload(roundTo(out, type), [n], type);
}
/** The unit matrix [n, columns], by default square and of the device's float type. */
export function eye(n: number, columns = n, dtype: DType = floatType()): Tensor {
  const shape = [n, columns];
  return convert(equal(iota(shape, 0, 'int32'), iota(shape, 1, 'int32')), dtype);
}

/**
 * A tree with copies of its tensors on another device, of the same shapes and types; other leaves stay as they are.
 * @throws LetheError 'dtype' where the device lacks a type, 'state' for values of a transformation.
 */
export async function toDevice<T>(tree: T, device: Device): Promise<T> {
  expectDevice('toDevice', device);
  const { leaves, def } = flatten<Leaf>(tree);
  const move = async (x: Leaf): Promise<Leaf> =>
    x instanceof Tensor ? upload(await x.data(), x.shape, x.dtype, device) : x;
  return unflatten(def, await Promise.all(leaves.map(move)));
}
