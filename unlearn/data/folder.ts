// Image folders: one folder for each class or person, pictures in it (or in folders in it). Names are sorted the
// natural way (s2 before s10), so ids do not depend on the file system; which pictures go to the test split depends
// on seed and file name alone. Hidden files, files that are no pictures and links out of the folder are left out and
// counted.

import { opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { check, LetheError } from '../../engine/error.ts';
import { printable, readFileBounded, reasonOf, sha256 } from '../files.ts';
import { checkSeed } from '../random.ts';
import { isFolder, locate, searchRoots } from './locate.ts';
import { decodePicture, type Picture } from './pictures.ts';
import { limits, refuse } from './refuse.ts';
import { resize, withChannels } from './resize.ts';
import { type Loaded, makeSplit, type Shape } from './split.ts';

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
  readonly seed?: number;
}

const PICTURE = /\.(pgm|ppm|pnm|png|jpe?g)$/i;

/** Natural order: runs of digits by value, the rest by code unit; the same everywhere, no locale. */
export function naturalCompare(a: string, b: string): number {
  const as = a.match(/\d+|\D+/g) ?? [];
  const bs = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(as.length, bs.length); i++) {
    const digits = /^\d/.test(as[i]) && /^\d/.test(bs[i]);
    const x = digits ? as[i].replace(/^0+(?=\d)/, '') : as[i];
    const y = digits ? bs[i].replace(/^0+(?=\d)/, '') : bs[i];
    if (digits && x.length !== y.length) return x.length - y.length;
    if (x !== y) return x < y ? -1 : 1;
  }
  if (as.length !== bs.length) return as.length - bs.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Skipped {
  hidden: number;
  other: number;
  links: number;
}

/** Names in a folder, sorted, hidden ones left out, with what each is once links are followed within `top`. */
async function entries(
  path: string,
  top: string,
  skipped: Skipped,
): Promise<{ name: string; folder: boolean }[]> {
  const found: { name: string; folder: boolean }[] = [];
  for await (const entry of await opendir(path)) {
    if (entry.name.startsWith('.')) {
      skipped.hidden++;
      continue;
    }
    let info: { isDirectory(): boolean; isFile(): boolean } = entry;
    if (entry.isSymbolicLink()) {
      const target = await realpath(join(path, entry.name)).catch(() => null);
      if (target === null || !target.startsWith(top + sep)) {
        skipped.links++;
        continue;
      }
      info = await stat(target);
    }
    if (info.isDirectory()) found.push({ name: entry.name, folder: true });
    else if (info.isFile()) found.push({ name: entry.name, folder: false });
    else skipped.other++;
    if (found.length > limits.pictures) refuse(path, '', `more than ${limits.pictures} entries`);
  }
  return found.sort((a, b) => naturalCompare(a.name, b.name));
}

/** Paths of the pictures below `folder`, relative to `top`, with '/' between names. */
async function pictures(
  top: string,
  folder: string,
  depth: number,
  skipped: Skipped,
  out: string[],
): Promise<void> {
  if (depth > limits.depth) refuse(join(top, folder), '', `folders more than ${limits.depth} deep`);
  for (const entry of await entries(join(top, folder), top, skipped)) {
    const path = `${folder}/${entry.name}`;
    if (entry.folder) await pictures(top, path, depth + 1, skipped, out);
    else if (PICTURE.test(entry.name)) out.push(path);
    else skipped.other++;
    if (out.length > limits.pictures) refuse(top, '', `more than ${limits.pictures} pictures`);
  }
}

interface Member {
  readonly path: string;
  readonly label: number;
  readonly test: boolean;
}

/** How many of a class's `count` pictures are for testing. */
function testCount(count: number, options: FolderOptions): number {
  if (options.testPerClass !== undefined) return options.testPerClass;
  return Math.max(1, Math.floor(count * (options.testRatio ?? 0.2) + 0.5));
}

/** Which of a class's pictures are for testing: those whose names hash lowest, so new files move few old ones. */
function chooseTest(paths: readonly string[], count: number, seed: number): Set<string> {
  const ranked = paths.map((path) => ({ path, rank: sha256(`${seed}/${path}`) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
  return new Set(ranked.slice(0, count).map((r) => r.path));
}

async function members(
  top: string,
  options: FolderOptions,
  notes: string[],
): Promise<{ classes: string[]; list: Member[] }> {
  const skipped: Skipped = { hidden: 0, other: 0, links: 0 };
  const list: Member[] = [];
  let names = (await entries(top, top, skipped)).filter((e) => e.folder).map((e) => e.name);
  const parted = names.length === 2 && names.includes('train') && names.includes('test');
  const inPart = async (part: string) =>
    (await entries(join(top, part), top, skipped)).filter((e) => e.folder).map((e) => e.name);
  if (parted)
    names = [...new Set([...(await inPart('train')), ...(await inPart('test'))])].sort(naturalCompare);
  if (names.length < 2)
    refuse(top, '', `expected a folder for each of two or more classes, found ${names.length}`);
  for (const [label, name] of names.entries()) {
    const paths: string[] = [];
    const count = { train: 0, test: 0 };
    for (const part of parted ? (['train', 'test'] as const) : [null]) {
      const start = part === null ? name : `${part}/${name}`;
      if (part !== null && !(await isFolder(join(top, start)))) continue;
      await pictures(top, start, 1, skipped, paths);
    }
    const wanted = testCount(paths.length, options);
    const chosen = parted ? null : chooseTest(paths, wanted, options.seed ?? 0);
    for (const path of paths) {
      const test = chosen === null ? path.startsWith('test/') : chosen.has(path);
      count[test ? 'test' : 'train']++;
      list.push({ path, label, test });
    }
    if (count.train === 0)
      refuse(
        join(top, name),
        '',
        `${paths.length} pictures leave none for training (${count.test} for testing)`,
      );
  }
  if (parted) notes.push('train and test as in the folders of these names');
  if (skipped.hidden > 0) notes.push(`${skipped.hidden} hidden entries left out`);
  if (skipped.other > 0) notes.push(`${skipped.other} files that are no pictures left out`);
  if (skipped.links > 0) notes.push(`${skipped.links} links out of the folder or to nothing left out`);
  return { classes: names, list };
}

function checkOptions(options: FolderOptions): void {
  const { size, testPerClass, testRatio, channels } = options;
  if (options.seed !== undefined) checkSeed(options.seed);
  check(
    size === undefined ||
      (size.length === 2 && size.every((s) => Number.isInteger(s) && s >= 1 && s <= 4096)),
    'value',
    () => `size: expected [height, width], each 1 to 4096, got ${String(size)}`,
  );
  check(
    channels === undefined || channels === 1 || channels === 3,
    'value',
    () => `channels: expected 1 or 3, got ${channels}`,
  );
  check(
    testPerClass === undefined || testRatio === undefined,
    'value',
    () => 'testPerClass and testRatio: expected one of them',
  );
  check(
    testPerClass === undefined || (Number.isInteger(testPerClass) && testPerClass >= 1),
    'value',
    () => `testPerClass: expected an integer from 1, got ${testPerClass}`,
  );
  check(
    testRatio === undefined || (testRatio > 0 && testRatio < 1),
    'value',
    () => `testRatio: expected a number between 0 and 1, got ${testRatio}`,
  );
}

/** Reads the image folder `top` (an absolute path). */
async function readFolder(top: string, options: FolderOptions): Promise<Loaded> {
  const notes: string[] = [];
  const { classes, list } = await members(top, options, notes);
  const decoded: Picture[] = [];
  let total = 0;
  for (const { path } of list) {
    const file = join(top, path);
    let picture = await decodePicture(await readFileBounded(file, limits.pictureBytes), file);
    if (options.channels !== undefined) picture = withChannels(picture, options.channels);
    const first = decoded[0] ?? picture;
    const [height, width] = options.size ?? [first.height, first.width];
    if (!options.size && (picture.height !== height || picture.width !== width)) {
      refuse(
        file,
        '',
        `${picture.height} x ${picture.width} (height x width), pictures before it are ${height} x ${width}; give a size to resize to`,
      );
    }
    picture = resize(picture, height, width);
    total += height * width * 3;
    if (total > limits.decodedBytes) refuse(top, '', `pictures take more than ${limits.decodedBytes} bytes`);
    decoded.push(picture);
  }
  const channels = options.channels ?? (decoded.every((p) => p.channels === 1) ? 1 : 3);
  const shape: Shape = [decoded[0].height, decoded[0].width, channels];
  const bytes = shape[0] * shape[1] * channels;
  const part = (test: boolean) => {
    const at = [...list.keys()].filter((i) => list[i].test === test);
    const images = new Uint8Array(at.length * bytes);
    at.forEach((i, k) => {
      images.set(withChannels(decoded[i], channels).data, k * bytes);
    });
    return makeSplit({
      shape,
      images,
      labels: Int32Array.from(at, (i) => list[i].label),
      ids: Int32Array.from(at),
      files: at.map((i) => list[i].path),
    });
  };
  const files = list.map((m) => join(top, m.path));
  return { classes, train: part(false), test: part(true), notes, files, root: top };
}

/** An image folder: `dir` itself, or the first folder of LETHE_DATA or the cache that goes by one of `folders`. */
export async function loadFolder(
  name: string,
  folders: readonly string[],
  options: FolderOptions,
): Promise<Loaded> {
  checkOptions(options);
  const holds = async (folder: string) => {
    try {
      const top = await realpath(folder);
      const skipped: Skipped = { hidden: 0, other: 0, links: 0 };
      const inside = (await entries(top, top, skipped)).filter((e) => e.folder);
      if (inside.length < 2) return false;
      const first = await entries(join(top, inside[0].name), top, skipped);
      const parted = inside.some((e) => e.name === 'train') && inside.some((e) => e.name === 'test');
      return parted || first.some((e) => e.folder || PICTURE.test(e.name));
    } catch {
      return false;
    }
  };
  try {
    if (folders.length === 0) {
      check(
        options.dir !== undefined,
        'value',
        () => `${name}: give its folder (dir); looked for nothing in ${searchRoots().join(', ')}`,
      );
      check(await isFolder(options.dir!), 'data', () => `${name}: no folder ${printable(options.dir!)}`);
      return await readFolder(await realpath(options.dir!), options);
    }
    const wanted = 'folder with a folder of pictures for each class';
    return await readFolder(await realpath(await locate(name, wanted, folders, holds, options.dir)), options);
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('io', `${name}: could not read the folder: ${reasonOf(cause)}`, { cause });
  }
}
