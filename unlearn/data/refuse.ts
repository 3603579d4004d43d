// How the readers of this folder say no: one line with the file, the place in it and what was expected there, and
// the bounds that keep a hostile file from costing more than it should. No reading here.

import { LetheError } from '../../engine/error.ts';
import { nearest } from '../options/suggest.ts';
import { printable } from '../text.ts';

const MiB = 2 ** 20;

/** Bounds on what a reader accepts. A file beyond them is refused before memory is spent on it. */
export const limits = {
  /** One file on disk. */
  fileBytes: 1024 * MiB,
  /** One file after decompression, and all images of one split. */
  decodedBytes: 2048 * MiB - 1,
  /** One picture of an image folder, on disk. */
  pictureBytes: 64 * MiB,
  /** Pixels of one picture; decoding takes up to 40 bytes a pixel (PNG of 16 bits with transparency), usually 12. */
  picturePixels: 64 * MiB,
  /** Pictures in an image folder. */
  pictures: 1_000_000,
  /** Folders inside folders. */
  depth: 8,
  /** Decompressed CSV text. */
  csvBytes: 256 * MiB,
  /** Columns of a CSV file. */
  csvColumns: 65_536,
  /** Text files beside the data: names of classes, checksums. */
  textBytes: 64 * MiB,
} as const;

/** Throws a 'data' error: `FILE: WHERE: expected ..., found ...`. `where` may be empty. */
export function refuse(file: string, where: string, message: string, cause?: unknown): never {
  const place = where === '' ? '' : `${where}: `;
  throw new LetheError('data', `${printable(file)}: ${place}${message}`, { cause });
}

/** `unknown WHAT 'NAME': did you mean 'NEAREST'? known: a, b, ...`, a 'value' error. */
export function unknownName(what: string, name: string, candidates: readonly string[]): never {
  const near = nearest(name, candidates);
  const shown = candidates.slice(0, 20).map(printable).join(', ') + (candidates.length > 20 ? ', ...' : '');
  const hint = near === null ? '' : `did you mean '${printable(near)}'? `;
  throw new LetheError('value', `unknown ${what} '${printable(name)}': ${hint}known: ${shown}`);
}
