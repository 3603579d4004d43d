// MNIST and its relatives in the IDX format (http://yann.lecun.com/exdb/mnist): a big-endian magic number (two zero
// bytes, a type, the number of dimensions), the dimensions, then the values. Only unsigned bytes are read. The public
// sets have known classes; in your own any labels will do.

import { resolve } from 'node:path';
import { check, LetheError } from '../../../engine/error.ts';
import { printable } from '../../text.ts';
import { limits, refuse } from '../refuse.ts';
import { type Loaded, makeSplit, type Shape } from '../split.ts';
import { readDecoded } from './decoded.ts';
import { findVariant, isFolder, locate } from './locate.ts';

const UNSIGNED_BYTE = 0x08;

/** The four files: names in the folder, without .gz or .br. */
export interface IdxNames {
  readonly trainImages: string;
  readonly trainLabels: string;
  readonly testImages: string;
  readonly testLabels: string;
}

const USUAL: IdxNames = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
};

export interface IdxOptions extends Partial<IdxNames> {
  /** Folder of the files. */
  readonly dir?: string;
  /** Names of the classes, in the order of the labels; by default the labels themselves. */
  readonly classes?: readonly string[];
  /** With `classes`: the label of the first one; by default the smallest among the training labels. */
  readonly firstLabel?: number;
}

/** Dimensions of an IDX file of unsigned bytes, and where its values begin and end. */
function headerOf(bytes: Uint8Array, file: string, rank: number) {
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    refuse(file, 'byte 0', `expected an IDX header of ${start} bytes, found ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expected = (UNSIGNED_BYTE << 8) | rank;
  if (magic !== expected) refuse(file, 'byte 0', `expected the magic number ${expected}, found ${magic}`);
  const dims: number[] = [];
  let values = 1;
  for (let i = 0; i < rank; i++) {
    const dim = view.getUint32(4 + 4 * i);
    if (dim === 0) refuse(file, `byte ${4 + 4 * i}`, `dimension ${i} is 0`);
    dims.push(dim);
    values *= dim;
    if (values > limits.decodedBytes)
      refuse(file, `byte ${4 + 4 * i}`, `dimensions ${dims.join(' x ')} are beyond any bound`);
  }
  return { dims, start, values };
}

/** Dimensions and values (a view of `bytes`) of an IDX file of unsigned bytes with `rank` dimensions. */
export function parseIdx(
  bytes: Uint8Array,
  file: string,
  rank: number,
): { dims: number[]; values: Uint8Array } {
  const { dims, start, values } = headerOf(bytes, file, rank);
  const found = bytes.length - start;
  if (found !== values)
    refuse(
      file,
      `byte ${start}`,
      `expected ${values} values for dimensions ${dims.join(' x ')}, found ${found}`,
    );
  return { dims, values: bytes.subarray(start) };
}

async function readIdx(file: string, rank: number): Promise<{ dims: number[]; values: Uint8Array }> {
  const total = (head: Buffer) => {
    const { start, values } = headerOf(head, file, rank);
    return start + values;
  };
  return parseIdx(await readDecoded(file, { header: { bytes: 4 + 4 * rank, total } }), file, rank);
}

/** Class indices of label bytes; a byte that is no class is refused. */
function classIndices(values: Uint8Array, classOf: Int16Array, expected: string, file: string): Int32Array {
  const labels = new Int32Array(values.length);
  for (let i = 0; i < labels.length; i++) {
    labels[i] = classOf[values[i]];
    if (labels[i] < 0) refuse(file, `byte ${8 + i}`, `label ${values[i]}, expected ${expected}`);
  }
  return labels;
}

interface Classes {
  readonly names: readonly string[];
  /** By label byte; -1 for those that are no class. */
  readonly indexOf: Int16Array;
  /** The labels that are classes, in words. */
  readonly expected: string;
}

/** Classes for the labels first, first + 1, ... */
function consecutive(names: readonly string[], first: number): Classes {
  const indexOf = new Int16Array(256).fill(-1);
  for (const [i] of names.entries()) indexOf[first + i] = i;
  return { names, indexOf, expected: `${first} to ${first + names.length - 1}` };
}

/** A class for each label that occurs, named by it. */
function occurring(labels: Uint8Array): Classes {
  const found = [...new Set(labels)].sort((a, b) => a - b);
  const indexOf = new Int16Array(256).fill(-1);
  for (const [i, label] of found.entries()) indexOf[label] = i;
  return {
    names: found.map(String),
    indexOf,
    expected: `one of the ${found.length} labels of the training file`,
  };
}

/** Reads four IDX files; `classesOf` says what the training labels mean. */
async function read(
  name: string,
  root: string,
  names: IdxNames,
  classesOf: (labels: Uint8Array) => Classes,
): Promise<Loaded> {
  const files: string[] = [];
  const find = async (file: string) => {
    const path = await findVariant(root, file);
    if (path === null)
      throw new LetheError(
        'data',
        `${name}: ${printable(root)} lacks ${printable(file)} (plain, .gz or .br)`,
      );
    files.push(path);
    return path;
  };
  let classes: Classes | null = null;
  const part = async (imageName: string, labelName: string) => {
    const imageFile = await find(imageName);
    const labelFile = await find(labelName);
    const images = await readIdx(imageFile, 3);
    const labels = await readIdx(labelFile, 1);
    if (images.dims[0] !== labels.dims[0])
      refuse(labelFile, 'byte 4', `${labels.dims[0]} labels for ${images.dims[0]} images`);
    classes ??= classesOf(labels.values);
    const shape: Shape = [images.dims[1], images.dims[2], 1];
    const indices = classIndices(labels.values, classes.indexOf, classes.expected, labelFile);
    return {
      split: makeSplit({ shape, images: images.values, labels: indices }),
      imageFile,
      names: classes.names,
    };
  };
  const { split: train, names: classNames } = await part(names.trainImages, names.trainLabels);
  const { split: test, imageFile } = await part(names.testImages, names.testLabels);
  if (test.shape[0] !== train.shape[0] || test.shape[1] !== train.shape[1]) {
    refuse(
      imageFile,
      'byte 8',
      `images of ${test.shape[0]} x ${test.shape[1]}, the training images are ${train.shape[0]} x ${train.shape[1]}`,
    );
  }
  return { classes: classNames, train, test, notes: [], files, root };
}

/** Reads a public set of four IDX files. `folders` are the names its folder goes by. */
export async function loadIdx(
  name: string,
  folders: readonly string[],
  classes: readonly string[],
  dir?: string,
): Promise<Loaded> {
  const wanted = `${USUAL.trainImages} (plain, .gz or .br)`;
  const holds = async (folder: string) => (await findVariant(folder, USUAL.trainImages)) !== null;
  const root = await locate(name, wanted, folders, holds, dir);
  return read(name, root, USUAL, () => consecutive(classes, 0));
}

/** Reads your own set of four IDX files from `dir`: labels of any bytes. */
export async function loadOwnIdx(options: IdxOptions): Promise<Loaded> {
  const { dir, classes, firstLabel } = options;
  check(
    dir !== undefined,
    'value',
    () => 'idx: give the folder of the files: --data DIR, or dir in the options of the data set',
  );
  const root = resolve(dir);
  check(await isFolder(root), 'value', () => `idx: no folder ${printable(root)}`);
  check(
    classes === undefined || (classes.length >= 2 && new Set(classes).size === classes.length),
    'value',
    () => 'classes: expected two or more names, each once',
  );
  check(
    firstLabel === undefined || classes !== undefined,
    'value',
    () => 'firstLabel: expected classes beside it',
  );
  const names = { ...USUAL };
  for (const key of Object.keys(USUAL) as (keyof IdxNames)[]) names[key] = options[key] ?? USUAL[key];
  const loaded = await read('idx', root, names, (labels) => {
    if (classes === undefined) return occurring(labels);
    return consecutive(classes, firstLabel ?? labels.reduce((least, label) => Math.min(least, label), 255));
  });
  if (loaded.classes.length < 2)
    refuse(loaded.files[1], '', `expected two or more different labels, found ${loaded.classes.length}`);
  return loaded;
}
