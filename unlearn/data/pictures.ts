// Decoding one picture file: PGM and PPM (binary and text grey), PNG, JPEG, told apart by their first bytes. Sizes are
// checked against limits and against the bytes at hand before anything is decoded. Metadata (EXIF orientation, ICC
// profiles, animation) is ignored; transparent pixels are laid on white.

import { inflateSync } from 'node:zlib';
import { LetheError } from '../../engine/error.ts';
import { reasonOf } from '../files.ts';
import { limits, refuse } from './refuse.ts';

/** Bytes of a picture, height x width x channels, channels 1 (grey) or 3 (RGB). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

function checkSize(file: string, where: string, width: number, height: number): void {
  if (width < 1 || height < 1 || width * height > limits.picturePixels) {
    refuse(file, where, `${width} x ${height} pixels, expected 1 to ${limits.picturePixels} in all`);
  }
}

/** Any picture this file knows; anything else, and anything malformed, is a 'data' error. */
export async function decodePicture(bytes: Uint8Array, file: string): Promise<Picture> {
  if (bytes[0] === 0x50 && bytes[1] >= 0x32 && bytes[1] <= 0x36 && bytes[1] !== 0x34)
    return decodePnm(bytes, file);
  try {
    if (bytes[0] === 0x89 && bytes[1] === 0x50) return await decodePng(bytes, file);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return await decodeJpeg(bytes, file);
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    // A decoder that trips over the damage says nothing of use.
    const reason = cause instanceof TypeError ? '' : ` (${reasonOf(cause)})`;
    refuse(file, '', `damaged ${bytes[0] === 0xff ? 'JPEG' : 'PNG'}${reason}`, cause);
  }
  return refuse(file, 'byte 0', 'expected a PGM, PPM, PNG or JPEG picture');
}

/** Netpbm: P5 (grey) and P6 (colour) in binary, P2 (grey) and P3 (colour) as text; maxval 1 .. 65535. */
export function decodePnm(bytes: Uint8Array, file: string): Picture {
  let at = 2;
  const number = (what: string): number => {
    for (;;) {
      const c = bytes[at];
      if (c === 0x23) while (at < bytes.length && bytes[at] !== 0x0a) at++;
      else if (c === 0x20 || (c >= 0x09 && c <= 0x0d)) at++;
      else break;
    }
    const start = at;
    let value = 0;
    while (at < bytes.length && bytes[at] >= 0x30 && bytes[at] <= 0x39 && at - start < 10)
      value = value * 10 + bytes[at++] - 0x30;
    if (at === start) refuse(file, `byte ${start}`, `expected ${what}`);
    return value;
  };
  const kind = bytes[1] - 0x30;
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const width = number('the width');
  const height = number('the height');
  checkSize(file, 'header', width, height);
  const maxval = number('the largest value');
  if (maxval < 1 || maxval > 65535) refuse(file, 'header', `largest value ${maxval}, expected 1 to 65535`);
  const count = width * height * channels;
  const scaled = (value: number) =>
    maxval === 255 ? value : Math.floor((value * 255 + maxval / 2) / maxval);
  if (kind < 4) {
    // Each value takes a digit and a space at least.
    if (count > bytes.length - at)
      refuse(file, `byte ${at}`, `expected ${count} values, the file is too short`);
    const data = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const value = number(`value ${i + 1} of ${count}`);
      if (value > maxval) refuse(file, `byte ${at}`, `value ${value}, expected at most ${maxval}`);
      data[i] = scaled(value);
    }
    return { width, height, channels, data };
  }
  const separator = bytes[at++];
  if (!(separator === 0x20 || (separator >= 0x09 && separator <= 0x0d)))
    refuse(file, `byte ${at - 1}`, 'expected white space before the pixels');
  const wide = maxval > 255 ? 2 : 1;
  if (bytes.length - at !== count * wide) {
    refuse(file, `byte ${at}`, `expected ${count * wide} bytes of pixels, found ${bytes.length - at}`);
  }
  const data = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const value = wide === 1 ? bytes[at + i] : bytes[at + 2 * i] * 256 + bytes[at + 2 * i + 1];
    if (value > maxval) refuse(file, `byte ${at + i * wide}`, `value ${value}, expected at most ${maxval}`);
    data[i] = scaled(value);
  }
  return { width, height, channels, data };
}

const PNG_CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
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
 * the chunks we ignore (compressed profiles and texts among them), for the decoder to see nothing unchecked.
 */
function checkedPng(bytes: Buffer, file: string): Buffer {
  const kept: Buffer[] = [bytes.subarray(0, 8)];
  const data: Buffer[] = [];
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
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length));
    if (KEPT_CHUNKS.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (at !== bytes.length) refuse(file, `byte ${at}`, `${bytes.length - at} bytes follow the end of the PNG`);
  const found = inflateSync(Buffer.concat(data), { maxOutputLength: raw }).length;
  if (found !== raw) refuse(file, '', `pixels decompress to ${found} bytes, the header asks for ${raw}`);
  return Buffer.concat(kept);
}

async function decodePng(input: Uint8Array, file: string): Promise<Picture> {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const checked = checkedPng(bytes, file);
  const { decode, convertIndexedToRgb } = await import('fast-png');
  const png = decode(checked, { checkCrc: true });
  const { width, height } = png;
  if (png.palette !== undefined) {
    if (bytes[25] !== 3) refuse(file, 'header', 'a palette in a picture that is not indexed');
    const flat = convertIndexedToRgb(png);
    return onWhite(flat, width, height, png.palette[0].length as 3 | 4);
  }
  if (bytes[25] === 3) refuse(file, '', 'an indexed picture without a palette');
  if (png.depth < 8)
    return { width, height, channels: 1, data: unpack(png.data as Uint8Array, width, height, png.depth) };
  const flat = png.depth === 16 ? Uint8Array.from(png.data, (value) => value >> 8) : (png.data as Uint8Array);
  return onWhite(flat, width, height, png.channels as 1 | 2 | 3 | 4);
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

/** Pixels with an optional last channel of opacity, laid on white. */
function onWhite(flat: Uint8Array, width: number, height: number, channels: 1 | 2 | 3 | 4): Picture {
  if (channels === 1 || channels === 3) return { width, height, channels, data: flat };
  const colours = channels === 2 ? 1 : 3;
  const data = new Uint8Array(width * height * colours);
  for (let i = 0; i < width * height; i++) {
    const alpha = flat[i * channels + colours];
    for (let c = 0; c < colours; c++) {
      const value = flat[i * channels + c] * alpha + 255 * (255 - alpha);
      data[i * colours + c] = Math.floor((value + 127) / 255);
    }
  }
  return { width, height, channels: colours, data };
}

/** Checks the frame header of a JPEG before the decoder allocates for it; answers the number of components. */
function checkJpeg(bytes: Uint8Array, file: string): number {
  let components = 0;
  let scans = 0;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1];
    if (marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xd9) break;
    const length = bytes[at + 2] * 256 + bytes[at + 3];
    if (marker >= 0xc0 && marker <= 0xc2) {
      if (at + 10 > bytes.length) refuse(file, `byte ${at}`, 'frame header is cut off');
      if (components !== 0) refuse(file, `byte ${at}`, 'a second frame, expected one');
      const height = bytes[at + 5] * 256 + bytes[at + 6];
      const width = bytes[at + 7] * 256 + bytes[at + 8];
      components = bytes[at + 9];
      checkSize(file, `byte ${at}`, width, height);
      // Every block of 8 x 8 pixels takes a bit at least.
      if ((width * height) / 64 > bytes.length * 8)
        refuse(file, `byte ${at}`, `${width} x ${height} pixels cannot be in ${bytes.length} bytes`);
      if (components !== 1 && components !== 3 && components !== 4)
        refuse(file, `byte ${at}`, `${components} components, expected 1, 3 or 4`);
    } else if (marker === 0xda && ++scans > 100) refuse(file, `byte ${at}`, 'more than 100 scans');
    at += 2 + length;
  }
  if (components === 0)
    refuse(file, '', 'no frame header, or a kind of JPEG other than baseline and progressive');
  return components;
}

async function decodeJpeg(bytes: Uint8Array, file: string): Promise<Picture> {
  const components = checkJpeg(bytes, file);
  const { default: jpeg } = await import('jpeg-js');
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: Math.ceil(limits.picturePixels / 1e6),
    maxMemoryUsageInMB: 1024,
  });
  if (components !== 1) return { width, height, channels: 3, data };
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[i * 3];
  return { width, height, channels: 1, data: grey };
}
