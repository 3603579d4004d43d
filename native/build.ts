// Builds the addon from source where this installation looks for one. The building is build.mjs, in a process of its own:
// it has to work in a checkout where nothing is compiled yet.

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { check, LetheError } from '../engine/error.ts';
import { buildFolders, type Installation, kindOf, thisInstallation } from './place.ts';

/**
 * Builds, or finds that nothing has changed; returns the addon's path. `say` is told what the compiler says.
 * @throws LetheError 'device' where there are no sources or it cannot be built, 'io' where no folder can be written.
 */
export async function buildAddon(
  say: (line: string) => void,
  at: Installation = thisInstallation(),
): Promise<string> {
  check(kindOf(at) !== 'bundle', 'device', () => 'a bundle has no sources of the CPU addon to build');
  const folder = buildFolders(at).find(writable);
  if (folder === undefined)
    throw new LetheError('io', `cannot write to any of ${buildFolders(at).join(', ')}; make one writable`);
  const script = join(at.root, 'native', 'build.mjs');
  const child = spawn(process.execPath, [script, '--out', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  let why = '';
  const lines = createInterface(child.stderr).on('line', (line) => {
    if (line.startsWith('lethe: ')) why = line.slice('lethe: '.length);
    say(line);
  });
  const [code] = await Promise.all([
    new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve)),
    new Promise((resolve) => lines.on('close', resolve)),
  ]);
  check(code === 0, 'device', () => `the CPU addon was not built: ${why}`);
  return join(folder, 'lethe.node');
}

function writable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
