// The data sets by name. A line here and the file it names are all there is to know of one: recipes, their documentation,
// the command line and the report are made from these records.

import { cifar10 } from './cifar-10.ts';
import { cifar100 } from './cifar-100.ts';
import { csv } from './csv.ts';
import { faces } from './faces.ts';
import { fashionMnist } from './fashion-mnist.ts';
import { folder } from './folder.ts';
import { glyphs } from './glyphs.ts';
import { idx } from './idx.ts';
import { mnist } from './mnist.ts';
import type { DatasetRecord } from './record.ts';

/** Each under its own name, or it does not compile. */
const named = <T extends { readonly [N in keyof T & string]: DatasetRecord<N> }>(records: T): Readonly<T> =>
  Object.freeze(records);

export const records = named({
  glyphs,
  mnist,
  'fashion-mnist': fashionMnist,
  'cifar-10': cifar10,
  'cifar-100': cifar100,
  faces,
  folder,
  idx,
  csv,
});

export type Records = typeof records;
/** The name of a data set that Lethe knows. */
export type DatasetName = keyof Records;

/** In the order of the table. */
export const datasetNames = Object.keys(records) as DatasetName[];
