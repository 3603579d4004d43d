// BMP, uncompressed: 1, 4 and 8 bits with a colour table, 16, 24 and 32 bits with or without masks, rows from the bottom
// up or from the top down. Opacity is ignored, as most programs that write BMP fill it with anything.

import { refuse } from '../../refuse.ts';
import { checkSize, type Picture } from './pixels.ts';

const HEADERS = [12, 40, 52, 56, 64, 108, 124];
const COMPRESSIONS = ['none', 'run lengths of 8 bits', 'run lengths of 4 bits', 'masks', 'JPEG', 'PNG'];

/** A field of bits as a value 0 .. 255. */
function fieldOf(mask: number): (value: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const largest = mask >>> shift;
  return (value) => Math.round((((value & mask) >>> shift) * 255) / largest);
}

export function decodeBmp(input: Uint8Array, file: string): Picture {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length < 26) refuse(file, 'byte 0', `expected a BMP header, found ${bytes.length} bytes`);
  const start = bytes.readUInt32LE(10);
  const header = bytes.readUInt32LE(14);
  if (!HEADERS.includes(header)) refuse(file, 'byte 14', `a header of ${header} bytes, unknown`);
  if (14 + header > bytes.length) refuse(file, 'byte 14', 'expected the rest of the header, the file ends');
  const old = header === 12;
  const width = old ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const signed = old ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const height = Math.abs(signed);
  const depth = bytes.readUInt16LE(old ? 24 : 28);
  const compression = old ? 0 : bytes.readUInt32LE(30);
  checkSize(file, 'header', width, height);
  if (![1, 4, 8, 16, 24, 32].includes(depth)) refuse(file, 'byte 28', `${depth} bits a pixel, unknown`);
  if (compression !== 0 && !(compression === 3 && (depth === 16 || depth === 32)))
    refuse(file, 'byte 30', `compressed by ${COMPRESSIONS[compression] ?? 'an unknown method'}, not read`);
  const rowBytes = 4 * Math.ceil((width * depth) / 32);
  if (start + rowBytes * height > bytes.length)
    refuse(
      file,
      `byte ${start}`,
      `expected ${rowBytes * height} bytes of pixels, found ${bytes.length - start}`,
    );

  const data = new Uint8Array(width * height * 3);
  /** Calls `pixel` with the place of each row in the file and in `data`. */
  const rows = (pixel: (row: number, x: number, to: number) => void) => {
    for (let y = 0; y < height; y++) {
      const row = start + (signed > 0 ? height - 1 - y : y) * rowBytes;
      for (let x = 0; x < width; x++) pixel(row, x, (y * width + x) * 3);
    }
  };
  if (depth === 24) {
    rows((row, x, to) => {
      for (let c = 0; c < 3; c++) data[to + c] = bytes[row + 3 * x + 2 - c];
    });
  } else if (depth > 8) {
    const at = 14 + 40;
    if (compression === 3 && at + 12 > bytes.length)
      refuse(file, `byte ${at}`, 'expected masks, the file ends');
    const usual = depth === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
    const masks = compression === 3 ? [0, 4, 8].map((i) => bytes.readUInt32LE(at + i)) : usual;
    const fields = masks.map(fieldOf);
    rows((row, x, to) => {
      const value = depth === 16 ? bytes.readUInt16LE(row + 2 * x) : bytes.readUInt32LE(row + 4 * x);
      for (let c = 0; c < 3; c++) data[to + c] = fields[c](value);
    });
  } else {
    const entry = old ? 3 : 4;
    const stated = old ? 0 : bytes.readUInt32LE(46);
    const colours = stated === 0 ? 1 << depth : stated;
    const table = 14 + header;
    if (table + entry * colours > bytes.length)
      refuse(file, `byte ${table}`, `a table of ${colours} colours is longer than the file`);
    rows((row, x, to) => {
      const bit = x * depth;
      const index = (bytes[row + (bit >> 3)] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
      if (index >= colours)
        refuse(file, `byte ${row + (bit >> 3)}`, `colour ${index} of a table of ${colours}`);
      for (let c = 0; c < 3; c++) data[to + c] = bytes[table + entry * index + 2 - c];
    });
  }
  return { width, height, channels: 3, data };
}
