// Opening WebGPU for tests, and skipping suites where there is none (test/devices.ts). Not a test itself.

import { describe, inject } from 'vitest';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { type NodeOptions, openWebGpu } from '../../kernels/node.ts';

export const open = (options: NodeOptions = {}): Promise<WebGpuBackend> => openWebGpu(options);

/** A suite that needs a GPU, be it a software one. */
export const describeGpu: (name: string, suite: () => void) => unknown =
  inject('absent').webgpu === null ? describe : describe.skip;

/** A suite that needs Dawn alone, not a GPU. */
export const describeDawn: typeof describeGpu = inject('absent').dawn === null ? describe : describe.skip;
