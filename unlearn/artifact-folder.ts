// An artifact in a folder: `manifest.json`, and `objects/` with files named by their sha256. Objects are written beside
// their place, synced and renamed, and never changed afterwards, so that folders can share them by hard links.

import { join } from 'node:path';
import { type ArtifactStore, copyObjects } from './artifact-store.ts';
import {
  fileSource,
  isThere,
  linkFile,
  makeFolder,
  namesIn,
  readFileBounded,
  removeEmptyFolder,
  removeFile,
  sweepTemporary,
  syncFolder,
  writeFileAtomic,
} from './files.ts';
import { hashed } from './sha256.ts';

/** In the folder of an artifact; what is not there is no artifact. */
export const MANIFEST = 'manifest.json';
const OBJECTS = 'objects';
const MAX_MANIFEST = 64 * 2 ** 20;
/** In the names of temporary files: that of an object is known only once it is written. */
const NAMELESS = 'object';
const isObject = (name: string) => /^[0-9a-f]{64}$/.test(name);

/** The store in a folder, which is made when something is put. */
export function folderStore(path: string): ArtifactStore {
  return new FolderStore(path);
}

/** Removes the artifact in a folder, and the folder unless there is more in it. */
export async function removeArtifact(path: string): Promise<void> {
  if ((await namesIn(path)) === null) return;
  // First what names the objects: half of an artifact is none.
  await removeFile(join(path, MANIFEST));
  await syncFolder(path);
  await folderStore(path).sweep(new Set());
  await removeEmptyFolder(join(path, OBJECTS));
  await removeEmptyFolder(path);
}

class FolderStore implements ArtifactStore {
  readonly #objects: string;
  readonly #manifest: string;

  constructor(readonly name: string) {
    this.#objects = join(name, OBJECTS);
    this.#manifest = join(name, MANIFEST);
  }

  place(sha256: string): string {
    return join(this.#objects, sha256);
  }

  async manifest(): Promise<string | null> {
    if (!(await isThere(this.#manifest))) return null;
    return (await readFileBounded(this.#manifest, MAX_MANIFEST)).toString('utf8');
  }

  async commit(manifest: string): Promise<void> {
    await makeFolder(this.name);
    await writeFileAtomic(this.#manifest, manifest);
  }

  async put(parts: AsyncIterable<Uint8Array>) {
    await makeFolder(this.#objects);
    const { parts: watched, digest } = hashed(parts);
    let ref = { sha256: '', bytes: 0 };
    // An object that is there already is replaced by its like: it may have been damaged meanwhile.
    await writeFileAtomic(this.place(NAMELESS), watched, () => this.place((ref = digest()).sha256));
    return ref;
  }

  async open(sha256: string) {
    const path = this.place(sha256);
    return (await isThere(path)) ? fileSource(path) : null;
  }

  async adopt(from: ArtifactStore, refs: Parameters<ArtifactStore['adopt']>[1]): Promise<void> {
    await makeFolder(this.#objects);
    for (const ref of refs) {
      const linked =
        from instanceof FolderStore && (await linkFile(from.place(ref.sha256), this.place(ref.sha256)));
      if (!linked) await copyObjects(from, [ref], this);
    }
    await syncFolder(this.#objects);
  }

  async sweep(keep: ReadonlySet<string>): Promise<void> {
    const names = (await namesIn(this.#objects)) ?? [];
    const stray = names.filter((name) => isObject(name) && !keep.has(name));
    for (const name of stray) await removeFile(this.place(name));
    await sweepTemporary(this.name, (name) => name === MANIFEST);
    await sweepTemporary(this.#objects, (name) => name === NAMELESS || isObject(name));
    if (stray.length > 0) await syncFolder(this.#objects);
  }
}
