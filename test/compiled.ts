// Compiles a TypeScript entry, and what it imports, to a folder that `node` can run: for tests that need a process of
// their own (to be killed, to be interrupted). Tests that do not need one run the sources in place.

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Paths of the compiled entries, given relative to the repository root; `name` keeps builds apart. */
export function compiled(name: string, ...entries: string[]): string[] {
  const folder = join(root, 'build', `test-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'tsconfig.json');
  const up = relative(folder, root);
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(up, 'tsconfig.json'),
      compilerOptions: { noEmit: false, noCheck: true, declaration: false, rootDir: up, outDir: 'js' },
      include: [],
      files: entries.map((entry) => join(up, entry)),
    }),
  );
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
    stdio: 'pipe',
  });
  writeFileSync(join(folder, 'js', 'package.json'), '{"type":"module"}');
  return entries.map((entry) => join(folder, 'js', entry.replace(/\.ts$/, '.js')));
}
