// Downloads that can be broken off and taken up again: bytes go to NAME.part, a later try asks for the rest (Range),
// and the file gets its name only when its sha256 is the known one. Nothing here runs unless asked for by name.

import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { check, LetheError } from '../../../engine/error.ts';
import { makeFolder, readFileBounded, sha256File, syncFolder, writeFileAtomic } from '../../files.ts';
import { reasonOf } from '../../text.ts';
import { limits, refuse } from '../refuse.ts';
import type { Remote } from '../sets/record.ts';
import { cacheFolder } from './locate.ts';

/** Options of a download. */
export interface DownloadOptions {
  /** Stops the download when it aborts; the next one goes on from there. */
  readonly signal?: AbortSignal;
  /** Bytes had so far, and in all when the server says. */
  readonly onProgress?: (file: string, bytes: number, total: number | null) => void;
}

/** Options of datasets.get. */
export interface GetOptions extends DownloadOptions {
  /** Where to put the files: a folder NAME in it. The cache by default. */
  readonly dir?: string;
  /** Other folders to download from, in place of the public ones. Checksums stay the same. */
  readonly bases?: readonly string[];
}

export interface Download extends DownloadOptions {
  /** Tried one after the other; http or https. */
  readonly urls: readonly string[];
  readonly sha256: string;
  readonly path: string;
}

const ATTEMPTS = 3;

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (s) => s.size,
    () => 0,
  );
}

/** Appends what is missing of one URL to `part`; throws when the connection or the server fails. */
async function fetchRest(url: string, part: string, options: Download): Promise<void> {
  const have = await sizeOf(part);
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) headers.range = `bytes=${have}-`;
  const response = await fetch(url, { headers, signal: options.signal ?? null, redirect: 'follow' });
  let handle: FileHandle | null = null;
  try {
    if (response.status === 416) return; // Nothing is missing, or the part is not of this file: sha256 will tell.
    if (response.status !== 200 && response.status !== 206)
      throw new Error(`the server answered ${response.status}`);
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const resumed = response.status === 206;
    if (resumed && Number(range?.[1]) !== have)
      throw new Error(`the server answered another range than bytes ${have}-`);
    let bytes = resumed ? have : 0;
    const length = response.headers.get('content-length');
    const total = length === null ? null : bytes + Number(length);
    handle = await open(part, resumed ? 'a' : 'w');
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > limits.fileBytes)
        throw new LetheError('io', `${url}: more than ${limits.fileBytes} bytes, given up`);
      await handle.writeFile(chunk as Uint8Array);
      options.onProgress?.(basename(options.path), bytes, total);
    }
    if (total !== null && bytes < total) throw new Error(`broken off at byte ${bytes} of ${total}`);
    await handle.sync();
  } finally {
    await handle?.close();
    await response.body?.cancel().catch(() => {});
  }
}

/**
 * Brings one file to `path`, unless it is there with the right sha256. Takes up PATH.part where an earlier try left
 * off. A complete file with the wrong sha256 is thrown away: 'data'. No server to be had: 'io', the part stays.
 */
export async function download(options: Download): Promise<'downloaded' | 'present'> {
  const { path, urls, signal } = options;
  check(urls.length > 0, 'value', () => `${basename(path)}: no place to download from`);
  if ((await sizeOf(path)) > 0 && (await sha256File(path)) === options.sha256) return 'present';
  const part = `${path}.part`;
  const failures: string[] = [];
  await makeFolder(dirname(path));
  let wrong: string | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const url of urls) {
      try {
        await fetchRest(url, part, options);
        wrong = await sha256File(part);
        if (wrong !== options.sha256) {
          await unlink(part);
          failures.push(`${url}: sha256 ${wrong}`);
          continue;
        }
        await rename(part, path);
        await syncFolder(dirname(path));
        return 'downloaded';
      } catch (cause) {
        if (signal?.aborted) throw new LetheError('io', `download of ${basename(path)} stopped`, { cause });
        if (cause instanceof LetheError && cause.message.includes('given up')) {
          await unlink(part).catch(() => {});
        }
        const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
        failures.push(`${url}: ${reasonOf(inner)}`);
      }
    }
  }
  const last = [...new Set(failures)].slice(-urls.length - 1).join('; ');
  if (wrong !== null)
    refuse(basename(path), 'download', `expected sha256 ${options.sha256}, found another (${last})`);
  throw new LetheError('io', `could not download ${basename(path)}: ${last}`);
}

/**
 * Takes the wanted regular files, by their base names, out of a .tar.gz into `folder`. Paths in the archive are never
 * used as paths; links and everything unasked for are passed over. All wanted files must be there: else 'data'.
 */
export async function extractTarGz(
  archive: string,
  wanted: readonly string[],
  folder: string,
): Promise<string[]> {
  const packed = await readFileBounded(archive, limits.fileBytes);
  let tar: Buffer;
  try {
    tar = await promisify(gunzip)(packed, { maxOutputLength: limits.fileBytes });
  } catch (cause) {
    return refuse(archive, '', `damaged or too large gzip stream (${reasonOf(cause)})`, cause);
  }
  const missing = new Set(wanted);
  const written: string[] = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const text = (from: number, length: number) =>
      tar
        .toString('latin1', at + from, at + from + length)
        .split('\0', 1)[0]
        .trim();
    const size = /^[0-7]+$/.test(text(124, 12)) ? Number.parseInt(text(124, 12), 8) : -1;
    if (size < 0 || at + 512 + size > tar.length)
      refuse(archive, `byte ${at} of the tar`, 'an entry is longer than the archive or has no size');
    const name = text(0, 100).split('/').at(-1) ?? '';
    const regular = tar[at + 156] === 0x30 || tar[at + 156] === 0;
    if (regular && missing.delete(name)) {
      const path = join(folder, name);
      await writeFileAtomic(path, tar.subarray(at + 512, at + 512 + size));
      written.push(path);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  if (missing.size > 0) refuse(archive, '', `lacks ${[...missing].join(', ')}`);
  return written;
}

/** Brings all files of a data set into DIR/NAME and unpacks what is to be unpacked; answers that folder. */
export async function getRemote(name: string, remote: Remote, options: GetOptions): Promise<string> {
  const folder = join(options.dir ?? cacheFolder(), name);
  await makeFolder(folder);
  const bases = (options.bases ?? remote.bases).map((base) => (base.endsWith('/') ? base : `${base}/`));
  for (const file of remote.files) {
    const path = join(folder, basename(file.name));
    await download({
      urls: bases.map((base) => base + file.name),
      sha256: file.sha256,
      path,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    if (file.extract) await extractTarGz(path, file.extract, folder);
  }
  return folder;
}
