// Where a run took place, for results.json: software, processor, memory. No names of people, machines or folders.

import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** The folder of Lethe's package.json: its sources lie one folder deeper once compiled. */
export const packageRoot: URL = (() => {
  const near = ['../../', '../../../'].map((up) => new URL(up, import.meta.url));
  return near.find((folder) => existsSync(new URL('package.json', folder))) ?? near[0];
})();

/** The version of Lethe. */
export const version: string = (() => {
  try {
    return JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')).version;
  } catch {
    return 'unknown';
  }
})();

export function describeEnvironment(): Record<string, unknown> {
  return {
    lethe: version,
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    threads: process.env.LETHE_THREADS ?? null,
    written: new Date().toISOString(),
  };
}
