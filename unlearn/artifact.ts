// What a method leaves: a manifest and named files, such as `weights`, `ema`, `mask`, `shards/3/slice-2`. The files lie by
// their sha256 in a store, so equal contents are kept once, and what did not change is shared by what came before and
// after. What is not committed is not there: a process killed at any moment leaves the old artifact or the new one. Needs
// nothing of Node. Where it lies is artifact-store.ts, trees of tensors in it are artifact-tree.ts.

import { check, LetheError } from '../engine/error.ts';
import type { ByteSource } from '../engine/io/index.ts';
import { type ArtifactStore, type Content, type ContentRef, pieces } from './artifact-store.ts';
import { canonicalJson, isMap, notJson } from './json.ts';
import { sha256, startSha256 } from './sha256.ts';
import { printable, reasonOf } from './text.ts';

export { type ArtifactStore, type Content, type ContentRef, memoryStore, pieces } from './artifact-store.ts';
export { getTree, putTree } from './artifact-tree.ts';

type Facts = Record<string, unknown>;

const NAME = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;

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
    return sha256(canonicalJson([files, this.facts]));
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
    return `${JSON.stringify({ ...manifest, sha256: sha256(JSON.stringify(manifest)) }, null, 1)}\n`;
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
  const { sha256: seal, ...manifest } = found;
  need(seal === sha256(JSON.stringify(manifest)), 'that its sha256 matches; it is damaged');
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

async function* partsOf(content: Content): AsyncGenerator<Uint8Array> {
  if (typeof content === 'string') yield new TextEncoder().encode(content);
  else if (content instanceof Uint8Array) yield content;
  else yield* content;
}
