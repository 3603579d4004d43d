// Shared by the tests of this folder: scratch folders, small files in every format, and what a refusal looks like.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { type ErrorKind, LetheError } from '../../../engine/error.ts';
import { crc32 } from './crc.ts';

const made: string[] = [];
afterAll(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A new folder holding the given files, removed after the tests of the file. */
export async function scratch(files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lethe-test-'));
  made.push(folder);
  for (const [name, data] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), data);
  }
  return folder;
}

/** Runs `act`, which must throw a LetheError of this kind whose one line matches. */
export async function refuses(act: () => unknown, kind: ErrorKind, line: RegExp): Promise<void> {
  let thrown: unknown;
  try {
    await act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(LetheError);
  const error = thrown as LetheError;
  expect(error.message).toMatch(line);
  expect(error.message).not.toMatch(/[\n\r]/);
  expect(error.kind).toBe(kind);
}

/** An IDX file of unsigned bytes. */
export function idx(dims: number[], values: ArrayLike<number>, magic = 0x0800 | dims.length): Buffer {
  const bytes = Buffer.alloc(4 + 4 * dims.length + values.length);
  bytes.writeUInt32BE(magic, 0);
  dims.forEach((dim, i) => {
    bytes.writeUInt32BE(dim, 4 + 4 * i);
  });
  bytes.set(values, 4 + 4 * dims.length);
  return bytes;
}

/** The four files of an MNIST-like set of 6 + 3 images of 2 x 3 pixels. */
export function idxFiles(): Record<string, Buffer> {
  const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 37) & 255);
  return {
    'train-images-idx3-ubyte': idx([6, 2, 3], bytes(36)),
    'train-labels-idx1-ubyte': idx([6], [0, 1, 2, 9, 1, 0]),
    't10k-images-idx3-ubyte': idx([3, 2, 3], bytes(18)),
    't10k-labels-idx1-ubyte': idx([3], [2, 1, 0]),
  };
}

/** CIFAR records: label bytes, then 3,072 pixels that depend on the record. */
export function cifar(labels: number[][]): Buffer {
  return Buffer.concat(
    labels.map((label, r) =>
      Buffer.concat([
        Buffer.from(label),
        Buffer.from(Uint8Array.from({ length: 3072 }, (_, i) => (i * 7 + r) & 255)),
      ]),
    ),
  );
}

export function cifar10Files(): Record<string, Buffer> {
  const files: Record<string, Buffer> = { 'test_batch.bin': cifar([[9], [0]]) };
  for (let b = 1; b <= 5; b++) files[`data_batch_${b}.bin`] = cifar([[b], [b - 1], [9]]);
  return files;
}

/** A binary PGM (1 channel) or PPM (3). */
export function pnm(width: number, height: number, channels: 1 | 3, value: (i: number) => number): Buffer {
  const header = Buffer.from(`P${channels === 1 ? 5 : 6}\n# a comment\n${width} ${height}\n255\n`);
  return Buffer.concat([
    header,
    Buffer.from(Uint8Array.from({ length: width * height * channels }, (_, i) => value(i))),
  ]);
}

/** A PNG from its chunks, checksums made right. */
export function png(chunks: [string, Uint8Array][]): Buffer {
  const parts: Buffer[] = [Buffer.from('89504e470d0a1a0a', 'hex')];
  for (const [type, data] of chunks) {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    parts.push(length, body, sum);
  }
  return Buffer.concat(parts);
}

/** The header chunk of a PNG. */
export function ihdr(width: number, height: number, depth: number, type: number, interlace = 0): Uint8Array {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, type, 0, 0, interlace], 8);
  return data;
}

/** Bytes in ArrayBuffers now: what a reader allocated is the growth over its run, garbage included. */
export function bufferBytes(): number {
  const { arrayBuffers, external } = process.memoryUsage();
  return Math.max(arrayBuffers, external);
}
