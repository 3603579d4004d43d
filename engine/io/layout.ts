// Where the tensors of a safetensors file lie (github.com/huggingface/safetensors): eight bytes of header length, a JSON
// header with the type, shape and place of each tensor, then their bytes. Checked while reading, laid out for writing;
// the bytes themselves are moved elsewhere. Nothing in a file is trusted: every size is checked before memory is taken.

import { type DType, type Shape, showShape, sizeOf, type TypedArray } from '../dtype.ts';
import { check, describe, LetheError } from '../error.ts';
import { STORED, type Stored, storedFor } from './codec.ts';
import { type Json, MAX_RANK, MAX_TENSORS, parseHeader } from './header.ts';

/** What is known of a tensor in a file before its elements are read. */
export interface TensorForm {
  /** Sizes of the axes. */
  readonly shape: Shape;
  /** The element type that the engine gives it. */
  readonly dtype: DType;
  /** The type in the file, where it says more than `dtype`: BF16, I64, U8. */
  readonly stored?: Stored;
}
/** A tensor at rest: its elements, row-major, on no device. `lt.tensor(data, { shape, dtype })` makes it one. */
export interface StoredTensor extends TensorForm {
  /** The elements, row-major. */
  readonly data: TypedArray;
}
/** A tensor whose elements are read when they are asked for. The engine's own tensors are such. */
export interface LazyTensor extends TensorForm {
  /** Reads the elements, row-major. */
  data(): Promise<TypedArray>;
}
/** Text by name that is saved beside tensors; an object without a prototype. */
export type Metadata = Record<string, string>;

const MAX_HEADER = 100_000_000;
/** Bytes that say how long the header is. */
export const LENGTH_BYTES = 8;

export function bad(message: string): never {
  throw new LetheError('data', `safetensors: ${message}`);
}
export const quote = (name: string): string =>
  JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);

// ---- reading ---------------------------------------------------------------------------------------------------------

export interface Place {
  readonly name: string;
  readonly stored: Stored;
  readonly shape: number[];
  /** Of the bytes after the header. */
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

export function checkPrefix(fileBytes: number): void {
  if (fileBytes < LENGTH_BYTES)
    bad(`${fileBytes} bytes are too few; a file starts with 8 bytes of header length`);
}

/** Length of the header, from the first 8 bytes of a file. */
export function headerLength(prefix: Uint8Array, fileBytes: number): number {
  const declared = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER)) bad(`a header of ${declared} bytes is over the limit of ${MAX_HEADER}`);
  const rest = fileBytes - LENGTH_BYTES;
  if (declared > rest) bad(`the header should have ${declared} bytes, the file has ${rest} after its length`);
  return Number(declared);
}

/** What the header says, checked against the number of bytes that follow it. */
export function readLayout(
  bytes: Uint8Array,
  following: number,
): { readonly places: Place[]; readonly metadata: Metadata } {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    bad('the header is not UTF-8');
  }
  if (text[0] !== '{') bad("the header does not start with '{'");
  const header = parseHeader(text) as Map<string, Json>;

  const metadata: Metadata = Object.create(null);
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
  if (at !== following) bad(`the tensors take ${at} bytes, the file has ${following} after the header`);
  return { places, metadata };
}

// ---- writing ---------------------------------------------------------------------------------------------------------

/** A tensor to be written, in its turn. */
export interface Part {
  readonly name: string;
  readonly stored: Stored;
  readonly tensor: StoredTensor | LazyTensor;
}

const widthOf = ({ stored }: Part): number => STORED[stored].bytes;
export const bytesOf = (part: Part): number => widthOf(part) * sizeOf(part.tensor.shape);

/**
 * Tensors in the order of the file, and all that stands before their bytes.
 * @throws 'value' for what cannot be named or described, 'shape' if data does not fill its shape.
 */
export function layOut(
  tensors: Readonly<Record<string, StoredTensor | LazyTensor>>,
  metadata: Readonly<Metadata>,
): { readonly head: Uint8Array<ArrayBuffer>; readonly parts: readonly Part[]; readonly bytes: number } {
  const all = Object.entries(tensors);
  check(
    all.length <= MAX_TENSORS,
    'value',
    () => `safetensors: ${all.length} tensors, expected at most ${MAX_TENSORS}`,
  );
  const parts = all.map(([name, tensor]) => {
    checkTensor(name, tensor);
    return { name, tensor, stored: storedFor(tensor.dtype, tensor.stored) };
  });
  // Widest types first, so that every tensor lies aligned; then by name.
  parts.sort((a, b) => widthOf(b) - widthOf(a) || (a.name < b.name ? -1 : 1));

  // Written by hand: an object literal would drop a key named __proto__ and reorder numeric names.
  let size = 0;
  const fields = parts.map((part) => {
    const { shape } = part.tensor;
    const place = { dtype: part.stored, shape, data_offsets: [size, (size += bytesOf(part))] };
    return `${JSON.stringify(part.name)}:${JSON.stringify(place)}`;
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

  const head = new Uint8Array(LENGTH_BYTES + padded).fill(0x20, LENGTH_BYTES);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(header, LENGTH_BYTES);
  return { head, parts, bytes: head.length + size };
}

function checkTensor(name: string, t: StoredTensor | LazyTensor): void {
  check(name !== '__metadata__', 'value', () => 'safetensors: __metadata__ cannot name a tensor');
  const data = t?.data;
  check(
    (ArrayBuffer.isView(data) || typeof data === 'function') && Array.isArray(t.shape),
    'value',
    () =>
      `safetensors: ${quote(name)} is ${describe(t)}, expected a tensor or { data, shape, dtype }; io.toPyTorch names the tensors of a model`,
  );
  if (typeof data !== 'function') checkFilled(name, t.shape, data);
  check(
    t.shape.length <= MAX_RANK,
    'value',
    () => `safetensors: ${quote(name)} has ${t.shape.length} dimensions, expected at most ${MAX_RANK}`,
  );
}

export function checkFilled(name: string, shape: Shape, data: TypedArray): void {
  check(
    data.length === sizeOf(shape),
    'shape',
    () => `safetensors: ${quote(name)} has ${data.length} elements for shape ${showShape(shape)}`,
  );
}
