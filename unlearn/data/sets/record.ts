// What a data set is: one record with its name, what it shows, the options it takes and how it is read. Each file of this
// folder holds one, index.ts lists them. Nothing here needs Node: a record that reads files imports its reader only when
// it is asked to load.

import * as v from 'valibot';
import { int, num, type OptionsOf, type OptionsSection, text } from '../../options/fields.ts';
import type { Inspection } from '../readers/inspect.ts';
import type { Loaded } from '../split.ts';

/** Where to look for the files of a data set. */
export interface Where {
  /** Where to look first; then LETHE_DATA, then the cache. For 'folder', 'idx' and 'csv' the folder (or file) itself. */
  readonly dir?: string;
}

/** The options of a section once they are checked and their defaults filled in. */
export type Complete<S extends OptionsSection> = OptionsOf<S> & Where;

/** One file to download; `extract` names the files wanted out of a .tar.gz. */
interface RemoteFile {
  readonly name: string;
  /** What should arrive. */
  readonly sha256: string;
  readonly extract?: readonly string[];
}

/** Where a public data set comes from. Licence and whom to cite are the authors' to say. */
export interface Remote {
  /** Folders that hold the files, tried in order. */
  readonly bases: readonly string[];
  readonly files: readonly RemoteFile[];
  /** sha256 of decompressed files as published. */
  readonly published?: Readonly<Record<string, string>>;
  /** The authors' page. */
  readonly page: string;
}

/** What a data set is: its name, its options and how it is read. */
export interface DatasetRecord<N extends string = string, S extends OptionsSection = OptionsSection> {
  /** As recipes and the command line say it. */
  readonly name: N;
  /** As a person would write it. */
  readonly title: string;
  /** One line: what it holds, shape and sizes. */
  readonly about: string;
  /** What a recipe may say under `dataset.options`. */
  readonly options: S;
  /** Whether it may show people: then its pictures stay out of reports unless asked for. */
  readonly people: boolean;
  /** The files it reads, in words; null where it needs none. */
  readonly files: string | null;
  /** Where `datasets.get` brings it from, if it can. */
  readonly remote?: Remote;
  /** Reads it. If the options have `trainSize` or `testSize` it may read more: what is beyond is cut off afterwards. */
  load(options: Complete<S>): Loaded | Promise<Loaded>;
  /** Folders of pictures: looks them over without refusing what is in them. */
  inspect?(options: Complete<S>): Promise<Inspection>;
}

/** The record itself; `load` and `inspect` get the types of its options. */
export const defineDataset = <const N extends string, S extends OptionsSection>(
  record: DatasetRecord<N, S>,
): DatasetRecord<N, S> => Object.freeze(record);

/** Options of every data set that has a size of its own. */
export const subset = {
  trainSize: v.optional(int('Fewer training images, chosen by `seed` in the proportions of the classes.', 1)),
  testSize: v.optional(int('Fewer test images, chosen likewise.', 1)),
  seed: v.optional(int('Seed of every random choice about the data.'), 0),
};

/** Option of a data set that is the user's own. */
export const dir = v.optional(text('Folder of the data, instead of --data.'));

/** A part of the samples, neither none nor all. */
export const share = (about: string) => {
  const message = 'expected a number between 0 and 1, both excluded';
  return v.pipe(num(about, 0, 1), v.gtValue(0, message), v.ltValue(1, message));
};
