// The folder of a run: which folders may be taken for one, and what in it is the run's own, to be swept up when a
// process was killed and removed when all is done. Whatever else lies there is left alone.

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import {
  isIo,
  isThere,
  makeFolder,
  namesIn,
  removeEmptyFolder,
  removeFile,
  sweepTemporary,
  temporaryFor,
} from '../files.ts';
import { printable } from '../text.ts';
import { isLockName } from './lock.ts';
import { type Cell, progressFile, weightsFile } from './plan.ts';
import { loadAny } from './results.ts';
import { previousOf } from './store.ts';

const weights = /^seed-[\d.]+-.+\.safetensors$/;
/** The folders in it, and how a run names the files there. */
const FOLDERS = [
  ['checkpoints', weights],
  ['cells', /^seed-[\d.]+-.+\.json$/],
  ['unfinished', weights],
] as const;
/** What is to be forgotten, with the first seeds. */
export const MANIFEST = 'forget-manifest.json';
/** The forget set of another seed than the first, where each draws its own. */
export const manifestOf = (seed: number): string => `forget-manifest-${seed}.json`;
const isManifest = (name: string) => /^forget-manifest(-\d+)?\.json$/.test(name);
const FILES = [MANIFEST, 'results.json', 'report.html'];
export const LOG = 'log.txt';

/**
 * Refuses a folder that is in use for something else. May be taken: one that is not there, is empty, or in which a run
 * has worked before, finished or not. Reads only.
 * @throws LetheError 'value' for any other, 'io' where it cannot be read.
 */
export async function checkFolder(out: string): Promise<void> {
  const found = (await namesIn(out)) ?? [];
  // Names that others would not choose, as they might results.json or log.txt, or cells for a folder of pictures.
  const isMark = (name: string) => isManifest(name) || isLockName(name);
  if (found.some((name) => isMark(temporaryFor(name) ?? name))) return;
  const inside = new Map<string, string[]>();
  for (const [name, own] of FOLDERS) {
    const entries = found.includes(name) ? await namesIn(join(out, name)) : null;
    if (entries?.some((entry) => own.test(entry))) return;
    if (entries) inside.set(name, entries);
  }
  // A run that was stopped at its very beginning.
  if (inside.size === FOLDERS.length) return;
  const others = found.filter((name) => inside.get(name)?.length !== 0);
  if (others.length === 0) return;
  const some = others.slice(0, 3).map(printable).join(', ');
  throw new LetheError(
    'value',
    `--out ${printable(out)}: holds ${some}${others.length > 3 ? ' and more' : ''}, not a run; expected a new or empty folder, or one of a run`,
  );
}

const SUMMARY = ['results.json', 'report.html'];

/**
 * Refuses a folder for the runs of a recipe with `vary` that is in use for something else. May be taken: one that is not
 * there, is empty, or in which such runs have worked before. Reads only.
 * @param labels names of the runs.
 * @throws LetheError 'value' for any other, 'io' where it cannot be read.
 */
export async function checkFolderOfRuns(out: string, labels: readonly string[]): Promise<void> {
  const found = (await namesIn(out)) ?? [];
  const isOneRun = found.some(
    (name) => isManifest(temporaryFor(name) ?? name) || FOLDERS.some(([own]) => own === name),
  );
  if (found.length === 0 || (!isOneRun && (await isOfRuns(out, found, labels)))) return;
  const some = found.slice(0, 3).map(printable).join(', ');
  const what = isOneRun ? 'a run' : `${some}${found.length > 3 ? ' and more' : ''}, not runs of one recipe`;
  throw new LetheError(
    'value',
    `--out ${printable(out)}: holds ${what}; expected a new or empty folder, or one of the runs of a recipe with vary`,
  );
}

/** Marks of such a folder: its lock, its results, or a run under one of the names. */
async function isOfRuns(out: string, found: readonly string[], labels: readonly string[]): Promise<boolean> {
  if (found.some((name) => isLockName(temporaryFor(name) ?? name))) return true;
  if (found.every((name) => SUMMARY.includes(temporaryFor(name) ?? ''))) return true;
  for (const label of labels)
    if (found.includes(label) && (await namesIn(join(out, label)))?.some(isManifest)) return true;
  if (!found.includes('results.json')) return false;
  try {
    return 'kind' in (await loadAny(join(out, 'results.json')));
  } catch (cause) {
    if (isIo(cause)) throw cause;
    return false;
  }
}

/** Removes what a killed process left half-written beside the folders of several runs. The lock is ours. */
export const sweepFolderOfRuns = (out: string): Promise<void> =>
  sweepTemporary(out, (name) => SUMMARY.includes(name));

/**
 * Makes the folders in it, and removes what a killed process left half-written. The lock is ours: nobody else writes.
 * @throws LetheError 'io' where something cannot be made or removed, or lies where a file has to be.
 */
export async function prepareFolder(out: string): Promise<void> {
  for (const [name] of FOLDERS) await makeFolder(join(out, name));
  for (const name of FILES) await isThere(join(out, name));
  // Appended to, not replaced: a link would lead to somebody else's file.
  const log = await lstat(join(out, LOG)).catch(() => null);
  if (log && !log.isFile())
    throw new LetheError('io', `${printable(join(out, LOG))}: not a regular file; expected the log of a run`);
  await sweepTemporary(out, (name) => FILES.includes(name) || isManifest(name));
  for (const [name, own] of FOLDERS) await sweepTemporary(join(out, name), (file) => own.test(file));
}

/** Removes what is no longer needed of these cells, their progress first of all, and the folder for it unless there is more in it. */
export async function clearUnfinished(
  out: string,
  cells: readonly Pick<Cell, 'id' | 'prepared' | 'trial'>[],
): Promise<void> {
  for (const cell of cells) {
    for (const made of cell.prepared ? [cell, cell.prepared] : [cell]) {
      const path = progressFile(out, made);
      await removeFile(path);
      await removeFile(previousOf(path));
    }
    // Weights of a trial that was measured just before its process was killed.
    if (cell.trial) await removeFile(weightsFile(out, cell));
  }
  await removeEmptyFolder(join(out, 'unfinished'));
}
