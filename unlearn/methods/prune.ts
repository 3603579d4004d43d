// One-shot magnitude pruning: the smallest weights of a network, by absolute value over all its matrices and kernels
// together, are set to 0 (Han et al. 2015; the pruned start of "Model Sparsity Can Simplify Machine Unlearning").

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { disposeTree } from '../train/feed.ts';

type Params = lt.tree.Tree<lt.Tensor>;

export interface Pruned {
  /** The network with the weights set to 0. Its state is the caller's own. */
  readonly variables: Variables;
  /** Tree of bools like the parameters: true where a weight is left. */
  readonly mask: Params;
  /** Disposes what was made. */
  dispose(): void;
}

/**
 * Sets floor(share P) of the P weights in tensors of two axes or more to 0: the smallest, of equals those that come first.
 * Biases and the parameters of batch normalisation stay.
 */
export async function pruned({ params, state }: Variables, share: number): Promise<Pruned> {
  const { leaves, def } = lt.tree.flatten<lt.Tensor>(params);
  const sizes = await Promise.all(
    leaves.map(async (leaf) => (leaf.ndim < 2 ? null : (await leaf.data()).map(Math.abs))),
  );
  const total = sizes.reduce((sum, some) => sum + (some?.length ?? 0), 0);
  const all = new Float64Array(total);
  let at = 0;
  for (const some of sizes) {
    if (some === null) continue;
    all.set(some, at);
    at += some.length;
  }
  all.sort();
  const count = Math.floor(share * total);
  const threshold = count > 0 ? all[count - 1] : Number.NEGATIVE_INFINITY;
  // So many of those at the threshold are among the smallest.
  let ties = count - Math.max(0, all.indexOf(threshold));
  const masks = leaves.map((leaf, i) => {
    const some = sizes[i];
    if (some === null) return lt.ones(leaf.shape, 'bool');
    const keep = Int32Array.from(some, (size) =>
      Number(size > threshold || (size === threshold && ties-- <= 0)),
    );
    return lt.tensor(keep, { shape: leaf.shape, dtype: 'bool' });
  });
  const kept = leaves.map((leaf, i) => lt.scope(() => lt.where(masks[i], leaf, 0)));
  return {
    variables: { params: lt.tree.unflatten(def, kept) as Variables['params'], state },
    mask: lt.tree.unflatten(def, masks) as Params,
    dispose: () => disposeTree([masks, kept]),
  };
}
