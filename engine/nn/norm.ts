// Normalisation layers. Parameters are { weight, bias } over the normalised axis, starting at 1 and 0; only batch
// normalisation has state.

import { ones, zeros } from '../create.ts';
import { sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import * as ops from '../ops/index.ts';
import { settle } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import { stopGradient } from '../transforms/autodiff.ts';
import { positive } from './layers.ts';
import type { Layer } from './types.ts';

/** Options of normalisation layers. */
export interface NormLayerOptions {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
}
/** Options of batchNorm. */
export interface BatchNormLayerOptions extends NormLayerOptions {
  /** Share of the batch's statistics in the running ones, from 0 to 1. Default 0.1. */
  momentum?: number;
}
type Affine = { weight: Tensor; bias: Tensor };
const affine = (channels: number) => ({ weight: ones([channels]), bias: zeros([channels]) });

/**
 * Ioffe and Szegedy 2015, over all axes but the last. Params { weight, bias }, state { mean, variance }, all [C].
 *
 * In training mode it normalises with the batch's mean and biased variance and moves the running statistics,
 * new = (1 - momentum) * old + momentum * batch, where the batch's variance is the unbiased one (PyTorch's convention).
 * Otherwise, and with `frozenStatistics`, it uses the running statistics and returns them unchanged.
 *
 * @throws 'shape' in training mode with a single value per channel, which has no variance.
 */
export function batchNorm(options?: BatchNormLayerOptions): Layer {
  const { momentum, epsilon } = settle('batchNorm', options, { momentum: 0.1, epsilon: 1e-5 });
  return {
    name: 'batchNorm',
    init: (_, shape) => {
      const channels = shape[shape.length - 1];
      return {
        params: affine(channels),
        state: { mean: zeros([channels]), variance: ones([channels]) },
      };
    },
    apply: ({ params, state }, x, { train = false, frozenStatistics = false } = {}) => {
      const { weight: scale, bias: shift } = params as Affine;
      const old = state as { mean: Tensor; variance: Tensor };
      if (!train || frozenStatistics)
        return { output: ops.batchNorm(x, { scale, shift, epsilon, ...old }).output, state };
      const n = sizeOf(x.shape.slice(0, -1));
      check(
        n > 1,
        'shape',
        () =>
          `batchNorm: training mode needs more than one value a channel, got [${x.shape.join(', ')}]; use { frozenStatistics: true } for single samples`,
      );
      const { output, mean, variance } = ops.batchNorm(x, { scale, shift, epsilon });
      const move = (from: Tensor, to: Tensor, factor: number): Tensor =>
        from.mul(1 - momentum).add((stopGradient(to) as Tensor).mul(momentum * factor));
      return {
        output,
        state: { mean: move(old.mean, mean, 1), variance: move(old.variance, variance, n / (n - 1)) },
      };
    },
  };
}

/**
 * Wu and He 2018: each image over its pixels and each of `groups` groups of channels. Params { weight, bias }, both
 * [C].
 * @throws 'value' unless groups is a positive integer; apply throws 'shape' where it does not divide C.
 */
export function groupNorm(groups: number, options?: NormLayerOptions): Layer {
  positive('groupNorm', 'groups', groups);
  const { epsilon } = settle('groupNorm', options, { epsilon: 1e-5 });
  return {
    name: 'groupNorm',
    init: (_, shape) => ({ params: affine(shape[shape.length - 1]), state: {} }),
    apply: ({ params, state }, x) => {
      const { weight: scale, bias: shift } = params as Affine;
      return { output: ops.groupNorm(x, groups, { scale, shift, epsilon }), state };
    },
  };
}

/** Ba et al. 2016: over the last axis. Params { weight, bias }, both [C]. */
export function layerNorm(options?: NormLayerOptions): Layer {
  const { epsilon } = settle('layerNorm', options, { epsilon: 1e-5 });
  return {
    name: 'layerNorm',
    init: (_, shape) => ({ params: affine(shape[shape.length - 1]), state: {} }),
    apply: ({ params, state }, x) => {
      const { weight: scale, bias: shift } = params as Affine;
      return { output: ops.layerNorm(x, { scale, shift, epsilon }), state };
    },
  };
}
