// The tests import the sources; documentation and examples say `lethe`, as a user does, and mean the same sources.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^lethe$/, replacement: at('index.ts') },
      { find: /^lethe\/unlearn$/, replacement: at('unlearn/index.ts') },
      { find: /^lethe\/method$/, replacement: at('unlearn/method.ts') },
      { find: /^lethe\/webgpu$/, replacement: at('kernels/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: at('test/devices.ts'),
    // A test may take as long as a slow machine needs that has other work: a software adapter compiles shaders on the CPU.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Every plan is checked after every pass.
    env: { LETHE_VERIFY: '1' },
    // One process for each core: by default one core is left idle, which of two is half.
    maxWorkers: availableParallelism(),
  },
});
