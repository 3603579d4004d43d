// PNG by fast-png, behind a walk over the chunks: sizes are checked before anything is decoded, and the decoder sees only
// what it needs. Writing pictures is ../png.ts.

import { Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import { refuse } from '../../refuse.ts';
import { orientationOf } from './exif.ts';
import { checkSize, onWhite, type Picture, upright } from './pixels.ts';

const PNG_CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** What the decoder is shown; compressed profiles, texts and animation are not among it. */
const KEPT_CHUNKS = new Set(['IHDR', 'PLTE', 'IDAT', 'tRNS', 'IEND']);

/** Bytes of pixel rows, filter bytes included, that a PNG of these dimensions decompresses to. */
function pngRawBytes(width: number, height: number, bitsPerPixel: number, interlaced: boolean): number {
  const rows = (w: number, h: number) =>
    w === 0 || h === 0 ? 0 : h * (1 + Math.ceil((w * bitsPerPixel) / 8));
  if (!interlaced) return rows(width, height);
  // The seven passes of Adam7: first column, first row, steps.
  const passes = [0, 0, 8, 8, 4, 0, 8, 8, 0, 4, 4, 8, 2, 0, 4, 4, 0, 2, 2, 4, 1, 0, 2, 2, 0, 1, 1, 2];
  let sum = 0;
  for (let i = 0; i < passes.length; i += 4) {
    sum += rows(
      Math.ceil((width - passes[i]) / passes[i + 2]),
      Math.ceil((height - passes[i + 1]) / passes[i + 3]),
    );
  }
  return sum;
}

/**
 * Walks the chunks, checks that the pixels decompress to exactly what the header declares, and answers a copy without
 * the chunks we ignore, for the decoder to see nothing unchecked, and the EXIF orientation.
 */
async function checkedPng(bytes: Buffer, file: string): Promise<{ checked: Buffer; orientation: number }> {
  const kept: Buffer[] = [bytes.subarray(0, 8)];
  const data: Buffer[] = [];
  let orientation = 1;
  let raw = -1;
  let at = 8;
  for (let type = ''; type !== 'IEND'; ) {
    if (at + 12 > bytes.length) refuse(file, `byte ${at}`, 'expected another PNG chunk, the file ends');
    const length = bytes.readUInt32BE(at);
    type = bytes.toString('latin1', at + 4, at + 8);
    const end = at + 12 + length;
    if (end > bytes.length) refuse(file, `byte ${at}`, `chunk of ${length} bytes is longer than the file`);
    if ((type === 'IHDR') !== raw < 0) refuse(file, `byte ${at}`, 'expected one IHDR chunk, at the start');
    if (type === 'IHDR') {
      if (length !== 13) refuse(file, `byte ${at}`, `IHDR of ${length} bytes, expected 13`);
      const width = bytes.readUInt32BE(at + 8);
      const height = bytes.readUInt32BE(at + 12);
      checkSize(file, 'header', width, height);
      const channels = PNG_CHANNELS[bytes[at + 17]];
      const depth = bytes[at + 16];
      if (channels === undefined || ![1, 2, 4, 8, 16].includes(depth))
        refuse(file, 'header', 'unknown colour type or depth');
      raw = pngRawBytes(width, height, channels * depth, bytes[at + 20] === 1);
    }
    if (type === 'eXIf') orientation = orientationOf(bytes.subarray(at + 8, at + 8 + length));
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    if (KEPT_CHUNKS.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (at !== bytes.length) refuse(file, `byte ${at}`, `${bytes.length - at} bytes follow the end of the PNG`);
  const found = await inflatedBytes(data, raw);
  if (found !== raw)
    refuse(
      file,
      '',
      `pixels decompress to ${found > raw ? 'more' : `${found} bytes`}, the header asks for ${raw}`,
    );
  return { checked: Buffer.concat(kept), orientation };
}

/** How many bytes the pieces of a zlib stream decompress to; counted up to `enough`, none of them kept. */
async function inflatedBytes(data: readonly Buffer[], enough: number): Promise<number> {
  const stream = createInflate({ chunkSize: 1 << 16 });
  // An error of the stream is thrown by the loop below.
  Readable.from(data).pipe(stream);
  try {
    let found = 0;
    for await (const piece of stream as AsyncIterable<Buffer>) {
      found += piece.length;
      if (found > enough) break;
    }
    return found;
  } finally {
    stream.destroy();
  }
}

export async function decodePng(input: Uint8Array, file: string): Promise<Picture> {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const { checked, orientation } = await checkedPng(bytes, file);
  const { decode, convertIndexedToRgb } = await import('fast-png');
  const png = decode(checked, { checkCrc: true });
  const { width, height } = png;
  const picture = (): Picture => {
    if (png.palette !== undefined) {
      if (bytes[25] !== 3) refuse(file, 'header', 'a palette in a picture that is not indexed');
      const flat = convertIndexedToRgb(png);
      return onWhite(flat, width, height, png.palette[0].length as 3 | 4);
    }
    if (bytes[25] === 3) refuse(file, '', 'an indexed picture without a palette');
    if (png.depth < 8)
      return { width, height, channels: 1, data: unpack(png.data as Uint8Array, width, height, png.depth) };
    const flat = png.depth === 16 ? highBytes(png.data as Uint16Array) : (png.data as Uint8Array);
    return onWhite(flat, width, height, png.channels as 1 | 2 | 3 | 4);
  };
  return upright(picture(), orientation);
}

/** The upper byte of each value, in the memory of the values: byte i lies nowhere behind value i. */
function highBytes(values: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) bytes[i] = values[i] >> 8;
  return bytes;
}

/** Grey of 1, 2 or 4 bits a pixel, rows padded to bytes, as bytes 0 .. 255. */
function unpack(packed: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const data = new Uint8Array(width * height);
  const rowBytes = Math.ceil((width * depth) / 8);
  const largest = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = packed[y * rowBytes + (bit >> 3)];
      data[y * width + x] = (((byte >> (8 - depth - (bit & 7))) & largest) * 255) / largest;
    }
  }
  return data;
}
