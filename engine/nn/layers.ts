// The layers that hold weights or reshape images; normalisation layers are in norm.ts, combinations in compose.ts. A
// layer learns its input size in `init` and reads everything else from its weights in `apply`.

import { tensor } from '../create.ts';
import { isFloat, type Shape, showShape, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import { CONV_DEFAULTS, pair } from '../ops/common.ts';
import * as ops from '../ops/index.ts';
import { settle } from '../options.ts';
import { bernoulli, split } from '../random.ts';
import { floatType } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import { fans, type Initialiser, kaimingUniform, normal, uniform } from './init.ts';
import type { Layer } from './types.ts';

/** A layer without variables: f itself. `name` is for error messages. */
export const stateless = (name: string, f: (x: Tensor) => Tensor): Layer => ({
  name,
  init: () => ({ params: {}, state: {} }),
  apply: ({ state }, x) => ({ output: f(x), state }),
});

export const positive = (layer: string, what: string, value: number): void =>
  check(
    Number.isInteger(value) && value > 0,
    'value',
    () => `${layer}: ${what} must be a positive integer, got ${value}`,
  );

/** Options of layers with weights. */
export interface WeightOptions {
  /** Add a bias. Default true. */
  bias?: boolean;
  /** Default kaimingUniform({ a: sqrt(5) }), as in PyTorch. */
  weightInit?: Initialiser;
  /** Default uniform within 1 / sqrt(fanIn), as in PyTorch. */
  biasInit?: Initialiser;
}
const LAYER_DEFAULTS = { bias: true, weightInit: kaimingUniform(), biasInit: undefined };
function weights(
  key: Tensor,
  shape: Shape,
  { bias, weightInit, biasInit }: WeightOptions & { weightInit: Initialiser },
): Record<string, Tensor> {
  const [k1, k2] = split(key, 2);
  const weight = weightInit(k1, shape);
  if (!bias) return { weight };
  return {
    weight,
    bias: (biasInit ?? uniform(1 / Math.sqrt(fans(shape).fanIn)))(k2, [shape[shape.length - 1]]),
  };
}
type Weights = { weight: Tensor; bias?: Tensor };

/**
 * x [..., in] -> [..., features]: x weight + bias, with weight [in, features] and bias [features].
 * @throws 'value' unless features is a positive integer; init throws 'shape' for inputs of fewer than two axes.
 */
export function dense(features: number, options?: WeightOptions): Layer {
  positive('dense', 'features', features);
  const own = settle('dense', options, LAYER_DEFAULTS);
  return {
    name: 'dense',
    init: (key, shape) => {
      check(
        shape.length >= 2,
        'shape',
        () => `dense: needs inputs [N, ..., features], got ${showShape(shape)}`,
      );
      return { params: weights(key, [shape[shape.length - 1], features], own), state: {} };
    },
    apply: ({ params, state }, x) => {
      const { weight, bias } = params as Weights;
      const y = ops.matmul(x, weight);
      return { output: bias ? y.add(bias) : y, state };
    },
  };
}

/** Options of conv2d: those of the operation, of the weights, and the size of the kernel. */
export interface ConvLayerOptions extends ops.ConvOptions, WeightOptions {
  /** Of the kernel: a number or [height, width]. Default 3. */
  size?: number | readonly [number, number];
}
/**
 * x [N, H, W, C] -> [N, OH, OW, filters], with weight [kh, kw, C / groups, filters] and bias [filters]; see the
 * operation conv2d. Padding is 'valid' unless said otherwise.
 * @throws 'value' unless filters is a positive integer; init throws 'shape' for other inputs and 'value' where groups
 * do not divide.
 */
export function conv2d(filters: number, options?: ConvLayerOptions): Layer {
  positive('conv2d', 'filters', filters);
  const { size, stride, padding, dilation, groups, ...own } = settle('conv2d', options, {
    ...LAYER_DEFAULTS,
    ...CONV_DEFAULTS,
    size: 3,
  });
  return {
    name: 'conv2d',
    init: (key, shape) => {
      check(shape.length === 4, 'shape', () => `conv2d: needs images [N, H, W, C], got ${showShape(shape)}`);
      check(
        shape[3] % groups === 0 && filters % groups === 0,
        'value',
        () => `conv2d: ${shape[3]} channels and ${filters} filters do not divide into ${groups} groups`,
      );
      return {
        params: weights(key, [...pair('conv2d', 'size', size), shape[3] / groups, filters], own),
        state: {},
      };
    },
    apply: ({ params, state }, x) => {
      const { weight, bias } = params as Weights;
      const y = ops.conv2d(x, weight, { stride, padding, dilation, groups });
      return { output: bias ? y.add(bias) : y, state };
    },
  };
}

/**
 * Whole numbers [...] (any type) from 0 to count - 1 -> [..., features]: rows of weight [count, features], standard
 * normal as in PyTorch. A number out of range gives NaN.
 * @throws 'value' unless both sizes are positive integers.
 */
export function embedding(
  count: number,
  features: number,
  options?: Pick<WeightOptions, 'weightInit'>,
): Layer {
  const { weightInit } = settle('embedding', options, { weightInit: normal() });
  positive('embedding', 'count', count);
  positive('embedding', 'features', features);
  return {
    name: 'embedding',
    init: (key) => ({ params: { weight: weightInit(key, [count, features]) }, state: {} }),
    apply: ({ params, state }, x) => ({
      output: ops.take((params as Weights).weight, x.astype('int32'), 0),
      state,
    }),
  };
}

/**
 * In training mode, zeroes each element with probability `rate` (0 <= rate < 1) and divides the others by 1 - rate
 * (Srivastava et al. 2014). Needs `key` then. Under vmap with one key, all samples share the pattern: map over keys to
 * avoid it.
 * @throws 'value' for other rates, and in training mode without a key.
 */
export function dropout(rate: number): Layer {
  check(
    rate >= 0 && rate < 1,
    'value',
    () => `dropout: the rate must be at least 0 and below 1, got ${rate}`,
  );
  return {
    name: 'dropout',
    random: true,
    init: () => ({ params: {}, state: {} }),
    apply: ({ state }, x, { train = false, key } = {}) => {
      if (!train || rate === 0) return { output: x, state };
      check(key !== undefined, 'value', () => 'dropout: training mode needs { key }, a random key');
      const kept = bernoulli(key, 1 - rate, x.shape);
      return { output: ops.where(kept, x.mul(1 / (1 - rate)), 0), state };
    },
  };
}

/** Largest element of each window of [N, H, W, C]; see maxPool2d. */
export const maxPool = (options: ops.PoolOptions): Layer =>
  stateless('maxPool', (x) => ops.maxPool2d(x, options));
/** Mean of each window of [N, H, W, C] over the elements inside the image; see avgPool2d. */
export const avgPool = (options: ops.PoolOptions): Layer =>
  stateless('avgPool', (x) => ops.avgPool2d(x, options));
/** Mean over all pixels: [N, H, W, C] -> [N, C]. */
export const globalAvgPool = (): Layer => stateless('globalAvgPool', ops.globalAvgPool);
/** [N, ...] -> [N, all the rest], in row-major order: for images, the channel varies fastest. */
export const flatten = (): Layer =>
  stateless('flatten', (x) => x.reshape([x.shape[0], sizeOf(x.shape.slice(1))]));

/** max(x, 0). */
export const relu = (): Layer => stateless('relu', ops.relu);
/** x * Phi(x), with the exact normal distribution function (Hendrycks and Gimpel 2016). */
export const gelu = (): Layer => stateless('gelu', ops.gelu);
/** x * sigmoid(x). */
export const silu = (): Layer => stateless('silu', ops.silu);
/** Hyperbolic tangent. */
export const tanh = (): Layer => stateless('tanh', ops.tanh);
/** 1 / (1 + exp(-x)). */
export const sigmoid = (): Layer => stateless('sigmoid', ops.sigmoid);
/** log(1 + exp(x)). */
export const softplus = (): Layer => stateless('softplus', ops.softplus);

/** Statistics of images, as data sets publish them. */
export interface Normalisation {
  /** One number, or one for each channel (the last axis). */
  mean: number | readonly number[];
  /** Positive; one number, or one for each channel. */
  std: number | readonly number[];
}
/**
 * (x - mean) / std with constants: input normalisation as part of the model, so that attacks and data stay in [0, 1].
 * Integers become floats.
 * @throws 'value' for statistics out of range; init throws 'shape' for another number of channels.
 */
export function normalise({ mean, std }: Normalisation): Layer {
  const numbers = (v: number | readonly number[]): readonly number[] => (typeof v === 'number' ? [v] : v);
  const [means, stds] = [numbers(mean), numbers(std)];
  check(
    means.every(Number.isFinite) && stds.every((s) => Number.isFinite(s) && s > 0),
    'value',
    () =>
      `normalise: mean must be finite and std positive, got [${means.join(', ')}] and [${stds.join(', ')}]`,
  );
  const constant = (v: readonly number[], x: Tensor): Tensor | number =>
    v.every((n) => n === v[0]) ? v[0] : tensor([...v], { dtype: x.dtype });
  return {
    ...stateless('normalise', (input) => {
      const x = isFloat(input.dtype) ? input : input.astype(floatType());
      return x.sub(constant(means, x)).div(constant(stds, x));
    }),
    init: (_, shape) => {
      for (const v of [means, stds])
        check(
          v.length === 1 || v.length === shape[shape.length - 1],
          'shape',
          () => `normalise: ${v.length} channels of statistics for images ${showShape(shape)}`,
        );
      return { params: {}, state: {} };
    },
  };
}
