// The table of docs/data.md, made from the records.

import { records } from '../data/sets/index.ts';
import type { DatasetRecord } from '../data/sets/record.ts';
import { code, table } from './markdown.ts';

export const datasetTables = (): Record<'data sets', string> => ({
  'data sets': table(
    ['name', 'data set', 'what', 'files', '`get`'],
    Object.values(records).map(({ name, title, about, files, remote }: DatasetRecord) => [
      code(name),
      title,
      about,
      files ?? 'none',
      remote ? 'yes' : 'no',
    ]),
  ),
});
