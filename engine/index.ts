// Everything the engine offers, without a device: index.ts at the root adds `init`, which hands one in.

export type {
  Backend,
  Capabilities,
  Ceilings,
  DeviceBuffer,
  Executable,
  KernelTime,
  MemoryUse,
} from './backend.ts';
export { checkGradients, type GradientCheck, type GradientOptions, type GradientReport } from './check.ts';
export {
  arange,
  eye,
  full,
  ones,
  onesLike,
  type TensorData,
  type TensorOptions,
  tensor,
  toDevice,
  zeros,
  zerosLike,
} from './create.ts';
export { Device } from './device.ts';
export type { Aval, DType, Shape, TypedArray } from './dtype.ts';
export { type ErrorKind, LetheError } from './error.ts';
export * as io from './io/index.ts';
export * as nn from './nn/index.ts';
export * from './ops/index.ts';
export * as optim from './optim.ts';
export type * as program from './program.ts';
export * as random from './random.ts';
export { createReferenceBackend } from './reference.ts';
export { useBackend, withDevice } from './runtime.ts';
export { findLeaks, keep, type Leak, type NestedArray, scope, Tensor } from './tensor.ts';
export { type GradOptions, grad, hvp, jvp, stopGradient, valueAndGrad, vjp } from './transforms/autodiff.ts';
export { checkpoint } from './transforms/checkpoint.ts';
export { type CustomVjpRules, customVjp } from './transforms/custom.ts';
export { type JitOptions, type Jitted, jit } from './transforms/jit.ts';
export { evalShape, ShapeOf } from './transforms/shape.ts';
export { type Axes, type VmapOptions, vmap } from './transforms/vmap.ts';
export * as tree from './tree.ts';
