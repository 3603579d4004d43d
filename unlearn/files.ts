// Files that are whole or not there: atomic writes, bounded reads, sha256, folders. Everything above the engine that
// touches the disk goes through here; what the bytes mean is decided elsewhere. Errors are 'io' and say what was tried,
// on which path, and why it failed.

import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LetheError } from '../engine/error.ts';
import type { ByteSource } from '../engine/io/index.ts';
import { printable, reasonOf } from './text.ts';

/**
 * The calls by which a run changes the disk: it makes no others. An object, so that tests can put others in their
 * place, to record what a run does or to let one call fail.
 */
export const disk = { open, mkdir, rename, link, unlink, rmdir, appendFileSync };

/** Whether an error is one of reading or writing. */
export const isIo = (cause: unknown): boolean => cause instanceof LetheError && cause.kind === 'io';

/** Makes a call; what it throws becomes 'io'. `what` completes "could not ... PATH". */
async function attempt<T>(what: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('io', `could not ${what} ${printable(path)}: ${reasonOf(cause)}`, { cause });
  }
}

/** The code of a system error: 'ENOENT'. */
export const codeOf = (cause: unknown): string | undefined => (cause as NodeJS.ErrnoException | null)?.code;

/** A name for what will become `path`, in the same folder: `.NAME.PID.12hex.tmp`, used by nobody else. */
export function temporaryName(path: string): string {
  const random = randomBytes(6).toString('hex');
  return join(dirname(path), `.${basename(path)}.${process.pid}.${random}.tmp`);
}

/** The NAME in the name of a temporary file of ours; null where it is not one. */
export function temporaryFor(name: string): string | null {
  return /^\.(.+)\.\d+\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1] ?? null;
}

/** What a file is to hold: all of it, or its parts, each good until the next is asked for. */
export type Contents = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Writes a new file and syncs it; fails where there is one, and leaves none behind when it fails. */
export async function writeNew(path: string, data: Contents): Promise<void> {
  const handle = await disk.open(path, 'wx');
  try {
    const whole = typeof data === 'string' || data instanceof Uint8Array;
    for await (const part of whole ? [data] : data) await handle.writeFile(part);
    await handle.sync();
    await handle.close();
  } catch (cause) {
    // The first error is the one to tell.
    await handle.close().catch(() => {});
    await disk.unlink(path).catch(() => {});
    throw cause;
  }
}

/**
 * Writes `data` so that `path` holds either what it held before or all of `data`, also after a crash: a temporary
 * file in the same folder, fsync, rename, fsync of the folder. Errors leave no temporary file behind.
 * @param named the path, where it is known only once all is written; in the same folder.
 * @throws LetheError 'io'; what `data` throws, as it is.
 */
export async function writeFileAtomic(path: string, data: Contents, named = () => path): Promise<void> {
  let failed: { readonly cause: unknown } | undefined;
  const watched = async function* (parts: Exclude<Contents, string | Uint8Array>) {
    try {
      yield* parts;
    } catch (cause) {
      failed = { cause };
      throw cause;
    }
  };
  const whole = typeof data === 'string' || data instanceof Uint8Array;
  try {
    await attempt('write', path, async () => {
      const temporary = temporaryName(path);
      await writeNew(temporary, whole ? data : watched(data));
      await renameNew(temporary, named());
      await syncFolder(dirname(path));
    });
  } catch (cause) {
    throw failed ? failed.cause : cause;
  }
}

/** Makes renames, and files and folders made or removed, last. Windows has no handle for a folder: there they must do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await attempt('sync', folder, async () => {
    const handle = await disk.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Makes a folder, and those above it that are missing, so that they last. */
export async function makeFolder(path: string): Promise<void> {
  await attempt('make', path, () => ensureFolder(path));
}

// Not mkdir's own `recursive`: that tries for ever where a folder is there and cannot hold another (/proc), and says
// ENOENT where the reason is another one.
async function ensureFolder(path: string): Promise<void> {
  const above = dirname(path);
  let made = true;
  const make = () =>
    disk.mkdir(path).catch(async (cause) => {
      made = false;
      if (codeOf(cause) !== 'EEXIST' || !(await isFolder(path))) throw cause;
    });
  await make().catch(async (cause) => {
    if (codeOf(cause) !== 'ENOENT' || above === path) throw cause;
    // It may have been made by others meanwhile; where it was there before, the second try fails as the first.
    if (!(await isFolder(above))) await ensureFolder(above);
    made = true;
    await make();
  });
  if (made) await syncFolder(above);
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Gives a file another name, in the same folder, in place of what has that name. */
export async function moveFile(from: string, to: string): Promise<void> {
  await attempt('rename', from, () => disk.rename(from, to));
}

/** Systems and disks that have no hard links, or none from here to there, or no more of them. */
const NO_LINK = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK'];

/**
 * Gives a file that is never changed another name, in place of what has that name; false where that cannot be had here.
 * Make it last with `syncFolder`.
 */
export async function linkFile(from: string, to: string): Promise<boolean> {
  return attempt('link', to, async () => {
    // One file already: renaming one of its names to the other would do nothing, and leave both.
    if (await sameFile(from, to)) return true;
    const temporary = temporaryName(to);
    try {
      await disk.link(from, temporary);
    } catch (cause) {
      if (NO_LINK.includes(codeOf(cause) ?? '')) return false;
      throw cause;
    }
    await renameNew(temporary, to);
    return true;
  });
}

/** Gives a temporary file its name; where that fails it is removed. */
async function renameNew(temporary: string, path: string): Promise<void> {
  try {
    await disk.rename(temporary, path);
  } catch (cause) {
    // The first error is the one to tell.
    await disk.unlink(temporary).catch(() => {});
    throw cause;
  }
}

async function sameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => null)));
  return a !== null && b !== null && a.ino === b.ino && a.dev === b.dev;
}

/** Removes a file, if it is there. */
export async function removeFile(path: string): Promise<void> {
  await attempt('remove', path, () =>
    disk.unlink(path).catch((cause) => {
      if (codeOf(cause) !== 'ENOENT') throw cause;
    }),
  );
}

/** Removes a folder, if it is there and empty. */
export async function removeEmptyFolder(path: string): Promise<void> {
  await attempt('remove', path, () =>
    disk.rmdir(path).catch((cause) => {
      if (!['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(cause) ?? '')) throw cause;
    }),
  );
}

/** Names in a folder; null where it is not there, or is none. */
export async function namesIn(folder: string): Promise<string[] | null> {
  return attempt('read', folder, () =>
    readdir(folder).catch((cause) => {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause) ?? '')) return null;
      throw cause;
    }),
  );
}

/** Removes from a folder what killed processes left of files that were to get the names meant. */
export async function sweepTemporary(folder: string, meant: (name: string) => boolean): Promise<void> {
  for (const name of (await namesIn(folder)) ?? []) {
    const wanted = temporaryFor(name);
    if (wanted !== null && meant(wanted)) await removeFile(join(folder, name));
  }
}

/** Appends text to a regular file, which is made if it is missing. No link is followed, no pipe waited for. */
export function appendText(path: string, text: string): void {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  // Node takes the numbers of open(2) too; its types know only names such as 'a'.
  const flag = (O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK) as unknown as string;
  disk.appendFileSync(path, text, { flag });
}

/** Whether a regular file is there. @throws LetheError 'io' where something else is (a folder, a pipe). */
export async function isThere(path: string): Promise<boolean> {
  return attempt('read', path, async () => {
    const found = await stat(path).catch((cause) => {
      if (codeOf(cause) !== 'ENOENT') throw cause;
    });
    if (found && !found.isFile()) throw notRegular(path);
    return found !== undefined;
  });
}

const notRegular = (path: string) => new LetheError('io', `${printable(path)}: not a regular file`);

/** Opens a regular file, calls `read`, closes it. Folders, devices and pipes are refused without being opened. */
async function reading<T>(path: string, read: (handle: FileHandle) => Promise<T>): Promise<T> {
  return attempt('read', path, async () => {
    if (!(await stat(path)).isFile()) throw notRegular(path);
    const handle = await open(path, 'r');
    try {
      return await read(handle);
    } finally {
      await handle.close().catch(() => {});
    }
  });
}

/** Bytes read at once of a file that may be large. */
const PIECE = 1 << 20;

/** sha256 of a regular file, in hex, read in pieces. */
export async function sha256File(path: string): Promise<string> {
  return reading(path, async (handle) => {
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  });
}

/**
 * The bytes of a regular file that has this sha256, in parts, each good until the next is asked for.
 * @throws LetheError 'io'; at its end 'data' where the file is another one by now; what the signal was aborted with.
 */
export async function* unchanged(
  path: string,
  sha256: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { bytes, read } = await fileSource(path);
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += PIECE) {
    signal?.throwIfAborted();
    const piece = await read(at, Math.min(PIECE, bytes - at));
    hash.update(piece);
    yield piece;
  }
  if (hash.digest('hex') !== sha256)
    throw new LetheError('data', `${printable(path)}: was changed while it was read`);
}

/** A regular file to be read in places. It is opened for each read, so there is nothing to close. */
export async function fileSource(path: string): Promise<ByteSource> {
  const bytes = await reading(path, async (handle) => (await handle.stat()).size);
  const read = async (offset: number, length: number) => {
    const { buffer, byteOffset } = await reading(path, (handle) => readAt(handle, path, offset, length));
    return new Uint8Array(buffer, byteOffset, length);
  };
  return { bytes, read };
}

async function readAt(handle: FileHandle, path: string, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let have = 0;
  while (have < length) {
    const { bytesRead } = await handle.read(bytes, have, length - have, offset + have);
    if (bytesRead === 0) {
      throw new LetheError(
        'io',
        `${printable(path)}: ended at byte ${offset + have} of ${offset + length}, it shrank while being read`,
      );
    }
    have += bytesRead;
  }
  return bytes;
}

/** All bytes of a regular file of at most `maxBytes` (else 'data'); nothing is allocated before the size is known to fit. */
export async function readFileBounded(path: string, maxBytes: number): Promise<Buffer> {
  return reading(path, async (handle) => {
    const { size } = await handle.stat();
    if (size > maxBytes) {
      throw new LetheError('data', `${printable(path)}: ${size} bytes, expected at most ${maxBytes}`);
    }
    return readAt(handle, path, 0, size);
  });
}
