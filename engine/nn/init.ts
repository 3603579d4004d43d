/**
 * Initialisers: functions (key, shape) -> tensor for weights of dense layers [in, out] and convolutions
 * [kh, kw, in / groups, out], from whose shape the fans are read. The defaults of the layers are PyTorch's.
 *
 * @module
 */

import { full } from '../create.ts';
import type { Shape } from '../dtype.ts';
import { sizeOf } from '../dtype.ts';
import { settle } from '../options.ts';
import { normal as normalNumbers, uniform as uniformNumbers } from '../random.ts';
import type { Tensor } from '../tensor.ts';

/** Makes a weight of a shape, of the device's float type, from a random key. */
export type Initialiser = (key: Tensor, shape: Shape) => Tensor;
/** Options of kaimingUniform and kaimingNormal. */
export interface KaimingOptions {
  /** Slope of the leaky ReLU that follows. Default sqrt(5) for kaimingUniform, 0 for kaimingNormal. */
  a?: number;
  /** Default 'fanIn', which keeps the size of activations; 'fanOut' keeps that of gradients. */
  mode?: 'fanIn' | 'fanOut';
}

/** Connections of one unit. */
export interface Fans {
  /** Into it. */
  fanIn: number;
  /** Out of it. */
  fanOut: number;
}
/**
 * Connections into and out of one unit, from the shape of a weight ([in, out] or [kh, kw, in / groups, out]): receptive
 * field times channels.
 */
export function fans(shape: Shape): Fans {
  const receptive = sizeOf(shape.slice(0, -2));
  return { fanIn: receptive * (shape.at(-2) ?? 1), fanOut: receptive * (shape.at(-1) ?? 1) };
}

/** `value` everywhere. */
export const constant =
  (value: number): Initialiser =>
  (_, shape) =>
    full(shape, value);
/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number): Initialiser =>
  (key, shape) =>
    uniformNumbers(key, shape, -bound, bound);
/** Normal with mean 0 and standard deviation `std` (default 1). */
export const normal =
  (std = 1): Initialiser =>
  (key, shape) =>
    normalNumbers(key, shape).mul(std);

/**
 * He et al. 2015, section 2.2: uniform with variance gain^2 / fan, gain^2 = 2 / (1 + a^2), a the slope of a leaky ReLU.
 * With the default a = sqrt(5), which PyTorch gives dense layers and convolutions, this is uniform within 1 /
 * sqrt(fanIn).
 */
export function kaimingUniform(options?: KaimingOptions): Initialiser {
  const { a, mode } = settle('kaimingUniform', options, { a: Math.sqrt(5), mode: 'fanIn' });
  return (key, shape) => uniform(Math.sqrt(6 / ((1 + a * a) * fans(shape)[mode])))(key, shape);
}
/** The normal form of kaimingUniform; by default for ReLU (a = 0). */
export function kaimingNormal(options?: KaimingOptions): Initialiser {
  const { a, mode } = settle('kaimingNormal', options, { a: 0, mode: 'fanIn' });
  return (key, shape) => normal(Math.sqrt(2 / ((1 + a * a) * fans(shape)[mode])))(key, shape);
}

/** Glorot and Bengio 2010, section 4.2.1: uniform with variance gain^2 * 2 / (fanIn + fanOut). Default gain 1. */
export const xavierUniform =
  (gain = 1): Initialiser =>
  (key, shape) => {
    const { fanIn, fanOut } = fans(shape);
    return uniform(gain * Math.sqrt(6 / (fanIn + fanOut)))(key, shape);
  };
/** The normal form of xavierUniform. */
export const xavierNormal =
  (gain = 1): Initialiser =>
  (key, shape) => {
    const { fanIn, fanOut } = fans(shape);
    return normal(gain * Math.sqrt(2 / (fanIn + fanOut)))(key, shape);
  };
