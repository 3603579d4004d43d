// What readers cost at most, as docs/data.md says, measured as the growth of the resident set of a process of its own:
// large files, and small ones that would become large.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { compiled } from '../../compiled.ts';
import { cifar10Files, idx, idxFiles, ihdr, png, scratch } from './helpers.ts';

const MB = 1e6;
let child: string;
beforeAll(() => {
  [child] = compiled('data-memory', 'test/unlearn/data/memory-child.ts');
});

/** What a reader answered to a file, and how far it went beyond what the process took before. */
async function cost(
  reader: string,
  name: string,
  data: Uint8Array,
  beside: Record<string, Uint8Array> = {},
): Promise<{ answer: string; bytes: number }> {
  const folder = await scratch({ ...beside, [name]: data });
  const said = execFileSync(process.execPath, [child, reader, join(folder, name)], { encoding: 'utf8' });
  const { before, after, answer } = JSON.parse(said);
  return { answer, bytes: after - before };
}

/** A safetensors file with a header and `size` bytes of zeros. */
function safetensors(header: string, size: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(size)]);
}

it('PNG of 16 bits with transparency: 40 bytes a pixel, and the file twice', async () => {
  const side = 2000;
  // Noise, so that the file is large too.
  const raw = Buffer.alloc(side * (1 + 8 * side));
  for (let i = 0; i < raw.length; i++)
    raw[i] = i % (1 + 8 * side) === 0 ? 0 : Math.imul(i, 2654435761) >>> 24;
  const rows = deflateSync(raw, { level: 1 });
  const picture = png([
    ['IHDR', ihdr(side, side, 16, 6)],
    ['IDAT', rows],
    ['IEND', new Uint8Array(0)],
  ]);
  const { answer, bytes } = await cost('picture', 'p.png', picture);
  expect(answer).toBe(`${side} x ${side}`);
  expect(bytes / side ** 2).toBeLessThan(40 + (2 * picture.length) / side ** 2);
});

it.each(['BF16', 'F16'])('safetensors, %s: the file, its elements and a copy', async (dtype) => {
  const n = 2e7;
  const header = JSON.stringify({ x: { dtype, shape: [n], data_offsets: [0, 2 * n] } });
  const { answer, bytes } = await cost('safetensors', 'x.safetensors', safetensors(header, 2 * n));
  expect(answer).toBe('1 tensors');
  expect(bytes).toBeLessThan((2 + 2 + 4) * n + 40 * MB);
});

it('safetensors, I64: elements, their bytes and the file', async () => {
  const { answer, bytes } = await cost('int64', 'none', new Uint8Array(0));
  expect(Number.parseInt(answer, 10)).toBeGreaterThan(8 * 8e6);
  expect(bytes).toBeLessThan((4 + 8 + 8) * 8e6 + 40 * MB);
});

it('safetensors: a header of tensors without elements', async () => {
  const entry = (i: number) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`;
  const header = `{${Array.from({ length: 400_000 }, (_, i) => entry(i)).join(',')}}`;
  const { answer, bytes } = await cost('safetensors', 'x.safetensors', safetensors(header, 0));
  expect(answer).toMatch(/^safetensors: header, character \d+: expected at most 100000 tensors, found /);
  expect(bytes).toBeLessThan(250 * MB);
});

it('safetensors: a header of dimensions', async () => {
  const header = `{"x":{"dtype":"F32","shape":[${'1,'.repeat(5e6)}1],"data_offsets":[0,4]}}`;
  const { answer, bytes } = await cost('safetensors', 'x.safetensors', safetensors(header, 4));
  expect(answer).toMatch(
    /^safetensors: header, character \d+: expected a list of at most 16 numbers, found /,
  );
  expect(bytes).toBeLessThan(80 * MB);
});

const { 'train-images-idx3-ubyte': _, ...besideImages } = idxFiles();
const zeros = Buffer.alloc(256 * MB);
const fast = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

it('IDX that is none, however much it decompresses to: nothing', async () => {
  for (const [name, data] of [
    ['train-images-idx3-ubyte.br', brotliCompressSync(zeros, fast)],
    ['train-images-idx3-ubyte.gz', gzipSync(zeros, { level: 1 })],
  ] as const) {
    const { answer, bytes } = await cost('mnist', name, data, besideImages);
    expect(answer).toMatch(/byte 0: expected the magic number 2051, found 0$/);
    expect(bytes).toBeLessThan(40 * MB);
  }
});

it('IDX that goes on beyond its header: what the header says', async () => {
  const data = gzipSync(Buffer.concat([idx([6, 2, 3], new Uint8Array(36)), zeros]), { level: 1 });
  const { answer, bytes } = await cost('mnist', 'train-images-idx3-ubyte.gz', data, besideImages);
  expect(answer).toMatch(/byte 52: expected the end by its header, it decompresses to more$/);
  expect(bytes).toBeLessThan(40 * MB);
});

it('IDX as it should be: its bytes, once', async () => {
  const images = idx([60_000, 28, 28], new Uint8Array(60_000 * 784));
  const labels = idx([60_000], new Uint8Array(60_000));
  const beside = {
    ...besideImages,
    'train-labels-idx1-ubyte': labels,
    't10k-images-idx3-ubyte': idx([3, 28, 28], new Uint8Array(3 * 784)),
  };
  const { answer, bytes } = await cost('mnist', 'train-images-idx3-ubyte.gz', gzipSync(images), beside);
  expect(answer).toBe('60000 images');
  expect(bytes).toBeLessThan(60_000 * 784 + 50 * MB);
});

it('CIFAR of more records than there may be: nothing', async () => {
  const { 'data_batch_1.bin': _, ...rest } = cifar10Files();
  const { answer, bytes } = await cost(
    'cifar-10',
    'data_batch_1.bin.gz',
    gzipSync(zeros, { level: 1 }),
    rest,
  );
  expect(answer).toMatch(/data_batch_1.bin.gz: decompresses to more than 184440000 bytes$/);
  expect(bytes).toBeLessThan(40 * MB);
});
