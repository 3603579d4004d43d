// Where the addon lies in this installation, and how it is built there.

import { builtin } from '../builtin.ts';

/**
 * The folder of Lethe's package: the nearest with a package.json, some folders up once compiled. A bundle that is no
 * module does not know where it lies: there it is sought from the working folder on.
 */
export function packageRoot(): string {
  const { existsSync } = builtin('node:fs');
  const { dirname, join } = builtin('node:path');
  const { fileURLToPath } = builtin('node:url');
  let folder = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : process.cwd();
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/**
 * What to do to get the addon, as the end of a sentence. In a project that uses Lethe its own scripts do not exist, and
 * package managers may be set to run none; in a bundle there is no addon to build.
 */
export function howToBuild(root = packageRoot(), cwd = process.cwd()): string {
  const script = builtin('node:path').join(root, 'native', 'build.mjs');
  if (!builtin('node:fs').existsSync(script))
    return 'if this is a bundle, leave the package lethe out of it (as external)';
  return `with a C++17 compiler, run: ${buildCommand(root, script, cwd)}`;
}

function buildCommand(root: string, script: string, cwd: string): string {
  const { relative, sep } = builtin('node:path');
  if (!root.split(sep).includes('node_modules')) return 'npm run build:native';
  const near = relative(cwd, script);
  const path = near.startsWith('..') ? script : near;
  return `node ${/[^\w./\\:@+-]/.test(path) ? JSON.stringify(path) : path}`;
}
