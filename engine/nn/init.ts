// Initialisers: functions (key, shape) -> tensor for weights of dense layers [in, out] and convolutions
// [kh, kw, in / groups, out], from whose shape the fans are read. The defaults of the layers are PyTorch's.

import { full } from '../create.ts';
import type { Shape } from '../dtype.ts';
import { sizeOf } from '../dtype.ts';
import { settle } from '../options.ts';
import { normal as normalNumbers, uniform as uniformNumbers } from '../random.ts';
import type { Tensor } from '../tensor.ts';

export type Initialiser = (key: Tensor, shape: Shape) => Tensor;
export interface KaimingOptions {
  /** Slope of the leaky ReLU that follows. */
  a?: number;
  /** Default 'fanIn', which keeps the size of activations; 'fanOut' that of gradients. */
  mode?: 'fanIn' | 'fanOut';
}

/** Connections into and out of one unit: receptive field times channels. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const receptive = sizeOf(shape.slice(0, -2));
  return { fanIn: receptive * (shape.at(-2) ?? 1), fanOut: receptive * (shape.at(-1) ?? 1) };
}

export const constant =
  (value: number): Initialiser =>
  (_, shape) =>
    full(shape, value);
/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number): Initialiser =>
  (key, shape) =>
    uniformNumbers(key, shape, -bound, bound);
/** Normal with mean 0. */
export const normal =
  (std = 1): Initialiser =>
  (key, shape) =>
    normalNumbers(key, shape).mul(std);

/**
 * He et al. 2015: variance gain^2 / fan with gain^2 = 2 / (1 + a^2), a the slope of a leaky ReLU. With a = sqrt(5), what
 * PyTorch gives dense layers and convolutions, this is uniform within 1 / sqrt(fanIn).
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

/** Glorot and Bengio 2010: variance gain^2 * 2 / (fanIn + fanOut). */
export const xavierUniform =
  (gain = 1): Initialiser =>
  (key, shape) => {
    const { fanIn, fanOut } = fans(shape);
    return uniform(gain * Math.sqrt(6 / (fanIn + fanOut)))(key, shape);
  };
export const xavierNormal =
  (gain = 1): Initialiser =>
  (key, shape) => {
    const { fanIn, fanOut } = fans(shape);
    return normal(gain * Math.sqrt(2 / (fanIn + fanOut)))(key, shape);
  };
