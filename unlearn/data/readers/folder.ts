// Image folders: one folder for each class or person, pictures in it (or in folders in it). Which pictures go to the test
// split depends on seed and file name alone, and ids are places in the natural order of all files, so neither depends on
// the file system. What is in the folder is scan.ts; looking it over before use is inspect.ts.

import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { check, LetheError } from '../../../engine/error.ts';
import { readFileBounded } from '../../files.ts';
import { sha256 } from '../../sha256.ts';
import { counted, printable, reasonOf } from '../../text.ts';
import { limits, refuse } from '../refuse.ts';
import { type Loaded, makeSplit, type Shape } from '../split.ts';
import { isFolder, locate } from './locate.ts';
import { decodePicture, type Picture } from './pictures.ts';
import { resize, withChannels } from './resize.ts';
import { isImageFolder, notesOf, type PictureFile, type Scan, scanFolder, warningsOf } from './scan.ts';

export interface FolderOptions {
  readonly dir?: string;
  /** [height, width] to resize to; without it all pictures must have one size. */
  readonly size?: readonly [number, number];
  /** 1 grey, 3 colour; by default 3 unless every picture is grey. */
  readonly channels?: 1 | 3;
  /** Test pictures of each class. Excludes testRatio. */
  readonly testPerClass?: number;
  /** Share of each class that goes to the test split, by default 0.2 (to the nearest picture, at least one). */
  readonly testRatio?: number;
  /** Leave out pictures that cannot be read, naming them in the warnings, instead of refusing the folder. */
  readonly skipBad?: boolean;
  readonly seed?: number;
}

export interface Unreadable {
  /** Relative to the folder. */
  readonly file: string;
  readonly reason: string;
}

export interface SizeCount {
  readonly height: number;
  readonly width: number;
  readonly count: number;
}

/** Every picture of a folder, read. */
export interface Reading {
  readonly scan: Scan;
  /** By place in scan.files, resized as asked; empty where sizes differ and none was asked for. */
  readonly pictures: ReadonlyMap<number, Picture>;
  /** Places in scan.files of what could be read. */
  readonly readable: readonly number[];
  readonly unreadable: readonly Unreadable[];
  /** Sizes before resizing, the most frequent first. */
  readonly sizes: readonly SizeCount[];
}

/** What is wrong with a file, without its name in front; rethrows what is no LetheError. */
export function reasonWithout(cause: unknown, ...names: string[]): string {
  if (!(cause instanceof LetheError)) throw cause;
  const prefixes = names.flatMap((name) => [`${printable(name)}: `, `could not read ${printable(name)}: `]);
  const prefix = prefixes.find((text) => cause.message.startsWith(text)) ?? '';
  return cause.message.slice(prefix.length);
}

/** Unreadable files that an error names. */
const NAMED = 10;

/** Reads all pictures; `look` is shown each before it is resized. */
export async function readPictures(
  scan: Scan,
  options: FolderOptions,
  look: (place: number, picture: Picture) => void = () => {},
): Promise<Reading> {
  const pictures = new Map<number, Picture>();
  const readable: number[] = [];
  const unreadable: Unreadable[] = [];
  const sizes = new Map<string, { height: number; width: number; count: number }>();
  let total = 0;
  for (const [place, { path }] of scan.files.entries()) {
    let picture: Picture;
    try {
      picture = await decodePicture(await readFileBounded(join(scan.top, path), limits.pictureBytes), path);
    } catch (cause) {
      unreadable.push({ file: path, reason: reasonWithout(cause, path, join(scan.top, path)) });
      continue;
    }
    readable.push(place);
    look(place, picture);
    const { height, width } = picture;
    const key = `${height} x ${width}`;
    const known = sizes.get(key);
    if (known) known.count++;
    else sizes.set(key, { height, width, count: 1 });
    if (options.size === undefined && sizes.size > 1) {
      pictures.clear();
      continue;
    }
    const [h, w] = options.size ?? [height, width];
    if (options.channels !== undefined) picture = withChannels(picture, options.channels);
    total += h * w * 3;
    if (total > limits.decodedBytes)
      refuse(scan.top, '', `pictures take more than ${limits.decodedBytes} bytes`);
    pictures.set(place, resize(picture, h, w));
  }
  const ranked = [...sizes.values()].sort((a, b) => b.count - a.count);
  return { scan, pictures, readable, unreadable, sizes: ranked };
}

/** How many of a class's `count` pictures are for testing. */
function testCount(count: number, options: FolderOptions): number {
  if (options.testPerClass !== undefined) return options.testPerClass;
  return Math.max(1, Math.floor(count * (options.testRatio ?? 0.2) + 0.5));
}

/** Which of a class's pictures are for testing: those whose names hash lowest, so new files move few old ones. */
function chooseTest(files: readonly PictureFile[], count: number, seed: number): Set<string> {
  const ranked = files.map(({ path }) => ({ path, rank: sha256(`${seed}/${path}`) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
  return new Set(ranked.slice(0, count).map((r) => r.path));
}

/** The readable files, and for each whether it is for testing. */
export function splitFiles(
  { scan, readable }: Pick<Reading, 'scan' | 'readable'>,
  options: FolderOptions,
): { place: number; file: PictureFile; test: boolean }[] {
  const chosen = new Set<string>();
  for (const label of scan.classes.keys()) {
    const own = readable.map((place) => scan.files[place]).filter((file) => file.label === label);
    if (own.every((file) => file.part !== null)) continue;
    for (const path of chooseTest(own, testCount(own.length, options), options.seed ?? 0)) chosen.add(path);
  }
  return readable.map((place) => {
    const file = scan.files[place];
    return { place, file, test: file.part === null ? chosen.has(file.path) : file.part === 'test' };
  });
}

/** A size for pictures of many sizes: the middle height and width, the longer side brought down to 64. */
export function guessSize(sizes: readonly SizeCount[]): [number, number] {
  const middle = (side: 'height' | 'width'): number => {
    const sorted = [...sizes].sort((a, b) => a[side] - b[side]);
    let half = sorted.reduce((sum, s) => sum + s.count, 0) / 2;
    return (sorted.find((s) => (half -= s.count) <= 0) ?? sorted[0])[side];
  };
  const [height, width] = [middle('height'), middle('width')];
  const factor = Math.min(1, 64 / Math.max(height, width));
  // Pooling halves sizes: multiples of 4 lose nothing by it.
  const rounded = (side: number) => Math.max(4, 4 * Math.round((side * factor) / 4));
  return [rounded(height), rounded(width)];
}

export const showSize = ({ height, width }: { height: number; width: number }) => `${height} x ${width}`;

/** What keeps a folder from being used as it is; one clause each. */
export function problemsOf(reading: Reading, options: FolderOptions): string[] {
  const { scan, unreadable, sizes } = reading;
  const problems: string[] = [];
  if (unreadable.length > 0 && !options.skipBad)
    problems.push(
      `${unreadableLine(unreadable, 'cannot be read')}; mend or remove them, or leave them out with skipBad (--skip-bad)`,
    );
  const counts = scan.classes.map(() => ({ train: 0, test: 0 }));
  for (const { file, test } of splitFiles(reading, options)) counts[file.label][test ? 'test' : 'train']++;
  const bare = scan.classes.flatMap((name, label) => {
    const { train, test } = counts[label];
    return train > 0
      ? []
      : [`${printable(name)} (${counted(test, 'picture')}${test > 0 ? ', for testing' : ''})`];
  });
  if (bare.length > 0)
    problems.push(
      `nothing to train on in ${bare.slice(0, NAMED).join(', ')}${bare.length > NAMED ? ` and ${bare.length - NAMED} more` : ''}; add pictures, or take the folder of the class away`,
    );
  if (options.size === undefined && sizes.length > 1) {
    const shown = sizes.slice(0, 3).map((s) => `${showSize(s)} (${s.count})`);
    problems.push(
      `pictures of ${sizes.length} sizes, such as ${shown.join(', ')} (height x width); give a size to resize to, such as size: [${guessSize(sizes).join(', ')}]`,
    );
  }
  return problems;
}

/** `2 pictures WHAT: a/1.jpg (damaged JPEG), b/2.png (...)`. */
export function unreadableLine(unreadable: readonly Unreadable[], what: string): string {
  const shown = unreadable.slice(0, NAMED).map(({ file, reason }) => `${printable(file)} (${reason})`);
  const more = unreadable.length > NAMED ? ` and ${unreadable.length - NAMED} more` : '';
  return `${counted(unreadable.length, 'picture')} ${what}: ${shown.join(', ')}${more}`;
}

/** What a reader of results should know, and of it what to look at before training. */
export function remarksOf({ scan, unreadable }: Reading): { notes: string[]; warnings: string[] } {
  const warnings = warningsOf(scan.left);
  if (unreadable.length > 0) warnings.unshift(unreadableLine(unreadable, 'left out for being unreadable'));
  const parted = scan.files.some((file) => file.part !== null);
  const notes = parted ? ['train and test as in the folders of these names'] : [];
  return { notes: [...notes, ...notesOf(scan.left)], warnings };
}

/** The data set of pictures that were read; refuses what cannot be one, naming all there is to mend. */
export function assemble(reading: Reading, options: FolderOptions): Loaded {
  const { scan, pictures } = reading;
  const problems = problemsOf(reading, options);
  if (problems.length > 0) refuse(scan.top, '', problems.join('; '));
  const all = [...pictures.values()];
  const channels = options.channels ?? (all.every((p) => p.channels === 1) ? 1 : 3);
  const shape: Shape = [all[0].height, all[0].width, channels];
  const bytes = shape[0] * shape[1] * channels;
  const files = splitFiles(reading, options);
  const part = (test: boolean) => {
    const own = files.filter((file) => file.test === test);
    const images = new Uint8Array(own.length * bytes);
    own.forEach(({ place }, k) => {
      images.set(withChannels(pictures.get(place)!, channels).data, k * bytes);
    });
    return makeSplit({
      shape,
      images,
      labels: Int32Array.from(own, ({ file }) => file.label),
      ids: Int32Array.from(own, ({ place }) => place),
      files: own.map(({ file }) => file.path),
    });
  };
  return {
    classes: scan.classes,
    train: part(false),
    test: part(true),
    ...remarksOf(reading),
    files: files.map(({ file }) => join(scan.top, file.path)),
    root: scan.top,
  };
}

/** What single options cannot tell; their ranges are in sets/pictures.ts. */
export function checkFolderOptions({ testPerClass, testRatio }: FolderOptions): void {
  check(
    testPerClass === undefined || testRatio === undefined,
    'value',
    () => 'testPerClass and testRatio: expected one of them',
  );
}

/**
 * The scan of an image folder: `dir` itself (relative to the current folder), or the first folder of --data, LETHE_DATA
 * or the cache that goes by one of `folders`.
 */
export async function findFolder(
  name: string,
  folders: readonly string[],
  dir: string | undefined,
): Promise<Scan> {
  try {
    if (folders.length > 0) {
      const wanted = 'folder with a folder of pictures for each class';
      return await scanFolder(await realpath(await locate(name, wanted, folders, isImageFolder, dir)));
    }
    check(
      dir !== undefined,
      'value',
      () => `${name}: give the folder of the pictures: --data DIR, or dir in the options of the data set`,
    );
    check(await isFolder(dir), 'value', () => `${name}: no folder ${printable(resolve(dir))}`);
    return await scanFolder(await realpath(dir));
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('io', `${name}: could not read the folder: ${reasonOf(cause)}`, { cause });
  }
}

/** An image folder as a data set; see findFolder for where it is looked for. */
export async function loadFolder(
  name: string,
  folders: readonly string[],
  options: FolderOptions,
): Promise<Loaded> {
  checkFolderOptions(options);
  return assemble(await readPictures(await findFolder(name, folders, options.dir), options), options);
}
