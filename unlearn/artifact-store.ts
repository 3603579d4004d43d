// Where artifacts lie: objects by their sha256, and a manifest that is replaced as a whole. What a store has to do, and the
// one in memory; the one in a folder is artifact-folder.ts. What a manifest says is artifact.ts.

import { check } from '../engine/error.ts';
import type { ByteSource } from '../engine/io/index.ts';
import { hashed } from './sha256.ts';
import { printable } from './text.ts';

/** Contents by what they are. */
export interface ContentRef {
  /** In hex. */
  readonly sha256: string;
  /** How many they are. */
  readonly bytes: number;
}

/** What can be put: all of it, or its parts, each good until the next is asked for. */
export type Content = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Where one artifact lies: a manifest, and objects by their sha256. `memoryStore()` or `folderStore(path)`. One artifact
 * writes to a store at a time; a folder that processes share is locked by whoever uses it.
 */
export interface ArtifactStore {
  /** For messages: the folder, or 'memory'. */
  readonly name: string;
  /** For messages: where an object lies. */
  place(sha256: string): string;
  /** The committed manifest; null where there is none. */
  manifest(): Promise<string | null>;
  /** Replaces the manifest, whole or not at all. */
  commit(manifest: string): Promise<void>;
  /** Keeps an object, for good once this is done. */
  put(parts: AsyncIterable<Uint8Array>): Promise<ContentRef>;
  /** An object; null where it is not there. */
  open(sha256: string): Promise<ByteSource | null>;
  /** Keeps objects of another store, without copying where that can be. */
  adopt(from: ArtifactStore, objects: readonly ContentRef[]): Promise<void>;
  /** Removes all objects but those in `keep`, and what killed processes left half-written. */
  sweep(keep: ReadonlySet<string>): Promise<void>;
}

const PIECE = 1 << 20;

/** The bytes of a file, a megabyte at a time. */
export async function* pieces(file: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.bytes; at += PIECE) yield file.read(at, Math.min(PIECE, file.bytes - at));
}

/** A store in memory: for a browser, for tests, for what need not last. */
export function memoryStore(): ArtifactStore {
  const objects = new Map<string, Uint8Array>();
  let committed: string | null = null;
  const store: ArtifactStore = {
    name: 'memory',
    place: (sha256) => `memory, object ${sha256}`,
    manifest: async () => committed,
    commit: async (manifest) => {
      committed = manifest;
    },
    async put(parts) {
      const { parts: watched, digest } = hashed(parts);
      const kept: Uint8Array[] = [];
      for await (const part of watched) kept.push(part.slice());
      const ref = digest();
      const whole = new Uint8Array(ref.bytes);
      let at = 0;
      for (const part of kept) {
        whole.set(part, at);
        at += part.length;
      }
      objects.set(ref.sha256, whole);
      return ref;
    },
    async open(sha256) {
      const data = objects.get(sha256);
      if (!data) return null;
      // A copy: what is read is the reader's.
      return { bytes: data.length, read: async (offset, length) => data.slice(offset, offset + length) };
    },
    adopt: (from, refs) => copyObjects(from, refs, store),
    async sweep(keep) {
      for (const sha256 of objects.keys()) if (!keep.has(sha256)) objects.delete(sha256);
    },
  };
  return store;
}

/** Copies objects from store to store. @throws LetheError 'data' where one is gone or damaged. */
export async function copyObjects(
  from: ArtifactStore,
  refs: readonly ContentRef[],
  to: ArtifactStore,
): Promise<void> {
  for (const { sha256 } of refs) {
    const file = await from.open(sha256);
    const copied = file && (await to.put(pieces(file)));
    check(
      copied?.sha256 === sha256,
      'data',
      () => `${printable(from.place(sha256))}: ${file ? 'damaged, its sha256 is another' : 'gone'}`,
    );
  }
}
