// What a disk may hold after a crash. `record` notes every call by which a piece of work changes a folder; `crashes`
// replays each beginning of that record under a model of a disk that promises no more than POSIX does: the contents of
// a file are safe once it was synced, a name in a folder once the folder was. What is not safe may be there or not.

import * as fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { disk, temporaryFor } from '../../../unlearn/files.ts';
import { sha256 } from '../../../unlearn/sha256.ts';

type Op =
  | { readonly op: 'create' | 'append' | 'mkdir' | 'rmdir' | 'unlink' | 'syncFolder'; readonly path: string }
  | { readonly op: 'rename' | 'link'; readonly path: string; readonly to: string }
  | { readonly op: 'write'; readonly file: number; readonly data: Buffer }
  | { readonly op: 'sync'; readonly file: number }
  | { readonly op: 'said'; readonly index: number };

export interface Recording<Said> {
  readonly ops: readonly Op[];
  /** What the work said, in order; `said` among the operations tells when. */
  readonly said: readonly Said[];
}

/** Runs work while other calls stand in for those of `disk`. */
export async function withDisk<T>(calls: Partial<typeof disk>, work: () => Promise<T>): Promise<T> {
  const before = { ...disk };
  Object.assign(disk, calls);
  try {
    return await work();
  } finally {
    Object.assign(disk, before);
  }
}

/** Works on all items, a few at a time. */
export async function several<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Nothing is synced: for work that is not to be interrupted. */
export const unsynced: Partial<typeof disk> = {
  open: async (...args) => {
    const handle = await open(...args);
    handle.sync = async () => {};
    return handle;
  },
};

/** Does the work, for real but for syncing, and notes how it changes `root`. */
export async function record<Said>(
  root: string,
  work: (say: (what: Said) => void) => Promise<unknown>,
): Promise<Recording<Said>> {
  const ops: Op[] = [];
  const said: Said[] = [];
  const real = { ...disk };
  const at = (path: unknown) =>
    relative(root, fs.realpathSync(dirname(String(path)))) + '/' + basename(String(path));
  const two =
    (op: 'rename' | 'link', call: typeof real.rename): typeof real.rename =>
    async (from, to) => {
      await call(from, to);
      ops.push({ op, path: at(from), to: at(to) });
    };
  const one =
    <A extends unknown[], R>(op: 'mkdir' | 'rmdir' | 'unlink', call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const result = await call(...args);
      ops.push({ op, path: at(args[0]) });
      return result;
    };
  let files = 0;
  /** In two pieces: a write may be cut. */
  const write = (file: number, given: string | Uint8Array) => {
    const data = Buffer.from(given as Uint8Array);
    const half = data.length >> 1;
    for (const piece of [data.subarray(0, half), data.subarray(half)])
      if (piece.length > 0) ops.push({ op: 'write', file, data: Buffer.from(piece) });
  };
  const calls = {
    open: async (path: string, flags: string) => {
      const handle = await real.open(path, flags);
      if (flags !== 'wx') {
        const sync = async () =>
          void ops.push({ op: 'syncFolder', path: relative(root, fs.realpathSync(path)) });
        return { sync, close: () => handle.close() } as FileHandle;
      }
      const file = files++;
      ops.push({ op: 'create', path: at(path) });
      return {
        writeFile: async (data: string | Uint8Array) => {
          await handle.writeFile(data);
          write(file, data);
        },
        sync: async () => void ops.push({ op: 'sync', file }),
        close: () => handle.close(),
      } as FileHandle;
    },
    rename: two('rename', real.rename),
    link: two('link', real.link as typeof real.rename),
    mkdir: one('mkdir', real.mkdir),
    rmdir: one('rmdir', real.rmdir),
    unlink: one('unlink', real.unlink),
    appendFileSync: (path: string, text: string, options: object) => {
      const made = !fs.existsSync(path);
      real.appendFileSync(path, text, options);
      if (made) ops.push({ op: 'append', path: at(path) });
    },
  };
  await withDisk(calls as unknown as Partial<typeof disk>, () =>
    work((what) => {
      ops.push({ op: 'said', index: said.length });
      said.push(what);
    }),
  );
  return { ops, said };
}

interface File {
  safe: Buffer;
  now: Buffer;
}
interface Folder {
  safe: Map<string, Node>;
  now: Map<string, Node>;
}
type Node = File | Folder;
/** A change of names in a folder that is not yet safe. */
interface Change {
  readonly folder: Folder;
  readonly names: readonly (readonly [string, Node | null])[];
}

/** Path to contents, null for a folder. */
export type Tree = ReadonlyMap<string, Buffer | null>;

export interface Crash {
  readonly tree: Tree;
  /** How much of what the work said had been said by then, at the latest. */
  readonly said: number;
  /** Operations done by then, and what was lost. */
  readonly about: string;
}

const isFolder = (node: Node | undefined): node is Folder => node?.now instanceof Map;
const folder = (): Folder => ({ safe: new Map(), now: new Map() });
const none = Buffer.alloc(0);

/** Every state, each once, in which a crash at any moment of the record may leave the folder, which was as `before`. */
export function crashes({ ops }: Recording<unknown>, before: Tree = new Map()): Crash[] {
  const root = folder();
  const files: File[] = [];
  let pending: Change[] = [];
  const find = (path: string): Folder =>
    path
      .split('/')
      .filter((name) => name && name !== '.')
      .reduce((node, name) => node.now.get(name) as Folder, root);
  const change = (path: string, node: Node | null, ...more: [string, Node | null][]) => {
    const where = find(dirname(path));
    const names = [[basename(path), node] as const, ...more];
    pending.push({ folder: where, names });
    apply(where.now, names);
  };
  const get = (path: string) => find(dirname(path)).now.get(basename(path)) as Node;
  const syncFolder = (node: Folder) => {
    node.safe = new Map(node.now);
    pending = pending.filter((c) => c.folder !== node);
  };
  for (const [path, data] of before) {
    change(path, data ? { safe: data, now: data } : folder());
    syncFolder(find(dirname(path)));
  }
  const states = new Map<string, Crash>();
  let said = 0;
  const look = (done: number) => {
    for (const [lost, kept] of choices(pending))
      for (const contents of ['safe', 'now'] as const) {
        const tree = treeOf(root, new Set(kept), contents);
        const about = `${done} of ${ops.length} operations, lost: ${lost}${contents === 'safe' ? ', contents' : ''}`;
        states.set(keyOf(tree), { tree, said, about });
      }
  };
  look(0);
  for (const [i, op] of ops.entries()) {
    if (op.op === 'said') said = op.index + 1;
    else if (op.op === 'write') files[op.file].now = Buffer.concat([files[op.file].now, op.data]);
    else if (op.op === 'sync') files[op.file].safe = files[op.file].now;
    else if (op.op === 'syncFolder') syncFolder(find(op.path));
    else if (op.op === 'mkdir') change(op.path, folder());
    else if (op.op === 'rename') change(op.to, get(op.path), [basename(op.path), null]);
    else if (op.op === 'link') change(op.to, get(op.path));
    else if (op.op === 'rmdir' || op.op === 'unlink') change(op.path, null);
    else {
      const file = { safe: none, now: none };
      if (op.op === 'create') files.push(file);
      change(op.path, file);
    }
    look(i + 1);
  }
  return [...states.values()];
}

/** Which of the pending changes may have reached the disk: all, none, those up to one, all but one, only one. */
function* choices(all: readonly Change[]): Generator<[string, readonly Change[]]> {
  for (let i = 0; i <= all.length; i++) yield [`changes from ${i}`, all.slice(0, i)];
  for (let i = 0; i < all.length; i++) {
    yield [`change ${i}`, all.filter((_, k) => k !== i)];
    yield [`changes but ${i}`, [all[i]]];
  }
  yield ['nothing', all];
}

function apply(names: Map<string, Node>, changes: Change['names']): void {
  for (const [name, node] of changes)
    if (node) names.set(name, node);
    else names.delete(name);
}

function treeOf(root: Folder, kept: ReadonlySet<Change>, contents: 'safe' | 'now'): Tree {
  const tree = new Map<string, Buffer | null>();
  const walk = (node: Folder, path: string) => {
    const names = new Map(node.safe);
    for (const change of kept) if (change.folder === node) apply(names, change.names);
    for (const [name, child] of names) {
      tree.set(path + name, isFolder(child) ? null : (child as File)[contents]);
      if (isFolder(child)) walk(child, `${path}${name}/`);
    }
  };
  walk(root, '');
  return tree;
}

/** Equal for trees that differ only in the names of temporary files. */
function keyOf(tree: Tree): string {
  const lines = [...tree].map(([path, data]) => {
    const name = temporaryFor(basename(path));
    return `${name === null ? path : `${dirname(path)}/temporary ${name}`} ${data && sha256(data)}`;
  });
  return sha256(lines.sort().join('\n'));
}

/** What lies in a folder. */
export function readTree(root: string): Tree {
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return new Map(
    names.map((name) => {
      const path = join(root, name);
      return [name, fs.statSync(path).isDirectory() ? null : fs.readFileSync(path)];
    }),
  );
}

/** Lays a tree down in an empty folder. */
export function writeTree(root: string, tree: Tree): void {
  for (const [path, data] of tree)
    if (data) fs.writeFileSync(join(root, path), data);
    else fs.mkdirSync(join(root, path));
}
