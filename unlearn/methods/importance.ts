// How much a network's answers depend on each weight (memory aware synapses: Aljundi et al., "Memory Aware Synapses: Learning
// What (not) to Forget", ECCV 2018), as L2UL uses it: the less a weight matters to the samples, the more it is held in place.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type ReductionOptions, reduction } from '../reduce.ts';
import { disposeTree } from '../train/feed.ts';
import { networkOf } from '../train/network.ts';
import type { Vector } from '../train/vectors.ts';
import type { UnlearnInput } from '../types.ts';

type Params = Variables['params'];

/**
 * 1 - Omega for each parameter of the original, in [0, 1]; the caller's to dispose. Omega is the mean over the forget set of
 * the absolute gradient of ||f(x)||_2, f being the logits in evaluation mode, shifted and scaled to [0, 1] in each tensor
 * (0 where all of a tensor are equal). Gradients of so many samples are averaged before their size is taken: of 1 by
 * definition, which is a pass for each sample.
 */
export async function stiffness(
  { model, variables, forget, signal }: Pick<UnlearnInput, 'model' | 'variables' | 'forget' | 'signal'>,
  batchSize: number,
): Promise<Vector> {
  const { params, state } = variables;
  const network = networkOf(model);
  const options: ReductionOptions = { name: 'importance' };
  const sizes = reduction(({ images }, p: Params) => {
    const norms = (at: Params): lt.Tensor =>
      network({ params: at, state }, images).output.square().sum(1).maximum(1e-30).sqrt().sum();
    return lt.tree.map((g: lt.Tensor) => g.abs(), lt.grad(norms)(p)) as Vector;
  }, options);
  let sum: Vector | null = null;
  try {
    sum = await sizes.sum(forget, [params], { batchSize, signal });
    return lt.scope(() => lt.tree.map(unimportance, sum as Vector));
  } finally {
    disposeTree(sum);
    sizes.dispose();
  }
}

function unimportance(sizes: lt.Tensor): lt.Tensor {
  const least = sizes.min();
  const span = sizes.max().sub(least);
  return sizes
    .sub(least)
    .div(lt.where(span.greater(0), span, 1))
    .neg()
    .add(1);
}

/** The sum over all parameters of weight times squared distance, a scalar. */
export const driftOf = (params: Params, origin: Params, weights: Vector): lt.Tensor => {
  const parts = lt.tree.map(
    (p: lt.Tensor, o: lt.Tensor, w: lt.Tensor) => p.sub(o).square().mul(w).sum(),
    params,
    origin,
    weights,
  );
  return lt.tree.flatten<lt.Tensor>(parts).leaves.reduce((a, b) => a.add(b));
};
