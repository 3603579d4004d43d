// Lethe as a user's project has it: a package in node_modules, with its own package.json and its sources compiled. For
// tests of what bundlers and Node make of the package as such.

import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled } from './compiled.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The folder of a project that has Lethe and these files, given by name; `name` keeps builds apart. */
export function installed(name: string, files: Readonly<Record<string, string>>): string {
  const [entry] = compiled(
    name,
    'index.ts',
    'unlearn/index.ts',
    'unlearn/method.ts',
    'unlearn/no-files.ts',
    'kernels/index.ts',
  );
  const project = join(entry, '../../project');
  const lethe = join(project, 'node_modules/lethe');
  mkdirSync(lethe, { recursive: true });
  cpSync(join(root, 'package.json'), join(lethe, 'package.json'));
  rmSync(join(entry, '../package.json'));
  renameSync(join(entry, '..'), join(lethe, 'dist'));
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }');
  for (const [file, text] of Object.entries(files)) writeFileSync(join(project, file), text);
  return project;
}
