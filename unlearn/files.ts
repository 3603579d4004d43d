// Files that are whole or not there: atomic writes, bounded reads, sha256. Everything above the engine that touches
// the disk goes through here; what the bytes mean is decided elsewhere.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LetheError } from '../engine/error.ts';

/** One line of a cause, without stack and without line breaks. Where it happened is for the caller to say. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  // Node ends the messages of the system with call and path: "ENOENT: no such file or directory, open '/x'".
  return printable(text.split('\n', 1)[0].replace(/^(E[A-Z0-9]+: [^,]+), .*$/, '$1'));
}

/** A name from outside made fit for one line of text: control characters as escapes, at most 200 characters. */
export function printable(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  // JSON.stringify escapes C0 controls and quotes; C1 controls and line separators are left to us.
  return JSON.stringify(cut)
    .slice(1, -1)
    .replace(/\\(["\\])/g, '$1')
    .replace(
      /[\u007f-\u009f\u2028-\u202f\u2066-\u2069]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

/** `1 picture`, `3 pictures`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/**
 * Writes `data` so that `path` holds either what it held before or all of `data`, also after a crash: a temporary
 * file in the same folder, fsync, rename, fsync of the folder. Errors are 'io' and leave no temporary file behind.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`);
  let handle: FileHandle | null = null;
  let created = false;
  try {
    handle = await open(temporary, 'wx');
    created = true;
    for (const part of Array.isArray(data) ? data : [data]) await handle.writeFile(part);
    await handle.sync();
    await handle.close();
    handle = null;
    await rename(temporary, path);
    created = false;
    await syncFolder(folder);
  } catch (cause) {
    await handle?.close().catch(() => {});
    if (created) await unlink(temporary).catch(() => {});
    throw new LetheError('io', `could not write ${printable(path)}: ${reasonOf(cause)}`, { cause });
  }
}

/** Makes a rename last. Windows has no handle for a folder: there the rename itself must do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** sha256, in hex, over the parts one after the other. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** sha256 of a file, in hex, read in pieces. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (cause) {
    throw new LetheError('io', `could not read ${printable(path)}: ${reasonOf(cause)}`, { cause });
  }
  return hash.digest('hex');
}

/**
 * All bytes of a regular file of at most `maxBytes` (else 'data'); nothing is allocated before the size is known to
 * fit. Folders, devices and pipes are refused without being opened.
 */
export async function readFileBounded(path: string, maxBytes: number): Promise<Buffer> {
  let handle: FileHandle | null = null;
  try {
    const before = await stat(path);
    if (!before.isFile()) throw new LetheError('io', `${printable(path)}: not a regular file`);
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    if (size > maxBytes) {
      throw new LetheError('data', `${printable(path)}: ${size} bytes, expected at most ${maxBytes}`);
    }
    const bytes = Buffer.allocUnsafe(size);
    let have = 0;
    while (have < size) {
      const { bytesRead } = await handle.read(bytes, have, size - have, have);
      if (bytesRead === 0) {
        throw new LetheError(
          'io',
          `${printable(path)}: ended at byte ${have} of ${size}, it shrank while being read`,
        );
      }
      have += bytesRead;
    }
    return bytes;
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('io', `could not read ${printable(path)}: ${reasonOf(cause)}`, { cause });
  } finally {
    await handle?.close().catch(() => {});
  }
}
