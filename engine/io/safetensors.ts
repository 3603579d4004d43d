// Reading and writing the safetensors format (github.com/huggingface/safetensors): eight bytes of header length, a JSON
// header with the type, shape and place of each tensor, then their bytes. Pure functions on bytes; files are the
// caller's business. The reader trusts nothing: every size is checked before memory is taken, and what it allocates is
// at most four times the file (bytes widened to int32).

import { type DType, type Shape, showShape, sizeOf, type TypedArray } from '../dtype.ts';
import { check, describe, LetheError } from '../error.ts';
import { Tensor } from '../tensor.ts';
import { decode, encode, STORED, type Stored, storedFor } from './codec.ts';
import { type Json, MAX_RANK, MAX_TENSORS, parseHeader } from './header.ts';

/** A tensor at rest: its elements, row-major, on no device. `lt.tensor(data, { shape, dtype })` makes it one. */
export interface StoredTensor {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The type in the file, where it says more than `dtype`: BF16, I64, U8. */
  readonly stored?: Stored;
}
export interface Safetensors {
  /** By name; an object without a prototype, so that any name is safe. */
  readonly tensors: Record<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

const MAX_HEADER = 100_000_000;

function bad(message: string): never {
  throw new LetheError('data', `safetensors: ${message}`);
}
const quote = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);

interface Place {
  readonly name: string;
  readonly stored: Stored;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function placeOf(name: string, info: Json): Place {
  if (!(info instanceof Map)) bad(`${quote(name)} is not described by an object`);
  for (const key of info.keys())
    if (!['dtype', 'shape', 'data_offsets'].includes(key))
      bad(`${quote(name)} has an unknown field ${quote(key)}`);
  const numbers = (key: string): number[] => {
    const v = info.get(key);
    if (!Array.isArray(v) || !v.every((n) => typeof n === 'number'))
      bad(`${key} of ${quote(name)} is not a list of whole numbers`);
    return v as number[];
  };
  const dtype = info.get('dtype');
  if (typeof dtype !== 'string' || !Object.hasOwn(STORED, dtype))
    bad(
      `${quote(name)} has type ${typeof dtype === 'string' ? quote(dtype) : 'none'}; this reader knows ${Object.keys(STORED).join(', ')}`,
    );
  const stored = dtype as Stored;
  const shape = numbers('shape');
  let bytes = STORED[stored].bytes;
  for (const d of shape) {
    bytes *= d;
    if (!Number.isSafeInteger(bytes)) bad(`the shape of ${quote(name)} is too large: ${showShape(shape)}`);
  }
  const offsets = numbers('data_offsets');
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin > end || end - begin !== bytes)
    bad(
      `${quote(name)}, ${stored}${showShape(shape)}, takes ${bytes} bytes; data_offsets are ${showShape(offsets)}`,
    );
  return { name, stored, shape, begin, end };
}

/** What the header of a file says, checked against the file's length. */
function readHeader(source: Uint8Array | ArrayBuffer) {
  check(
    source instanceof Uint8Array || source instanceof ArrayBuffer,
    'value',
    () =>
      `loadSafetensors: expected the bytes of a file (a Uint8Array or ArrayBuffer), got ${describe(source)}`,
  );
  const bytes =
    source instanceof Uint8Array
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
  if (bytes.length < 8) bad(`${bytes.length} bytes are too few; a file starts with 8 bytes of header length`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER)) bad(`a header of ${declared} bytes is over the limit of ${MAX_HEADER}`);
  const start = 8 + Number(declared);
  if (start > bytes.length)
    bad(`the header should have ${declared} bytes, the file has ${bytes.length - 8} after its length`);

  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
  } catch {
    bad('the header is not UTF-8');
  }
  if (text[0] !== '{') bad("the header does not start with '{'");
  const header = parseHeader(text) as Map<string, Json>;

  const metadata: Record<string, string> = Object.create(null);
  const extra = header.get('__metadata__') ?? new Map<string, Json>();
  if (!(extra instanceof Map)) bad('__metadata__ is not an object');
  for (const [k, v] of extra)
    if (typeof v === 'string') metadata[k] = v;
    else bad(`__metadata__ may only hold strings; ${quote(k)} is none`);
  header.delete('__metadata__');

  const places = [...header].map(([name, info]) => placeOf(name, info));
  let at = 0;
  for (const p of [...places].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (p.begin !== at)
      bad(`${quote(p.name)} starts at byte ${p.begin}, the one before it ends at ${at}; no gaps or overlaps`);
    at = p.end;
  }
  if (at !== bytes.length - start)
    bad(`the tensors take ${at} bytes, the file has ${bytes.length - start} after the header`);
  return { bytes, start, places, metadata };
}

/**
 * All tensors of a safetensors file. F16 becomes float16, BF16 float32, I64 and U8 int32 (an I64 that does not
 * fit is an error), BOOL bool; F64 stays float64.
 *
 * @throws 'value' for what is no bytes, 'data' for anything the format does not allow: a header longer than the file or 100 MB, more than
 * 100,000 tensors, more than 16 dimensions, repeated or unknown keys, unknown types, sizes that do not match, overlapping tensors, holes between them or bytes after them.
 */
export function loadSafetensors(source: Uint8Array | ArrayBuffer): Safetensors {
  const { bytes, start, places, metadata } = readHeader(source);
  const tensors: Record<string, StoredTensor> = Object.create(null);
  for (const { name, stored, shape, begin, end } of places) {
    const data = decode(bytes.slice(start + begin, start + end), stored, () => quote(name));
    tensors[name] = { data, shape, dtype: STORED[stored].dtype, stored };
  }
  return { tensors, metadata };
}

/** The metadata of a safetensors file; its tensors are not read. @throws as loadSafetensors does, for the header. */
export const safetensorsMetadata = (source: Uint8Array | ArrayBuffer): Safetensors['metadata'] =>
  readHeader(source).metadata;

/**
 * A safetensors file of tensors by name and of string metadata. Deterministic: the same values give the same bytes.
 * float16 is written as F16, float32 F32, float64 F64, int32 I32, uint32 U32, bool BOOL; a stored tensor that came from
 * I64 or U8 is written so again.
 *
 * @throws 'value' for the reserved name __metadata__, for what is no tensor, and for more tensors or dimensions than
 * loadSafetensors reads; 'shape' if data does not fill its shape.
 */
export async function saveSafetensors(
  tensors: Readonly<Record<string, Tensor | StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const all = Object.entries(tensors);
  check(
    all.length <= MAX_TENSORS,
    'value',
    () => `safetensors: ${all.length} tensors, expected at most ${MAX_TENSORS}`,
  );
  const parts = await Promise.all(
    all.map(async ([name, t]) => {
      check(name !== '__metadata__', 'value', () => 'safetensors: __metadata__ cannot name a tensor');
      check(
        t instanceof Tensor || (ArrayBuffer.isView(t?.data) && Array.isArray(t.shape)),
        'value',
        () =>
          `safetensors: ${quote(name)} is ${describe(t)}, expected a tensor or { data, shape, dtype }; io.toPyTorch names the tensors of a model`,
      );
      const data = t instanceof Tensor ? await t.data() : t.data;
      check(
        data.length === sizeOf(t.shape),
        'shape',
        () => `safetensors: ${quote(name)} has ${data.length} elements for shape ${showShape(t.shape)}`,
      );
      check(
        t.shape.length <= MAX_RANK,
        'value',
        () => `safetensors: ${quote(name)} has ${t.shape.length} dimensions, expected at most ${MAX_RANK}`,
      );
      const stored = storedFor(t.dtype, t instanceof Tensor ? undefined : t.stored);
      return { name, stored, shape: t.shape, bytes: encode(data, stored, () => quote(name)) };
    }),
  );
  // Widest types first, so that every tensor lies aligned; then by name.
  const width = (p: { stored: Stored }): number => STORED[p.stored].bytes;
  parts.sort((a, b) => width(b) - width(a) || (a.name < b.name ? -1 : 1));

  // Written by hand: an object literal would drop a key named __proto__ and reorder numeric names.
  const fields = parts.map(() => '');
  let size = 0;
  parts.forEach((p, i) => {
    const place = { dtype: p.stored, shape: p.shape, data_offsets: [size, (size += p.bytes.length)] };
    fields[i] = `${JSON.stringify(p.name)}:${JSON.stringify(place)}`;
  });
  const notes = Object.entries(metadata).map(([k, v]) => {
    check(
      typeof v === 'string',
      'value',
      () => `safetensors: metadata ${quote(k)} is ${typeof v}, expected a string`,
    );
    return `${JSON.stringify(k)}:${JSON.stringify(v)}`;
  });
  if (notes.length > 0) fields.unshift(`"__metadata__":{${notes.sort().join(',')}}`);
  const header = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(header.length / 8) * 8;
  check(padded <= MAX_HEADER, 'value', () => `safetensors: a header of ${padded} bytes is over the limit`);

  const out = new Uint8Array(8 + padded + size).fill(0x20, 8, 8 + padded);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(header, 8);
  let at = 8 + padded;
  for (const { bytes } of parts) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}
