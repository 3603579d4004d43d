// Where a run took place, for results.json: software, processor, memory. No names of people, machines or folders.

import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** The version of Lethe, from package.json, wherever this file lies below it. */
export const version: string = (() => {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (found.name === 'lethe') return found.version;
    } catch {
      // Not here: the sources lie one folder deeper once compiled.
    }
  }
  return 'unknown';
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
