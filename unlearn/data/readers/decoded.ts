// The bytes of a data file, plain, gzip (.gz) or Brotli (.br), within bounds. Compressed files are decompressed piece by
// piece into memory taken once: a file costs what its contents are, however far it would expand.

import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { LetheError } from '../../../engine/error.ts';
import { readFileBounded } from '../../files.ts';
import { reasonOf } from '../../text.ts';
import { limits, refuse } from '../refuse.ts';

/** Says from the first bytes of a file how many it has in all; refuses what it does not know. */
interface Header {
  readonly bytes: number;
  readonly total: (head: Buffer) => number;
}

const FORMATS = {
  '.gz': { name: 'gzip', decompress: createGunzip },
  '.br': { name: 'Brotli', decompress: createBrotliDecompress },
} as const;

const formatOf = (path: string) => FORMATS[path.slice(-3) as keyof typeof FORMATS] ?? null;

/** The contents of a file in pieces; bytes after the end of a compressed stream are refused. */
export async function* piecesOf(
  path: string,
  maxBytes: number = limits.decodedBytes,
): AsyncGenerator<Buffer> {
  const bytes = await readFileBounded(path, Math.min(limits.fileBytes, maxBytes + 65_536));
  yield* pieces(path, bytes, maxBytes);
}

async function* pieces(path: string, bytes: Buffer, maxBytes: number): AsyncGenerator<Buffer> {
  const format = formatOf(path);
  if (format === null) {
    if (bytes.length > maxBytes) refuse(path, '', `${bytes.length} bytes, expected at most ${maxBytes}`);
    yield bytes;
    return;
  }
  const { name, decompress } = format;
  const stream = decompress({ chunkSize: 1 << 18 });
  try {
    let have = 0;
    stream.end(bytes);
    for await (const piece of stream as AsyncIterable<Buffer>) {
      have += piece.length;
      if (have > maxBytes) refuse(path, '', `decompresses to more than ${maxBytes} bytes`);
      yield piece;
    }
    const used = stream.bytesWritten;
    if (used < bytes.length)
      refuse(path, `byte ${used}`, `${bytes.length - used} bytes follow the end of the ${name} stream`);
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    refuse(path, '', `damaged ${name} stream (${reasonOf(cause)})`, cause);
  } finally {
    stream.destroy();
  }
}

/**
 * All contents of a file, at most `maxBytes`. With a header the size is read from the first bytes, without one the
 * contents are counted first. Memory is taken once either way, and what goes on beyond the size stated is refused.
 */
export async function readDecoded(
  path: string,
  options: { maxBytes?: number; header?: Header } = {},
): Promise<Buffer> {
  const { maxBytes = limits.decodedBytes, header } = options;
  const bytes = await readFileBounded(path, Math.min(limits.fileBytes, maxBytes + 65_536));
  const total = header === undefined ? await count(path, bytes, maxBytes) : await stated(path, bytes, header);
  if (total > maxBytes) refuse(path, '', `${total} bytes, expected at most ${maxBytes}`);
  if (formatOf(path) === null) return bytes;
  const all = Buffer.allocUnsafe(total);
  let have = 0;
  for await (const piece of pieces(path, bytes, maxBytes)) {
    if (have + piece.length > total)
      refuse(path, `byte ${total}`, `expected the end by its header, it decompresses to more`);
    have += piece.copy(all, have);
  }
  return all.subarray(0, have);
}

async function count(path: string, bytes: Buffer, maxBytes: number): Promise<number> {
  let total = 0;
  for await (const piece of pieces(path, bytes, maxBytes)) total += piece.length;
  return total;
}

async function stated(path: string, bytes: Buffer, header: Header): Promise<number> {
  const head: Buffer[] = [];
  let missing = header.bytes;
  for await (const piece of pieces(path, bytes, limits.decodedBytes)) {
    head.push(piece.subarray(0, missing));
    missing -= head.at(-1)!.length;
    if (missing === 0) break;
  }
  return header.total(Buffer.concat(head));
}
