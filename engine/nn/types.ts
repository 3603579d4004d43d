// What a layer or model is: two pure functions over plain trees of tensors.

import type { Shape } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';
import type { Tree } from '../tree.ts';

/** What a model holds: parameters, which are learned, and state, which is carried along. */
export interface Variables {
  /** Learned: a tree of tensors whose paths are the names PyTorch gives the same modules. */
  params: Tree<Tensor>;
  /** Carried along: batch normalisation's running statistics. Empty for models without. */
  state: Tree<Tensor>;
}

/** Options of a call of a model or layer. */
export interface ApplyOptions {
  /** Training mode: batch statistics, dropout. Default false. */
  train?: boolean;
  /** A random key; needed by dropout in training mode. */
  key?: Tensor;
  /**
   * With `train`: batch normalisation uses its running statistics and leaves them as they are, while dropout still
   * drops. This is training with frozen statistics: samples do not see each other, so that per-sample gradients mean
   * something, and a batch of forgotten samples does not move the statistics. Default false.
   */
  frozenStatistics?: boolean;
  /**
   * Called with the output of each layer inside this one, in the order of computation: `path` names it as in params
   * ('features.3', 'layer1.0'), and a layer made of layers comes after those it is made of. What it returns, if anything,
   * takes the output's place. Under jit it is called once, while tracing, with traced tensors. Only layers made by
   * `sequential` and `residual` have layers inside. Default: nobody is told.
   */
  tap?: (path: string, output: Tensor) => Tensor | undefined;
}

/** What a call of a model or layer gives. */
export interface Applied {
  /** What it computed. */
  output: Tensor;
  /** The state to go on with: the one given, unless batch statistics were taken. */
  state: Tree<Tensor>;
}

/** A model or layer: two pure functions over plain trees of tensors. */
export interface Model {
  /** What it is, in error messages; io.toPyTorch knows the models by it. */
  readonly name: string;
  /**
   * New variables. `inputShape` includes the batch ([N, H, W, C] for images), whose size does not matter.
   * @throws 'shape' where the model does not take inputs of this shape, with the path of the layer that does not.
   */
  init(key: Tensor, inputShape: Shape): Variables;
  /**
   * The output for a batch x. Nothing that is given changes.
   * @throws 'shape' where x does not fit, 'value' where dropout misses a key, with the path of the layer.
   */
  apply(variables: Variables, x: Tensor, options?: ApplyOptions): Applied;
  /** True if apply draws random numbers in training mode; `sequential` hands keys to such layers only. */
  readonly random?: boolean;
}
/** A building block of models; the same thing. */
export type Layer = Model;

/** A model whose output is logits [N, classes], made by one dense layer at the end. */
export interface Classifier extends Model {
  /** Path in params of that layer, { weight: [in, classes], bias: [classes] }. Apply takes the class count from it. */
  readonly head: readonly string[];
}
