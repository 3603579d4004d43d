// What is to be forgotten as a file: manifests, written whole or not at all and checked when they are read, and plain lists.
// What they mean is forget.ts.

import { readFileBounded, writeFileAtomic } from '../../files.ts';
import type { ForgetManifest, ForgetSpec } from '../../types.ts';
import { keyOf } from '../forget-spec.ts';
import { limits, refuse } from '../refuse.ts';

/** Writes a manifest as JSON, whole or not at all. */
export async function saveManifest(path: string, manifest: ForgetManifest): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(manifest, null, 1)}\n`);
}

/** Reads a manifest and checks its form; whether it fits a data set is for applyManifest. */
export async function loadManifest(path: string): Promise<ForgetManifest> {
  const text = (await readFileBounded(path, limits.textBytes)).toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    return refuse(path, '', 'expected a forget manifest in JSON', cause);
  }
  return checkedManifest(parsed, path);
}

/** What a file says is to be forgotten. */
export interface ForgetFile {
  /** As a recipe states it. */
  readonly forget: { readonly ids: readonly number[] } | { readonly files: readonly string[] };
  /** The manifest, which has hashes of the samples; null for a list. */
  readonly manifest: ForgetManifest | null;
}

/**
 * Reads a manifest, or a list: one file name or id a line, ids where all lines are whole numbers. Empty lines do not count.
 * @throws LetheError 'io' where the file cannot be read, 'data' for an empty list, text that is no UTF-8, and a manifest
 * that is none.
 */
export async function loadForget(path: string): Promise<ForgetFile> {
  const bytes = await readFileBounded(path, limits.textBytes);
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  if (/^\s*\{/.test(text)) {
    const manifest = await loadManifest(path);
    return { forget: { ids: manifest.ids }, manifest };
  }
  if (text.includes('\ufffd')) refuse(path, '', 'expected a list of file names or ids in UTF-8, one a line');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) refuse(path, '', 'an empty list; expected a file name or an id a line');
  const ids = lines.map(Number);
  const areIds = lines.every((line) => /^\s*\d+\s*$/.test(line)) && ids.every(Number.isSafeInteger);
  return { forget: areIds ? { ids } : { files: lines }, manifest: null };
}

function checkedManifest(parsed: unknown, path: string): ForgetManifest {
  const need = (ok: boolean, what: string) => {
    if (!ok) refuse(path, '', `forget manifest: expected ${what}`);
  };
  need(typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed), 'an object');
  const m = parsed as Record<keyof ForgetManifest, unknown>;
  const isHash = (h: unknown) => typeof h === 'string' && /^[0-9a-f]{64}$/.test(h);
  need(m.version === 1, '"version": 1');
  need(typeof m.dataset === 'string', '"dataset" to be a name');
  need(isHash(m.datasetHash), '"datasetHash" to be a sha256 in hex');
  need(
    Array.isArray(m.ids) && m.ids.every((id) => Number.isInteger(id) && id >= 0),
    '"ids" to be a list of ids',
  );
  const ids = m.ids as number[];
  need(ids.length > 0 && new Set(ids).size === ids.length, '"ids" to be at least one, each once');
  need(Array.isArray(m.hashes) && m.hashes.every(isHash), '"hashes" to be a list of sha256 in hex');
  need(
    (m.hashes as string[]).length === ids.length && m.count === ids.length,
    'as many hashes, and "count", as ids',
  );
  const classes = classesOf(m);
  need(
    classes !== null && m.kind === (classes.length > 0 ? 'class' : 'samples'),
    '"kind" to be "class" with the indices of "classes", or "samples" without',
  );
  need(typeof m.spec === 'object' && m.spec !== null, '"spec" to be an object');
  keyOf(m.spec as ForgetSpec);
  const { version, dataset, datasetHash, spec, kind, classIndex, hashes, count } = m;
  const known = { version, dataset, datasetHash, spec, kind, classes, classIndex, ids, hashes, count };
  return known as ForgetManifest;
}

/** The classes that a manifest names; before there could be several it had `classIndex` alone. Null where both cannot be. */
function classesOf({ classes, classIndex }: Record<keyof ForgetManifest, unknown>): number[] | null {
  const isIndex = (k: unknown): k is number => Number.isInteger(k) && (k as number) >= 0;
  const one = classIndex === null ? [] : [classIndex];
  const all: unknown = classes ?? one;
  if (!Array.isArray(all) || !all.every(isIndex) || new Set(all).size !== all.length) return null;
  return JSON.stringify(all.length === 1 ? all : []) === JSON.stringify(one) ? all : null;
}
