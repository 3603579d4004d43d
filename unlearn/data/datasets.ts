// The data sets by name: list, load, describe, get. Each name is one record that says how it is read; everything
// about a format is in that format's file. Only `get` uses the network.

import { basename, join } from 'node:path';
import { check, LetheError } from '../../engine/error.ts';
import { makeFolder } from '../files.ts';
import type { Dataset } from '../types.ts';
import { loadGlyphs } from './glyphs.ts';
import { checkFiles, type FileFact } from './readers/checksums.ts';
import { loadCifar } from './readers/cifar.ts';
import { type CsvOptions, loadCsv } from './readers/csv.ts';
import { type DownloadOptions, download, extractTarGz } from './readers/download.ts';
import { type FolderOptions, findFolder, loadFolder } from './readers/folder.ts';
import { type IdxOptions, loadIdx, loadOwnIdx } from './readers/idx.ts';
import { type Inspection, inspectFolder } from './readers/inspect.ts';
import { cacheFolder } from './readers/locate.ts';
import { digitNames, fashionNames } from './readers/names.ts';
import { type Remote, remotes } from './readers/sources.ts';
import { unknownName } from './refuse.ts';
import { classCounts, finishDataset, type Loaded, stratifiedPositions, takeSplit } from './split.ts';

export interface LoadOptions extends FolderOptions, CsvOptions, IdxOptions {
  /** Where to look first; then LETHE_DATA, then the cache. For 'folder', 'idx' and 'csv' the folder (or file) itself. */
  readonly dir?: string;
  /** Seed of every random choice here: glyphs, test splits, subsets. 0 by default. */
  readonly seed?: number;
  /** Fewer training images: a seeded choice in the proportions of the classes (glyphs: how many to draw). */
  readonly trainSize?: number;
  readonly testSize?: number;
  /** CIFAR-100: 100 fine classes (the default) or 20 coarse ones. */
  readonly labels?: 'fine' | 'coarse';
}

export interface ListEntry {
  readonly name: string;
  readonly description: string;
  /** Whether `get` can download it. */
  readonly download: boolean;
}

export interface Description {
  readonly name: string;
  readonly description: string;
  readonly root: string | null;
  readonly shape: readonly [number, number, number];
  readonly classes: readonly { readonly name: string; readonly train: number; readonly test: number }[];
  readonly train: number;
  readonly test: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly hash: string;
  readonly files: readonly FileFact[];
  readonly notes: readonly string[];
}

export interface GetOptions extends DownloadOptions {
  /** Where to put the files: a folder NAME in it. The cache by default. */
  readonly dir?: string;
  /** Other folders to download from, in place of the public ones. Checksums stay the same. */
  readonly bases?: readonly string[];
}

interface Source {
  readonly description: string;
  /** Image folders: looks them over without refusing what is in them. */
  readonly inspect?: (options: LoadOptions) => Promise<Inspection>;
  readonly load: (options: LoadOptions) => Loaded | Promise<Loaded>;
  readonly remote?: Remote;
}

/** A source of pictures in folders; `folders` are the names the top folder goes by, none where it has to be given. */
function pictures(
  name: string,
  description: string,
  folders: readonly string[],
  complete = (options: LoadOptions) => options,
): Source {
  return {
    description,
    load: (options) => loadFolder(name, folders, complete(options)),
    inspect: async (options) =>
      inspectFolder(name, await findFolder(name, folders, options.dir), complete(options)),
  };
}

const sources = new Map<string, Source>([
  [
    'glyphs',
    { description: 'ten drawn symbols, 32x32 colour, made from a seed: needs no files', load: loadGlyphs },
  ],
  [
    'mnist',
    {
      description: 'handwritten digits, 28x28 grey, 60,000 + 10,000',
      load: (o) => loadIdx('mnist', ['mnist', 'MNIST/raw', 'MNIST'], digitNames, o.dir),
      remote: remotes.mnist,
    },
  ],
  [
    'fashion-mnist',
    {
      description: 'pictures of clothing, 28x28 grey, 60,000 + 10,000',
      load: (o) =>
        loadIdx('fashion-mnist', ['fashion-mnist', 'FashionMNIST/raw', 'fashion_mnist'], fashionNames, o.dir),
      remote: remotes['fashion-mnist'],
    },
  ],
  [
    'cifar-10',
    {
      description: 'photographs of ten kinds of things, 32x32 colour, 50,000 + 10,000',
      load: (o) => loadCifar('cifar-10', o),
      remote: remotes['cifar-10'],
    },
  ],
  [
    'cifar-100',
    {
      description: 'photographs of a hundred kinds of things (or 20 coarse), 32x32 colour, 50,000 + 10,000',
      load: (o) => loadCifar('cifar-100', o),
      remote: remotes['cifar-100'],
    },
  ],
  [
    'faces',
    pictures(
      'faces',
      'the AT&T/ORL faces: 40 people, 10 pictures each, grey, at 56x46; 3 of each for testing',
      ['faces/att-orl', 'att-orl', 'faces'],
      (o) => ({
        ...o,
        size: o.size ?? [56, 46],
        channels: o.channels ?? 1,
        testPerClass: o.testPerClass ?? (o.testRatio === undefined ? 3 : undefined),
      }),
    ),
  ],
  [
    'folder',
    pictures(
      'folder',
      'your pictures: one folder for each class or person (JPEG, PNG, WebP, GIF, BMP, PGM, PPM)',
      [],
    ),
  ],
  [
    'idx',
    { description: 'your images as IDX files, grey, with labels of any bytes', load: (o) => loadOwnIdx(o) },
  ],
  ['csv', { description: 'your table: numeric columns and a class column', load: (o) => loadCsv(o) }],
]);

function sourceOf(name: string): Source {
  return sources.get(name) ?? unknownName('data set', name, [...sources.keys()]);
}

/** What the reader read, cut down to the sizes asked for. */
async function read(name: string, options: LoadOptions): Promise<Loaded> {
  const loaded = await sourceOf(name).load(options);
  const { seed = 0 } = options;
  const notes = [...loaded.notes];
  const part = (which: 'train' | 'test', wanted: number | undefined) => {
    const split = loaded[which];
    if (wanted === undefined || wanted === split.size) return split;
    check(
      Number.isInteger(wanted) && wanted >= 1 && wanted <= split.size,
      'value',
      () => `${which}Size: ${name} has ${split.size} ${which} samples, asked for ${wanted}`,
    );
    notes.push(`${wanted} of ${split.size} ${which} samples, chosen by seed ${seed}`);
    return takeSplit(split, stratifiedPositions(split, wanted, seed));
  };
  const train = part('train', options.trainSize);
  const test = part('test', options.testSize);
  for (const [which, split] of [
    ['training', train],
    ['test', test],
  ] as const) {
    const empty = classCounts(split, loaded.classes.length).flatMap((n, k) => (n === 0 ? [k] : []));
    if (empty.length > 0)
      notes.push(`${empty.length} of ${loaded.classes.length} classes have no ${which} sample`);
  }
  return { ...loaded, train, test, notes };
}

/** Names, one-line descriptions, and whether `get` can bring them. */
function list(): ListEntry[] {
  return [...sources].map(([name, { description, remote }]) => ({
    name,
    description,
    download: remote !== undefined,
  }));
}

/**
 * Loads a data set by name. Errors: 'value' for an unknown name or an option that cannot be, 'data' for files that
 * are not there (naming every place looked at) or malformed (naming file and place).
 */
async function load(name: string, options: LoadOptions = {}): Promise<Dataset> {
  return finishDataset(name, await read(name, options));
}

/** What was understood of a data set: files and their checksums, counts, shape, statistics, oddities. */
async function describe(name: string, options: LoadOptions = {}): Promise<Description> {
  const loaded = await read(name, options);
  const dataset = finishDataset(name, loaded);
  const { remote, description } = sourceOf(name);
  const train = classCounts(dataset.train, dataset.classes.length);
  const test = classCounts(dataset.test, dataset.classes.length);
  return {
    name,
    description,
    root: loaded.root,
    shape: dataset.shape,
    classes: dataset.classes.map((className, k) => ({ name: className, train: train[k], test: test[k] })),
    train: dataset.train.size,
    test: dataset.test.size,
    mean: dataset.mean,
    std: dataset.std,
    hash: dataset.hash,
    files: await checkFiles(loaded.files, loaded.root, remote),
    notes: dataset.notes,
  };
}

/**
 * Looks an image folder ('folder' or 'faces') over: classes, sizes, duplicates, what is left out or cannot be read. All
 * of that is answered, not refused. Errors: 'value' for another name or an option that cannot be, 'data' where there are
 * no folders of classes.
 */
async function inspect(name: string, options: LoadOptions = {}): Promise<Inspection> {
  const source = sourceOf(name);
  check(
    source.inspect !== undefined,
    'value',
    () => `${name} is no folder of pictures; describe tells what is in it`,
  );
  return source.inspect(options);
}

/** Downloads a public data set into DIR/NAME, taking up what an earlier try left; answers the folder. */
async function get(name: string, options: GetOptions = {}): Promise<string> {
  const { remote } = sourceOf(name);
  if (remote === undefined) {
    const offered = list().filter((entry) => entry.download);
    throw new LetheError(
      'value',
      `${name} cannot be downloaded; these can: ${offered.map((e) => e.name).join(', ')}`,
    );
  }
  return getRemote(name, remote, options);
}

/** The work of `get` for any table of files. */
export async function getRemote(name: string, remote: Remote, options: GetOptions = {}): Promise<string> {
  const folder = join(options.dir ?? cacheFolder(), name);
  await makeFolder(folder);
  const bases = (options.bases ?? remote.bases).map((base) => (base.endsWith('/') ? base : `${base}/`));
  for (const file of remote.files) {
    const path = join(folder, basename(file.name));
    await download({
      urls: bases.map((base) => base + file.name),
      sha256: file.sha256,
      path,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    if (file.extract) await extractTarGz(path, file.extract, folder);
  }
  return folder;
}

export const datasets = Object.freeze({ list, load, describe, inspect, get });
