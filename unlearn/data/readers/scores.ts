// Scores of samples as a CSV file, `id,score` and maybe other columns: read with the place of whatever is wrong, written whole
// or not at all. Which samples are chosen by them is forget.ts.

import { readFileBounded, writeFileAtomic } from '../../files.ts';
import { limits, refuse } from '../refuse.ts';
import { parseCsvRows } from './csv.ts';

/** A number for each of some samples, as a file has them. */
export interface Scores {
  /** The file, for messages. */
  readonly file: string;
  /** Ids of samples, each once, in the order of the file. */
  readonly ids: Int32Array;
  /** The score of each, finite. */
  readonly scores: Float64Array;
  /** The line of the file that each stands on. */
  readonly lines: Int32Array;
}

const HEADER = 'expected a header with the columns id and score';
const LARGEST_ID = 2 ** 31 - 1;

/**
 * Reads a CSV file with a header that names the columns `id` and `score`; others are passed over.
 * @throws LetheError 'io' where it cannot be read; 'data' for a file above 64 MiB, a header without the two columns, rows of
 * another length, an id that is none or stands there twice, and a score that is no finite number, with the line.
 */
export async function loadScores(path: string): Promise<Scores> {
  const text = (await readFileBounded(path, limits.textBytes)).toString('utf8');
  const [header, ...rows] = parseCsvRows(text, path);
  if (!header) return refuse(path, '', `an empty file; ${HEADER}`);
  const column = (name: string) => {
    const at = header.fields.indexOf(name);
    return at < 0 ? refuse(path, `line ${header.line}`, HEADER) : at;
  };
  const [idAt, scoreAt] = [column('id'), column('score')];
  const lineOf = new Map<number, number>();
  const scores = rows.map(({ line, fields }) => {
    const no = (what: string): never => refuse(path, `line ${line}`, what);
    const { length } = header.fields;
    if (fields.length !== length) no(`expected ${length} fields, found ${fields.length}`);
    const [id, score] = [fields[idAt], fields[scoreAt]];
    const value = Number(score);
    if (!/^\d{1,10}$/.test(id) || Number(id) > LARGEST_ID)
      no(`expected the id of a sample, found ${quoted(id)}`);
    if (score === '' || !Number.isFinite(value))
      no(`the score of id ${id}: expected a finite number, found ${quoted(score)}`);
    const before = lineOf.get(Number(id));
    if (before !== undefined) no(`id ${id} stands on line ${before} already; expected each once`);
    lineOf.set(Number(id), line);
    return value;
  });
  if (rows.length === 0) return refuse(path, '', 'expected scores below the header, found none');
  return {
    file: path,
    ids: Int32Array.from(lineOf.keys()),
    scores: Float64Array.from(scores),
    lines: Int32Array.from(lineOf.values()),
  };
}

const quoted = (field: string) => `'${field.length > 60 ? `${field.slice(0, 57)}...` : field}'`;

/**
 * Writes columns of numbers as a CSV file that loadScores reads, whole or not at all.
 * @param columns by their names, equally long, `id` and `score` among them.
 * @throws LetheError 'io' where it cannot be written.
 */
export async function saveScores(
  path: string,
  columns: Readonly<Record<string, ArrayLike<number>>> & {
    /** Ids of the samples. */
    readonly id: ArrayLike<number>;
    /** The number they are ranked by. */
    readonly score: ArrayLike<number>;
  },
): Promise<void> {
  const rows = Array.from(columns.id, (_, i) =>
    Object.values(columns)
      .map((values) => values[i])
      .join(','),
  );
  await writeFileAtomic(path, `${[Object.keys(columns).join(','), ...rows].join('\n')}\n`);
}
