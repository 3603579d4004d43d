// Everything the engine offers, without a device: index.ts at the root adds `init`, which hands one in.

export type { Backend } from './backend.ts';
export { checkGradients, type GradientCheck, type GradientOptions, type GradientReport } from './check.ts';
export { arange, eye, full, ones, onesLike, tensor, toDevice, zeros, zerosLike } from './create.ts';
export type { DType, Shape, TypedArray } from './dtype.ts';
export { LetheError } from './error.ts';
export * as io from './io/index.ts';
export * as nn from './nn/index.ts';
export * from './ops/index.ts';
export * as optim from './optim.ts';
export * as random from './random.ts';
export { createReferenceBackend } from './reference.ts';
export { Device, useBackend, withDevice } from './runtime.ts';
export { findLeaks, keep, scope, Tensor } from './tensor.ts';
export { grad, hvp, jvp, stopGradient, valueAndGrad, vjp } from './transforms/autodiff.ts';
export { checkpoint } from './transforms/checkpoint.ts';
export { customVjp } from './transforms/custom.ts';
export { jit } from './transforms/jit.ts';
export { evalShape } from './transforms/shape.ts';
export { vmap } from './transforms/vmap.ts';
export * as tree from './tree.ts';
