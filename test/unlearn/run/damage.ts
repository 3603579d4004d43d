// Damage to a folder: what a disk, a careless hand or another program may do to one of its files or folders. Each is plain
// data, so that a case that fails can be made smaller and told.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import fc from 'fast-check';
import { sha256 } from '../../../unlearn/sha256.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One piece of damage; places are shares of what there is. */
export interface Damage {
  readonly kind: keyof typeof kinds;
  /** Which file or folder. */
  readonly which: number;
  /** Where in it, or which other one. */
  readonly at: number;
  /** What is put into JSON. */
  readonly value: Json;
}

interface Blow extends Damage {
  readonly path: string;
  readonly other: string;
  /** A folder that is not the run's, with a file in it. */
  readonly theirs: string;
}

/** Paths of all files and folders in a folder, sorted. */
export const entriesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.split(sep).join('/'))
    .sort();

const isFile = (path: string) => lstatSync(path).isFile();
const replace = (path: string, put: () => void) => {
  rmSync(path, { recursive: true, force: true });
  put();
};
/** Changes the bytes of a file; a folder is left alone. */
const change = (path: string, how: (bytes: Buffer) => string | Uint8Array) => {
  if (isFile(path)) writeFileSync(path, how(readFileSync(path)));
};
const pick = <T>(list: readonly T[], share: number): T => list[Math.floor(share * list.length)];

/** The JSON with a value in some place of it. */
function changed(root: Json, at: number, value: Json): Json {
  const places: [{ [key: string]: Json }, string][] = [];
  const walk = (node: Json) => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as { [key: string]: Json }, key]);
      walk((node as { [key: string]: Json })[key]);
    }
  };
  walk(root);
  if (places.length === 0) return value;
  const [node, key] = pick(places, at);
  node[key] = value;
  return root;
}

/** The same with seals that fit: what another version, or a forger, might have written. */
function sealed(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { sha256: seal, ...rest } = value;
  if (seal === undefined) return value;
  const { evaluation, ...made } = rest;
  if (evaluation === undefined) return { ...rest, sha256: sha256(JSON.stringify(rest)) };
  return { ...made, sha256: sha256(JSON.stringify(made)), evaluation: sealed(evaluation) };
}

function intoJson({ path, at, value }: Blow, finish: (found: Json) => Json = (found) => found): void {
  change(path, (bytes) => {
    try {
      return JSON.stringify(finish(changed(JSON.parse(bytes.toString('utf8')), at, value)));
    } catch {
      return JSON.stringify(value);
    }
  });
}

const kinds = {
  flip: ({ path, at }: Blow) =>
    change(path, (bytes) => {
      if (bytes.length > 0) bytes[Math.floor(at * bytes.length)] ^= 1 << Math.floor(at * 8);
      return bytes;
    }),
  truncate: ({ path, at }: Blow) => change(path, (bytes) => bytes.subarray(0, at * bytes.length)),
  lengthen: ({ path }: Blow) => change(path, (bytes) => Buffer.concat([bytes, bytes])),
  empty: ({ path }: Blow) => change(path, () => ''),
  remove: ({ path }: Blow) => rmSync(path, { recursive: true }),
  toFile: ({ path }: Blow) => replace(path, () => writeFileSync(path, 'x')),
  toFolder: ({ path }: Blow) => replace(path, () => mkdirSync(path)),
  toFullFolder: ({ path, theirs }: Blow) => replace(path, () => cpSync(theirs, path, { recursive: true })),
  toLink: ({ path, theirs }: Blow) => replace(path, () => symlinkSync(join(theirs, 'mine.txt'), path)),
  toLinkOfFolder: ({ path, theirs }: Blow) => replace(path, () => symlinkSync(theirs, path)),
  toLinkOfNothing: ({ path }: Blow) => replace(path, () => symlinkSync('/nothing/there', path)),
  toLinkOfItself: ({ path }: Blow) => replace(path, () => symlinkSync(path, path)),
  toPipe: ({ path }: Blow) => replace(path, () => void execFileSync('mkfifo', [path])),
  swap({ path, other }: Blow) {
    if (path === other || path.startsWith(`${other}/`) || other.startsWith(`${path}/`)) return;
    renameSync(path, `${path}.swap`);
    renameSync(other, path);
    renameSync(`${path}.swap`, other);
  },
  copy({ path, other }: Blow) {
    if (isFile(path) && isFile(other)) cpSync(path, other);
  },
  json: (blow: Blow) => intoJson(blow),
  sealedJson: (blow: Blow) => intoJson(blow, sealed),
  unreadable: ({ path }: Blow) => chmodSync(path, 0),
} as const;

/** What this system and user can do. */
const possible = (Object.keys(kinds) as (keyof typeof kinds)[]).filter(
  (kind) =>
    !(kind === 'toPipe' && process.platform === 'win32') &&
    !(kind === 'unreadable' && (process.platform === 'win32' || process.getuid?.() === 0)),
);

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
export const damages: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(...possible),
  which: share,
  at: share,
  value: fc.oneof(
    fc.constantFrom<Json[]>(null, -1, 1e300, '', 'x', [], {}, [null], { a: null }, '../x', '__proto__'),
    fc.jsonValue() as fc.Arbitrary<Json>,
  ),
});

/** Damages a folder; the paths that were hit, relative to it. Of those half are in cells, checkpoints and unfinished each. */
export function damage(folder: string, { which, ...how }: Damage, theirs: string): string[] {
  const all = entriesIn(folder);
  // Objects of artifacts are many: the rest comes as often as they do.
  const [objects, rest] = [/\/objects\//, /^(?!.*\/objects\/)/].map((form) =>
    all.filter((name) => form.test(name)),
  );
  const list = which < 0.2 && objects.length > 0 ? objects : rest;
  const name = pick(list, which < 0.2 ? which * 5 : (which - 0.2) / 0.8);
  const other = pick(all, how.at);
  if (name === undefined) return [];
  kinds[how.kind]({ ...how, which, path: join(folder, name), other: join(folder, other), theirs });
  return how.kind === 'swap' || how.kind === 'copy' ? [name, other] : [name];
}
