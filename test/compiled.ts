// Compiles a TypeScript entry, and what it imports, to a folder that `node` can run: for tests that need a process of
// their own (to be killed, to be interrupted). Tests that do not need one run the sources in place.

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Path of the compiled entry. `entry` is relative to the repository root; `name` keeps builds apart. */
export function compiled(entry: string, name: string): string {
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
      files: [join(up, entry)],
    }),
  );
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
    stdio: 'pipe',
  });
  writeFileSync(join(folder, 'js', 'package.json'), '{"type":"module"}');
  return join(
    folder,
    'js',
    dirname(entry),
    `${entry.slice(dirname(entry).length + 1).replace(/\.ts$/, '.js')}`,
  );
}
