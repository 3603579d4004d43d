// Tables of numbers with a class column: CSV after RFC 4180 (quotes, doubled quotes, line breaks in quotes), plain,
// .gz or .br. A row becomes an image of shape [1, 1, columns]: every column is scaled to bytes from its smallest to
// its largest training value, which the data set's `features` record. Categories as features are not read.

import { basename, dirname } from 'node:path';
import { check } from '../../../engine/error.ts';
import { printable } from '../../text.ts';
import type { Split } from '../../types.ts';
import { limits, refuse, unknownName } from '../refuse.ts';
import { holdOut, type Loaded, makeSplit, takeSplit } from '../split.ts';
import { readDecoded } from './decoded.ts';
import { findVariant, locate } from './locate.ts';
import { naturalCompare } from './scan.ts';

export interface CsvOptions {
  /** A CSV file, or a folder with train.csv and maybe test.csv (each plain, .gz or .br). */
  readonly dir?: string;
  /** Path of the file with the test rows; without one (and without test.csv) a share of the rows is taken. */
  readonly testFile?: string;
  /** Column of the class: its name, or its index, from the end if negative. By default the last. */
  readonly label?: string | number;
  /** Columns to leave out, by name or index. */
  readonly drop?: readonly (string | number)[];
  /** What byte 0 and byte 255 stand for, by column name; by default the smallest and largest training value. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
  /** Whether the first row names the columns; by default when none of its fields is a number. */
  readonly header?: boolean;
  /** One character, by default a comma. */
  readonly delimiter?: string;
  /** Share of each class for testing when there is no test file, by default 0.2. */
  readonly testRatio?: number;
  readonly seed?: number;
}

interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The rows of a CSV text one by one, with the line each begins on; empty lines are passed over. */
export function* parseCsvRows(text: string, file: string, delimiter = ','): Generator<Row> {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const start = line;
    const fields: string[] = [];
    for (let more = true; more; ) {
      let field: string;
      if (text[at] === '"') {
        const parts: string[] = [];
        for (let from = at + 1; ; ) {
          const quote = text.indexOf('"', from);
          if (quote < 0) refuse(file, `line ${line}`, 'a quote is opened here and never closed');
          parts.push(text.slice(from, quote));
          at = quote + 1;
          if (text[at] !== '"') break;
          from = at + 1;
        }
        field = parts.join('"');
        for (let i = field.indexOf('\n'); i >= 0; i = field.indexOf('\n', i + 1)) line++;
        if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r')
          refuse(file, `line ${line}`, 'expected a delimiter or the end of the line after a closing quote');
      } else {
        const from = at;
        while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at++;
        field = text.slice(from, at);
      }
      fields.push(field.trim());
      if (fields.length > limits.csvColumns)
        refuse(file, `line ${start}`, `more than ${limits.csvColumns} columns`);
      more = text[at] === delimiter && at < text.length;
      if (more) at++;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    if (fields.length > 1 || fields[0] !== '') yield { line: start, fields };
  }
}

interface Table {
  readonly names: readonly string[];
  readonly values: Float64Array;
  readonly labels: readonly string[];
  readonly lines: readonly number[];
  readonly notes: readonly string[];
}

function columnIndex(file: string, column: string | number, names: readonly string[], width: number): number {
  if (typeof column === 'string') {
    const at = names.indexOf(column);
    return at >= 0 ? at : unknownName(`column of ${printable(basename(file))}`, column, names);
  }
  const at = column < 0 ? width + column : column;
  check(
    Number.isInteger(at) && at >= 0 && at < width,
    'value',
    () => `column ${column}: expected ${-width} to ${width - 1} in ${printable(file)}`,
  );
  return at;
}

/** Numbers and class names of a CSV text. `header` false reads all rows as data. */
export function parseTable(text: string, file: string, options: CsvOptions): Table {
  const { delimiter = ',', label = -1, drop = [] } = options;
  const notes: string[] = [];
  let names: string[] | null = null;
  let width = -1;
  let used: number[] = [];
  let labelAt = -1;
  let values = new Float64Array(1024);
  let filled = 0;
  const labels: string[] = [];
  const lines: number[] = [];
  let first = true;
  for (const { line, fields } of parseCsvRows(text, file, delimiter)) {
    if (first) {
      first = false;
      if (options.header ?? !fields.some((f) => NUMBER.test(f))) {
        names = [...fields];
        continue;
      }
    }
    if (width < 0) {
      width = fields.length;
      if (names !== null && names.length > width) {
        notes.push(
          `${basename(file)}: the header has ${names.length} names, the rows have ${width} fields; names left out: ${names.slice(width).map(printable).join(', ')}`,
        );
      } else if (names !== null && names.length < width) {
        refuse(file, `line ${line}`, `${width} fields, the header has ${names.length}`);
      }
      names = names?.slice(0, width) ?? fields.map((_, i) => `field ${i + 1}`);
      labelAt = columnIndex(file, label, names, width);
      const dropped = new Set(drop.map((column) => columnIndex(file, column, names!, width)));
      used = [...fields.keys()].filter((i) => i !== labelAt && !dropped.has(i));
      if (used.length === 0) refuse(file, `line ${line}`, 'expected a column beside the class');
    }
    if (fields.length !== width)
      refuse(file, `line ${line}`, `expected ${width} fields, found ${fields.length}`);
    if (fields[labelAt] === '') refuse(file, `line ${line}`, 'the class is empty');
    if (filled + used.length > values.length) {
      const grown = new Float64Array(Math.max(filled + used.length, values.length * 2));
      grown.set(values);
      values = grown;
    }
    for (const i of used) {
      const number = NUMBER.test(fields[i]) ? Number(fields[i]) : Number.NaN;
      if (!Number.isFinite(number)) {
        const column = printable(names![i].slice(0, 60));
        refuse(
          file,
          column === `field ${i + 1}`
            ? `line ${line}, ${column}`
            : `line ${line}, field ${i + 1} (${column})`,
          `expected a number, found '${printable(fields[i].slice(0, 60))}'`,
        );
      }
      values[filled++] = number;
    }
    labels.push(fields[labelAt]);
    lines.push(line);
  }
  if (labels.length === 0) refuse(file, '', 'expected rows, found none');
  return { names: used.map((i) => names![i]), values: values.subarray(0, filled), labels, lines, notes };
}

type Feature = { name: string; min: number; max: number };

/** The bounds of each column: those stated, else those of the rows. @throws LetheError 'value' for a column that is not there. */
function ranges(
  values: Float64Array,
  names: readonly string[],
  rows: ArrayLike<number>,
  { ranges: stated = {} }: CsvOptions,
): Feature[] {
  for (const name of Object.keys(stated))
    if (!names.includes(name)) unknownName('column for ranges', name, names);
  const width = names.length;
  const features = names.map((name) => ({
    name,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
  }));
  for (let r = 0; r < rows.length; r++) {
    for (let c = 0; c < width; c++) {
      const value = values[rows[r] * width + c];
      if (value < features[c].min) features[c].min = value;
      if (value > features[c].max) features[c].max = value;
    }
  }
  return features.map((feature) => {
    const own = Object.hasOwn(stated, feature.name) ? stated[feature.name] : null;
    return own ? { ...feature, min: own[0], max: own[1] } : feature;
  });
}

/** Values as bytes between each feature's bounds; values beyond are cut off and counted. */
function toBytes(
  values: Float64Array,
  features: readonly Feature[],
  rows: ArrayLike<number>,
): { bytes: Uint8Array; beyond: number } {
  const width = features.length;
  const bytes = new Uint8Array(rows.length * width);
  let beyond = 0;
  for (let r = 0; r < rows.length; r++) {
    for (let c = 0; c < width; c++) {
      const { min, max } = features[c];
      const value = values[rows[r] * width + c];
      if (value < min || value > max) beyond++;
      // Halves, so that no difference of doubles overflows.
      const span = max / 2 - min / 2;
      const share = span > 0 ? (Math.min(max, Math.max(min, value)) / 2 - min / 2) / span : 0;
      bytes[r * width + c] = Math.floor(share * 255 + 0.5);
    }
  }
  return { bytes, beyond };
}

async function textOf(path: string): Promise<string> {
  return (await readDecoded(path, { maxBytes: limits.csvBytes })).toString('utf8');
}

function labelsOf(table: Table, classes: readonly string[], file: string): Int32Array {
  const index = new Map(classes.map((name, i) => [name, i]));
  return Int32Array.from(table.labels, (label, i) => {
    const at = index.get(label);
    return (
      at ?? refuse(file, `line ${table.lines[i]}`, `class '${printable(label)}' is not in the training rows`)
    );
  });
}

/** Reads a table as a data set of shape [1, 1, columns]; options in the ranges of sets/csv.ts. */
export async function loadCsv(options: CsvOptions): Promise<Loaded> {
  const { dir, testRatio = 0.2, seed = 0 } = options;
  const isTable = dir !== undefined && /\.(csv|tsv|txt|data)(\.gz|\.br)?$/i.test(dir);
  const holds = async (folder: string) => (await findVariant(folder, 'train.csv')) !== null;
  const root = isTable
    ? dirname(dir)
    : await locate('csv', 'train.csv (plain, .gz or .br)', ['csv'], holds, dir);
  const trainFile = isTable ? dir : (await findVariant(root, 'train.csv'))!;
  const testFile = options.testFile ?? (isTable ? null : await findVariant(root, 'test.csv'));
  const table = parseTable(await textOf(trainFile), trainFile, options);
  const classes = [...new Set(table.labels)].sort(naturalCompare);
  if (classes.length < 2) refuse(trainFile, '', `expected two or more classes, found ${classes.length}`);
  const notes = [...table.notes];
  const shape = [1, 1, table.names.length] as const;
  const labels = labelsOf(table, classes, trainFile);
  const all = Int32Array.from(labels.keys());
  const files = [trainFile];
  const range = options.ranges ? 'the stated and training ranges' : 'the training range';
  const note = (which: string, beyond: number) => {
    if (beyond > 0) notes.push(`${beyond} ${which} values lie beyond ${range} and were cut off`);
  };
  let features: Feature[];
  let train: Split;
  let test: Split;
  if (testFile === null) {
    // Choose the rows first, then scale by the training rows alone.
    const dummy = makeSplit({ shape: [1, 1, 1], images: new Uint8Array(all.length), labels });
    const count = Math.floor(all.length * testRatio + 0.5);
    if (count < 1 || count >= all.length)
      refuse(trainFile, '', `${all.length} rows are too few to take ${testRatio} of them for testing`);
    const { kept } = holdOut(dummy, count, seed);
    features = ranges(table.values, table.names, kept.ids, options);
    const { bytes, beyond } = toBytes(table.values, features, all);
    note(options.ranges ? 'training and test' : 'test', beyond);
    const whole = makeSplit({ shape, images: bytes, labels });
    const isKept = new Set(kept.ids);
    train = takeSplit(whole, kept.ids);
    test = takeSplit(
      whole,
      all.filter((i) => !isKept.has(i)),
    );
  } else {
    const other = parseTable(await textOf(testFile), testFile, options);
    if (other.names.length !== table.names.length)
      refuse(testFile, '', `${other.names.length} features, the training file has ${table.names.length}`);
    features = ranges(table.values, table.names, all, options);
    const own = toBytes(table.values, features, all);
    note('training', own.beyond);
    train = makeSplit({ shape, images: own.bytes, labels });
    const testLabels = labelsOf(other, classes, testFile);
    const { bytes, beyond } = toBytes(other.values, features, Int32Array.from(testLabels.keys()));
    note('test', beyond);
    test = makeSplit({ shape, images: bytes, labels: testLabels });
    notes.push(...other.notes);
    files.push(testFile);
  }
  return { classes, train, test, notes, files, root, features };
}
