// A table of the user's own.

import * as v from 'valibot';
import { bool, list, section, text } from '../../options/fields.ts';
import { defineDataset, dir, share, subset } from './record.ts';

const column = 'a column name, or its position, from the end if negative';
const ranges = 'a map of column names to [least, largest]';
const least = 'expected [least, largest], the first below the second';
const bounds = v.pipe(
  v.tuple([v.number(least), v.number(least)], least),
  v.check(([min, max]) => min < max, least),
);
const columnOf = (about: string) =>
  v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.integer())], `expected ${column}`),
    v.metadata({ about, expected: column }),
  );

export const csv = defineDataset({
  name: 'csv',
  title: 'CSV table',
  about: 'your table: numeric columns and a class column',
  options: section('Your table: numeric columns and a class column.', {
    dir,
    testFile: v.optional(text('File with the test rows.')),
    label: v.optional(columnOf('Column of the class; by default the last.')),
    drop: v.optional(list(columnOf('Column.'), 'Columns to leave out.', 'a list of columns')),
    ranges: v.optional(
      v.pipe(
        v.record(v.string(), bounds, `expected ${ranges}`),
        v.metadata({
          about:
            'What byte 0 and byte 255 stand for in a column, by its name. Columns not named are scaled by their smallest and largest training value, to which every row can contribute, forgotten ones too.',
          expected: ranges,
        }),
      ),
    ),
    header: v.optional(
      bool('Whether the first row names the columns; by default when none of its fields is a number.'),
    ),
    delimiter: v.optional(
      v.pipe(
        text('One character.'),
        v.regex(/^[^"\r\n]$/, 'expected one character that is no quote and no line break'),
      ),
    ),
    testRatio: v.optional(share('Share of each class for testing when there is no test file.')),
    ...subset,
  }),
  people: false,
  files: '`train.csv` and maybe `test.csv`, or a file',
  async load(options) {
    const { loadCsv } = await import('../readers/csv.ts');
    return loadCsv(options);
  },
});
