// What a method leaves: a manifest and named files, such as `weights`, `ema`, `mask`, `shards/3/slice-2`. The files lie by
// their sha256 in a store, so equal contents are kept once, and what did not change is shared by what came before and
// after. What is not committed is not there: a process killed at any moment leaves the old artifact or the new one. Needs
// nothing of Node; the store in a folder is artifact-folder.ts.

import { check, LetheError } from '../engine/error.ts';
import type { ByteSource, LazyTensor } from '../engine/io/index.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as lt from '../index.ts';
import { canonicalJson, notJson } from './json.ts';
import { hashed, startSha256 } from './sha256.ts';
import { printable, reasonOf } from './text.ts';

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

type Facts = Record<string, unknown>;

const NAME = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;
const PIECE = 1 << 20;

/** What a method leaves: a manifest and named files by their sha256. */
export class Artifact {
  /** JSON that belongs to the state: it enters the digest. */
  facts: Facts = {};
  /** JSON about the making of it, such as cost and times: it does not. */
  notes: Facts = {};
  readonly #files = new Map<string, ContentRef>();
  #writing = 0;
  #committing = false;

  private constructor(
    /** Where it lies. */
    readonly store: ArtifactStore,
    /** Name of the method that made it. */
    readonly method: string,
    /** Names what it was made from: sha256 of all it depends on. */
    readonly key: string,
  ) {}

  /** An empty artifact. What the store holds stays until this one is committed. */
  static create(store: ArtifactStore, { method, key }: { method: string; key: string }): Artifact {
    return new Artifact(store, method, key);
  }

  /** The artifact in a store. @throws LetheError 'data' where there is none, or its manifest is damaged. */
  static async open(store: ArtifactStore): Promise<Artifact> {
    const found = await Artifact.find(store);
    check(found, 'data', () => `${printable(store.name)}: no artifact`);
    return found;
  }

  /** The artifact in a store; null where there is none. @throws LetheError 'data' where its manifest is damaged. */
  static async find(store: ArtifactStore): Promise<Artifact | null> {
    const text = await store.manifest();
    if (text === null) return null;
    const { method, key, files, facts, notes } = readManifest(text, store.name);
    const artifact = new Artifact(store, method, key);
    for (const [name, ref] of files) artifact.#files.set(name, ref);
    Object.assign(artifact, { facts, notes });
    return artifact;
  }

  /**
   * Keeps contents under a name, in place of what had it; they are hashed on the way to the store, never held as a whole.
   * @throws LetheError 'value' for a name that is none, 'io' where the store fails; what `content` throws.
   */
  async put(name: string, content: Content): Promise<ContentRef> {
    checkName(name);
    check(!this.#committing, 'state', () => `${this.#about(name)}: wait for commit before you put more`);
    this.#writing++;
    try {
      const ref = await this.store.put(partsOf(content));
      this.#files.set(name, ref);
      return ref;
    } finally {
      this.#writing--;
    }
  }

  /**
   * The contents of a name, to be read in places; sizes and sha256 are compared first, in one pass.
   * @throws LetheError 'value' for a name that is not in it, 'data' where the contents are gone or damaged.
   */
  async get(name: string): Promise<ByteSource> {
    const ref = this.ref(name);
    const damaged = (what: string) =>
      new LetheError('data', `${this.#about(name)}: ${what} (${printable(this.store.place(ref.sha256))})`);
    const file = await this.store.open(ref.sha256);
    if (!file) throw damaged('its contents are gone');
    if (file.bytes !== ref.bytes) throw damaged(`${file.bytes} bytes, expected ${ref.bytes}`);
    const hash = startSha256();
    for await (const piece of pieces(file)) hash.update(piece);
    if (hash.hex() !== ref.sha256) throw damaged('its contents are damaged, their sha256 is another');
    return file;
  }

  /** All bytes of a name. @throws as `get` does. */
  async bytes(name: string): Promise<Uint8Array> {
    const file = await this.get(name);
    return file.read(0, file.bytes);
  }

  /** Compares all contents with their sha256. @throws as `get` does. */
  async verify(): Promise<void> {
    const names = new Map(this.names().map((name) => [this.ref(name).sha256, name]));
    for (const name of names.values()) await this.get(name);
  }

  /** Is there a file of this name? */
  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** Names that begin with `prefix`, sorted. */
  names(prefix = ''): string[] {
    return [...this.#files.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  /** Size and sha256 of a name. @throws LetheError 'value' where it is not in the artifact. */
  ref(name: string): ContentRef {
    const ref = this.#files.get(name);
    check(ref, 'value', () => `${this.#about(name)}: not in it`);
    return ref;
  }

  /** @throws LetheError 'value' where the name is not in the artifact. */
  remove(name: string): void {
    this.ref(name);
    this.#files.delete(name);
  }

  /**
   * sha256 over the state: names, contents and facts. Two artifacts of the same state have the same, whatever led there:
   * method, key, times and other notes are no part of it.
   */
  digest(): string {
    checkJson(this.facts, 'facts');
    const files = this.names().map((name) => [name, this.ref(name).sha256]);
    return sha256Text(canonicalJson([files, this.facts]));
  }

  /**
   * Makes all of it last, then removes what it no longer holds: what was forgotten is gone once this is done.
   * @throws LetheError 'state' while something is still being put, 'value' for facts that are no JSON, 'io'.
   */
  async commit(): Promise<void> {
    const busy = this.#committing || this.#writing > 0;
    check(!busy, 'state', () => `${this.#about('commit')}: wait for what is still being written`);
    this.#committing = true;
    try {
      await this.store.commit(this.#manifest());
      await this.store.sweep(new Set(this.#objects()));
    } finally {
      this.#committing = false;
    }
  }

  /**
   * Removes what neither this artifact nor the committed one holds, as commit does at its end: for an artifact whose process
   * was killed in between.
   * @throws LetheError 'state' while something is being put, 'io', 'data' where the committed manifest is damaged.
   */
  async sweep(): Promise<void> {
    check(
      this.#writing === 0,
      'state',
      () => `${this.#about('sweep')}: wait for what is still being written`,
    );
    const committed = await Artifact.find(this.store);
    const held = committed ? committed.#objects() : [];
    await this.store.sweep(new Set([...held, ...this.#objects()]));
  }

  /**
   * Another artifact with the same contents, facts and notes, in another store; it is committed by itself. Contents are
   * shared, not copied, where the stores can.
   */
  async fork(to: ArtifactStore, { method = this.method, key = this.key } = {}): Promise<Artifact> {
    const refs = new Map([...this.#files.values()].map((ref) => [ref.sha256, ref]));
    if (to !== this.store) await to.adopt(this.store, [...refs.values()]);
    const copy = new Artifact(to, method, key);
    for (const [name, ref] of this.#files) copy.#files.set(name, ref);
    copy.facts = structuredClone(this.facts);
    copy.notes = structuredClone(this.notes);
    return copy;
  }

  #objects(): string[] {
    return [...this.#files.values()].map((ref) => ref.sha256);
  }

  #manifest(): string {
    checkJson(this.facts, 'facts');
    checkJson(this.notes, 'notes');
    const { method, key, facts, notes } = this;
    const files = Object.fromEntries(this.names().map((name) => [name, this.ref(name)]));
    const manifest = { version: 1, method, key, files, facts, notes };
    return `${JSON.stringify({ ...manifest, sha256: sha256Text(JSON.stringify(manifest)) }, null, 1)}\n`;
  }

  #about(name: string): string {
    return `artifact ${this.method} in ${printable(this.store.name)}: ${printable(name)}`;
  }
}

function checkName(name: string): void {
  check(
    typeof name === 'string' && NAME.test(name) && name.length <= 200,
    'value',
    () =>
      `artifact: ${printable(String(name))} cannot name a file; expected parts of letters, digits, '.', '_' and '-' between '/', such as shards/3/slice-2`,
  );
}

function checkJson(value: Facts, what: string): void {
  const wrong = notJson(value);
  check(wrong === null, 'value', () => `artifact: ${what}: ${wrong}, which JSON cannot say`);
}

function sha256Text(text: string): string {
  const hash = startSha256();
  hash.update(new TextEncoder().encode(text));
  return hash.hex();
}

const isMap = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && !Array.isArray(x);
const isRef = (x: unknown): x is ContentRef =>
  isMap(x) &&
  /^[0-9a-f]{64}$/.test(String(x.sha256)) &&
  Number.isSafeInteger(x.bytes) &&
  Number(x.bytes) >= 0;

function readManifest(text: string, where: string) {
  const need: (holds: unknown, expected: string) => asserts holds = (holds, expected) =>
    check(holds, 'data', () => `${printable(where)}: the manifest of the artifact: expected ${expected}`);
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    const why = reasonOf(cause);
    throw new LetheError('data', `${printable(where)}: the manifest of the artifact is no JSON: ${why}`, {
      cause,
    });
  }
  need(isMap(found) && found.version === 1, 'version 1');
  const { sha256, ...manifest } = found;
  need(sha256 === sha256Text(JSON.stringify(manifest)), 'that its sha256 matches; it is damaged');
  const { method, key, files, facts, notes } = manifest;
  need(typeof method === 'string' && typeof key === 'string', 'a method and a key');
  need(isMap(facts) && isMap(notes), 'facts and notes');
  need(isMap(files), 'files');
  const refs = Object.entries(files).map(([name, ref]): [string, ContentRef] => {
    need(NAME.test(name) && isRef(ref), `a name, a sha256 and a size for each file, not ${printable(name)}`);
    return [name, ref];
  });
  return { method, key, files: refs, facts, notes };
}

// ---- contents --------------------------------------------------------------------------------------------------------

async function* partsOf(content: Content): AsyncGenerator<Uint8Array> {
  if (typeof content === 'string') yield new TextEncoder().encode(content);
  else if (content instanceof Uint8Array) yield content;
  else yield* content;
}

/** The bytes of a file, a megabyte at a time. */
export async function* pieces(file: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.bytes; at += PIECE) yield file.read(at, Math.min(PIECE, file.bytes - at));
}

/**
 * Puts a tree of tensors, as safetensors whose names are the paths in the tree, one tensor in memory at a time. The tensors
 * stay the caller's.
 * @throws LetheError 'value' for leaves that are no tensors, and for two with one path.
 */
export async function putTree(artifact: Artifact, name: string, tree: unknown): Promise<ContentRef> {
  const leaves = lt.tree.entries<Tensor>(tree);
  for (const [path, leaf] of leaves)
    check(leaf instanceof lt.Tensor, 'value', () => `artifact: ${name}: ${path || 'the tree'} is no tensor`);
  const tensors: Record<string, LazyTensor> = Object.fromEntries(leaves);
  const paths = Object.keys(tensors).length;
  check(paths === leaves.length, 'value', () => `artifact: ${name}: two tensors have one path`);
  const form = JSON.stringify(lt.tree.map(() => 0, tree) ?? null);
  return artifact.put(name, lt.io.streamSafetensors(tensors, { tree: form }));
}

/**
 * A tree of tensors that was put, bit for bit; the tensors are the caller's.
 * @throws LetheError 'data' for what is no such tree; as `get` does.
 */
export async function getTree<T>(artifact: Artifact, name: string): Promise<T> {
  const file = await lt.io.openSafetensors(await artifact.get(name));
  let form: unknown;
  try {
    form = JSON.parse(file.metadata.tree);
  } catch (cause) {
    throw new LetheError('data', `artifact: ${name} holds no tree of tensors`, { cause });
  }
  const { def } = lt.tree.flatten(form);
  const made: Tensor[] = [];
  try {
    for (const [path] of lt.tree.entries(form)) {
      check(Object.hasOwn(file.forms, path), 'data', () => `artifact: ${name}: ${path} is missing in it`);
      const { data, shape, dtype } = await file.tensor(path);
      made.push(lt.tensor(data, { shape, dtype }));
    }
    return lt.tree.unflatten(def, made) as T;
  } catch (cause) {
    for (const tensor of made) tensor.dispose();
    throw cause;
  }
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
