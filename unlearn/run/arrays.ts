// Named arrays and a JSON note as one safetensors file: the form of checkpoints of work in progress. Reads what it
// wrote and refuses everything else; weights of models, with PyTorch's names, are the engine's io.

import { check } from '../../engine/error.ts';
import type { CheckpointStore } from '../types.ts';

export type State = Parameters<CheckpointStore['save']>[0];
type Data = State['arrays'][string]['data'];

const kinds = { F32: Float32Array, I32: Int32Array, U32: Uint32Array } as const;
const MAX_HEADER = 100 * 2 ** 20;

const kindOf = (data: Data) =>
  data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'U32';
const bytesOf = (data: Data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** The parts of the file, in order. Little-endian machines only, as all that Node runs on are. */
export function encodeArrays(arrays: State['arrays'], note: Record<string, string>): Uint8Array[] {
  const header: Record<string, unknown> = { __metadata__: note };
  const body: Uint8Array[] = [];
  let offset = 0;
  for (const name of Object.keys(arrays).sort()) {
    const { data, shape } = arrays[name];
    header[name] = { dtype: kindOf(data), shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
    body.push(bytesOf(data));
  }
  const text = JSON.stringify(header);
  const padded = new TextEncoder().encode(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [length, padded, ...body];
}

/** Arrays and note of a file made by encodeArrays. @throws LetheError 'data' where the file is not whole. */
export function decodeArrays(bytes: Uint8Array): { arrays: State['arrays']; note: Record<string, string> } {
  const bad = (what: string) => `checkpoint: ${what}`;
  check(bytes.length >= 8, 'data', () => bad('shorter than its header'));
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  check(length <= BigInt(Math.min(bytes.length - 8, MAX_HEADER)), 'data', () =>
    bad('shorter than its header'),
  );
  const start = 8 + Number(length);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    header = null as never;
  }
  check(header && typeof header === 'object', 'data', () => bad('unreadable header'));
  const { __metadata__: note = {}, ...entries } = header;
  const arrays: State['arrays'] = Object.create(null);
  let end = 0;
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const Kind = kinds[dtype as keyof typeof kinds];
    const size = Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : Number.NaN;
    check(
      Kind && Array.isArray(data_offsets) && data_offsets[0] === end && data_offsets[1] === end + 4 * size,
      'data',
      () => bad(`array ${name} does not fit`),
    );
    end = data_offsets[1];
    check(start + end <= bytes.length, 'data', () => bad('cut off'));
    // A copy (Buffer's own slice is none): the file's bytes need not lie on a multiple of four.
    const copy = new Uint8Array(bytes.subarray(start + data_offsets[0], start + end));
    arrays[name] = { data: new Kind(copy.buffer) as Data, shape };
  }
  check(start + end === bytes.length, 'data', () => bad('longer than its arrays'));
  return { arrays, note: note as unknown as Record<string, string> };
}
