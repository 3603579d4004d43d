// `lethe/webgpu`: the WebGPU backend for those who bring their own device, and a look at the kernels it makes of a program.
//
//   useBackend(await createWebGpuBackend({ device }))

export { type Counters, createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from './backend.ts';
export { type Choice, readChoice, writeChoice } from './choice.ts';
export { isSoftware } from './device.ts';
export { lower } from './lower.ts';
export { PORTABLE, type Traits } from './lowering.ts';
export type { TuningOption, TuningTable } from './tuning.ts';
