// Softmax, normalisation layers' arithmetic and losses.

import { isFloat, showAval, showShape, sizeOf } from '../dtype.ts';
import { check, describe } from '../error.ts';
import { settle } from '../options.ts';
import * as prim from '../primitives/apply.ts';
import { sameShape } from '../primitives/rules.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { stopGradient } from '../transforms/autodiff.ts';
import { binary, inFloat32, normaliseAxis, restoreAxes, type TensorLike } from './common.ts';
import { add, mul, square, sub } from './elementwise.ts';
import { mean, sum } from './reduce.ts';

/**
 * exp(x) / sum(exp(x)) along `axis` (default the last), as a float, without overflow: the elements of each row sum to
 * 1. A row of -Infinity alone gives NaN.
 */
export function softmax(of: Tensor, axis = -1): Tensor {
  expectTensors('softmax', of);
  return inFloat32((x) => softmaxOf(x, axis))(of);
}
function softmaxOf(x: Tensor, axis: number): Tensor {
  const axes = [normaliseAxis('softmax', axis, x.ndim)];
  const top = stopGradient(prim.max(x, axes)) as Tensor;
  const ex = prim.exp(prim.sub(x, prim.spread(top, x.shape, axes)));
  // One division for each row: elements, and their gradients, are only multiplied.
  const total = prim.sum(ex, axes);
  const share = prim.div(prim.full(total.shape, 1, total.dtype), total);
  return prim.mul(ex, prim.spread(share, x.shape, axes));
}
/** log(softmax(x)) along `axis` (default the last), as a float, without overflow or underflow. */
export function logSoftmax(of: Tensor, axis = -1): Tensor {
  expectTensors('logSoftmax', of);
  return inFloat32((x) => logSoftmaxOf(x, axis))(of);
}
function logSoftmaxOf(x: Tensor, axis: number): Tensor {
  const axes = [normaliseAxis('logSoftmax', axis, x.ndim)];
  const centred = prim.sub(x, prim.spread(stopGradient(prim.max(x, axes)) as Tensor, x.shape, axes));
  return prim.sub(centred, prim.spread(prim.log(prim.sum(prim.exp(centred), axes)), x.shape, axes));
}

/** Options of normalisations. */
export interface NormOptions {
  /** Factor after normalising: [C], or what broadcasts to x. Default: none. */
  scale?: Tensor;
  /** Added after scaling: [C], or what broadcasts to x. Default: nothing. */
  shift?: Tensor;
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
}
const NORM_DEFAULTS = { scale: undefined, shift: undefined, epsilon: 1e-5 };
/**
 * (x - mean) / sqrt(variance + epsilon) * scale + shift, with one factor a channel where statistics are of channels. The
 * statistics of float16 are float32, and so is all arithmetic with them; the result is rounded once.
 */
function normaliseWith(
  x: Tensor,
  mean: Tensor,
  varianceT: Tensor,
  { scale, shift, epsilon }: NormOptions & { epsilon: number },
): Tensor {
  const inverse = prim.rsqrt(add(varianceT, epsilon));
  const centred = sub(x, mean);
  const folds = scale !== undefined && scale.size === inverse.size;
  const y = mul(centred, folds ? mul(inverse, scale) : inverse);
  const scaled = scale && !folds ? mul(y, scale) : y;
  const shifted = shift ? add(scaled, shift) : scaled;
  return x.dtype === 'float16' ? prim.convert(shifted, 'float16') : shifted;
}
/** Options of layerNorm. */
export interface LayerNormOptions extends NormOptions {
  /** How many of the last axes to normalise over, from 1 to the rank of x. Default 1. */
  axes?: number;
}
/**
 * (x - mean) / sqrt(variance + epsilon) * scale + shift, with the mean and biased variance of each sample over the last
 * axis, or the last `axes` axes (Ba et al. 2016, section 3). Scale and shift have the normalised shape. x is a float;
 * statistics of float16 are float32.
 * @throws 'dtype' for other types, 'value' for other axes.
 */
export function layerNorm(x: Tensor, options?: LayerNormOptions): Tensor {
  expectTensors('layerNorm', x);
  const { axes, ...norm } = settle('layerNorm', options, { ...NORM_DEFAULTS, axes: 1 });
  check(
    Number.isInteger(axes) && axes >= 1 && axes <= x.ndim,
    'value',
    () =>
      `layerNorm: axes is ${describe(axes)}, expected a whole number from 1 to ${x.ndim} for ${showAval(x)}`,
  );
  const over = x.shape.map((_, i) => i).slice(-axes);
  const [mu, v] = prim.moments(x, over).map((y) => restoreAxes(y, x, over, true));
  return normaliseWith(x, mu, v, norm);
}
/**
 * Normalises x [N, ..., C] with the mean and biased variance of each image over its pixels and each of `groups` groups
 * of C / groups channels (Wu and He 2018, section 3). x is a float; statistics of float16 are float32.
 * @throws 'shape' where groups do not divide the channels, 'dtype' for other types.
 */
export function groupNorm(x: Tensor, groups: number, options?: NormOptions): Tensor {
  expectTensors('groupNorm', x);
  const { scale, shift, epsilon } = settle('groupNorm', options, NORM_DEFAULTS);
  const ch = x.shape.at(-1) as number;
  check(
    typeof groups === 'number' && ch % groups === 0,
    'shape',
    () => `groupNorm: groups is ${describe(groups)}, expected a divisor of the ${ch} channels`,
  );
  const pixels = sizeOf(x.shape.slice(1, -1));
  const parts = prim.reshape(x, [x.shape[0], pixels, groups, ch / groups]);
  const [mu, v] = prim.moments(parts, [1, 3]).map((s) => prim.reshape(s, [x.shape[0], 1, groups, 1]));
  // What is the same for all pixels of an image is gathered in one factor and one offset a channel: all that gradients need of the pixels
  // is two sums for each. The centre is a number, not a function of x: the result does not depend on it, only its rounding does.
  const isOfChannels = (t: Tensor | undefined) => !t || (t.size === ch && t.shape.at(-1) === ch);
  const gathers = isOfChannels(scale) && isOfChannels(shift);
  const byChannel = (t: Tensor) => prim.reshape(t, [1, 1, groups, ch / groups]);
  const inverse = prim.rsqrt(add(v, epsilon));
  const factor = scale && gathers ? mul(inverse, byChannel(scale)) : inverse;
  const centre = stopGradient(mu) as Tensor;
  const moved = mul(sub(centre, mu), factor);
  const offset = shift && gathers ? add(moved, byChannel(shift)) : moved;
  const y = add(mul(sub(parts, centre), factor), offset);
  const whole = prim.reshape(x.dtype === 'float16' ? prim.convert(y, 'float16') : y, x.shape);
  if (gathers) return whole;
  const scaled = scale ? mul(whole, scale) : whole;
  return shift ? add(scaled, shift) : scaled;
}
/** Options of batchNorm. */
export interface BatchNormOptions extends NormOptions {
  /** Used instead of the batch's mean, [C]; given together with `variance`. */
  mean?: Tensor;
  /** Used instead of the batch's variance, [C]; given together with `mean`. */
  variance?: Tensor;
}
/** What batchNorm gives. */
export interface BatchNormResult {
  /** The normalised values, in the shape and type of x. */
  output: Tensor;
  /** The mean that was used, [C]. */
  mean: Tensor;
  /** The variance that was used, [C]; of the batch it is the biased one. */
  variance: Tensor;
}
/**
 * (x - mean) / sqrt(variance + epsilon) * scale + shift for each channel of x [..., C] (Ioffe and Szegedy 2015,
 * algorithm 1), with the batch's mean and biased variance over all axes but the last; or, with `mean` and `variance`
 * given, with these (inference). x is a float; statistics of float16 are float32. nn.batchNorm keeps running
 * statistics.
 * @throws 'dtype' for other types, 'value' where one of mean and variance is given alone.
 */
export function batchNorm(x: Tensor, options?: BatchNormOptions): BatchNormResult {
  expectTensors('batchNorm', x);
  const {
    mean: givenMean,
    variance: givenVariance,
    ...norm
  } = settle('batchNorm', options, { ...NORM_DEFAULTS, mean: undefined, variance: undefined });
  check(
    (givenMean === undefined) === (givenVariance === undefined),
    'value',
    () =>
      `batchNorm: ${givenMean ? 'mean' : 'variance'} was given alone, expected mean and variance, or neither`,
  );
  const axes = x.shape.map((_, i) => i).slice(0, -1);
  const [mu, v] = givenMean && givenVariance ? [givenMean, givenVariance] : prim.moments(x, axes);
  return { output: normaliseWith(x, mu, v, norm), mean: mu, variance: v };
}
/** Options of losses. */
export interface LossOptions {
  /** 'mean' or 'sum' over all samples (of mse: all elements), or 'none': one loss for each. Default 'mean'. */
  reduction?: 'mean' | 'sum' | 'none';
}
const REDUCTIONS = { none: (loss: Tensor) => loss, sum, mean };
function reduceLoss(name: string, loss: Tensor, options: LossOptions | undefined): Tensor {
  const { reduction } = settle(name, options, { reduction: 'mean' });
  check(
    Object.hasOwn(REDUCTIONS, reduction),
    'value',
    () => `${name}: reduction is ${describe(reduction)}, expected ${Object.keys(REDUCTIONS).join(', ')}`,
  );
  return REDUCTIONS[reduction](loss);
}
/**
 * Cross-entropy of logits [..., K], in nats: -log(softmax(logits)[label]) for integer labels [...] below K, or -sum(p *
 * log(softmax(logits))) for distributions p [..., K] of a float type. The result is a scalar, or [...] with reduction
 * 'none'. A label out of range gives NaN.
 * @throws 'shape' where labels do not fit the logits.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options?: LossOptions): Tensor {
  expectTensors('crossEntropy', logits, labels);
  const logp = logSoftmax(logits);
  if (isFloat(labels.dtype)) {
    check(
      sameShape(labels.shape, logits.shape),
      'shape',
      () =>
        `crossEntropy: distributions ${showAval(labels)} must have the shape of the logits ${showAval(logits)}`,
    );
    const each = prim.neg(prim.sum(prim.mul(logp, prim.convert(labels, logits.dtype)), [logits.ndim - 1]));
    return reduceLoss('crossEntropy', each, options);
  }
  check(
    sameShape(labels.shape, logits.shape.slice(0, -1)),
    'shape',
    () =>
      `crossEntropy: labels ${showAval(labels)} must have shape ${showShape(logits.shape.slice(0, -1))} for logits ${showAval(logits)}`,
  );
  const picked = prim.gatherAlong(
    logp,
    prim.reshape(prim.convert(labels, 'int32'), [...labels.shape, 1]),
    logits.ndim - 1,
  );
  return reduceLoss('crossEntropy', prim.neg(prim.reshape(picked, labels.shape)), options);
}
const difference = binary('mse', prim.sub);
/**
 * Mean squared error (prediction - target)^2, broadcast; averaged over all elements unless `reduction` says otherwise.
 */
export const mse = (prediction: Tensor, target: TensorLike, options?: LossOptions): Tensor =>
  reduceLoss('mse', square(difference(prediction, target)), options);
