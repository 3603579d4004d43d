// Deep SVDD (Ruff et al., "Deep One-Class Classification", ICML 2018): a network that maps the samples of one class near a
// centre, so that the distance from it tells how foreign a sample is. Of a classifier it takes all but the last layer. It
// is free of biases, which could map everything onto the centre: they are 0 and stay so.
//
//     minimise  mean ||phi(x) - c||^2 / l     c: mean of phi over the first samples before training
//                                             l: mean of ||phi||^2 there, so that a learning rate means the same everywhere

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduceOver, reduction, type SweepOptions } from '../reduce.ts';
import { networkOf } from '../train/network.ts';
import type { Objective } from '../train/objective.ts';
import type { Split } from '../types.ts';
import { type Head, headOf, withHead } from './head.ts';

/** A network of this kind with its centre, [features], and the length l, a scalar. */
export interface OneClass extends Variables {
  readonly centre: lt.Tensor;
  readonly length: lt.Tensor;
}

/** The classifier without its last layer, free of biases: its output are features [N, features]. */
export function encoderOf(
  name: string,
  model: Model,
  inputShape: readonly number[],
): { readonly encoder: Model; readonly classes: number } {
  const sizes = lt.scope(() => {
    const { params } = model.init(lt.random.key(0), inputShape);
    return headOf(name, model, params).weight.shape.slice();
  });
  const [features, classes] = sizes;
  const encoder: Model = {
    ...model,
    init(key, shape) {
      const { params, state } = model.init(key, shape);
      const headless = withHead(model, params, {} as Head);
      return { params: biases(headless, (bias) => lt.zeros(bias.shape)), state };
    },
    apply({ params, state }, x, options) {
      const head = { weight: lt.eye(features).astype(x.dtype), bias: lt.zeros([features]).astype(x.dtype) };
      const fixed = biases(params, lt.stopGradient);
      return model.apply({ params: withHead(model, fixed, head), state }, x, options);
    },
  };
  return { encoder, classes };
}

/** The parameters with others in place of those named `bias`. */
function biases(params: Variables['params'], map: (bias: lt.Tensor) => lt.Tensor): Variables['params'] {
  const { def } = lt.tree.flatten(params);
  const leaves = lt.tree.entries<lt.Tensor>(params);
  return lt.tree.unflatten(
    def,
    leaves.map(([path, leaf]) => (/(^|\.)bias$/.test(path) ? map(leaf) : leaf)),
  ) as Variables['params'];
}

/** Gives fresh variables their centre and length, from the samples of a set. The variables become part of it. */
export async function centred(
  encoder: Model,
  variables: Variables,
  set: Split,
  how: SweepOptions,
): Promise<OneClass> {
  const network = networkOf(encoder);
  const { sum, squares } = await reduceOver(
    set,
    ({ images }) => {
      const { output } = network(variables, images);
      return { sum: output.sum(0), squares: output.square().sum() };
    },
    { name: 'centre', ...how },
  );
  const { centre, length } = lt.scope(() => ({
    centre: sum.div(set.size),
    // Not 0, should all features be.
    length: squares.div(set.size).maximum(1e-12),
  }));
  sum.dispose();
  squares.dispose();
  return { ...variables, centre, length };
}

/** Mean squared distance from the centre, over the length, of the one set that a pass draws from. */
export const nearness =
  ({ centre, length }: OneClass): Objective =>
  (variables, batches, { network }) => {
    const [{ images }] = Object.values(batches);
    const { output, state } = network(variables, images);
    return { loss: distances(output, centre).mean().div(length), state };
  };

const distances = (features: lt.Tensor, centre: lt.Tensor) => features.sub(centre).square().sum(1);

/** Squared distances from the centre, of each sample of a set. Compiled once, for all networks of an encoder. */
export function distance(encoder: Model) {
  const network = networkOf(encoder);
  const { rows, dispose } = reduction(
    ({ images }, variables: Variables, centre: lt.Tensor) =>
      distances(network(variables, images).output, centre),
    { name: 'distance' },
  );
  return {
    async of({ params, state, centre }: OneClass, set: Split, how: SweepOptions) {
      const { data } = await rows(set, [{ params, state }, centre], how);
      return data;
    },
    dispose,
  };
}

/** Squared distances of a class's samples from its centre, after training. */
export interface Spread {
  readonly mean: number;
  readonly quantile: number;
}

/** @param share which quantile, 0 to 1. */
export function spreadOf(distances: ArrayLike<number>, share: number): Spread & Record<string, number> {
  const sorted = Array.from(distances).sort((a, b) => a - b);
  const mean = sorted.reduce((a, b) => a + b) / sorted.length;
  const quantile = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  // Not 0, should all samples be alike.
  return { mean: Math.max(mean, 1e-12), quantile: Math.max(quantile, 1e-12) };
}

/** How foreign a sample is to a class, from its squared distance, so that classes can be compared. */
export const scoreOf =
  (calibrate: 'density' | 'quantile', { mean, quantile }: Spread) =>
  (distance: number): number =>
    calibrate === 'density' ? distance / mean + Math.log(mean) : distance / quantile;
