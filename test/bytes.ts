// Bytes as what is read and written a piece at a time.

import type { ByteSource } from '../engine/io/index.ts';

export const source = (bytes: Uint8Array): ByteSource => ({
  bytes: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

export async function collect(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part.slice());
  return Uint8Array.from(Buffer.concat(all));
}
