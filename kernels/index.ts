/**
 * `lethe/webgpu`: the WebGPU backend for those who bring their own device, and a look at the kernels it makes of a program.
 *
 *   useBackend(await createWebGpuBackend({ device }))
 *
 * @module lethe/webgpu
 */

export { type Counters, createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from './backend.ts';
export { type Choice, type ProductShape, readChoice, type Tuning, writeChoice } from './choice.ts';
export { isSoftware } from './device.ts';
export { lower } from './lower.ts';
export { type LoweredSlot, type Lowering, PORTABLE, type Traits } from './lowering.ts';
export type { MatrixConfig } from './matrix.ts';
export type { Binding, Kernel, Part } from './shader.ts';
export type { MatrixKind, Tiles } from './tiles.ts';
export type { TuningOption, TuningTable } from './tuning.ts';
