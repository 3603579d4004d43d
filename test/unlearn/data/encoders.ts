// Makes small pictures in formats for which nothing else here has an encoder, and EXIF blocks to put into them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A TIFF structure whose only entry is the orientation. */
export function exif(orientation: number, little = true, type = 3): Buffer {
  const tiff = Buffer.alloc(26);
  const u16 = (value: number, at: number) =>
    little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const u32 = (value: number, at: number) =>
    little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  tiff.write(little ? 'II' : 'MM', 'latin1');
  u16(42, 2);
  u32(8, 4);
  u16(1, 8);
  u16(0x0112, 10);
  u16(type, 12);
  u32(1, 14);
  u16(orientation, 18);
  return tiff;
}

/** A JPEG with an EXIF block after its first two bytes. */
export function jpegWith(jpeg: Uint8Array, tiff: Uint8Array): Buffer {
  const head = Buffer.from([0xff, 0xe1, 0, 2 + 6 + tiff.length, 0x45, 0x78, 0x69, 0x66, 0, 0]);
  return Buffer.concat([jpeg.subarray(0, 2), head, tiff, jpeg.subarray(2)]);
}

/** A GIF of colour indices: LZW with codes of growing width, as encoders write it. */
export function gif(
  width: number,
  height: number,
  table: readonly (readonly number[])[],
  indices: ArrayLike<number>,
  options: { transparent?: number; interlaced?: boolean; bits?: number } = {},
): Buffer {
  const { transparent, interlaced = false, bits = 2 } = options;
  const stream: number[] = [];
  let held = 0;
  let have = 0;
  const put = (code: number, size: number) => {
    held |= code << have;
    for (have += size; have >= 8; have -= 8, held >>>= 8) stream.push(held & 255);
  };
  const clear = 1 << bits;
  const codes = new Map<string, number>();
  let size = bits + 1;
  let next = clear + 2;
  put(clear, size);
  let current = '';
  const codeOf = (key: string) => (key.includes(',') ? (codes.get(key) as number) : Number(key));
  const rows: number[] = [];
  for (const [start, step] of interlaced
    ? [
        [0, 8],
        [4, 8],
        [2, 4],
        [1, 2],
      ]
    : [[0, 1]])
    for (let y = start; y < height; y += step) rows.push(y);
  for (const y of rows)
    for (let x = 0; x < width; x++) {
      const index = indices[y * width + x];
      const longer = current === '' ? `${index}` : `${current},${index}`;
      if (current === '' || codes.has(longer)) {
        current = longer;
        continue;
      }
      put(codeOf(current), size);
      if (next < 4096) {
        codes.set(longer, next);
        if (next === 1 << size && size < 12) size++;
        next++;
      }
      current = `${index}`;
    }
  put(codeOf(current), size);
  put(clear + 1, size);
  if (have > 0) stream.push(held & 255);
  const blocks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += 255) {
    const part = stream.slice(at, at + 255);
    blocks.push(Buffer.from([part.length, ...part]));
  }
  const entries = 2 ** bits;
  const colours = Array.from({ length: entries }, (_, i) => table[i] ?? [0, 0, 0]).flat();
  const u16 = (value: number) => [value & 255, value >> 8];
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  return Buffer.concat([
    Buffer.from('GIF89a'),
    Buffer.from([...u16(width), ...u16(height), 0x80 | (bits - 1), 0, 0, ...colours, ...control]),
    Buffer.from([0x2c, 0, 0, 0, 0, ...u16(width), ...u16(height), interlaced ? 0x40 : 0, bits]),
    ...blocks,
    Buffer.from([0, 0x3b]),
  ]);
}

/** A BMP of 24 bits, rows from the bottom up. */
export function bmp(width: number, height: number, rgb: Uint8Array): Buffer {
  const row = 4 * Math.ceil((3 * width) / 4);
  const bytes = Buffer.alloc(54 + row * height);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        bytes[54 + (height - 1 - y) * row + 3 * x + 2 - c] = rgb[(y * width + x) * 3 + c];
  return bytes;
}

/** A lossless WebP of RGBA pixels; `chunk` is put at its end, with the header an extended file has. */
export async function webp(
  width: number,
  height: number,
  rgba: Uint8Array,
  options: { lossless?: boolean; exif?: Uint8Array } = {},
): Promise<Buffer> {
  const { default: encode, init } = await import('@jsquash/webp/encode.js');
  const path = createRequire(import.meta.url).resolve('@jsquash/webp/codec/enc/webp_enc_simd.wasm');
  const start = init as unknown as (code: WebAssembly.Module) => Promise<void>;
  await start(new WebAssembly.Module(readFileSync(path)));
  const data = new Uint8ClampedArray(rgba);
  const image = { data, width, height, colorSpace: 'srgb' } as ImageData;
  const plain = Buffer.from(await encode(image, { lossless: options.lossless === false ? 0 : 1, exact: 1 }));
  if (options.exif === undefined) return plain;
  const chunk = (type: string, body: Uint8Array) => {
    const head = Buffer.from(`${type}....`);
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
  };
  const canvas = Buffer.alloc(10);
  canvas[0] = 0x08;
  canvas.writeUIntLE(width - 1, 4, 3);
  canvas.writeUIntLE(height - 1, 7, 3);
  const all = Buffer.concat([
    plain.subarray(0, 12),
    chunk('VP8X', canvas),
    plain.subarray(12),
    chunk('EXIF', options.exif),
  ]);
  all.writeUInt32LE(all.length - 8, 4);
  return all;
}
