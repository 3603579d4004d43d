// Opens WebGPU in Node: Dawn, through the npm package `webgpu`, which is optional and loaded only here. A browser never
// loads this file.

import { LetheError } from '../engine/error.ts';
import { createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from './backend.ts';

interface Dawn {
  create(options: string[]): GPU;
}

/** Dawn's own options ('backend=vulkan', 'enable-dawn-features=...') as in the package's description. */
export interface NodeOptions extends WebGpuOptions {
  readonly dawn?: readonly string[];
}

async function loadDawn(): Promise<Dawn> {
  // A name in a variable: neither the type checker nor a bundler should look for an optional package.
  const name = 'webgpu';
  try {
    return (await import(name)) as Dawn;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new LetheError(
      'device',
      missing
        ? "device 'webgpu' needs the npm package webgpu, which is not installed; run: npm install webgpu"
        : `the npm package webgpu does not load here (${why}); use device 'cpu'`,
      { cause },
    );
  }
}

/** Dawn's `navigator.gpu`. Dawn lives as long as this object; the process can end once it is gone. */
export async function dawn(options: readonly string[] = []): Promise<GPU> {
  const { create } = await loadDawn();
  return create([...options]);
}

export async function openWebGpu(options: NodeOptions = {}): Promise<WebGpuBackend> {
  // Timestamps are rounded for pages that should not have a fine clock; whoever runs code here has one.
  let gpu: GPU | null = await dawn(['disable-dawn-features=timestamp_quantization', ...(options.dawn ?? [])]);
  return createWebGpuBackend({
    allowSoftware: process.env.LETHE_ALLOW_SOFTWARE_GPU === '1',
    ...options,
    gpu,
    onClose: () => {
      gpu = null;
      options.onClose?.();
    },
  });
}

/** Whether the WebGPU backend can be used here, and if not, why and what to do. Never throws. */
export async function describeWebGpu(
  options: NodeOptions = {},
): Promise<{ available: boolean; reason: string }> {
  try {
    const backend = await openWebGpu(options);
    const reason = String(backend.info.adapter);
    await backend.close();
    return { available: true, reason };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
