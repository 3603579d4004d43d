// Tiny problems for checking methods: images of three classes that a small network learns in well under a second on the
// reference backend.

import type { Classifier, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { memoryStore } from '../artifact.ts';
import { makeSplit, positionsWhere, takeSplit } from '../data/split.ts';
import { Stream } from '../random.ts';
import { recordUpdates } from '../train/undo.ts';
import { train } from '../train.ts';
import type { CheckpointState, CheckpointStore, Split, UnlearnInput } from '../types.ts';

export const CLASSES = 3;

/** Class k lights up its own third of the columns; noise everywhere. [6, 6, 1]. */
export function stripes(size: number, seed = 1): Split {
  const stream = new Stream(seed);
  const images = new Uint8Array(size * 36);
  const labels = Int32Array.from({ length: size }, (_, i) => i % CLASSES);
  for (let i = 0; i < size; i++)
    for (let p = 0; p < 36; p++) {
      const lit = Math.floor((p % 6) / 2) === labels[i];
      images[36 * i + p] = stream.below(120) + (lit ? 70 : 0);
    }
  return makeSplit({ shape: [6, 6, 1], images, labels });
}

/** The samples of these classes, and the others. */
export function cut(split: Split, ...forgotten: readonly number[]): { forget: Split; retain: Split } {
  const those = (goes: boolean) =>
    takeSplit(
      split,
      positionsWhere(split, (label) => forgotten.includes(label) === goes),
    );
  return { forget: those(true), retain: those(false) };
}

/** The split without the samples of these ids. */
export const without = (split: Split, ids: readonly number[]): Split =>
  takeSplit(
    split,
    positionsWhere(split, (_, position) => !ids.includes(split.ids[position])),
  );

/** Has what can go wrong: batch-norm state, dropout, a convolution. */
export function tinyCnn(): Classifier {
  const model = lt.nn.sequential({
    conv: lt.nn.conv2d(4, { padding: 1, bias: false }),
    bn: lt.nn.batchNorm(),
    relu: lt.nn.relu(),
    pool: lt.nn.maxPool({ size: 2 }),
    flatten: lt.nn.flatten(),
    drop: lt.nn.dropout(0.2),
    fc: lt.nn.dense(CLASSES),
  });
  return { ...model, head: ['fc'] };
}

/** A trained model with one class to forget, held-out samples, and a record of the training. */
export async function problem(model = tinyCnn(), epochs = 4): Promise<UnlearnInput> {
  const data = stripes(72);
  const options = { epochs, batchSize: 16, learningRate: 0.1 };
  const updates = memoryStore();
  const hooks = [recordUpdates(updates)];
  const { variables } = await train({ model, data, options, key: lt.random.key(1), hooks });
  return { model, variables, ...cut(data, 1), validation: stripes(30, 7), key: lt.random.key(2), updates };
}

/** Values of a tree by their paths. */
export type Values = Readonly<Record<string, number[]>>;

/** All values, for comparing to the bit. */
export async function valuesOf(variables: Variables): Promise<Values> {
  const out: Record<string, number[]> = {};
  for (const [path, tensor] of lt.tree.entries<lt.Tensor>(variables as never))
    out[path] = Array.from(await tensor.data());
  return out;
}

/** Keeps every state it is given, as a file would: copies. */
export class MemoryStore implements CheckpointStore {
  readonly saved: CheckpointState[] = [];
  onSave: () => void = () => {};
  constructor(first?: CheckpointState) {
    if (first) this.saved.push(first);
  }
  load = async () => structuredClone(this.saved.at(-1) ?? null);
  save = async (state: CheckpointState): Promise<void> => {
    this.saved.push(structuredClone(state));
    this.onSave();
  };
}
