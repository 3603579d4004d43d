// One run at a time in one folder, one command at a time on one file. The lock is a file that names a process; the lock
// of a process that is gone is taken over.

import { readFileSync } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LetheError } from '../../engine/error.ts';
import {
  codeOf,
  disk,
  readFileBounded,
  removeFile,
  sweepTemporary,
  temporaryName,
  writeNew,
} from '../files.ts';
import { printable, reasonOf } from '../text.ts';

/** Gives a lock back. @throws LetheError 'io' where its file cannot be removed; the next process takes it over. */
type Unlock = () => Promise<void>;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The kernel's start time of the process, where it tells: a reused pid has another one. */
  readonly birth: string | null;
  /** Names the run of the system, where it tells: after a restart it is another one. */
  readonly boot?: string | null;
}

const LOCK = 'lethe.lock';

/** Whether a file of this name in a run's folder is its lock, or one of those by which that is taken over. */
export const isLockName = (name: string): boolean => /^lethe\.lock(\.next)*$/.test(name);

/**
 * Takes the lock of a folder, by whatever name it goes.
 * @throws LetheError 'state' while a live process holds it, 'io' where the folder cannot be written.
 */
export async function lockFolder(folder: string, onNote?: (message: string) => void): Promise<Unlock> {
  return take(folder, LOCK, folder, onNote);
}

/** The same for a single file that is to be written: the lock lies beside it. */
export async function lockFile(file: string, onNote?: (message: string) => void): Promise<Unlock> {
  return take(dirname(file), `${basename(file)}.${LOCK}`, file, onNote);
}

async function take(
  folder: string,
  name: string,
  what: string,
  onNote: (message: string) => void = () => {},
): Promise<Unlock> {
  const text = JSON.stringify({
    pid: process.pid,
    host: hostname(),
    since: Date.now(),
    birth: birthOf(process.pid),
    boot: bootOf(),
  } satisfies Holder);
  try {
    const path = join(await realpath(folder), name);
    const unlock = await acquire(path, text, what, onNote);
    try {
      // What processes left that were killed while they locked.
      await removeFile(guardOf(path));
      await sweepTemporary(dirname(path), (meant) => meant === name || meant === guardOf(name));
    } catch (cause) {
      await unlock().catch(() => {});
      throw cause;
    }
    return unlock;
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('io', `could not write in ${printable(folder)}: ${reasonOf(cause)}`, { cause });
  }
}

const guardOf = (path: string) => `${path}.next`;

async function acquire(
  path: string,
  text: string,
  what: string,
  onNote: (message: string) => void,
): Promise<Unlock> {
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await create(path, text)) return () => removeFile(path);
    const found = await read(path);
    if (found === null) continue;
    const holder = parse(found);
    if (holder && alive(holder)) throw busy(what, path, holder);
    // Several may have found the same stale lock. One at a time may remove it, and only that very one: the others
    // would remove the lock of whoever was faster.
    const unguard = await acquire(guardOf(path), text, what, () => {});
    try {
      if ((await read(path)) === found) {
        await removeFile(path);
        onNote(`took over the lock of process ${holder?.pid ?? 'unknown'}, which is gone`);
      }
    } catch (cause) {
      await unguard().catch(() => {});
      throw cause;
    }
    await unguard();
  }
  throw new LetheError('state', `${printable(what)}: another run is starting here; try again`);
}

/** How file systems say that they have no hard links. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** Makes the lock with its text already inside; false where there is one. */
async function create(path: string, text: string): Promise<boolean> {
  const own = temporaryName(path);
  await writeNew(own, text);
  try {
    await disk.link(own, path);
    return true;
  } catch (cause) {
    // Gone: swept up by the holder of the lock.
    if (['EEXIST', 'ENOENT'].includes(codeOf(cause) ?? '')) return false;
    if (!NO_LINKS.includes(codeOf(cause) ?? '')) throw cause;
  } finally {
    // If it cannot be removed: whoever gets the lock sweeps it up.
    await removeFile(own).catch(() => {});
  }
  // File systems without hard links: the name is still taken by one process only.
  try {
    await writeNew(path, text);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw cause;
  }
}

function busy(what: string, path: string, holder: Holder) {
  const where = holder.host === hostname() ? '' : ` on ${printable(holder.host)}`;
  return new LetheError(
    'state',
    `${printable(what)}: in use by process ${holder.pid}${where}; wait for it, choose another --out, or, if it is surely gone, delete ${printable(basename(path))} there`,
  );
}

/** The text of a lock; null where there is none. One that is being written (see `create`) is waited for. */
async function read(path: string): Promise<string | null> {
  for (let patience = 5; ; patience--) {
    try {
      if (!(await lstat(path)).isFile())
        throw new LetheError('io', `${printable(path)}: not a regular file; expected the lock of a run`);
      const text = (await readFileBounded(path, 1 << 20)).toString('utf8').slice(0, 4096);
      if (patience === 0 || parse(text)) return text;
    } catch (cause) {
      const reason = cause instanceof LetheError ? cause.cause : cause;
      if (codeOf(reason) === 'ENOENT') return null;
      throw cause;
    }
    await sleep(20);
  }
}

function parse(text: string): Holder | null {
  try {
    const { pid, host, since, birth, boot } = JSON.parse(text);
    return Number.isSafeInteger(pid) && pid > 0 && typeof host === 'string'
      ? { pid, host, since, birth, boot }
      : null;
  } catch {
    return null;
  }
}

/** Whether the process is still there. The clock is asked last: it may have been set. */
function alive({ pid, host, since, birth, boot }: Holder): boolean {
  if (host !== hostname()) return true;
  const now = bootOf();
  if (boot && now && boot !== now) return false;
  const born = birth && birthOf(pid);
  if (born) return born === birth;
  // Another thread of this process may hold it, or an earlier process of the same number.
  if (pid === process.pid) return since >= performance.timeOrigin;
  if (!birth && since < Date.now() - uptime() * 1000 - 60_000) return false;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if (codeOf(cause) === 'ESRCH') return false;
  }
  return true;
}

/** Field 22 of /proc/PID/stat; null where there is no such thing. */
function birthOf(pid: number): string | null {
  const stat = told(`/proc/${pid}/stat`);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null);
}

const bootOf = (): string | null => told('/proc/sys/kernel/random/boot_id')?.trim() ?? null;

function told(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
