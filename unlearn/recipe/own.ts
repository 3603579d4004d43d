// The files a recipe names. Those of methods are loaded before its options are checked, and handed on to whatever needs their
// records (Lethe's own are methods/index.ts); that of scores gets a path that holds wherever the recipe lies.

import { dirname, relative, resolve, sep } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { isMap } from '../json.ts';
import { loadMethodFile, type MethodFile } from '../method-file.ts';
import { type MethodTable, methods } from '../methods/index.ts';
import type { Problem } from '../options/problems.ts';
import { show } from '../text.ts';
import { plainRuns } from './vary.ts';

/** An entry of `methods` that names a file. */
interface OwnEntry extends MethodFile {
  /** A relative path counts from the current folder. */
  readonly file: string;
}

/** The methods that a recipe may name. */
export interface KnownMethods {
  /** Lethe's and those of files, by name. */
  readonly table: MethodTable;
  /** By position, the entries that name a file, or what is wrong with them. */
  readonly entries: ReadonlyMap<number, OwnEntry | Problem>;
  /** The same of each run of `vary`, in their order. */
  readonly runs?: readonly KnownMethods[];
}

export const LISTED: KnownMethods = { table: methods, entries: new Map() };

/**
 * Loads what the entries of a plain recipe name by `file`, each file once.
 * @param source the recipe's file, from which relative paths count; the current folder where there is none.
 */
export async function knownMethods(recipe: unknown, source?: string): Promise<KnownMethods> {
  const { methods: listed } = (recipe ?? {}) as { methods?: unknown };
  const runs: KnownMethods[] = [];
  for (const plain of plainRuns(recipe)) runs.push(await knownMethods(plain, source));
  const folder = source === undefined ? '.' : dirname(source);
  const table: Record<string, MethodTable[string]> = { ...methods };
  const sums: Record<string, string> = {};
  const entries = new Map<number, OwnEntry | Problem>();
  for (const [i, entry] of (Array.isArray(listed) ? listed : []).entries()) {
    const { file, name, sha256 } = (entry ?? {}) as Record<string, unknown>;
    if (typeof file !== 'string') continue;
    const problem = (key: string, message: string) => entries.set(i, { path: ['methods', i, key], message });
    let own: MethodFile;
    try {
      own = await loadMethodFile(file, folder);
    } catch (cause) {
      if (!(cause instanceof LetheError)) throw cause;
      problem('file', cause.message.replace(/\n\s*/g, '; '));
      continue;
    }
    const called = own.make.record.name;
    if (name !== undefined && name !== called)
      problem(
        'name',
        `expected the name of the method in the file, ${show(called)}, or none, got ${show(name)}`,
      );
    else if (sha256 !== undefined && sha256 !== own.sha256)
      problem('sha256', `expected that of the file, ${own.sha256}, got ${show(sha256)}: it was changed`);
    else if (sums[called] !== undefined && sums[called] !== own.sha256)
      problem('file', `another file of this recipe has a method ${show(called)}; expected names that differ`);
    else entries.set(i, { ...own, file: fromHere(resolve(folder, file)) });
    sums[called] ??= own.sha256;
    table[called] ??= own.make;
  }
  return { table, entries, ...(runs.length > 0 && { runs }) };
}

/**
 * The recipe, and the runs of its `vary`, with files of scores as paths from the current folder. Relative ones count from the
 * given folder.
 */
export function withScoresOf<T extends object>(recipe: T, folder: string): T {
  const { vary } = recipe as { vary?: unknown };
  const placed = placedIn(recipe, folder);
  if (!isMap(vary) || !Array.isArray(vary.runs)) return placed;
  const runs = vary.runs.map((run) =>
    isMap(run) && isMap(run.set) ? { ...run, set: placedIn(run.set, folder) } : run,
  );
  return { ...placed, vary: { ...vary, runs } };
}

/** `values`: a recipe, or what a run of it sets. */
function placedIn<T extends object>(values: T, folder: string): T {
  const here = (scores: string) => fromHere(resolve(folder, scores));
  const { forget, 'forget.scores': own } = values as { forget?: unknown; 'forget.scores'?: unknown };
  const scores = isMap(forget) ? forget.scores : undefined;
  return {
    ...values,
    ...(isFile(scores) && { forget: { ...(forget as object), scores: here(scores) } }),
    ...(isFile(own) && { 'forget.scores': here(own) }),
  };
}

const isFile = (x: unknown): x is string => typeof x === 'string' && x !== '';

/** The path from the current folder, the same text on every system. */
const fromHere = (path: string): string => relative('.', path).split(sep).join('/');
