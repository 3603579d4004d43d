// Element types of safetensors files and the engine's arrays: bytes to elements and back. Little-endian, as the format
// and every machine that runs JavaScript are. Loops into arrays made beforehand: TypedArray.from with a function makes
// a plain list first, which costs many times the memory and ends the process beyond 2^27 elements.

import type { DType, TypedArray } from '../dtype.ts';
import { LetheError } from '../error.ts';
import { fromHalves, toHalves } from '../half.ts';

/** What each type of the format takes in the file and becomes in the engine. */
export const STORED = {
  F64: { bytes: 8, dtype: 'float64' },
  F32: { bytes: 4, dtype: 'float32' },
  F16: { bytes: 2, dtype: 'float16' },
  BF16: { bytes: 2, dtype: 'float32' },
  I64: { bytes: 8, dtype: 'int32' },
  I32: { bytes: 4, dtype: 'int32' },
  U32: { bytes: 4, dtype: 'uint32' },
  U8: { bytes: 1, dtype: 'int32' },
  BOOL: { bytes: 1, dtype: 'bool' },
} as const satisfies Record<string, { bytes: number; dtype: DType }>;
/** An element type of the format safetensors. */
export type Stored = keyof typeof STORED;

/** Elements of `bytes`, which must be a whole buffer of their own. @throws 'data' for an I64 beyond int32 and a BOOL other than 0 or 1. */
export function decode(bytes: Uint8Array<ArrayBuffer>, stored: Stored, name: () => string): TypedArray {
  const { buffer } = bytes;
  switch (stored) {
    case 'F64':
      return new Float64Array(buffer);
    case 'F32':
      return new Float32Array(buffer);
    case 'I32':
      return new Int32Array(buffer);
    case 'U32':
      return new Uint32Array(buffer);
    case 'F16':
      return fromHalves(new Uint16Array(buffer));
    case 'BF16': {
      const halves = new Uint16Array(buffer);
      const words = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
      return new Float32Array(words.buffer);
    }
    case 'I64': {
      const wide = new BigInt64Array(buffer);
      const out = new Int32Array(wide.length);
      for (let i = 0; i < wide.length; i++) {
        out[i] = Number(wide[i]);
        if (BigInt(out[i]) !== wide[i])
          throw new LetheError('data', `safetensors: element ${i} of ${name()} is ${wide[i]}, beyond int32`);
      }
      return out;
    }
    case 'U8':
      return new Int32Array(bytes);
    case 'BOOL': {
      const wrong = bytes.findIndex((b) => b > 1);
      if (wrong >= 0)
        throw new LetheError(
          'data',
          `safetensors: element ${wrong} of ${name()} is ${bytes[wrong]}, expected 0 or 1`,
        );
      return new Int32Array(bytes);
    }
  }
}

/** The type to write: the one it came from if that loses nothing, else the dtype's own. */
export function storedFor(dtype: DType, wanted?: Stored): Stored {
  if (wanted === 'I64' || wanted === 'U8') if (dtype === 'int32') return wanted;
  const own = {
    float16: 'F16',
    float32: 'F32',
    float64: 'F64',
    int32: 'I32',
    uint32: 'U32',
    bool: 'BOOL',
  } as const;
  return own[dtype];
}

/** @throws 'value' for a number that U8 cannot hold. */
export function encode(data: TypedArray, stored: Stored, name: () => string): Uint8Array {
  const raw = (a: TypedArray | BigInt64Array | Uint16Array): Uint8Array =>
    new Uint8Array(a.buffer as ArrayBuffer, a.byteOffset, a.byteLength);
  switch (stored) {
    case 'F64':
      return raw(data instanceof Float64Array ? data : new Float64Array(data));
    case 'F16':
      return raw(toHalves(data));
    case 'I32':
      return raw(data instanceof Int32Array ? data : new Int32Array(data));
    case 'U32':
      return raw(data instanceof Uint32Array ? data : new Uint32Array(data));
    case 'I64': {
      const wide = new BigInt64Array(data.length);
      for (let i = 0; i < wide.length; i++) wide[i] = BigInt(data[i]);
      return raw(wide);
    }
    case 'U8':
      if (data.some((v: number) => v < 0 || v > 255 || !Number.isInteger(v)))
        throw new LetheError('value', `safetensors: ${name()} does not fit into U8`);
      return new Uint8Array(data);
    case 'BOOL': {
      const bytes = new Uint8Array(data.length);
      for (let i = 0; i < bytes.length; i++) bytes[i] = data[i] ? 1 : 0;
      return bytes;
    }
    default:
      return raw(data instanceof Float32Array ? data : new Float32Array(data));
  }
}
