// Netpbm pictures: PGM and PPM, binary and text.

import { refuse } from '../../refuse.ts';
import { checkSize, type Picture } from './pixels.ts';

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
