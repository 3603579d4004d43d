/**
 * lt.nn: layers, combinations and models. Also `init`, the initialisers, and `models`, the models by name.
 *
 * @module
 */

export { type Children, outputShape, type ResidualOptions, residual, sequential } from './compose.ts';
export type { Initialiser } from './init.ts';
export * as init from './init.ts';
export {
  avgPool,
  type ConvLayerOptions,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  gelu,
  globalAvgPool,
  maxPool,
  type Normalisation,
  normalise,
  relu,
  sigmoid,
  silu,
  softplus,
  stateless,
  tanh,
  type WeightOptions,
} from './layers.ts';
export {
  type AllCnnOptions,
  allCnn,
  lenet,
  type MlpOptions,
  type ModelName,
  type ModelOptions,
  mlp,
  models,
  resnet18,
  smallCnn,
  vgg16,
} from './models.ts';
export {
  type BatchNormLayerOptions,
  batchNorm,
  groupNorm,
  layerNorm,
  type NormLayerOptions,
} from './norm.ts';
export type { Applied, ApplyOptions, Classifier, Layer, Model, Variables } from './types.ts';
