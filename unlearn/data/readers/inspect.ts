// Looking an image folder over before it is used: classes with their counts, sizes, what cannot be read, what is left
// out, and pictures that occur more than once. It reports; refusing is folder.ts.

import { sha256 } from '../../sha256.ts';
import { counted, printable } from '../../text.ts';
import { type ClassCount, finishDataset } from '../split.ts';
import {
  assemble,
  checkFolderOptions,
  type FolderOptions,
  guessSize,
  problemsOf,
  readPictures,
  remarksOf,
  type SizeCount,
  splitFiles,
  type Unreadable,
} from './folder.ts';
import type { Picture } from './pictures.ts';
import { resize, withChannels } from './resize.ts';
import { type Scan, warningsOf } from './scan.ts';

/** Two pictures that look alike. */
export interface NearDuplicate {
  /** Their paths, relative to the folder. */
  readonly files: readonly [string, string];
  /** Bits of 256 in which their difference hashes differ, at most NEAR. */
  readonly distance: number;
  /** Whether one is for training and the other for testing. */
  readonly across: boolean;
}

/** A folder of pictures, looked over. */
export interface Inspection {
  /** Absolute path. */
  readonly root: string;
  /** Pictures that can be read. */
  readonly pictures: number;
  /** Pictures of each class. */
  readonly classes: readonly ClassCount[];
  /** Sizes before resizing, the most frequent first. */
  readonly sizes: readonly SizeCount[];
  /** [height, width] given, or that of all pictures, or a guess that would do. */
  readonly size: readonly [number, number];
  /** Where `size` comes from. */
  readonly sizeIs: 'given' | 'that of all pictures' | 'a guess';
  /** Pictures that cannot be read, with why. */
  readonly unreadable: readonly Unreadable[];
  /** Files that are no part of the data set, by why. */
  readonly left: Scan['left'];
  /** Groups of files with the same pixels. */
  readonly duplicates: readonly (readonly string[])[];
  /** Pairs that look alike, those across training and test first; null beyond LIMIT pictures, where none are sought. */
  readonly nearDuplicates: readonly NearDuplicate[] | null;
  /** What keeps the folder from being used as it is, but for a size that is missing. */
  readonly problems: readonly string[];
  /** What was left out although it was probably meant. */
  readonly warnings: readonly string[];
  /** What a reader should know. */
  readonly notes: readonly string[];
  /** What a run with this size would use; null where it would refuse. */
  readonly dataset: {
    /** [height, width, channels] of one image. */
    readonly shape: readonly [number, number, number];
    /** Mean of each channel over the training images, in [0, 1]. */
    readonly mean: readonly number[];
    /** Standard deviation of each channel over the training images, in [0, 1]. */
    readonly std: readonly number[];
    /** sha256 of what would be read. */
    readonly hash: string;
  } | null;
}

/** Difference hashes of copies that were recompressed or resized differ in up to this many bits of 256. */
export const NEAR = 16;
/** Pictures among which near-duplicates are sought; every pair is compared. */
export const LIMIT = 20_000;
/** Pictures of a class below which it is called small. */
const SMALL_CLASS = 5;
const SIDE = 16;

/**
 * The difference hash of a picture (dHash, N. Krawetz 2013): at 16 x 17 pixels in grey, whether each is brighter than its
 * right neighbour. Null for pictures so flat that this says nothing.
 */
export function differenceHash(picture: Picture): Uint32Array | null {
  const { data } = withChannels(resize(picture, SIDE, SIDE + 1), 1);
  const hash = new Uint32Array((SIDE * SIDE) / 32);
  let ones = 0;
  for (let bit = 0; bit < SIDE * SIDE; bit++) {
    const at = Math.floor(bit / SIDE) * (SIDE + 1) + (bit % SIDE);
    if (data[at] <= data[at + 1]) continue;
    hash[bit >> 5] |= 1 << (bit & 31);
    ones++;
  }
  return ones < NEAR ? null : hash;
}

function bitsSet(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** In how many bits two hashes differ; counting stops beyond NEAR. */
function distance(a: Uint32Array, b: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length && sum <= NEAR; i++) sum += bitsSet(a[i] ^ b[i]);
  return sum;
}

interface Seen {
  readonly path: string;
  readonly test: boolean;
  readonly pixels: string;
  readonly hash: Uint32Array | null;
}

function sameOf(seen: readonly Seen[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const { pixels, path } of seen) {
    const group = groups.get(pixels);
    if (group) group.push(path);
    else groups.set(pixels, [path]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

function alikeOf(seen: readonly Seen[]): NearDuplicate[] {
  const found: NearDuplicate[] = [];
  for (const [i, a] of seen.entries()) {
    if (a.hash === null) continue;
    for (const b of seen.slice(0, i)) {
      if (b.hash === null || a.pixels === b.pixels) continue;
      const bits = distance(a.hash, b.hash);
      if (bits <= NEAR) found.push({ files: [b.path, a.path], distance: bits, across: a.test !== b.test });
    }
  }
  return found.sort((a, b) => Number(b.across) - Number(a.across) || a.distance - b.distance);
}

/** Reads all of an image folder and says what is in it. Only what is no image folder at all is refused. */
export async function inspectFolder(name: string, scan: Scan, options: FolderOptions): Promise<Inspection> {
  checkFolderOptions(options);
  const looks = new Map<number, Pick<Seen, 'pixels' | 'hash'>>();
  const reading = await readPictures(scan, options, (place, picture) => {
    const { width, height, channels, data } = picture;
    const pixels = sha256(`${width} ${height} ${channels} `, data);
    looks.set(place, { pixels, hash: differenceHash(picture) });
  });
  const files = splitFiles(reading, options);
  const classes = scan.classes.map((name) => ({ name, train: 0, test: 0 }));
  for (const { file, test } of files) classes[file.label][test ? 'test' : 'train']++;
  const seen = files.map(({ place, file, test }) => ({ path: file.path, test, ...looks.get(place)! }));
  const { sizes, unreadable } = reading;
  const given = options.size;
  const size = given ?? (sizes.length > 0 ? guessed(sizes) : [64, 64]);
  const sizeIs = given ? 'given' : sizes.length === 1 ? 'that of all pictures' : 'a guess';
  const problems = problemsOf(reading, options);
  const dataset = problems.length > 0 ? null : finishDataset(name, assemble(reading, options));
  return {
    root: scan.top,
    pictures: files.length,
    classes,
    sizes,
    size: [size[0], size[1]],
    sizeIs,
    unreadable,
    left: scan.left,
    duplicates: sameOf(seen),
    nearDuplicates: seen.length > LIMIT ? null : alikeOf(seen),
    problems: sizeIs === 'a guess' ? problemsOf(reading, { ...options, size: [size[0], size[1]] }) : problems,
    warnings: warningsOf(scan.left),
    notes: remarksOf(reading).notes,
    dataset: dataset && {
      shape: dataset.shape,
      mean: dataset.mean,
      std: dataset.std,
      hash: dataset.hash,
    },
  };
}

const guessed = (sizes: readonly SizeCount[]): [number, number] =>
  sizes.length === 1 ? [sizes[0].height, sizes[0].width] : guessSize(sizes);

/** What is odd about a folder, one line each. */
export function odditiesOf(found: Inspection): string[] {
  const lines: string[] = [];
  const some = (all: readonly string[]) => {
    const shown = all.slice(0, 10).join(', ');
    return all.length > 10 ? `${shown} and ${all.length - 10} more` : shown;
  };
  const total = (c: Inspection['classes'][number]) => c.train + c.test;
  const empty = found.classes.filter((c) => total(c) === 0).map((c) => printable(c.name));
  if (empty.length > 0) lines.push(`no picture in ${some(empty)}`);
  const small = found.classes.filter((c) => total(c) > 0 && total(c) < SMALL_CLASS);
  if (small.length > 0)
    lines.push(
      `fewer than ${SMALL_CLASS} pictures in ${some(small.map((c) => `${printable(c.name)} (${total(c)})`))}`,
    );
  const { duplicates, nearDuplicates } = found;
  if (duplicates.length > 0)
    lines.push(
      `the same picture more than once: ${some(duplicates.map((group) => group.map(printable).join(' = ')))}`,
    );
  if (nearDuplicates === null) lines.push(`near-duplicates are not sought among more than ${LIMIT} pictures`);
  const pairs = (across: boolean) =>
    (nearDuplicates ?? [])
      .filter((pair) => pair.across === across)
      .map(({ files, distance }) => `${files.map(printable).join(' ~ ')} (${distance})`);
  const [apart, together] = [pairs(true), pairs(false)];
  if (apart.length > 0)
    lines.push(
      `${counted(apart.length, 'pair')} across training and test look alike (bits of 256 that differ, ${NEAR} at most): ${some(apart)}`,
    );
  if (together.length > 0)
    lines.push(`${counted(together.length, 'other pair')} look alike: ${some(together)}`);
  return lines;
}
