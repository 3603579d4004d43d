// Tiny problems for the tests of training and of the methods: images of a few classes that a small network learns in
// well under a second on the reference backend.

import type { Classifier, Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { accuracy } from '../../unlearn/audit/outputs.ts';
import { makeSplit, takeSplit } from '../../unlearn/data/split.ts';
import { predict } from '../../unlearn/predict.ts';
import { Stream } from '../../unlearn/random.ts';
import type { CheckpointStore, Split } from '../../unlearn/types.ts';

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

export function cut(split: Split, forgotten: number): { forget: Split; retain: Split } {
  const positions = Array.from({ length: split.size }, (_, i) => i);
  return {
    forget: takeSplit(
      split,
      positions.filter((i) => split.labels[i] === forgotten),
    ),
    retain: takeSplit(
      split,
      positions.filter((i) => split.labels[i] !== forgotten),
    ),
  };
}

export const tinyMlp = (): Classifier => lt.nn.mlp({ classes: CLASSES, hidden: [8] });

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

/** Percentage of a split's samples that a model answers with their label. */
export async function accuracyOn(model: Model, variables: Variables, split: Split): Promise<number> {
  const logits = await predict(model, variables, split);
  return accuracy({ logits, labels: split.labels }, logits.length / split.size);
}

/** All values, for comparing to the bit. */
export async function valuesOf(variables: Variables): Promise<Record<string, number[]>> {
  const out: Record<string, number[]> = {};
  for (const [path, tensor] of lt.tree.entries<lt.Tensor>(variables as never))
    out[path] = Array.from(await tensor.data());
  return out;
}

export const disposeAll = (variables: Variables): void => {
  for (const [, tensor] of lt.tree.entries<lt.Tensor>(variables as never)) tensor.dispose();
};

/** Keeps every state it is given, as a file would: copies. */
export class MemoryStore implements CheckpointStore {
  readonly saved: Parameters<CheckpointStore['save']>[0][] = [];
  onSave: () => void = () => {};
  constructor(first?: Parameters<CheckpointStore['save']>[0]) {
    if (first) this.saved.push(first);
  }
  load = async () => structuredClone(this.saved.at(-1) ?? null);
  save: CheckpointStore['save'] = async (state) => {
    this.saved.push(structuredClone(state));
    this.onSave();
  };
}
