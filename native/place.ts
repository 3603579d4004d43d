// Where the addon lies in this installation, and how it is built there.

import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of Lethe's package: the nearest with a package.json, some folders up once compiled. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/**
 * What to do to get the addon, as the end of a sentence. In a project that uses Lethe its own scripts do not exist, and
 * package managers may be set to run none; in a bundle there is no addon to build.
 */
export function howToBuild(root = packageRoot(), cwd = process.cwd()): string {
  const script = join(root, 'native', 'build.mjs');
  if (!existsSync(script)) return 'if this is a bundle, leave the package lethe out of it (as external)';
  return `with a C++17 compiler, run: ${buildCommand(root, script, cwd)}`;
}

function buildCommand(root: string, script: string, cwd: string): string {
  if (!root.split(sep).includes('node_modules')) return 'npm run build:native';
  const near = relative(cwd, script);
  const path = near.startsWith('..') ? script : near;
  return `node ${/[^\w./\\:@+-]/.test(path) ? JSON.stringify(path) : path}`;
}
