// Where a run took place, for results.json: software, processor, memory. No names of people, machines or folders.

import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** The folder of Lethe's own package.json, and what it says: some folders up, more once compiled. */
const found = (() => {
  let folder = new URL('./', import.meta.url);
  for (let up = 0; up < 8; up++, folder = new URL('../', folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
      if (name === 'lethe') return { folder, version: String(version) };
    } catch {
      // Not here.
    }
  }
  return { folder, version: 'unknown' };
})();

export const packageRoot: URL = found.folder;

/** The version of Lethe. */
export const version: string = found.version;

let checkedOut: string | null | undefined;

/** The commit of a checkout, ending in -dirty where files differ from it; null for an installed package. */
function commit(): string | null {
  if (checkedOut !== undefined) return checkedOut;
  checkedOut = null;
  if (!existsSync(new URL('.git', packageRoot))) return checkedOut;
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: packageRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    };
    checkedOut = execFileSync('git', args, options).trim() || null;
  } catch {
    // No git, or not ours to ask: then the commit is not known.
  }
  return checkedOut;
}

export function describeEnvironment(): Record<string, unknown> {
  return {
    lethe: version,
    ...(commit() && { commit: commit() }),
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    threads: process.env.LETHE_THREADS ?? 'all',
    written: new Date().toISOString(),
  };
}
