// GIF, the first frame: its colour table, its LZW codes, its transparent colour on white. What comes after it, and the
// canvas around it, is not looked at.

import { refuse } from '../../refuse.ts';
import { checkSize, type Picture } from './pixels.ts';

/** Codes are 12 bits at most. */
const CODES = 4096;

/** The data of the sub-blocks from `at` on, joined. */
function joined(bytes: Uint8Array, from: number, file: string): Uint8Array {
  const data = new Uint8Array(bytes.length - from);
  let length = 0;
  for (let at = from; ; ) {
    const size = bytes[at];
    if (size === 0) return data.subarray(0, length);
    if (size === undefined || at + 1 + size > bytes.length)
      refuse(file, `byte ${at}`, 'expected another block, the file ends');
    data.set(bytes.subarray(at + 1, at + 1 + size), length);
    length += size;
    at += 1 + size;
  }
}

/** Colour indices from LZW codes of growing width; exactly `count` of them. */
function unpack(data: Uint8Array, first: number, count: number, file: string): Uint8Array {
  const clear = 1 << first;
  const prefix = new Uint16Array(CODES);
  const suffix = new Uint8Array(CODES);
  const length = new Uint16Array(CODES).fill(1);
  for (let code = 0; code < clear; code++) suffix[code] = code;
  const out = new Uint8Array(count);
  let width = first + 1;
  let next = clear + 2;
  let previous = -1;
  let have = 0;
  let bits = 0;
  let held = 0;
  for (let at = 0; have < count; ) {
    while (held < width && at < data.length) {
      bits |= data[at++] << held;
      held += 8;
    }
    if (held < width) return refuse(file, '', `pixels end after ${have} of ${count}`);
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    held -= width;
    if (code === clear) {
      width = first + 1;
      next = clear + 2;
      previous = -1;
      continue;
    }
    if (code === clear + 1) return refuse(file, '', `pixels end after ${have} of ${count}`);
    if (code > next || (code === next && previous < 0) || (previous < 0 && code > clear))
      return refuse(file, '', `damaged pixels after ${have} of ${count}`);
    // A code that is just being made stands for the previous string and that string's first index again.
    const known = code < next;
    let link = known ? code : previous;
    const size = length[link] + (known ? 0 : 1);
    for (let to = have + length[link] - 1; ; to--, link = prefix[link]) {
      if (to < count) out[to] = suffix[link];
      if (to === have) break;
    }
    const initial = suffix[link];
    if (!known && have + size <= count) out[have + size - 1] = initial;
    if (previous >= 0 && next < CODES) {
      prefix[next] = previous;
      suffix[next] = initial;
      length[next] = length[previous] + 1;
      next++;
      if (next === 1 << width && width < 12) width++;
    }
    previous = code;
    have += size;
  }
  return out;
}

/** Where row `i` of the file lies, rows being stored in four passes. */
function interlacedRows(height: number): number[] {
  const rows: number[] = [];
  for (const [start, step] of [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ])
    for (let y = start; y < height; y += step) rows.push(y);
  return rows;
}

export function decodeGif(input: Uint8Array, file: string): Picture {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const need = (at: number, count: number, what: string) => {
    if (at + count > bytes.length) refuse(file, `byte ${at}`, `expected ${what}, the file ends`);
  };
  need(0, 13, 'a GIF header');
  const tableAt = (flags: number, at: number) => {
    if ((flags & 0x80) === 0) return null;
    const size = 3 << ((flags & 7) + 1);
    need(at, size, 'a colour table');
    return bytes.subarray(at, at + size);
  };
  let table = tableAt(bytes[10], 13);
  let at = 13 + (table?.length ?? 0);
  let transparent = -1;
  for (;;) {
    need(at, 1, 'an image');
    const block = bytes[at++];
    if (block === 0x2c) break;
    if (block !== 0x21) refuse(file, `byte ${at - 1}`, `expected an image or an extension, found ${block}`);
    need(at, 2, 'an extension');
    if (bytes[at] === 0xf9 && bytes[at + 1] === 4) {
      need(at, 6, 'a graphic control');
      transparent = bytes[at + 2] & 1 ? bytes[at + 5] : -1;
    }
    at++;
    for (; bytes[at] !== 0; at += 1 + bytes[at]) need(at, 1, 'the end of an extension');
    at++;
  }
  need(at, 10, 'an image descriptor');
  const width = bytes.readUInt16LE(at + 4);
  const height = bytes.readUInt16LE(at + 6);
  const flags = bytes[at + 8];
  checkSize(file, `byte ${at}`, width, height);
  table = tableAt(flags, at + 9) ?? table;
  at += 9 + (flags & 0x80 ? (table as Buffer).length : 0);
  if (table === null) return refuse(file, `byte ${at}`, 'no colour table');
  need(at, 1, 'the pixels');
  const first = bytes[at];
  if (first < 2 || first > 8) refuse(file, `byte ${at}`, `codes of ${first} bits, expected 2 to 8`);
  const data = joined(bytes, at + 1, file);
  // A code is three bits at least, and stands for no more pixels than there were codes before it.
  const codes = (data.length * 8) / 3;
  if (width * height > codes * Math.min(codes, CODES))
    refuse(file, `byte ${at}`, `${width} x ${height} pixels cannot be in ${data.length} bytes`);
  const indices = unpack(data, first, width * height, file);
  const rows = flags & 0x40 ? interlacedRows(height) : null;
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, from = 0; y < height; y++) {
    let to = (rows === null ? y : rows[y]) * width * 3;
    for (let x = 0; x < width; x++, to += 3) {
      const index = indices[from++];
      if (index === transparent) pixels.fill(255, to, to + 3);
      else if (3 * index >= table.length)
        refuse(file, '', `colour ${index} of a table of ${table.length / 3}`);
      else pixels.set(table.subarray(3 * index, 3 * index + 3), to);
    }
  }
  return { width, height, channels: 3, data: pixels };
}
