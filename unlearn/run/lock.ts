// One run at a time in one folder. The lock names a process; the lock of a process that is gone is taken over.

import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { printable, reasonOf } from '../files.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The kernel's start time of the process, where there is one: tells a reused pid from the one that locked. */
  readonly birth: string | null;
}

const held = new Set<string>();

/**
 * Takes the lock of a folder; returns what gives it back.
 * @throws LetheError 'state' while another live process holds it, 'io' where the folder cannot be written.
 */
export function lockFolder(folder: string, onNote: (message: string) => void = () => {}): () => void {
  const path = join(folder, 'lethe.lock');
  const text = JSON.stringify({
    pid: process.pid,
    host: hostname(),
    since: Date.now(),
    birth: birthOf(process.pid),
  });
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      create(path, text);
      held.add(path);
      return () => {
        if (!held.delete(path)) return;
        if (read(path) === text) unlinkSync(path);
      };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new LetheError('io', `could not write in ${printable(folder)}: ${reasonOf(cause)}`, { cause });
      }
    }
    const found = read(path);
    if (found === null) continue;
    const holder = parse(found);
    if (holder && alive(holder, path)) throw busy(folder, holder);
    if (takeAway(path, found))
      onNote(`took over the lock of process ${holder?.pid ?? 'unknown'}, which is gone`);
  }
  throw new LetheError('state', `${printable(folder)}: another run is starting here; try again`);
}

/** Makes the lock with its text already inside, or fails with EEXIST. */
function create(path: string, text: string): void {
  const own = `${path}.${process.pid}.new`;
  writeFileSync(own, text);
  try {
    linkSync(own, path);
  } catch (cause) {
    // File systems without hard links: the name is still taken by one process only.
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw cause;
    writeFileSync(path, text, { flag: 'wx' });
  } finally {
    unlinkSync(own);
  }
}

function busy(folder: string, holder: Holder) {
  const where = holder.host === hostname() ? '' : ` on ${printable(holder.host)}`;
  return new LetheError(
    'state',
    `${printable(folder)}: in use by process ${holder.pid}${where}; wait for it, choose another --out, or, if it is surely gone, delete lethe.lock there`,
  );
}

/** Moves a stale lock away. If another process was faster and the lock moved is a fresh one, puts that back. */
function takeAway(path: string, stale: string): boolean {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return false;
  }
  const same = read(aside) === stale;
  if (!same) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process has locked since: its lock stands.
    }
  }
  unlinkSync(aside);
  return same;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').slice(0, 4096);
  } catch {
    return null;
  }
}

function parse(text: string): Holder | null {
  try {
    const { pid, host, since, birth } = JSON.parse(text);
    return Number.isSafeInteger(pid) && pid > 0 && typeof host === 'string'
      ? { pid, host, since, birth }
      : null;
  } catch {
    return null;
  }
}

function alive(holder: Holder, path: string): boolean {
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return held.has(path);
  if (holder.since < Date.now() - uptime() * 1000 - 60_000) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const birth = birthOf(holder.pid);
  return birth === null || holder.birth === null || birth === holder.birth;
}

/** Field 22 of /proc/PID/stat; null where there is no such thing. */
function birthOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null);
}
