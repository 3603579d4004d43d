// Reading and writing safetensors, whole files as bytes or one tensor at a time. Pure functions on bytes and on whatever
// bytes can be read from; files are the caller's business. What a reader allocates is at most four times the bytes it
// reads (bytes widened to int32). The format itself is layout.ts.

import type { TypedArray } from '../dtype.ts';
import { check, describe } from '../error.ts';
import { decode, encode, STORED } from './codec.ts';
import {
  bad,
  bytesOf,
  checkFilled,
  checkPrefix,
  headerLength,
  type LazyTensor,
  LENGTH_BYTES,
  layOut,
  type Metadata,
  type Part,
  type Place,
  quote,
  readLayout,
  type StoredTensor,
  type TensorForm,
} from './layout.ts';

/** The contents of a safetensors file. */
export interface Safetensors {
  /** By name; an object without a prototype, so that any name is safe. */
  readonly tensors: Record<string, StoredTensor>;
  /** Text that was saved along; without a prototype, too. */
  readonly metadata: Metadata;
}

/** Bytes that can be read from any place: a file on a disk, a Blob, a response by ranges. */
export interface ByteSource {
  /** All of them. */
  readonly bytes: number;
  /** The `length` bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A safetensors file whose tensors are read one at a time. */
export interface SafetensorsFile {
  /** Text that was saved along. */
  readonly metadata: Metadata;
  /** Names of the tensors, in the order of the header. */
  readonly names: readonly string[];
  /** Shape and types of each tensor, by name; an object without a prototype. */
  readonly forms: Readonly<Record<string, TensorForm>>;
  /** Reads one tensor. @throws 'value' for a name the file does not have, 'data' as loadSafetensors does. */
  tensor(name: string): Promise<StoredTensor>;
}

function record<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  const out: Record<string, T> = Object.create(null);
  for (const [name, value] of entries) out[name] = value;
  return out;
}

const formOf = ({ stored, shape }: Place): TensorForm => ({ shape, dtype: STORED[stored].dtype, stored });

/** `bytes` are a whole buffer of their own. */
const restored = (place: Place, bytes: Uint8Array<ArrayBuffer>): StoredTensor => ({
  data: decode(bytes, place.stored, () => quote(place.name)),
  ...formOf(place),
});

/** What the header of a whole file says. */
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
  checkPrefix(bytes.length);
  const start = LENGTH_BYTES + headerLength(bytes, bytes.length);
  return { bytes, start, ...readLayout(bytes.subarray(LENGTH_BYTES, start), bytes.length - start) };
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
  const tensors = places.map(
    (p) => [p.name, restored(p, bytes.slice(start + p.begin, start + p.end))] as const,
  );
  return { tensors: record(tensors), metadata };
}

/**
 * The metadata of a safetensors file; its tensors are not decoded.
 * @throws As loadSafetensors does, for the header.
 */
export const safetensorsMetadata = (source: Uint8Array | ArrayBuffer): Metadata =>
  readHeader(source).metadata;

/**
 * Reads the header of a safetensors file, and its tensors when they are asked for: never more than one of them in memory.
 * @throws 'data' as loadSafetensors does; what `file.read` throws.
 */
export async function openSafetensors(file: ByteSource): Promise<SafetensorsFile> {
  checkPrefix(file.bytes);
  const length = headerLength(await readExactly(file, 0, LENGTH_BYTES), file.bytes);
  const start = LENGTH_BYTES + length;
  const { places, metadata } = readLayout(await readExactly(file, LENGTH_BYTES, length), file.bytes - start);
  const byName = new Map(places.map((place) => [place.name, place]));
  return {
    metadata,
    names: [...byName.keys()],
    forms: record(places.map((place) => [place.name, formOf(place)])),
    async tensor(name) {
      const place = byName.get(name);
      check(place, 'value', () => `safetensors: no tensor ${quote(name)} in the file`);
      const { begin, end } = place;
      const bytes = await readExactly(file, start + begin, end - begin);
      // Elements need a buffer of their own, aligned; a reader may hand out a part of a larger one.
      const own = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
      return restored(place, own ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes));
    },
  };
}

async function readExactly(file: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await file.read(offset, length);
  if (bytes.length !== length) bad(`${bytes.length} bytes at byte ${offset} of the file, expected ${length}`);
  return bytes;
}

/** Tensors to be written, by name; of lazy ones the elements are read in turn. */
export type Tensors = Readonly<Record<string, StoredTensor | LazyTensor>>;

/**
 * A safetensors file of tensors by name and of string metadata. Deterministic: the same values give the same bytes.
 * float16 is written as F16, float32 F32, float64 F64, int32 I32, uint32 U32, bool BOOL; a stored tensor that came from
 * I64 or U8 is written so again.
 *
 * @throws 'value' for the reserved name __metadata__, for what is no tensor, and for more tensors or dimensions than
 * loadSafetensors reads; 'shape' if data does not fill its shape.
 */
export async function saveSafetensors(
  tensors: Tensors,
  metadata: Readonly<Metadata> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { head, parts, bytes } = layOut(tensors, metadata);
  // All reads begin at once: the tensors may be given back as soon as this returns its promise.
  const elements = await Promise.all(parts.map(dataOf));
  const out = new Uint8Array(bytes);
  out.set(head);
  let at = head.length;
  for (const [i, part] of parts.entries()) {
    out.set(encoded(part, elements[i]), at);
    at += bytesOf(part);
  }
  return out;
}

/**
 * The bytes that saveSafetensors gives, in parts: the header, then each tensor's. A tensor is read from its device when
 * its turn comes, so it has to stay until then, and one at a time is in memory. A part is good until the next is asked for.
 *
 * @throws as saveSafetensors does, most of it at once; while it goes, what reading a tensor throws.
 */
export function streamSafetensors(
  tensors: Tensors,
  metadata: Readonly<Metadata> = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { head, parts } = layOut(tensors, metadata);
  return (async function* () {
    yield head;
    for (const part of parts) yield encoded(part, await dataOf(part));
  })();
}

const dataOf = ({ tensor }: Part): TypedArray | Promise<TypedArray> =>
  typeof tensor.data === 'function' ? tensor.data() : tensor.data;

function encoded({ name, stored, tensor }: Part, data: TypedArray): Uint8Array {
  checkFilled(name, tensor.shape, data);
  return encode(data, stored, () => quote(name));
}
