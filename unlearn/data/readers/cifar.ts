// CIFAR-10 and CIFAR-100 in their binary version (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
// byte (CIFAR-100: coarse, then fine) and 3,072 pixel bytes, three planes of 32 x 32, red, green, blue. Files may be
// plain, .gz or .br. The pickled Python version is not read: unpickling runs code.

import { basename, join } from 'node:path';
import { LetheError } from '../../../engine/error.ts';
import { readFileBounded } from '../../files.ts';
import { printable } from '../../text.ts';
import type { Split } from '../../types.ts';
import { limits, refuse } from '../refuse.ts';
import { type Loaded, makeSplit } from '../split.ts';
import { readDecoded } from './decoded.ts';
import { findVariant, isFolder, locate, readLines } from './locate.ts';

const PLANE = 1024;
const PIXELS = 3 * PLANE;
const RECORDS_AT_MOST = 60_000;

/** How the records of a file are laid out: bytes before the pixels, and where the label and its range lie. */
export interface CifarLayout {
  readonly labelBytes: 1 | 2;
  readonly labelAt: 0 | 1;
  /** Classes of each label byte. */
  readonly classes: readonly number[];
}

/** Records of one file: pixels as [count, 32, 32, 3], labels, and all label bytes checked against their range. */
export function parseCifar(
  bytes: Uint8Array,
  file: string,
  layout: CifarLayout,
): { images: Uint8Array; labels: Int32Array } {
  const record = layout.labelBytes + PIXELS;
  const count = Math.floor(bytes.length / record);
  const rest = bytes.length - count * record;
  if (rest !== 0 || count === 0) {
    refuse(
      file,
      `byte ${count * record}`,
      `expected whole records of ${record} bytes, found ${rest} bytes after ${count} records`,
    );
  }
  if (count > RECORDS_AT_MOST) refuse(file, '', `${count} records, expected at most ${RECORDS_AT_MOST}`);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < layout.labelBytes; j++) {
      const label = bytes[i * record + j];
      if (label >= layout.classes[j])
        refuse(file, `byte ${i * record + j}`, `label ${label}, expected 0 to ${layout.classes[j] - 1}`);
    }
  }
  const images = new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = bytes[i * record + layout.labelAt];
    const red = i * record + layout.labelBytes;
    let to = i * PIXELS;
    for (let p = red; p < red + PLANE; p++) {
      images[to++] = bytes[p];
      images[to++] = bytes[p + PLANE];
      images[to++] = bytes[p + 2 * PLANE];
    }
  }
  return { images, labels };
}

/** Several files one after the other as one split. */
async function readFiles(
  paths: readonly string[],
  layout: CifarLayout,
  usual: number,
  notes: string[],
): Promise<Split> {
  const maxBytes = RECORDS_AT_MOST * (PIXELS + 2);
  // One after the other: the bytes of a file are gone when the next one is read.
  const parts: { images: Uint8Array; labels: Int32Array }[] = [];
  for (const path of paths) parts.push(parseCifar(await readDecoded(path, { maxBytes }), path, layout));
  const count = parts.reduce((sum, part) => sum + part.labels.length, 0);
  if (count * PIXELS > limits.decodedBytes) refuse(paths[0], '', `${count} records in all, more than fit`);
  const images = parts.length === 1 ? parts[0].images : new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  let at = 0;
  for (const part of parts) {
    if (parts.length > 1) images.set(part.images, at * PIXELS);
    labels.set(part.labels, at);
    at += part.labels.length;
  }
  if (count !== usual)
    notes.push(
      `${count} records in ${paths.map((p) => basename(p)).join(', ')}; the published set has ${usual}`,
    );
  return makeSplit({ shape: [32, 32, 3], images, labels });
}

/** Names of the classes from a text file beside the data, or the known ones when there is none. */
async function classNames(
  root: string,
  file: string,
  known: readonly string[],
  files: string[],
): Promise<readonly string[]> {
  const path = await findVariant(root, file);
  if (path === null || path !== join(root, file)) return known;
  const names = await readLines(path);
  if (names.length !== known.length)
    refuse(path, `line ${names.length}`, `expected ${known.length} names, found ${names.length}`);
  const seen = new Set<string>();
  names.forEach((name, i) => {
    if (name === '' || name.length > 100 || seen.has(name))
      refuse(path, `line ${i + 1}`, `expected a new name of 1 to 100 characters, found '${printable(name)}'`);
    seen.add(name);
  });
  files.push(path);
  return names;
}

/** Records known to come from a lossy copy, where a file beside the data lists them. */
async function lossyNote(root: string): Promise<string[]> {
  const path = join(root, 'lossy-records.json');
  if ((await findVariant(root, 'lossy-records.json')) !== path) return [];
  try {
    const lists: unknown = JSON.parse((await readFileBounded(path, 2 ** 20)).toString('utf8'));
    const count = Object.values(lists as object).reduce(
      (sum: number, list) => sum + (Array.isArray(list) ? list.length : 0),
      0,
    );
    return [`${count} records come from a lossy copy (lossy-records.json lists them)`];
  } catch (cause) {
    return refuse(path, '', 'expected a JSON object of lists of record numbers', cause);
  }
}

/** What one of the two sets, with one kind of label, consists of. Names of files without .gz or .br. */
export interface CifarSet {
  readonly name: string;
  /** Names its folder goes by. */
  readonly folders: readonly string[];
  readonly trainFiles: readonly string[];
  readonly testFile: string;
  readonly layout: CifarLayout;
  /** Text file that may name the classes, one a line; else `names`. */
  readonly namesFile: string;
  readonly names: readonly string[];
}

/** CIFAR-10, or CIFAR-100 with its fine or its coarse labels. */
export async function loadCifar(set: CifarSet, dir?: string): Promise<Loaded> {
  const { name, folders, layout } = set;
  const first = set.trainFiles[0];
  const holds = async (folder: string) => (await findVariant(folder, first)) !== null;
  const root = await locate(name, `${first} (plain, .gz or .br)`, folders, holds, dir);
  const found = async (file: string) => {
    const path = await findVariant(root, file);
    if (path === null) {
      const folder = (await isFolder(join(root, file))) ? ' (a folder has that name)' : '';
      throw new LetheError('data', `${name}: ${printable(root)} lacks ${file} (plain, .gz or .br)${folder}`);
    }
    return path;
  };
  const trainFiles: string[] = [];
  for (const file of set.trainFiles) trainFiles.push(await found(file));
  const testFile = await found(set.testFile);
  const files = [...trainFiles, testFile];
  const notes = await lossyNote(root);
  const classes = await classNames(root, set.namesFile, set.names, files);
  const train = await readFiles(trainFiles, layout, 50_000, notes);
  const test = await readFiles([testFile], layout, 10_000, notes);
  return { classes, train, test, notes, files, root };
}
