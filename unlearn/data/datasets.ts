// `datasets`: the records of sets/ by name, and what can be done with any of them: load, describe, inspect, get. Each
// takes a name, or a record of one's own. What needs files is imported when it is used; only `get` uses the network.

import type * as v from 'valibot';
import { check, LetheError } from '../../engine/error.ts';
import { completeOptions } from '../options/complete.ts';
import { type OptionsSection, section } from '../options/fields.ts';
import type { Dataset } from '../types.ts';
import type { FileFact } from './readers/checksums.ts';
import type { GetOptions } from './readers/download.ts';
import type { Inspection } from './readers/inspect.ts';
import { unknownName } from './refuse.ts';
import { type DatasetName, datasetNames, type Records, records } from './sets/index.ts';
import { type Complete, type DatasetRecord, dir, type Where } from './sets/record.ts';
import {
  type ClassCount,
  classCounts,
  finishDataset,
  type Loaded,
  stratifiedPositions,
  takeSplit,
} from './split.ts';

type RecordOf<D> = D extends DatasetName ? Records[D] : D;
type Frozen<T> = T extends readonly unknown[] ? Readonly<T> : T;
/** Options as they are given; those of a record that is known at run time only may be any. */
type Given<S extends OptionsSection> =
  unknown extends v.InferInput<S>
    ? { readonly [option: string]: unknown }
    : { readonly [K in keyof v.InferInput<S>]: Frozen<v.InferInput<S>[K]> };

/** The options of a data set (`LoadOptions<'glyphs'>`), and where to look for its files. */
export type LoadOptions<D extends DatasetName | DatasetRecord> =
  RecordOf<D> extends {
    /** The section of the record. */
    readonly options: infer S extends OptionsSection;
  }
    ? Given<S> & Where
    : never;

/** A data set that Lethe knows. */
export interface ListEntry {
  /** Its name. */
  readonly name: DatasetName;
  /** What it holds, in one line. */
  readonly description: string;
  /** Whether `get` can download it. */
  readonly download: boolean;
}

/** A data set, looked over. */
export interface Description {
  /** Its name. */
  readonly name: string;
  /** What it holds, in one line. */
  readonly description: string;
  /** Folder of its files; null where it needs none. */
  readonly root: string | null;
  /** [height, width, channels] of one image. */
  readonly shape: readonly [number, number, number];
  /** Samples of each class. */
  readonly classes: readonly ClassCount[];
  /** Training samples. */
  readonly train: number;
  /** Test samples. */
  readonly test: number;
  /** Mean of each channel over the training images, in [0, 1]. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel over the training images, in [0, 1]. */
  readonly std: readonly number[];
  /** sha256 of what was read. */
  readonly hash: string;
  /** The files that were read, with their checksums. */
  readonly files: readonly FileFact[];
  /** What a reader should know. */
  readonly notes: readonly string[];
}

/** Names, one-line descriptions, and whether `get` can bring them. */
function list(): ListEntry[] {
  return datasetNames.map((name) => {
    const { about, remote }: DatasetRecord = records[name];
    return { name, description: about, download: remote !== undefined };
  });
}

/**
 * The record of a name that is known only when the program runs, such as one from a command line; its options are then
 * checked at run time alone. Errors: 'value' for an unknown name, with the nearest one.
 */
function byName(name: string): DatasetRecord {
  return Object.hasOwn(records, name)
    ? records[name as DatasetName]
    : unknownName('data set', name, datasetNames);
}

const recordOf = (which: DatasetName | DatasetRecord): DatasetRecord =>
  typeof which === 'object' && which !== null ? which : byName(String(which));

/** Options checked and completed by the record's section; `dir` may stand beside them whatever the data set. */
function complete(record: DatasetRecord, options: object | undefined): Complete<OptionsSection> {
  return completeOptions(record.name, section('', { dir, ...record.options.entries }), options);
}

/** What the reader read, cut down to the sizes asked for. */
async function read(record: DatasetRecord, given: object | undefined): Promise<Loaded> {
  const { name } = record;
  const options = complete(record, given);
  const loaded = await record.load(options);
  const { seed = 0, trainSize, testSize } = options as { [K in 'seed' | 'trainSize' | 'testSize']?: number };
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
  const train = part('train', trainSize);
  const test = part('test', testSize);
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

/**
 * Loads a data set by name, or of a record. Errors: 'value' for an unknown name or an option that cannot be, 'data' for
 * files that are not there (naming every place looked at) or malformed (naming file and place).
 */
async function load<D extends DatasetName | DatasetRecord>(
  which: D,
  options?: LoadOptions<D>,
): Promise<Dataset> {
  const record = recordOf(which);
  return finishDataset(record.name, await read(record, options));
}

/** What was understood of a data set: files and their checksums, counts, shape, statistics, oddities. */
async function describe<D extends DatasetName | DatasetRecord>(
  which: D,
  options?: LoadOptions<D>,
): Promise<Description> {
  const record = recordOf(which);
  const loaded = await read(record, options);
  const { name, classes, shape, mean, std, hash, notes, train, test } = finishDataset(record.name, loaded);
  const { files, root } = loaded;
  const [trainCounts, testCounts] = [train, test].map((split) => classCounts(split, classes.length));
  return {
    name,
    description: record.about,
    root,
    shape,
    classes: classes.map((className, k) => ({
      name: className,
      train: trainCounts[k],
      test: testCounts[k],
    })),
    train: train.size,
    test: test.size,
    mean,
    std,
    hash,
    files: root === null ? [] : await factsOf(files, root, record),
    notes,
  };
}

async function factsOf(files: readonly string[], root: string, { remote }: DatasetRecord) {
  const { checkFiles } = await import('./readers/checksums.ts');
  return checkFiles(files, root, remote);
}

/**
 * Looks an image folder ('folder' or 'faces') over: classes, sizes, duplicates, what is left out or cannot be read. All
 * of that is answered, not refused. Errors: 'value' for another name or an option that cannot be, 'data' where there are
 * no folders of classes.
 */
async function inspect<D extends DatasetName | DatasetRecord>(
  which: D,
  options?: LoadOptions<D>,
): Promise<Inspection> {
  const record = recordOf(which);
  check(
    record.inspect !== undefined,
    'value',
    () => `${record.name} is no folder of pictures; describe tells what is in it`,
  );
  return record.inspect(complete(record, options));
}

/** Downloads a public data set into DIR/NAME, taking up what an earlier try left; answers the folder. */
async function get(which: DatasetName | DatasetRecord, options: GetOptions = {}): Promise<string> {
  const { name, remote } = recordOf(which);
  if (remote === undefined) {
    const offered = list().filter((entry) => entry.download);
    throw new LetheError(
      'value',
      `${name} cannot be downloaded; these can: ${offered.map((e) => e.name).join(', ')}`,
    );
  }
  const { getRemote } = await import('./readers/download.ts');
  return getRemote(name, remote, options);
}

const functions = { list, byName, load, describe, inspect, get };

/** The records by name (`datasets.glyphs`), `Object.keys` their names; behind them the functions (`datasets.load`). */
export const datasets: Records & Readonly<typeof functions> = Object.freeze(
  Object.assign(Object.create(functions), records),
);
