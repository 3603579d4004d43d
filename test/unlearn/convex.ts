// Softmax regression on a small synthetic table whose classes overlap, as a split for the library and as a table
// for re-fits in plain float64 (bench/influence/softmax.ts): what influences and re-weighting are tested against.

import { SoftmaxRegression, type Table } from '../../bench/influence/softmax.ts';
import * as lt from '../../index.ts';
import { makeSplit } from '../../unlearn/data/split.ts';
import { Stream } from '../../unlearn/random.ts';
import type { Split } from '../../unlearn/types.ts';

export const PENALTY = 0.02;
const COLUMNS = 4;
const CLASSES = 3;

/** Overlapping classes, [2, 2, 1]. */
export function cloud(size: number, seed: number): Split {
  const stream = new Stream(seed);
  const labels = Int32Array.from({ length: size }, (_, i) => i % CLASSES);
  const images = Uint8Array.from(
    { length: COLUMNS * size },
    (_, i) => stream.below(160) + (i % COLUMNS === labels[Math.floor(i / COLUMNS)] ? 90 : 0),
  );
  return makeSplit({ shape: [2, 2, 1], images, labels });
}

export const tableOf = ({ size, images, labels }: Split): Table => {
  const d = images.length / size + 1;
  const x = new Float64Array(size * d).fill(1);
  for (let i = 0; i < images.length; i++)
    x[Math.floor(i / (d - 1)) * d + (i % (d - 1))] = Math.fround(images[i] / 255);
  return { x, labels, classes: CLASSES };
};

export const regression = (split: Split): SoftmaxRegression => new SoftmaxRegression(tableOf(split), PENALTY);
export const lossOn = (w: Float64Array, split: Split): number => SoftmaxRegression.loss(w, tableOf(split));

export const softmaxModel = () => lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(CLASSES) });

/** The weights of a re-fit as the model's variables; on a float64 device without rounding. */
export const variablesOf = (w: Float64Array): lt.nn.Variables => ({
  params: {
    flatten: {},
    fc: {
      weight: lt.tensor(w.slice(0, COLUMNS * CLASSES)).reshape([COLUMNS, CLASSES]),
      bias: lt.tensor(w.slice(COLUMNS * CLASSES)),
    },
  },
  state: { flatten: {}, fc: {} },
});

/** And back. */
export async function flatOf({ params }: lt.nn.Variables): Promise<Float64Array> {
  const { fc } = params as unknown as { fc: { weight: lt.Tensor; bias: lt.Tensor } };
  return Float64Array.from([...(await fc.weight.data()), ...(await fc.bias.data())]);
}
