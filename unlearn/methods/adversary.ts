// Adversarial images of a fixed network in evaluation mode, by projected gradient descent (Madry et al., "Towards Deep
// Learning Models Resistant to Adversarial Attacks", ICLR 2018): small changes of images in [0, 1], within a radius, that
// make the network answer something else, or a given class. What methods need that train on such images.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { SweepOptions } from '../reduce.ts';
import { classification } from '../tasks/classification.ts';
import { disposeTree, feed } from '../train/feed.ts';
import { yieldToEventLoop } from '../train/meter.ts';
import { networkOf } from '../train/network.ts';
import type { Split } from '../types.ts';

export interface AdversaryOptions {
  /** How far is measured: the Euclidean length of the change, or its largest value. */
  readonly norm: 'l2' | 'linf';
  /** How far an image may go, in units of [0, 1] pixels. */
  readonly radius: number;
  /** Length of a step, as a share of the radius. */
  readonly share: number;
  readonly steps: number;
  /** Towards the given classes; by default away from them. */
  readonly targeted?: boolean;
  /** Each image stops as soon as the network errs as it should. */
  readonly stop?: boolean;
  /** With `stop`: so often an image that has not made it goes on from where it is, with twice the radius. Default 0. */
  readonly doublings?: number;
}

export interface Adversaries {
  /** [size, height, width, channels], not rounded. */
  readonly images: Float32Array;
  /** What the network answers to them. */
  readonly predicted: Int32Array;
  /** The radius that each was allowed at last. */
  readonly radii: Float32Array;
  /** Samples through the network, counted once a pass. */
  readonly visited: number;
}

interface How extends SweepOptions {
  /**
   * An image that the search for the sample at a position starts from, pulled back into its radius; must depend on the
   * position only. By default the search starts from the sample.
   */
  readonly start?: (position: number) => ArrayLike<number>;
}

interface Adversary {
  /** @param labels the class of each sample that is to be left, or reached where `targeted`. `variables` are borrowed. */
  find(variables: Variables, split: Split, labels: Int32Array, how?: How): Promise<Adversaries>;
  /** Releases the compiled programs. */
  dispose(): void;
}

/** The most passes through the network that an image takes. */
export const passesOf = ({ steps, doublings = 0 }: Pick<AdversaryOptions, 'steps' | 'doublings'>): number =>
  (steps + 1) * (doublings + 1);

/** With `stop`: after so many steps it is asked whether any image of a batch is still on its way. */
const STEPS_BETWEEN_CHECKS = 10;
/** Where a batch stands: images, the radius of each, and which are still on their way. */
interface Way {
  readonly x: lt.Tensor;
  readonly radius: lt.Tensor;
  readonly active: lt.Tensor;
}

/** Compiles the search for a model. */
export function adversary(model: Model, options: AdversaryOptions): Adversary {
  const { radius, steps, targeted = false, stop = false, doublings = 0 } = options;
  const network = networkOf(model);
  /** Whether each image does not make the network err yet. */
  const short = (answer: lt.Tensor, y: lt.Tensor) =>
    targeted ? answer.equal(y).logicalNot() : answer.equal(y);
  const step = lt.jit(
    (variables: Variables, { x, radius, active }: Way, origin: lt.Tensor, y: lt.Tensor): Way => {
      const loss = (image: lt.Tensor): [lt.Tensor, lt.Tensor] => {
        const { output } = network(variables, image);
        return [lt.crossEntropy(output, y, { reduction: 'sum' }), output];
      };
      const [[, logits], gradient] = lt.valueAndGrad(loss, { hasAux: true })(x);
      const on = stop ? active.logicalAnd(short(logits.argmax(), y)) : active;
      const moved = stepped(options, { x, origin, radius }, targeted ? gradient.neg() : gradient);
      return { x: lt.where(on.reshape(radius.shape), moved, x), radius, active: on };
    },
    { name: 'adversary' },
  );
  const answer = lt.jit((variables: Variables, x: lt.Tensor) => network(variables, x).output.argmax(), {
    name: 'adversary, answer',
  });
  /** After a round, those that have not made it get twice the radius. */
  const widen = lt.jit(
    ({ x, radius, active }: Way, predicted: lt.Tensor, y: lt.Tensor): Way => {
      const on = active.logicalAnd(short(predicted, y));
      return { x, active: on, radius: lt.where(on.reshape(radius.shape), radius.mul(2), radius) };
    },
    { name: 'adversary, radius' },
  );
  const anyOf = async ({ active }: Way): Promise<boolean> => {
    const count = lt.scope(() => active.sum());
    try {
      return (await count.item()) > 0;
    } finally {
      count.dispose();
    }
  };

  return {
    async find(variables, split, labels, { batchSize = 256, signal, onBatch, start } = {}) {
      const each = split.shape[0] * split.shape[1] * split.shape[2];
      const images = new Float32Array(split.size * each);
      const predicted = new Int32Array(split.size);
      const radii = new Float32Array(split.size);
      let [visited, at] = [0, 0];
      const rows = Math.min(batchSize, Math.max(1, split.size));
      const sweep = { batchSize: rows, pad: true, signal, onBatch };
      await feed(classification, split, sweep, async ({ images: origin }, { indices }) => {
        const count = indices.length;
        const y = lt.tensor(
          Int32Array.from({ length: rows }, (_, i) => (i < count ? labels[indices[i]] : 0)),
        );
        const begun = start && new Float32Array(rows * each);
        if (begun) indices.forEach((position, i) => begun.set(start(position), i * each));
        let way: Way = lt.scope(() => ({
          x: begun ? entered(options, origin, lt.tensor(begun, { shape: origin.shape })) : origin.add(0),
          radius: lt.full([rows, 1, 1, 1], radius, origin.dtype),
          active: lt.tensor(Int32Array.from({ length: rows }, (_, i) => Number(i < count))).greater(0),
        }));
        let answers: lt.Tensor | null = null;
        const go = (next: Way) => {
          disposeTree(way);
          way = next;
        };
        try {
          for (let round = 0; round <= doublings; round++) {
            for (let i = 0; i < steps; i++) {
              go(step(variables, way, origin, y));
              visited += count;
              signal?.throwIfAborted();
              await yieldToEventLoop();
              if (stop && i % STEPS_BETWEEN_CHECKS === STEPS_BETWEEN_CHECKS - 1 && !(await anyOf(way))) break;
            }
            answers?.dispose();
            answers = answer(variables, way.x);
            visited += count;
            if (round === doublings) break;
            go(widen(way, answers, y));
            if (!(await anyOf(way))) break;
          }
          const [found, given, reach] = await Promise.all([way.x.data(), answers!.data(), way.radius.data()]);
          images.set(found.subarray(0, count * each), at * each);
          predicted.set(given.subarray(0, count), at);
          radii.set(reach.subarray(0, count), at);
          at += count;
        } finally {
          answers?.dispose();
          disposeTree([way, y]);
        }
      });
      return { images, predicted, radii, visited };
    },
    dispose() {
      for (const compiled of [step, answer, widen]) compiled.dispose();
    },
  };
}

/** A step along a gradient with respect to the images, back into the radius and into [0, 1]. */
export function stepped(
  { norm, share }: Pick<AdversaryOptions, 'norm' | 'share'>,
  { x, origin, radius }: { readonly x: lt.Tensor; readonly origin: lt.Tensor; readonly radius: lt.Tensor },
  gradient: lt.Tensor,
): lt.Tensor {
  // Where the network is certain the gradient is tiny: its square must not be lost.
  const large = gradient.div(gradient.abs().max([1, 2, 3], true).maximum(1e-37));
  const direction = norm === 'linf' ? gradient.sign() : large.div(length(large).maximum(1e-37));
  return within(norm, origin, x.add(direction.mul(radius.mul(share))), radius);
}

/** Images on their first radius, from wherever they are. */
export const entered = ({ norm, radius }: AdversaryOptions, origin: lt.Tensor, x: lt.Tensor): lt.Tensor =>
  within(norm, origin, x, lt.full([x.shape[0], 1, 1, 1], radius, origin.dtype));

/** The nearest point within the radius, and in [0, 1]. */
function within(norm: 'l2' | 'linf', origin: lt.Tensor, x: lt.Tensor, radius: lt.Tensor): lt.Tensor {
  const apart = x.sub(origin);
  const back =
    norm === 'linf'
      ? apart.maximum(radius.neg()).minimum(radius)
      : apart.mul(radius.div(length(apart).maximum(radius)));
  return origin.add(back).clip(0, 1);
}

/** Of each image, [n, 1, 1, 1]. */
const length = (images: lt.Tensor): lt.Tensor => images.square().sum([1, 2, 3], true).sqrt();
