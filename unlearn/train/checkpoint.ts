// The state of a training loop as the arrays and the note of a CheckpointStore, and back, bit for bit. Where and how
// safely they are stored is the store's business.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import type { CheckpointStore } from '../types.ts';
import type { EpochRecord } from './loop.ts';
import type { StepState } from './step.ts';

/** The tensors of a loop. */
export interface Carry extends StepState {
  /** Tensors of the loop's hooks, by the hook's name: the best variables so far, an average of them. */
  readonly extra: Readonly<Record<string, lt.tree.Tree<lt.Tensor>>>;
}

/** Where the loop stands. */
export interface Note {
  /** Steps done. */
  step: number;
  /** Of the epoch so far: loss times samples, and samples. */
  sum: number;
  samples: number;
  seconds: number;
  history: EpochRecord[];
}

type Arrays = Parameters<CheckpointStore['save']>[0]['arrays'];

/** float64 travels as pairs of 32-bit words: stores know 32-bit arrays only. */
const packed = (data: lt.TypedArray): Arrays[string]['data'] =>
  data instanceof Float64Array ? new Uint32Array(data.buffer, data.byteOffset, 2 * data.length) : data;

const entriesOf = (carry: Carry) => lt.tree.entries<lt.Tensor>(carry);

/** Waits for the device and stores everything. The carry stays in use. */
export async function save(
  store: CheckpointStore | undefined,
  identity: string,
  carry: Carry,
  note: Note,
): Promise<void> {
  if (!store) return;
  const arrays: Arrays = {};
  for (const [path, tensor] of entriesOf(carry)) {
    const data = packed(await tensor.data());
    arrays[path] = { data, shape: data.length === tensor.size ? [...tensor.shape] : [data.length] };
  }
  await store.save({ arrays, meta: { ...note, identity } });
}

/** The stored state in the form of `like`, which is disposed; null where nothing is stored. */
export async function load(
  store: CheckpointStore | undefined,
  identity: string,
  like: Carry,
): Promise<{ carry: Carry; note: Note } | null> {
  const stored = await store?.load();
  if (!stored) return null;
  const { arrays, meta } = stored;
  check(
    meta.identity === identity,
    'state',
    () => `checkpoint: it is of another computation (${meta.identity}), this one is (${identity})`,
  );
  const wanted = entriesOf(like);
  for (const [path, tensor] of wanted) {
    const words = tensor.dtype === 'float64' ? 2 : 1;
    check(
      arrays[path]?.data.length === words * tensor.size,
      'data',
      () => `checkpoint: ${path} does not fit`,
    );
  }
  const restored = wanted.map(([path, { shape, dtype }]) => {
    const { data } = arrays[path];
    const values = dtype === 'float64' ? new Float64Array(Uint32Array.from(data).buffer) : data;
    return lt.tensor(values, { shape, dtype });
  });
  for (const [, tensor] of wanted) tensor.dispose();
  const { step, sum, samples, seconds, history } = structuredClone(meta) as unknown as Note;
  const carry = lt.tree.unflatten(lt.tree.flatten(like).def, restored) as Carry;
  return { carry, note: { step, sum, samples, seconds, history } };
}
