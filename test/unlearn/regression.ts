// Softmax regression on the stripes, written out in plain JavaScript, one sample after the other: what methods that weigh
// gradients are tested against.

import type { Classifier } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { Split } from '../../unlearn/types.ts';
import { CLASSES } from './problems.ts';

export const model: Classifier = {
  ...lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(CLASSES) }),
  head: ['fc'],
};
export type Fc = { fc: { weight: lt.Tensor; bias: lt.Tensor } };
export const variables = () => model.init(lt.random.key(5), [1, 6, 6, 1]);

export const softmax = (row: readonly number[]) => {
  const top = Math.max(...row);
  const e = row.map((z) => Math.exp(z - top));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
};

/** x_i, and f(x_i), by hand. */
export async function forward(split: Split, v: lt.nn.Variables) {
  const { weight, bias } = (v.params as unknown as Fc).fc;
  const [w, b] = [await weight.data(), await bias.data()];
  return Array.from({ length: split.size }, (_, i) => {
    const x = Array.from(split.images.subarray(36 * i, 36 * i + 36), (byte) => Math.fround(byte / 255));
    const z = Array.from({ length: CLASSES }, (_, k) =>
      x.reduce((sum, xj, j) => sum + xj * w[CLASSES * j + k], b[k]),
    );
    return { x, z, p: softmax(z), y: split.labels[i] };
  });
}
export type Sample = Awaited<ReturnType<typeof forward>>[number];

/** The gradient of a function of the logits by the weights, then the biases, given that by the logits. */
export const chain = ({ x }: Sample, dz: readonly number[]) => [
  ...x.flatMap((xj) => dz.map((d) => d * xj)),
  ...dz,
];
export const byLabel = (s: Sample, y: number) =>
  chain(
    s,
    s.p.map((p, k) => p - (k === y ? 1 : 0)),
  );
export const mean = (rows: readonly (readonly number[])[]) =>
  rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length);
export const square = (row: readonly number[], weight = 1) => row.map((g) => weight * g * g);
export const sumOf = (rows: readonly (readonly number[])[]) => mean(rows).map((v) => v * rows.length);

/** Weights, then biases. */
export async function flat(tree: unknown): Promise<number[]> {
  const { weight, bias } = (tree as Fc).fc;
  return [...(await weight.data()), ...(await bias.data())];
}
