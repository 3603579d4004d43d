// How much noise Fisher forgetting puts on a weight, by the constants of the programs that go by that name. Sources and
// differences: docs/methods/fisher.md.

import * as lt from '../../index.ts';

/** In place of 0 where 1 / F has no clamp of its own. */
const MIN_FISHER = 1e-30;
/** Largest 1 / F, and of the last layer. */
const MAX_VARIANCE = 1e3;
const MAX_HEAD_VARIANCE = 1e2;
/** Variance of the weights that lead to a forgotten class, before it is multiplied like that of the last layer. */
const FORGOTTEN_VARIANCE = 1e-4;
/** Times the variance (of the empirical variant: the deviation) of the last layer and of what has one axis. */
const HEAD_FACTOR = 10;
/** Largest deviation of the empirical variant. */
const MOST_DEVIATION = 1e-3;

interface NoiseOptions {
  readonly alpha: number;
  readonly variance: 'inverse' | 'root';
  readonly variant: 'official' | 'batch' | 'empirical';
}

/**
 * Mean and standard deviation of a parameter's new values.
 * @param f its Fisher information. @param isGone of the last layer, for each class whether it is forgotten; else false.
 */
export function noiseLaw(
  { alpha, variance, variant }: NoiseOptions,
  weight: lt.Tensor,
  f: lt.Tensor,
  isGone: lt.Tensor | false,
): { readonly mean: lt.Tensor; readonly deviation: lt.Tensor } {
  const scaled = (inverse: lt.Tensor) =>
    variance === 'root' ? inverse.mul(alpha).sqrt() : inverse.mul(alpha);
  const more = isGone !== false || f.ndim === 1;
  if (variant === 'empirical') {
    const deviation = scaled(f.maximum(MIN_FISHER).pow(-1)).sqrt().minimum(MOST_DEVIATION);
    return { mean: weight, deviation: isGone && f.ndim === 1 ? deviation.mul(HEAD_FACTOR) : deviation };
  }
  const own = scaled(
    f
      .add(1e-8)
      .pow(-1)
      .minimum(isGone ? MAX_HEAD_VARIANCE : MAX_VARIANCE),
  );
  // The axis before the last: input channels of [in, out] and [height, width, in, out].
  const even = f.ndim > 1 ? lt.broadcastTo(own.mean(f.ndim - 2, true), f.shape) : own;
  const spread = isGone ? lt.where(isGone, FORGOTTEN_VARIANCE, even) : even;
  return {
    mean: isGone ? lt.where(isGone, 0, weight) : weight,
    deviation: (more ? spread.mul(HEAD_FACTOR) : spread).sqrt(),
  };
}
