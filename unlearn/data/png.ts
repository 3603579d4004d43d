// Pictures of samples as PNG, for reports: one image, or many on a contact sheet, enlarged without smoothing. It
// reads nothing and draws no charts. This module alone (with the picture reader of folders) needs fast-png.

import { encode } from 'fast-png';
import { check } from '../../engine/error.ts';
import type { Split } from '../types.ts';
import { imageAt } from './split.ts';

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Bytes of a sample as a picture. Samples of other than 1 or 3 channels (tables) become a grey square of their values. */
function pictureOf(split: Split, position: number): Picture {
  const bytes = imageAt(split, position);
  const [height, width, channels] = split.shape;
  if ((channels === 1 || channels === 3) && height * width > 1)
    return { width, height, channels, data: bytes };
  let side = 1;
  while (side * side < bytes.length) side++;
  const rows = Math.ceil(bytes.length / side);
  const data = new Uint8Array(side * rows).fill(255);
  data.set(bytes);
  return { width: side, height: rows, channels: 1, data };
}

function checkScale(scale: number): void {
  check(
    Number.isInteger(scale) && scale >= 1 && scale <= 64,
    'value',
    () => `scale: expected an integer from 1 to 64, got ${scale}`,
  );
}

/** Copies a picture, each pixel as scale x scale, to (left, top) of an RGB sheet. */
function place(
  sheet: Uint8Array,
  sheetWidth: number,
  picture: Picture,
  left: number,
  top: number,
  scale: number,
): void {
  for (let y = 0; y < picture.height * scale; y++) {
    const row = Math.floor(y / scale) * picture.width;
    let to = ((top + y) * sheetWidth + left) * 3;
    for (let x = 0; x < picture.width * scale; x++) {
      const from = (row + Math.floor(x / scale)) * picture.channels;
      const grey = picture.channels === 1;
      sheet[to++] = picture.data[from];
      sheet[to++] = picture.data[grey ? from : from + 1];
      sheet[to++] = picture.data[grey ? from : from + 2];
    }
  }
}

/** PNG bytes of the sample at a position, each pixel drawn as scale x scale. */
export function pngOf(split: Split, position: number, options: { scale?: number } = {}): Uint8Array {
  const { scale = 1 } = options;
  return contactSheet(split, [position], { columns: 1, scale, gap: 0 });
}

/** The same as a `data:image/png;base64,...` URI. */
export function pngDataUri(split: Split, position: number, options: { scale?: number } = {}): string {
  const bytes = pngOf(split, position, options);
  return `data:image/png;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}`;
}

/**
 * PNG bytes of many samples in rows of `columns` (10), `gap` (2) pixels apart on a `background` (white, [r, g, b]),
 * each pixel as scale x scale. At most 64 million pixels.
 */
export function contactSheet(
  split: Split,
  positions: ArrayLike<number>,
  options: {
    columns?: number;
    scale?: number;
    gap?: number;
    background?: readonly [number, number, number];
  } = {},
): Uint8Array {
  const { scale = 1, gap = 2, background = [255, 255, 255] } = options;
  const columns = Math.min(options.columns ?? 10, Math.max(1, positions.length));
  checkScale(scale);
  check(positions.length > 0, 'value', () => 'contact sheet: expected at least one sample');
  check(
    Number.isInteger(columns) && columns >= 1,
    'value',
    () => `columns: expected 1 or more, got ${columns}`,
  );
  check(Number.isInteger(gap) && gap >= 0 && gap <= 256, 'value', () => `gap: expected 0 to 256, got ${gap}`);
  const pictures = Array.from(positions, (position) => pictureOf(split, position));
  const cellWidth = pictures[0].width * scale + gap;
  const cellHeight = pictures[0].height * scale + gap;
  const rows = Math.ceil(positions.length / columns);
  const width = columns * cellWidth + gap;
  const height = rows * cellHeight + gap;
  check(
    width * height <= 2 ** 26,
    'value',
    () => `contact sheet of ${width} x ${height} pixels is too large`,
  );
  const sheet = new Uint8Array(width * height * 3);
  for (let i = 0; i < sheet.length; i++) sheet[i] = background[i % 3];
  pictures.forEach((picture, i) => {
    place(
      sheet,
      width,
      picture,
      gap + (i % columns) * cellWidth,
      gap + Math.floor(i / columns) * cellHeight,
      scale,
    );
  });
  return encode({ width, height, channels: 3, depth: 8, data: sheet });
}
