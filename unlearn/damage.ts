// Networks with damaged weights: rounded to few bits, or pruned. A metric that calls forgotten what comes back, or is gone,
// after so small a change measured the surface; how a metric stands it is part of comparing metrics. The choice of damages
// follows the meta-evaluation of OpenUnlearning (which rounds to 4-bit NF4); the grid here is even and ours.

import { check } from '../engine/error.ts';
import type { Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { pruned } from './methods/prune.ts';
import { aliasesOf, disposeTree } from './train/feed.ts';

/**
 * Weights rounded to whole numbers of `bits` bits, by tensor and symmetric: with step = max|w| / (2^(bits - 1) - 1), each
 * weight becomes step times the nearest whole number, halves upwards. Only tensors of two axes or more; biases and batch normalisation stay.
 * The result is the caller's to dispose.
 * @param bits 2 to 16.
 * @throws LetheError 'value' for other bits.
 */
export function quantised({ params, state }: Variables, bits: number): Variables {
  check(
    Number.isInteger(bits) && bits >= 2 && bits <= 16,
    'value',
    () => `quantised: expected 2 to 16 bits, got ${bits}`,
  );
  const levels = 2 ** (bits - 1) - 1;
  const rounded = (weight: lt.Tensor): lt.Tensor => {
    if (weight.ndim < 2) return weight.reshape(weight.shape);
    // A tensor of zeros has no step.
    const step = weight.abs().max().div(levels).maximum(1e-37);
    return weight.div(step).add(0.5).floor().mul(step);
  };
  return { params: lt.scope(() => lt.tree.map(rounded, params)), state: aliasesOf(state) };
}

/**
 * The smallest weights by absolute value, of all tensors of two axes or more together, set to 0: floor(share P) of P. The
 * result is the caller's to dispose.
 * @param share 0 to 1.
 * @throws LetheError 'value' for other shares.
 */
export async function withoutSmallest(variables: Variables, share: number): Promise<Variables> {
  check(
    share >= 0 && share <= 1,
    'value',
    () => `withoutSmallest: expected a share from 0 to 1, got ${share}`,
  );
  const found = await pruned(variables, share);
  disposeTree(found.mask);
  return { params: found.variables.params, state: aliasesOf(variables.state) };
}

/** The damages that metrics are tried with, by name. Each result is the caller's to dispose. */
export const damages = {
  /** Weights rounded to 8 bits. */
  int8: async (variables: Variables): Promise<Variables> => quantised(variables, 8),
  /** Weights rounded to 4 bits. */
  int4: async (variables: Variables): Promise<Variables> => quantised(variables, 4),
  /** The smallest tenth of the weights set to 0. */
  pruned: (variables: Variables): Promise<Variables> => withoutSmallest(variables, 0.1),
} as const;
