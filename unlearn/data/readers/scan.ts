// What lies in an image folder: the folders of its classes, the pictures in them (told by their first bytes, else by
// their names), and what is left out and why. Names are sorted the natural way (s2 before s10), so that nothing depends
// on the file system. Only first bytes are read here; the pictures themselves are folder.ts.

import { open, opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { counted, printable } from '../../text.ts';
import { limits, refuse } from '../refuse.ts';
import { isFolder } from './locate.ts';
import { classify, HEAD_BYTES } from './pictures.ts';

export interface PictureFile {
  /** Relative to the folder, with '/' between names. */
  readonly path: string;
  /** Position of its class. */
  readonly label: number;
  /** Of the folder `train` or `test`; null where the split is drawn. */
  readonly part: 'train' | 'test' | null;
}

/** Files left out: how many, and the first few names. */
interface LeftOut {
  readonly count: number;
  readonly names: readonly string[];
}

export interface Scan {
  /** Absolute path of the folder. */
  readonly top: string;
  readonly classes: readonly string[];
  readonly files: readonly PictureFile[];
  readonly left: {
    /** Hidden files and folders. */
    readonly hidden: LeftOut;
    /** Links that lead out of the folder, or nowhere. */
    readonly links: LeftOut;
    /** Files that are no pictures. */
    readonly other: LeftOut;
    /** Pictures beside the folders of the classes. */
    readonly loose: LeftOut;
    /** Pictures of kinds that are not read, by kind. */
    readonly kinds: Readonly<Record<string, LeftOut>>;
  };
}

/** Names shown of what is left out. */
const SHOWN = 5;

class Tally implements LeftOut {
  count = 0;
  readonly names: string[] = [];

  add(name: string): void {
    if (this.count++ < SHOWN) this.names.push(name);
  }
}

/** `a, b, c and 4 more`. */
function someOf({ count, names }: LeftOut): string {
  const more = count > names.length ? ` and ${count - names.length} more` : '';
  return names.map(printable).join(', ') + more;
}

/** Natural order: runs of digits by value, the rest by code unit; the same everywhere, no locale. */
export function naturalCompare(a: string, b: string): number {
  const as = a.match(/\d+|\D+/g) ?? [];
  const bs = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(as.length, bs.length); i++) {
    const digits = /^\d/.test(as[i]) && /^\d/.test(bs[i]);
    const x = digits ? as[i].replace(/^0+(?=\d)/, '') : as[i];
    const y = digits ? bs[i].replace(/^0+(?=\d)/, '') : bs[i];
    if (digits && x.length !== y.length) return x.length - y.length;
    if (x !== y) return x < y ? -1 : 1;
  }
  if (as.length !== bs.length) return as.length - bs.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first bytes of a file; none where it cannot be opened, which reading it will tell. */
async function headOf(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return new Uint8Array(0);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

class Scanner {
  readonly hidden = new Tally();
  readonly links = new Tally();
  readonly other = new Tally();
  readonly loose = new Tally();
  readonly kinds: Record<string, Tally> = {};
  readonly files: PictureFile[] = [];

  constructor(readonly top: string) {}

  /** What is in a folder, sorted, hidden entries left out; links are followed within the top folder. */
  async entries(folder: string): Promise<Entry[]> {
    const found: Entry[] = [];
    const path = join(this.top, folder);
    for await (const entry of await opendir(path)) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.startsWith('.')) {
        this.hidden.add(name);
        continue;
      }
      let info: { isDirectory(): boolean; isFile(): boolean } = entry;
      if (entry.isSymbolicLink()) {
        const target = await realpath(join(path, entry.name)).catch(() => null);
        if (target === null || !target.startsWith(this.top + sep)) {
          this.links.add(name);
          continue;
        }
        info = await stat(target);
      }
      if (info.isDirectory()) found.push({ name: entry.name, folder: true });
      else if (info.isFile()) found.push({ name: entry.name, folder: false });
      else this.other.add(name);
      if (found.length > limits.pictures) refuse(path, '', `more than ${limits.pictures} entries`);
    }
    return found.sort((a, b) => naturalCompare(a.name, b.name));
  }

  /** Whether a file is a picture that is read; tallies it otherwise. */
  async isPicture(path: string): Promise<boolean> {
    const kind = classify(await headOf(join(this.top, path)), path);
    if (kind === null) this.other.add(path);
    else if (!kind.read) (this.kinds[kind.name] ??= new Tally()).add(path);
    return kind?.read === true;
  }

  /** The folders of the classes in `folder`; files beside them are tallied. */
  async classFolders(folder: string): Promise<string[]> {
    const names: string[] = [];
    for (const entry of await this.entries(folder)) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.folder) names.push(entry.name);
      else if (await this.isPicture(path)) this.loose.add(path);
    }
    return names;
  }

  /** Adds the pictures in `folder` and in the folders in it. */
  async collect(folder: string, label: number, part: PictureFile['part'], depth = 1): Promise<void> {
    if (depth > limits.depth) refuse(join(this.top, folder), '', `folders more than ${limits.depth} deep`);
    for (const entry of await this.entries(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.folder) await this.collect(path, label, part, depth + 1);
      else if (await this.isPicture(path)) this.files.push({ path, label, part });
      if (this.files.length > limits.pictures) refuse(this.top, '', `more than ${limits.pictures} pictures`);
    }
  }
}

/** Whether `names` are those of the two splits. */
const areParts = (names: readonly string[]) =>
  names.length === 2 && names.includes('train') && names.includes('test');

/** Looks through the image folder `top` (an absolute path without links). */
export async function scanFolder(top: string): Promise<Scan> {
  const scanner = new Scanner(top);
  let classes = await scanner.classFolders('');
  const parts = areParts(classes) ? (['train', 'test'] as const) : null;
  if (parts !== null) {
    const inside = [...(await scanner.classFolders('train')), ...(await scanner.classFolders('test'))];
    classes = [...new Set(inside)].sort(naturalCompare);
  }
  if (classes.length < 2) {
    const { loose } = scanner;
    const beside = loose.count > 0 ? ` (and ${counted(loose.count, 'picture')} in none)` : '';
    refuse(top, '', `expected a folder for each of two or more classes, found ${classes.length}${beside}`);
  }
  for (const [label, name] of classes.entries()) {
    if (parts === null) await scanner.collect(name, label, null);
    else
      for (const part of parts)
        if (await isFolder(join(top, part, name))) await scanner.collect(`${part}/${name}`, label, part);
  }
  const { hidden, links, other, loose, kinds, files } = scanner;
  return { top, classes, files, left: { hidden, links, other, loose, kinds } };
}

/** Whether a folder looks like an image folder: two folders or more, with pictures or folders in the first. */
export async function isImageFolder(folder: string): Promise<boolean> {
  try {
    const top = await realpath(folder);
    const scanner = new Scanner(top);
    const inside = (await scanner.entries('')).filter((e) => e.folder).map((e) => e.name);
    if (inside.length < 2) return false;
    const first = await scanner.entries(inside[0]);
    return areParts(inside) || first.some((e) => e.folder || classify(new Uint8Array(0), e.name)?.read);
  } catch {
    return false;
  }
}

/** All pictures in a folder that has no classes, and in the folders in it: paths relative to it. */
export async function picturesIn(folder: string): Promise<Pick<Scan, 'top' | 'files' | 'left'>> {
  const scanner = new Scanner(await realpath(folder));
  for (const entry of await scanner.entries('')) {
    if (entry.folder) await scanner.collect(entry.name, 0, null);
    else if (await scanner.isPicture(entry.name))
      scanner.files.push({ path: entry.name, label: 0, part: null });
  }
  const { top, hidden, links, other, loose, kinds, files } = scanner;
  return { top, files, left: { hidden, links, other, loose, kinds } };
}

/** What was left out although it was probably meant, one line each. */
export function warningsOf({ kinds, loose }: Scan['left']): string[] {
  const lines = Object.entries(kinds).map(
    ([kind, left]) =>
      `${counted(left.count, `${kind} picture`)} left out, a kind that is not read: ${someOf(left)}; convert to JPEG or PNG to use ${left.count === 1 ? 'it' : 'them'}`,
  );
  if (loose.count > 0)
    lines.push(
      `${counted(loose.count, 'picture')} beside the folders of the classes left out: ${someOf(loose)}`,
    );
  return lines;
}

/** What was left out as it should be, one line each. */
export function notesOf({ hidden, links, other }: Scan['left']): string[] {
  const lines: string[] = [];
  if (hidden.count > 0) lines.push(`${counted(hidden.count, 'hidden entry', 'hidden entries')} left out`);
  if (other.count > 0)
    lines.push(
      `${counted(other.count, 'file that is no picture', 'files that are no pictures')} left out: ${someOf(other)}`,
    );
  if (links.count > 0)
    lines.push(`${counted(links.count, 'link')} out of the folder or to nothing left out: ${someOf(links)}`);
  return lines;
}
