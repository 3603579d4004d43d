// The advice on how to get the addon can be followed where it is given.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { howToBuild, packageRoot } from '../../native/place.ts';

let folder: string;
let installed: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe place-'));
  installed = join(folder, 'node_modules', 'lethe');
  mkdirSync(join(installed, 'native'), { recursive: true });
  cpSync('native/build.mjs', join(installed, 'native', 'build.mjs'));
  writeFileSync(join(installed, 'package.json'), '{"name":"lethe","type":"module"}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('in a checkout: its script', () => {
  expect(howToBuild()).toBe('with a C++17 compiler, run: npm run build:native');
  expect(packageRoot()).toBe(process.cwd());
});

it('in a project that uses Lethe: the file itself, from wherever', () => {
  expect(howToBuild(installed, folder)).toBe(
    'with a C++17 compiler, run: node node_modules/lethe/native/build.mjs',
  );
  expect(howToBuild(installed, join(folder, 'src'))).toBe(
    `with a C++17 compiler, run: node ${JSON.stringify(join(installed, 'native', 'build.mjs'))}`,
  );
});

it('in a bundle: what keeps it out of the bundle', () => {
  expect(howToBuild(folder)).toContain('leave the package lethe out of it');
});

it('after an installation without a compiler the same is said', () => {
  const script = join(installed, 'native', 'build.mjs');
  const env = { ...process.env, CXX: '/nonexistent', INIT_CWD: folder };
  const { status, stderr } = spawnSync(process.execPath, [script, '--optional'], { cwd: installed, env });
  expect(String(stderr)).toMatch(/and run: node node_modules\/lethe\/native\/build\.mjs\n$/);
  expect(status).toBe(0);
});

it('a Node without what is needed is told so', () => {
  vi.stubGlobal('process', { version: process.version });
  expect(() => packageRoot()).toThrow(
    `Node ${process.version} is too old for Lethe; expected 20.19, 22.12 or later`,
  );
  vi.unstubAllGlobals();
});
