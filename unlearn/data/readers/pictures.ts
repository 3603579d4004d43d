// Picture files: which kind one is, told by its first bytes, and its pixels as they are to be seen (EXIF orientation
// obeyed, transparency on white). Each format is a file in formats/; colour profiles and animation are ignored there.

import { LetheError } from '../../../engine/error.ts';
import { reasonOf } from '../../text.ts';
import { refuse } from '../refuse.ts';
import { decodeBmp } from './formats/bmp.ts';
import { decodeGif } from './formats/gif.ts';
import { decodeJpeg } from './formats/jpeg.ts';
import type { Picture } from './formats/pixels.ts';
import { decodePng } from './formats/png.ts';
import { decodePnm } from './formats/pnm.ts';
import { decodeWebp } from './formats/webp.ts';

export type { Picture } from './formats/pixels.ts';

type Decode = (bytes: Uint8Array, file: string) => Picture | Promise<Picture>;

interface Kind {
  readonly name: string;
  /** Whether a file that begins so is of this kind. */
  readonly begins: (text: string) => boolean;
  /** Null for kinds that are known but not read. */
  readonly decode: Decode | null;
  readonly endings: RegExp;
}

// What files begin with, as Latin-1 text.
const starts =
  (...signs: string[]) =>
  (text: string) =>
    signs.some((sign) => text.startsWith(sign));
const brand =
  (...names: string[]) =>
  (text: string) =>
    text.startsWith('ftyp', 4) && names.includes(text.slice(8, 12));
const isWebp = (text: string) => text.startsWith('RIFF') && text.startsWith('WEBP', 8);
/** The length of the second header tells it from any text that begins with BM. */
const isBmp = (text: string) =>
  text.startsWith('BM') && '\x0c(48@l|'.includes(text[14] ?? ' ') && text.startsWith('\0\0\0', 15);
const isPnm = (kinds: string) => (text: string) =>
  text[0] === 'P' && kinds.includes(text[1] ?? ' ') && /^\s/.test(text.slice(2));
const isJpegXl = starts('\xff\x0a', '\0\0\0\x0cJXL ');

const kinds: readonly Kind[] = [
  { name: 'PGM or PPM', begins: isPnm('2356'), decode: decodePnm, endings: /\.(pgm|ppm|pnm)$/i },
  { name: 'PNG', begins: starts('\x89PNG'), decode: decodePng, endings: /\.png$/i },
  { name: 'JPEG', begins: starts('\xff\xd8'), decode: decodeJpeg, endings: /\.(jpe?g|jfif)$/i },
  { name: 'WebP', begins: isWebp, decode: decodeWebp, endings: /\.webp$/i },
  { name: 'GIF', begins: starts('GIF87a', 'GIF89a'), decode: decodeGif, endings: /\.gif$/i },
  { name: 'BMP', begins: isBmp, decode: decodeBmp, endings: /\.(bmp|dib)$/i },
  {
    name: 'HEIC',
    begins: brand('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'),
    decode: null,
    endings: /\.(heic|heif)$/i,
  },
  { name: 'AVIF', begins: brand('avif', 'avis'), decode: null, endings: /\.avif$/i },
  { name: 'TIFF', begins: starts('II*\0', 'MM\0*'), decode: null, endings: /\.tiff?$/i },
  { name: 'JPEG XL', begins: isJpegXl, decode: null, endings: /\.jxl$/i },
  { name: 'JPEG 2000', begins: starts('\0\0\0\x0cjP  '), decode: null, endings: /\.(jp2|j2k)$/i },
  { name: 'PBM or PAM', begins: isPnm('147'), decode: null, endings: /\.(pbm|pam)$/i },
  { name: 'SVG', begins: starts('<svg'), decode: null, endings: /\.svg$/i },
  { name: 'RAW', begins: () => false, decode: null, endings: /\.(dng|cr2|cr3|nef|arw|orf|rw2|raf)$/i },
];

/** How many first bytes tell the kind. */
export const HEAD_BYTES = 20;

const READ = kinds.filter((kind) => kind.decode !== null).map((kind) => kind.name);
/** The kinds that are read, for messages. */
const readKinds = `${READ.slice(0, -1).join(', ').replaceAll(' or ', ', ')} or ${READ.at(-1)}`;

function kindOf(head: Uint8Array): Kind | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD_BYTES)).toString(
    'latin1',
  );
  return kinds.find((kind) => kind.begins(text));
}

/**
 * What a file is, by its first bytes, else by its name: a picture that is read (or would be, were it whole), a picture of
 * a kind that is not read, or no picture.
 */
export function classify(head: Uint8Array, name: string): { name: string; read: boolean } | null {
  const kind = kindOf(head) ?? kinds.find(({ endings }) => endings.test(name));
  return kind === undefined ? null : { name: kind.name, read: kind.decode !== null };
}

/** The pixels of a picture file. What is no picture, damaged or of a kind that is not read is a 'data' error. */
export async function decodePicture(bytes: Uint8Array, file: string): Promise<Picture> {
  if (bytes.length === 0) return refuse(file, '', 'an empty file');
  const kind = kindOf(bytes);
  if (kind === undefined) return refuse(file, 'byte 0', `expected a ${readKinds} picture`);
  if (kind.decode === null) return refuse(file, '', `a ${kind.name} picture; expected ${readKinds}`);
  try {
    return await kind.decode(bytes, file);
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    // A decoder that trips over the damage says nothing of use.
    const reason = cause instanceof TypeError ? '' : ` (${reasonOf(cause)})`;
    return refuse(file, '', `damaged ${kind.name}${reason}`, cause);
  }
}
