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
import { cifar10Names, cifar100Coarse, cifar100Fine } from './names.ts';

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
async function readFiles(paths: readonly string[], layout: CifarLayout, notes: string[]): Promise<Split> {
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
  const usual = paths.length === 5 || basename(paths[0]).startsWith('train') ? 50_000 : 10_000;
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

/** CIFAR-10 (`fine` does not apply) or CIFAR-100 with its 100 fine or 20 coarse labels. */
export async function loadCifar(
  name: 'cifar-10' | 'cifar-100',
  options: { dir?: string; labels?: 'fine' | 'coarse' },
): Promise<Loaded> {
  const hundred = name === 'cifar-100';
  const trainNames = hundred ? ['train.bin'] : [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
  const testName = hundred ? 'test.bin' : 'test_batch.bin';
  const folders = hundred
    ? ['cifar-100', 'cifar100', 'cifar-100-binary']
    : ['cifar-10', 'cifar10', 'cifar-10-batches-bin'];
  const holds = async (folder: string) => (await findVariant(folder, trainNames[0])) !== null;
  const root = await locate(name, `${trainNames[0]} (plain, .gz or .br)`, folders, holds, options.dir);
  const found = async (file: string) => {
    const path = await findVariant(root, file);
    if (path === null) {
      const folder = (await isFolder(join(root, file))) ? ' (a folder has that name)' : '';
      throw new LetheError('data', `${name}: ${printable(root)} lacks ${file} (plain, .gz or .br)${folder}`);
    }
    return path;
  };
  const trainFiles: string[] = [];
  for (const file of trainNames) trainFiles.push(await found(file));
  const testFile = await found(testName);
  const files = [...trainFiles, testFile];
  const coarse = options.labels === 'coarse';
  const layout: CifarLayout = hundred
    ? { labelBytes: 2, labelAt: coarse ? 0 : 1, classes: [20, 100] }
    : { labelBytes: 1, labelAt: 0, classes: [10] };
  const notes = await lossyNote(root);
  const classes = hundred
    ? await classNames(
        root,
        coarse ? 'coarse_label_names.txt' : 'fine_label_names.txt',
        coarse ? cifar100Coarse : cifar100Fine,
        files,
      )
    : await classNames(root, 'batches.meta.txt', cifar10Names, files);
  const train = await readFiles(trainFiles, layout, notes);
  const test = await readFiles([testFile], layout, notes);
  return { classes, train, test, notes, files, root };
}
