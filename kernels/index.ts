// `lethe/webgpu`: the WebGPU backend for those who bring their own device.
//
//   useBackend(await createWebGpuBackend({ device }))

export { type Counters, createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from './backend.ts';
export { isSoftware } from './device.ts';
export type { TuningOption, TuningTable } from './tuning.ts';
