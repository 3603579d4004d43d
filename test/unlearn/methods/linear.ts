// Softmax regression written out in plain JavaScript numbers: what a method's step must come to on a network of one dense
// layer. Nothing of it goes through the engine.

import type { Classifier, Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import type { Split, UnlearnInput } from '../../../unlearn/types.ts';
import { CLASSES, cut, stripes } from '../problems.ts';

export const linear = (): Classifier => ({
  ...lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(CLASSES) }),
  head: ['fc'],
});

/** Weights [features][classes] and biases [classes]. */
export interface Weights {
  readonly W: readonly (readonly number[])[];
  readonly b: readonly number[];
}

/** A layer that knows a little, to be told of class 1; on a float64 device. */
export function linearProblem(size = 24): UnlearnInput {
  const model = linear();
  const { forget, retain } = cut(stripes(size), 1);
  const variables = model.init(lt.random.key(3), [1, 6, 6, 1]);
  return { model, variables, forget, retain, validation: stripes(12, 5), key: lt.random.key(4) };
}

export async function weightsOf({ params }: Variables): Promise<Weights> {
  const { fc } = params as unknown as { fc: { weight: lt.Tensor; bias: lt.Tensor } };
  return { W: (await fc.weight.array()) as number[][], b: (await fc.bias.array()) as number[] };
}

export const pixelsOf = ({ images, size }: Split): number[][] =>
  Array.from({ length: size }, (_, i) =>
    Array.from(images.subarray(36 * i, 36 * (i + 1)), (byte) => Math.fround(byte / 255)),
  );

export const logitsOf = ({ W, b }: Weights, x: readonly number[]): number[] =>
  b.map((bias, k) => x.reduce((sum, value, j) => sum + value * W[j][k], bias));

export function softmax(z: readonly number[], temperature = 1): number[] {
  const top = Math.max(...z);
  const e = z.map((value) => Math.exp((value - top) / temperature));
  const sum = e.reduce((a, b) => a + b);
  return e.map((value) => value / sum);
}

/** The gradient of the cross-entropy at the logits. */
export const towards = (z: readonly number[], label: number): number[] =>
  softmax(z).map((p, k) => p - (k === label ? 1 : 0));

/** A step of gradient descent, given for each sample its pixels and the gradient at its logits. */
export function stepped(
  { W, b }: Weights,
  gradients: readonly (readonly [x: readonly number[], dz: readonly number[]])[],
  rate: number,
): Weights {
  const of = (j: number, k: number) => gradients.reduce((sum, [x, dz]) => sum + x[j] * dz[k], 0);
  return {
    W: W.map((row, j) => row.map((w, k) => w - rate * of(j, k))),
    b: b.map((bias, k) => bias - rate * gradients.reduce((sum, [, dz]) => sum + dz[k], 0)),
  };
}

/** The largest difference of two sets of weights. */
export const apart = (a: Weights, b: Weights): number => {
  const [x, y] = [a, b].map((w) => [...w.W.flat(), ...w.b]);
  return Math.max(...x.map((value, i) => Math.abs(value - y[i])));
};

/** Full batches, plain gradient descent, one step. */
export const oneStep = { epochs: 1, batchSize: 100, learningRate: 0.5, momentum: 0, weightDecay: 0 };

/** Projected gradient descent on one image, as unlearn/methods/adversary.ts describes it. */
export function chased(
  w: Weights,
  origin: readonly number[],
  y: number,
  how: {
    norm: 'l2' | 'linf';
    radius: number;
    share: number;
    steps: number;
    targeted?: boolean;
    stop?: boolean;
    doublings?: number;
    start?: readonly number[];
  },
): { x: number[]; radius: number; predicted: number } {
  const { norm, share, steps, targeted = false, stop = false, doublings = 0, start } = how;
  const answer = (at: readonly number[]) => {
    const z = logitsOf(w, at);
    return z.indexOf(Math.max(...z));
  };
  const done = (at: readonly number[]) => stop && (answer(at) === y) === targeted;
  const long = (v: readonly number[]) => Math.sqrt(v.reduce((sum, a) => sum + a * a, 0));
  let { radius } = how;
  const within = (at: readonly number[]) => {
    let apart = at.map((v, j) => v - origin[j]);
    const size = long(apart);
    if (norm === 'linf') apart = apart.map((v) => Math.max(-radius, Math.min(radius, v)));
    else if (size > radius) apart = apart.map((v) => (v * radius) / size);
    return apart.map((v, j) => Math.max(0, Math.min(1, origin[j] + v)));
  };
  let x = start ? within(start) : [...origin];
  for (let round = 0; round <= doublings; round++) {
    for (let i = 0; i < steps && !done(x); i++) {
      const dz = towards(logitsOf(w, x), y);
      const g = x.map((_, j) => (targeted ? -1 : 1) * dz.reduce((sum, d, k) => sum + d * w.W[j][k], 0));
      const direction = norm === 'l2' ? g.map((v) => v / long(g)) : g.map(Math.sign);
      x = within(x.map((v, j) => v + radius * share * direction[j]));
    }
    if (round === doublings || done(x)) break;
    if (stop) radius *= 2;
  }
  return { x, radius, predicted: answer(x) };
}
