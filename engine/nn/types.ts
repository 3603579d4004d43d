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
  /**
   * With `train`: batch normalisation uses its running statistics and leaves them as they are, while dropout still
   * drops. This is training with frozen statistics: samples do not see each other, so that per-sample gradients mean
   * something, and a batch of forgotten samples does not move the statistics. Default false.
   */
  frozenStatistics?: boolean;
}

export interface Model {
  readonly name: string;
  /** Shape includes the batch: [N, H, W, C]; the batch size does not matter. */
  init(key: Tensor, inputShape: Shape): Variables;
  /** Output and the state to go on with, which is the state given unless batch statistics were taken. */
  apply(variables: Variables, x: Tensor, options?: ApplyOptions): { output: Tensor; state: Tree<Tensor> };
  /** True if apply draws random numbers in training mode; `sequential` hands keys to such layers only. */
  readonly random?: boolean;
}
/** A building block of models; the same thing. */
export type Layer = Model;

/** A model whose output is logits [N, classes] made by one dense layer at the end. */
export interface Classifier extends Model {
  /** Path in params of that layer, { weight: [in, classes], bias: [classes] }. Apply takes the class count from it. */
  readonly head: readonly string[];
}
