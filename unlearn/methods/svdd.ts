// Deep SVDD (Ruff et al., "Deep One-Class Classification", ICML 2018): a network that maps the samples of one class near a
// centre, so that the distance from it tells how foreign a sample is. Of a classifier it takes all but the last layer. It
// is free of biases, which could map everything onto the centre: they are 0 and stay so.
//
//     minimise  mean ||phi(x) - c||^2 / l     c: mean of phi over the first samples before training
//                                             l: mean of ||phi||^2 there, so that a learning rate means the same everywhere
//
// Batch normalisation keeps its first statistics, mean 0 and variance 1: centre, training and distances then see the same
// features, and all classes begin in the same space. With statistics of batches the centre lay where no features were.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduceOver, reduction, type SweepOptions } from '../reduce.ts';
import { networkOf } from '../train/network.ts';
import type { Split } from '../types.ts';
import { type Head, withHead } from './head.ts';
import type { OneClass } from './oneClass.ts';

/** A network of this kind with its centre, [features], and the length l, a scalar. */
interface Centred extends Variables {
  readonly centre: lt.Tensor;
  readonly length: lt.Tensor;
}

/** The classifier without its last layer, free of biases: its output are features [N, features]. */
function encoderOf(model: Model, features: number): Model {
  return {
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

/** What the distances of a class are compared by: its own, after training. */
export interface Calibration {
  /** `density`: the negative logarithm of a Gaussian density, for each dimension; `quantile`: the distance over a quantile. */
  readonly calibrate: 'density' | 'quantile';
  /** Which quantile, 0 to 1. */
  readonly quantile: number;
}

/** @param features of the model's last layer. */
export function svdd(
  model: Model,
  features: number,
  { calibrate, quantile }: Calibration,
  sweep: SweepOptions,
): OneClass {
  const network = encoderOf(model, features);
  const evaluate = networkOf(network);
  const distances = reduction(
    ({ images }, variables: Variables, centre: lt.Tensor) =>
      squaredDistance(evaluate(variables, images).output, centre),
    { name: 'distance' },
  );
  const distancesOf = async ({ params, state, centre }: Centred, set: Split, how: SweepOptions) =>
    (await distances.rows(set, [{ params, state }, centre], how)).data;
  return {
    network,
    views: 1,
    batchNorm: 'frozen',
    begin: async (fresh, set) => ({
      state: { ...fresh, ...(await centreOf(network, fresh, set, sweep)) },
      took: looked(set),
    }),
    objective: (state) => (variables, batches, context) => {
      const { centre, length } = state as Centred;
      const [{ images }] = Object.values(batches);
      const { output, state: next } = context.network(variables, images);
      return { loss: squaredDistance(output, centre).mean().div(length), state: next };
    },
    finish: async (state, set) => ({
      facts: spreadOf(await distancesOf(state as Centred, set, sweep), quantile),
      took: looked(set),
    }),
    async foreignness(state, facts, set, how) {
      const score = scoreOf(calibrate, facts as unknown as Spread);
      return Float64Array.from(await distancesOf(state as Centred, set, how), score);
    },
    dispose: distances.dispose,
  };
}

/** What it takes to look at a set once. */
const looked = ({ size }: Split) => ({ gradientSteps: 0, samplesVisited: size });

/** Centre and length of fresh variables, from the samples of a set. */
async function centreOf(network: Model, variables: Variables, set: Split, how: SweepOptions) {
  const evaluate = networkOf(network);
  const { sum, squares } = await reduceOver(
    set,
    ({ images }) => {
      const { output } = evaluate(variables, images);
      return { sum: output.sum(0), squares: output.square().sum() };
    },
    { name: 'centre', ...how },
  );
  const found = lt.scope(() => ({
    centre: sum.div(set.size),
    // Not 0, should all features be.
    length: squares.div(set.size).maximum(1e-12),
  }));
  sum.dispose();
  squares.dispose();
  return found;
}

const squaredDistance = (features: lt.Tensor, centre: lt.Tensor) => features.sub(centre).square().sum(1);

/** Squared distances of a class's samples from its centre, after training. */
interface Spread {
  readonly mean: number;
  readonly quantile: number;
}

/** @param share which quantile, 0 to 1. */
function spreadOf(distances: ArrayLike<number>, share: number): Spread & Record<string, number> {
  const sorted = Array.from(distances).sort((a, b) => a - b);
  const mean = sorted.reduce((a, b) => a + b) / sorted.length;
  const quantile = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  // Not 0, should all samples be alike.
  return { mean: Math.max(mean, 1e-12), quantile: Math.max(quantile, 1e-12) };
}

/** How foreign a sample is to a class, from its squared distance, so that classes can be compared. */
const scoreOf =
  (calibrate: Calibration['calibrate'], { mean, quantile }: Spread) =>
  (distance: number): number =>
    calibrate === 'density' ? distance / mean + Math.log(mean) : distance / quantile;
