// Opening WebGPU for tests. Where there is none, suites are skipped and say so; LETHE_REQUIRE_GPU=1 makes that a failure.
// Not a test itself.

import { describe, vi } from 'vitest';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { type NodeOptions, openWebGpu } from '../../kernels/node.ts';

export const open = (options: NodeOptions = {}): Promise<WebGpuBackend> =>
  openWebGpu({ allowSoftware: true, ...options });

async function find(): Promise<string | null> {
  try {
    const backend = await open();
    await backend.close();
    return null;
  } catch (error) {
    if (process.env.LETHE_REQUIRE_GPU === '1') throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

const missing = await find();
if (missing !== null) console.warn(`kernels: the WebGPU tests are left out (${missing})`);

// A software adapter compiles shaders on the CPU, and the suites have many.
vi.setConfig({ testTimeout: 300_000 });

/** A suite that needs a GPU, be it a software one. */
export const describeGpu: (name: string, suite: () => void) => unknown =
  missing === null ? describe : describe.skip;
