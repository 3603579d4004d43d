// What the tests can run on here, found out once before they start. Suites that need something absent are skipped, and
// one line says so; LETHE_REQUIRE_CPU=1 and LETHE_REQUIRE_GPU=1 (which means the browser too) make that a failure.
// A software GPU counts only with LETHE_ALLOW_SOFTWARE_GPU=1, as everywhere.

import { accessSync, constants } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { describeWebGpu } from '../kernels/node.ts';
import { describeCpuBackend } from '../native/backend.ts';

/** Why something is absent; null where it is there. */
export interface Absent {
  readonly cpu: string | null;
  readonly webgpu: string | null;
  /** WebGPU without an adapter: the npm package, whose null backend checks programs and computes nothing. */
  readonly dawn: string | null;
  readonly browser: string | null;
}

declare module 'vitest' {
  interface ProvidedContext {
    absent: Absent;
  }
}

export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';

export default async function setup(project: TestProject): Promise<void> {
  const [cpu, webgpu] = [describeCpuBackend(), await describeWebGpu()];
  const dawn = await describeWebGpu({ dawn: ['backend=null'] });
  const absent: Absent = {
    cpu: cpu.available ? null : cpu.reason,
    webgpu: webgpu.available ? null : webgpu.reason,
    dawn: dawn.available ? null : dawn.reason,
    browser: browser(),
  };
  const { LETHE_REQUIRE_CPU, LETHE_REQUIRE_GPU } = process.env;
  const left: string[] = [];
  for (const name of ['cpu', 'webgpu', 'dawn', 'browser'] as const) {
    if (absent[name] === null) continue;
    if ((name === 'cpu' ? LETHE_REQUIRE_CPU : LETHE_REQUIRE_GPU) === '1')
      throw new Error(`${name} is required: ${absent[name]}`);
    left.push(`${name} (${absent[name]})`);
  }
  if (left.length > 0) console.warn(`Tests left out for want of: ${left.join('; ')}`);
  project.provide('absent', absent);
}

function browser(): string | null {
  try {
    accessSync(chromium, constants.X_OK);
    return null;
  } catch {
    return `no Chromium at ${chromium}; CHROMIUM says where it is`;
  }
}
