// Where data files are looked for: the folder given, then the folder in LETHE_DATA, then the cache. Reading them is
// decoded.ts.

import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LetheError } from '../../../engine/error.ts';
import { readFileBounded } from '../../files.ts';
import { printable } from '../../text.ts';
import { limits } from '../refuse.ts';

/** Where `datasets get` puts files: $XDG_CACHE_HOME/lethe or ~/.cache/lethe. */
export function cacheFolder(): string {
  const xdg = process.env.XDG_CACHE_HOME;
  return join(xdg ? xdg : join(homedir(), '.cache'), 'lethe');
}

/** The folders to look in, in order: the one given, LETHE_DATA, the cache. */
function searchRoots(dir?: string): string[] {
  const roots = [dir, process.env.LETHE_DATA, cacheFolder()];
  return [...new Set(roots.filter((root): root is string => !!root).map((root) => resolve(root)))];
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isFile(),
    () => false,
  );
}

/** `base`, `base.gz` or `base.br` in a folder, the first that exists; else null. */
export async function findVariant(folder: string, base: string): Promise<string | null> {
  for (const ending of ['', '.gz', '.br']) {
    const path = join(folder, base + ending);
    if (await isFile(path)) return path;
  }
  return null;
}

/**
 * The first folder, among each root and its subfolders `folders`, for which `holds` says yes. When there is none:
 * one 'data' error that names every place looked at and what was looked for.
 */
export async function locate(
  name: string,
  wanted: string,
  folders: readonly string[],
  holds: (folder: string) => Promise<boolean>,
  dir?: string,
): Promise<string> {
  const places: string[] = [];
  for (const root of searchRoots(dir)) {
    for (const place of [...folders.map((folder) => join(root, folder)), root]) {
      places.push(place);
      if ((await isFolder(place)) && (await holds(place))) return place;
    }
  }
  throw new LetheError(
    'data',
    `${name}: no ${wanted} in any of: ${places.map(printable).join(', ')}; give the folder, set LETHE_DATA, or download where that is offered`,
  );
}

/** Lines of a small text file, trimmed, without empty ones at the end. */
export async function readLines(path: string): Promise<string[]> {
  const text = (await readFileBounded(path, limits.textBytes)).toString('utf8').replace(/^\uFEFF/, '');
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  while (lines.length > 0 && lines[lines.length - 1] === '') lines.pop();
  return lines;
}
