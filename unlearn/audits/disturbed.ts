// Forgotten images a little disturbed, and what two networks answer to them: what over-unlearning is measured on. As in the
// released code of Spotter (Seung-B/Spotter-Unlearning), or with its slips put right.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { entered, stepped } from '../methods/adversary.ts';
import { Stream } from '../random.ts';
import type { NetworkOf } from './subject.ts';

/** How images are disturbed. */
interface Disturbance {
  /**
   * `fixed`: in [0, 1] pixels, towards the class. `asReleased`: away from it, in the units behind the network's normalisation,
   * where clipping to [0, 1] cuts all that is darker than the mean.
   */
  readonly variant: 'fixed' | 'asReleased';
  /** Steps along signs of gradients from a random start, or noise alone. */
  readonly disturbance: 'pgd' | 'gaussian';
  /** Largest change of a pixel, with `pgd`. */
  readonly radius: number;
  /** Length of a step. */
  readonly step: number;
  /** How many. */
  readonly steps: number;
  /** Standard deviation, with `gaussian`. */
  readonly deviation: number;
}

/** Logits of both networks on the disturbed images, [n, K]. */
interface DisturbedAnswers {
  /** Of the original. */
  readonly original: lt.Tensor;
  /** Of the audited network. */
  readonly own: lt.Tensor;
}

const STREAM = 0x64697374;

/** Numbers to add to an image: uniform within the radius, or normal. They depend on seed and sample alone. */
export function noiseOf(
  { disturbance, radius, deviation }: Disturbance,
  count: number,
  seed: number,
  id: number,
): Float32Array {
  const stream = new Stream(seed, STREAM, id);
  if (disturbance === 'pgd')
    return Float32Array.from({ length: count }, () => stream.between(-radius, radius));
  return Float32Array.from(
    { length: count },
    () =>
      deviation *
      Math.sqrt(-2 * Math.log(1 - stream.between(0, 1))) *
      Math.cos(2 * Math.PI * stream.between(0, 1)),
  );
}

/** Compiled for two networks: what both answer to images [n, h, w, c] in [0, 1] with noise of the same shape. */
export function disturber(original: NetworkOf, own: NetworkOf, how: Disturbance) {
  const released = how.variant === 'asReleased';
  /** A network's logits; as released its input is what normalisation gives. */
  const logits = ({ model }: NetworkOf, variables: Variables, x: lt.Tensor): lt.Tensor =>
    model.apply(variables, x, released ? { tap: (path) => (path === NORMALISE ? x : undefined) } : {}).output;
  const run = lt.jit(
    (
      vOriginal: Variables,
      vOwn: Variables,
      images: lt.Tensor,
      labels: lt.Tensor,
      noise: lt.Tensor,
    ): DisturbedAnswers => {
      const origin = released ? normalised(original, vOriginal, images) : images;
      const clean = logits(original, vOriginal, origin);
      const isOwn = lt.oneHot(labels, clean.shape[1]).greater(0);
      const target = lt.where(isOwn, -1e30, clean).argmax();
      const radius = lt.full([images.shape[0], 1, 1, 1], how.radius, images.dtype);
      let x = origin.add(noise);
      if (how.disturbance === 'gaussian') x = x.clip(0, 1);
      else {
        const loss = (image: lt.Tensor) =>
          lt.crossEntropy(logits(original, vOriginal, image), target, { reduction: 'sum' });
        const box = {
          norm: 'linf',
          radius: how.radius,
          share: how.step / how.radius,
          steps: how.steps,
        } as const;
        x = entered(box, origin, x);
        for (let i = 0; i < how.steps; i++) {
          const gradient = lt.grad(loss)(x);
          x = stepped(box, { x, origin, radius }, released ? gradient : gradient.neg());
        }
      }
      return { original: logits(original, vOriginal, x), own: logits(own, vOwn, x) };
    },
    { name: 'disturbed' },
  );
  return {
    answers: (images: lt.Tensor, labels: lt.Tensor, noise: lt.Tensor): DisturbedAnswers =>
      run(original.variables, own.variables, images, labels, noise),
    /** Releases the compiled program. */
    dispose: () => run.dispose(),
  };
}

/** The first child of a classifier that normalises its input. */
const NORMALISE = 'normalise';

/** What a network's normalisation makes of images; the images where it has none. */
function normalised({ model }: NetworkOf, variables: Variables, images: lt.Tensor): lt.Tensor {
  let seen = images;
  const tap = (path: string, output: lt.Tensor) => {
    if (path === NORMALISE) seen = output;
    return undefined;
  };
  model.apply(variables, images, { tap });
  return seen;
}
