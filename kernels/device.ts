// From an adapter to a device with everything Lethe can use of it, and the refusal of software adapters. Works on any `navigator.gpu`; knows neither browser nor Node.

import { LetheError } from '../engine/error.ts';
import type { Traits } from './lowering.ts';
import { MATRIX_FEATURE, matrixConfigs } from './matrix.ts';

/** Software adapters are slow and rarely what one wants: they are taken only when asked for. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render|warp/i;

/** Is the adapter software: a CPU that runs shaders (lavapipe, SwiftShader, WARP)? */
export const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter ||
  SOFTWARE.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);

export interface AdapterOptions {
  readonly powerPreference?: GPUPowerPreference;
  readonly allowSoftware?: boolean;
  /** What can be done where there is no adapter, or only a software one: not the same in Node and in a browser. */
  readonly advice?: { readonly none: string; readonly software: string };
}

const IN_A_BROWSER = {
  none: "use a browser and a graphics card that have WebGPU, or device 'reference', which is slow",
  software: 'hand createWebGpuBackend({ allowSoftware: true }) to useBackend to compute on it all the same',
};

export async function requestAdapter(gpu: GPU, options: AdapterOptions = {}): Promise<GPUAdapter> {
  const { powerPreference = 'high-performance', allowSoftware = false, advice = IN_A_BROWSER } = options;
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter === null)
    throw new LetheError(
      'device',
      `WebGPU finds no adapter here: no graphics card with a driver that it can use; ${advice.none}`,
    );
  if (!allowSoftware && isSoftware(adapter.info))
    throw new LetheError(
      'device',
      `the only WebGPU adapter is software (${describe(adapter.info)}), which is slow; ${advice.software}`,
    );
  return adapter;
}

export const describe = (info: GPUAdapterInfo): string =>
  [info.vendor, info.architecture, info.device, info.description].filter((s) => s).join(', ');

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

const FEATURES: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', 'timestamp-query', MATRIX_FEATURE];

/** A device with the adapter's own limits, where they are better than the portable ones. */
export async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  const requiredFeatures = FEATURES.filter((f) => adapter.features.has(f));
  try {
    return await adapter.requestDevice({ label: 'lethe', requiredLimits, requiredFeatures });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LetheError('device', `the WebGPU adapter ${describe(adapter.info)} gives no device: ${why}`, {
      cause,
    });
  }
}

/** The size of a subgroup if the adapter knows only one, else 0. */
const oneSize = ({ subgroupMinSize = 0, subgroupMaxSize = 0 }: GPUAdapterInfo): number =>
  subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;

/** Of a device, or of what an adapter could give. */
export const traitsOf = (device: GPUDevice | GPUAdapter, info: GPUAdapterInfo): Traits => ({
  storageBuffers: device.limits.maxStorageBuffersPerShaderStage,
  bindingBytes: device.limits.maxStorageBufferBindingSize,
  workgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
  invocations: device.limits.maxComputeInvocationsPerWorkgroup,
  subgroup: device.features.has('subgroups') ? oneSize(info) : 0,
  half: device.features.has('shader-f16'),
  matrices: device.features.has(MATRIX_FEATURE) ? matrixConfigs(info) : [],
  software: isSoftware(info),
});
