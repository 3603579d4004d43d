// Where one cell of a run keeps its work in progress: the newest state and the one before it, each a safetensors
// file with its own checksum. A state is taken up only if it belongs to the same inputs (the cell's key); a damaged
// newest state falls back to the one before. Finished weights are not here: run.ts keeps those.

import { basename } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { loadSafetensors, saveSafetensors } from '../../engine/io/safetensors.ts';
import { isThere, moveFile, readFileBounded, removeFile, writeFileAtomic } from '../files.ts';
import { sha256 } from '../sha256.ts';
import { reasonOf } from '../text.ts';
import type { CheckpointStore } from '../types.ts';

export type State = Parameters<CheckpointStore['save']>[0];

const MAX_BYTES = 16 * 2 ** 30;

interface FileStoreOptions {
  /** sha256 of everything the work depends on. */
  readonly key: string;
  /** Seconds between two writes; calls of `save` in between return at once. 0 writes every time. */
  readonly everySeconds?: number;
  /** Once aborted, the next `save` always writes. */
  readonly signal?: AbortSignal;
  /** Told when a state had to be dropped. */
  readonly onNote?: (message: string) => void;
}

export class FileStore implements CheckpointStore {
  /** True once `load` has handed out a state. */
  resumed = false;
  #before = 0;
  #spent = 0;
  #started = performance.now();
  #stopped: number | null = null;
  #written = performance.now();

  /** @param path file of the newest state, ending in `.safetensors`; the one before lies beside it. */
  constructor(
    readonly path: string,
    readonly options: FileStoreOptions,
  ) {}

  get previous(): string {
    return previousOf(this.path);
  }

  /** Starts the clock of `seconds`, afresh if it ran. */
  start(): void {
    this.#started = this.#written = performance.now();
    this.#stopped = null;
    this.#spent = 0;
  }

  /** Runs work with the clock started before it and stopped after it. */
  readonly timed = async <T>(work: () => Promise<T>): Promise<T> => {
    this.start();
    const result = await work();
    this.#stopped = performance.now();
    return result;
  };

  /** Seconds of work so far, earlier processes included, writing checkpoints left out. */
  get seconds(): number {
    return this.#before + ((this.#stopped ?? performance.now()) - this.#started) / 1000 - this.#spent;
  }

  /** Whether a `save` now would write: lets callers skip gathering the state. */
  due(): boolean {
    const { everySeconds = 0, signal } = this.options;
    return signal?.aborted === true || performance.now() - this.#written >= everySeconds * 1000;
  }

  async load(): Promise<State | null> {
    for (const path of [this.path, this.previous]) {
      if (!(await isThere(path))) continue;
      try {
        const { tensors, metadata: note } = loadSafetensors(await readFileBounded(path, MAX_BYTES));
        const arrays = tensors as unknown as State['arrays'];
        if (note.sha256 !== digest(arrays, note)) throw new LetheError('data', 'checksum does not match');
        if (note.key !== this.options.key) continue;
        const { meta, seconds } = JSON.parse(note.state);
        this.#before = seconds;
        this.resumed = true;
        return { arrays, meta };
      } catch (cause) {
        this.options.onNote?.(`dropped ${basename(path)}: ${reasonOf(cause)}`);
        if (cause instanceof LetheError && cause.kind === 'data') await removeFile(path);
      }
    }
    return null;
  }

  async save(state: State): Promise<void> {
    if (!this.due()) return;
    const from = performance.now();
    const said = {
      key: this.options.key,
      state: JSON.stringify({ meta: state.meta, seconds: this.seconds }),
    };
    const note = { ...said, sha256: digest(state.arrays, said) };
    // The older state moves aside first: a crash between the two steps leaves it to be found there.
    if (await isThere(this.path)) await moveFile(this.path, this.previous);
    await writeFileAtomic(this.path, await saveSafetensors(stored(state.arrays), note));
    this.#written = performance.now();
    this.#spent += (this.#written - from) / 1000;
  }

  /** Removes both states, once the work is done and its result is safe. */
  async clear(): Promise<void> {
    await removeFile(this.path);
    await removeFile(this.previous);
  }
}

/** The file of the state before the newest. */
export const previousOf = (path: string): string => path.replace(/\.safetensors$/, '.previous.safetensors');

/** What kind of numbers an array holds. */
const dtypeOf = ({ data }: State['arrays'][string]) =>
  data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'uint32';

const stored = (arrays: State['arrays']) =>
  Object.fromEntries(Object.entries(arrays).map(([name, a]) => [name, { ...a, dtype: dtypeOf(a) } as const]));

/** sha256 over everything a state says: key, note, names, kinds, shapes and values. */
function digest(arrays: State['arrays'], { key, state }: { readonly [name: string]: string }): string {
  const named = Object.entries(arrays).sort(([a], [b]) => (a < b ? -1 : 1));
  const forms = named.map(([name, array]) => [name, dtypeOf(array), array.shape]);
  const values = named.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return sha256(JSON.stringify([key, state, forms]), ...values);
}
