// native/pack.mjs with compilers that only write down what they were given: what the packages hold, and that they fit
// each other.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Writes its own name and arguments in place of what was to be compiled. */
const COMPILER = `#!/bin/sh
out=
for word; do [ "$last" = -o ] && out=$word; last=$word; done
[ -n "$out" ] || { echo "compiler 1"; exit; }
echo "$(basename "$0") $* $EXTRA" >"$out"
`;

let root: string;
const path = (...parts: string[]) => join(root, ...parts);
const source = join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };

const pack = (names: readonly string[] = [], extra = '') =>
  spawnSync(process.execPath, [path('native', 'pack.mjs'), ...names], {
    encoding: 'utf8',
    env: { ...process.env, CXX: '', EXTRA: extra, PATH: `${path('bin')}${delimiter}${process.env.PATH}` },
  });
const tar = (...args: string[]) => execFileSync('tar', args, { cwd: path('pack'), encoding: 'utf8' });
const contents = (name: string) =>
  tar('-tzf', `${name}-${version}.tgz`)
    .trim()
    .split('\n')
    .map((file) => file.replace('package/', ''))
    .sort();
const read = (name: string, file: string) => tar('-xzOf', `${name}-${version}.tgz`, `package/${file}`);
const manifest = (name: string) => JSON.parse(read(name, 'package.json')) as Record<string, unknown>;

describe.skipIf(process.platform !== 'linux')('on Linux', () => {
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'lethe-pack-'));
    const folders = ['native/src/runtime', 'engine/primitives', 'dist/cli', 'bin'];
    for (const folder of folders) mkdirSync(path(folder), { recursive: true });
    for (const file of [
      'native/build.mjs',
      'native/header.mjs',
      'native/pack.mjs',
      'engine/primitives/table.ts',
    ])
      copyFileSync(join(source, file), path(file));
    for (const file of ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md'])
      cpSync(join(source, file), path(file));
    for (const file of ['a.cc', 'runtime/glibc.cc']) writeFileSync(path('native', 'src', file), file);
    for (const file of ['index.js', 'cli/main.js']) writeFileSync(path('dist', file), '');
    const tools = ['c++', 'x86_64-linux-gnu-g++', 'aarch64-linux-gnu-g++', 'x86_64-w64-mingw32-g++-posix'];
    for (const name of [...tools, 'x86_64-w64-mingw32-dlltool']) {
      writeFileSync(path('bin', name), COMPILER);
      chmodSync(path('bin', name), 0o755);
    }
    symlinkSync(join(source, 'node_modules'), path('node_modules'));
    expect(pack()).toMatchObject({
      status: 0,
      stdout: ['lethe-linux-x64', 'lethe-linux-arm64', 'lethe']
        .map((name) => `pack/${name}-${version}.tgz\n`)
        .join(''),
    });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each([
    ['x64', 'x86_64-linux-gnu-g++'],
    ['arm64', 'aarch64-linux-gnu-g++'],
  ])('lethe-linux-%s: an addon for other machines, for this platform only', (cpu, cross) => {
    const name = `lethe-linux-${cpu}`;
    expect(contents(name)).toEqual(['LICENSE', 'README.md', 'lethe.node', 'package.json']);
    expect(manifest(name)).toMatchObject({ name, version, os: ['linux'], cpu: [cpu], libc: ['glibc'] });
    expect(manifest(name).scripts).toBeUndefined();
    const [compiler, ...flags] = read(name, 'lethe.node').split(/\s+/);
    expect(compiler).toBe(cpu === process.arch ? 'c++' : cross);
    expect(flags).toEqual(expect.arrayContaining(['-static-libstdc++', '-s']));
    expect(flags.filter((flag) => flag.endsWith('.o'))).toHaveLength(2);
  });

  it('lethe depends on them in its own version, and brings no scripts', () => {
    const packed = manifest('lethe');
    expect(packed.optionalDependencies).toEqual({
      'lethe-linux-x64': version,
      'lethe-linux-arm64': version,
    });
    for (const key of ['private', 'scripts', 'devDependencies']) expect(packed[key]).toBeUndefined();
    const { dependencies, exports } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(packed).toMatchObject({ name: 'lethe', version, dependencies, exports });
    expect(contents('lethe')).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'dist/index.js',
        'native/build.mjs',
        'native/header.mjs',
        'native/src/a.cc',
      ]),
    );
    expect(contents('lethe')).not.toContain('native/pack.mjs');
  });

  it('the addon of the checkout leaves that out which only other machines need', () => {
    const env = { ...process.env, CXX: path('bin', 'c++') };
    execFileSync(process.execPath, [path('native', 'build.mjs')], { env, stdio: 'ignore' });
    const flags = readFileSync(path('build', 'lethe.node'), 'utf8').split(/\s+/);
    expect(flags.filter((flag) => flag.endsWith('.o'))).toEqual([expect.stringMatching(/\/a-\w+\.o$/)]);
    expect(flags).not.toContain('-s');
  });

  it('for Windows: its libraries inside, and what Node offers to link with', () => {
    expect(pack(['win32-x64'])).toMatchObject({ status: 0, stdout: `pack/lethe-win32-x64-${version}.tgz\n` });
    expect(manifest('lethe-win32-x64')).toMatchObject({ os: ['win32'], cpu: ['x64'] });
    expect(manifest('lethe-win32-x64').libc).toBeUndefined();
    const [compiler, ...flags] = read('lethe-win32-x64', 'lethe.node').split(/\s+/);
    expect(compiler).toBe('x86_64-w64-mingw32-g++-posix');
    expect(flags).toContain('-static');
    expect(flags.filter((flag) => flag.endsWith('libnode.a'))).toHaveLength(1);
    expect(pack(['lethe']).status).toBe(0);
    expect(Object.keys(manifest('lethe').optionalDependencies as object)).toEqual([
      'lethe-linux-x64',
      'lethe-linux-arm64',
      'lethe-win32-x64',
    ]);
  });

  it('an addon that needs a newer glibc than Node does is refused', () => {
    const { status, stderr } = pack(['linux-x64'], 'GLIBC_2.17 GLIBC_2.34');
    expect(stderr).toMatch(/needs GLIBC_2\.34, Node itself 2\.28 at most/);
    expect(status).toBe(1);
  });

  it('what cannot be made here, and what there is not, is said', () => {
    expect(pack(['linux-x46'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^pack: no platform "linux-x46"; known: linux-x64, .*, lethe\n$/),
    });
    expect(pack(['darwin-arm64'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('pack: darwin-arm64 cannot be built on linux-'),
    });
  });
});
