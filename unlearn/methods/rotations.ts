// One-class model by geometric transforms (Golan and El-Yaniv, "Deep Anomaly Detection Using Geometric Transformations",
// NeurIPS 2018; by rotations: Hendrycks et al., "Using Self-Supervised Learning Can Improve Model Robustness and Uncertainty",
// NeurIPS 2019). From images of one class a network learns to tell how far an image was rotated. Of images like those it has
// seen it can tell, of others it is less sure.
//
//     minimise  mean over samples x and rotations r of  -ln p(r | x rotated by r)
//
// How foreign an image is: the sum of -ln p over the rotations, as if each were an observation of its own. It is in nats of
// the same choice for every class, so classes compare as they are.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { networkOf } from '../train/network.ts';
import { type Head, headOf, withHead } from './head.ts';
import type { OneClass } from './oneClass.ts';

const HEAD = 0x68656164;

/** Rotations that leave the size of an image as it is: by quarters of a circle where it is square, else by halves. */
const rotationsOf = ([height, width]: readonly number[]): number => (height === width ? 4 : 2);

/** Images [n, ...] rotated anticlockwise by 0, 1 .. `rotations` - 1 of that many parts of a circle: [rotations n, ...]. */
export function rotated(images: lt.Tensor, rotations: number): lt.Tensor {
  const half = images.flip([1, 2]);
  if (rotations === 2) return lt.concat([images, half]);
  const mirrored = images.transpose([0, 2, 1, 3]);
  return lt.concat([images, mirrored.flip(1), half, mirrored.flip(2)]);
}

/** -ln p of the right rotation, [rotations, n], from the logits of rotated images, [rotations n, rotations]. */
export function surprise(logits: lt.Tensor): lt.Tensor {
  const [rows, rotations] = logits.shape;
  const right = lt.eye(rotations).reshape([rotations, 1, rotations]);
  return lt
    .logSoftmax(logits)
    .reshape([rotations, rows / rotations, rotations])
    .mul(right)
    .sum(2)
    .neg();
}

/** The classifier with an output for each rotation in place of the classes. */
function withRotations(name: string, model: Model, rotations: number): Model {
  return {
    ...model,
    init(key, shape) {
      const { params, state } = model.init(key, shape);
      const [features] = headOf(name, model, params).weight.shape;
      const { params: head } = lt.nn.dense(rotations).init(lt.random.foldIn(key, HEAD), [1, features]);
      return { params: withHead(model, params, head as unknown as Head), state };
    },
  };
}

/**
 * The model of a classifier. In training and in judging, a sample passes through the network once for each rotation.
 * @param name who asks, for messages. @param shape of an image: [height, width, channels].
 */
export function byRotations(name: string, model: Model, shape: readonly number[]): OneClass {
  const rotations = rotationsOf(shape);
  const network = withRotations(name, model, rotations);
  const evaluate = networkOf(network);
  const judged = reduction(
    ({ images }, variables: Variables) =>
      surprise(evaluate(variables, rotated(images, rotations)).output).sum(0),
    { name: 'rotations' },
  );
  return {
    network,
    views: rotations,
    batchNorm: 'train',
    begin: async (fresh) => ({ state: fresh, took: { gradientSteps: 0, samplesVisited: 0 } }),
    objective: () => (variables, batches, context) => {
      const [{ images }] = Object.values(batches);
      const { output, state } = context.network(variables, rotated(images, rotations));
      return { loss: surprise(output).mean(), state };
    },
    foreignness: async (state, _, set, how) => (await judged.rows(set, [state], how)).data,
    dispose: judged.dispose,
  };
}
