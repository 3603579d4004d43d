// One-shot magnitude pruning: the smallest weights of a network, by absolute value over all its matrices and kernels
// together, are set to 0 (Han et al. 2015; the pruned start of "Model Sparsity Can Simplify Machine Unlearning").

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { disposeTree } from '../train/feed.ts';
import { largest } from '../train/select.ts';

type Params = lt.tree.Tree<lt.Tensor>;

interface Pruned {
  /** The network with the weights set to 0. Its state is the caller's own. */
  readonly variables: Variables;
  /** Tree of bools like the parameters: true where a weight is left. */
  readonly mask: Params;
  /** Disposes what was made. */
  dispose(): void;
}

/**
 * Sets floor(share P) of the P weights in tensors of two axes or more to 0: the smallest, of equals those that come last.
 * Biases and the parameters of batch normalisation stay.
 */
export async function pruned({ params, state }: Variables, share: number): Promise<Pruned> {
  const { leaves, def } = lt.tree.flatten<lt.Tensor>(params);
  const prunable = leaves.filter(({ ndim }) => ndim >= 2);
  const values = await Promise.all(prunable.map((leaf): Promise<lt.TypedArray> => leaf.data()));
  const total = prunable.reduce((sum, { size }) => sum + size, 0);
  const marks = largest(values, total - Math.floor(share * total));
  const masks = leaves.map((leaf) => {
    const { shape } = leaf;
    const at = prunable.indexOf(leaf);
    return at < 0 ? lt.ones(shape, 'bool') : lt.tensor(marks[at], { shape, dtype: 'bool' });
  });
  const kept = leaves.map((leaf, i) => lt.scope(() => lt.where(masks[i], leaf, 0)));
  return {
    variables: { params: lt.tree.unflatten(def, kept) as Variables['params'], state },
    mask: lt.tree.unflatten(def, masks) as Params,
    dispose: () => disposeTree([masks, kept]),
  };
}
