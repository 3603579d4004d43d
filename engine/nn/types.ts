// What a layer or model is: two pure functions over plain trees of tensors.

import type { Shape } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';
import type { Tree } from '../tree.ts';

/** Parameters are learned; state (batch-norm statistics) is carried along. */
export interface Variables {
  params: Tree<Tensor>;
  state: Tree<Tensor>;
}

export interface ApplyOptions {
  /** Training mode: batch statistics, dropout. Default false. */
  train?: boolean;
  /** Needed by dropout in training mode. */
  key?: Tensor;
}

export interface Model {
  readonly name: string;
  /** Shape includes the batch: [N, H, W, C]. */
  init(key: Tensor, inputShape: Shape): Variables;
  apply(variables: Variables, x: Tensor, options?: ApplyOptions): { output: Tensor; state: Tree<Tensor> };
}
