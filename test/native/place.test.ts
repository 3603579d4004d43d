// Which addon is taken, and where there is none: the cause, and advice that can be followed where it is given. Each test
// makes the folders of an installation; nothing is loaded.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeCpuBackend } from '../../native/backend.ts';
import { buildAddon } from '../../native/build.ts';
import { findAddon, howToBuild, type Installation, packageRoot, refused } from '../../native/place.ts';

let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'lethe place-'));
});
afterEach(() => {
  rmSync(project, { recursive: true, force: true });
});

function put(path: string, text = ''): string {
  const file = join(project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const putJson = (path: string, value: object) => put(path, JSON.stringify(value));

const PREBUILT = ['lethe-linux-x64', 'lethe-linux-arm64'];
const LETHE = { name: 'lethe', version: '1.2.3' };

/** As a dependency of the project, with what differs from Linux on x64 with glibc. */
function installed(parts: Partial<Installation> = {}, folder = 'node_modules/lethe'): Installation {
  const optionalDependencies = Object.fromEntries(PREBUILT.map((name) => [name, LETHE.version]));
  putJson(`${folder}/package.json`, { ...LETHE, optionalDependencies });
  put(`${folder}/native/build.mjs`);
  const env = { XDG_CACHE_HOME: join(project, 'cache') };
  return {
    root: join(project, folder),
    cwd: project,
    platform: 'linux',
    arch: 'x64',
    musl: false,
    env,
    ...parts,
  };
}
function putPrebuilt(name: string, version = LETHE.version): string {
  putJson(`node_modules/${name}/package.json`, { name, version });
  return put(`node_modules/${name}/lethe.node`);
}
const why = (at: Installation): string => {
  try {
    return `found ${findAddon(at)}`;
  } catch (error) {
    expect(error).toMatchObject({ name: 'LetheError', kind: 'device' });
    return (error as Error).message;
  }
};

describe('what is taken', () => {
  it('LETHE_ADDON, then what was built here, then in the cache, then the package of the platform', () => {
    const at = installed();
    const prebuilt = putPrebuilt('lethe-linux-x64');
    expect(findAddon(at)).toBe(prebuilt);
    const cached = put('cache/lethe/addon/1.2.3-linux-x64/lethe.node');
    expect(findAddon(at)).toBe(cached);
    const built = put('node_modules/lethe/build/lethe.node');
    expect(findAddon(at)).toBe(built);
    const named = put('elsewhere/named.node');
    expect(findAddon({ ...at, env: { LETHE_ADDON: named } })).toBe(named);
    expect(findAddon({ ...at, env: { LETHE_ADDON: 'elsewhere/named.node' } })).toBe(named);
  });

  it('the package for this processor and this C library', () => {
    for (const name of ['lethe-linux-x64', 'lethe-linux-arm64', 'lethe-linux-x64-musl', 'lethe-darwin-arm64'])
      putPrebuilt(name);
    const of = (parts: Partial<Installation>) => dirname(findAddon(installed(parts)));
    expect(of({ arch: 'arm64' })).toBe(join(project, 'node_modules/lethe-linux-arm64'));
    expect(of({ musl: true })).toBe(join(project, 'node_modules/lethe-linux-x64-musl'));
    expect(of({ platform: 'darwin', arch: 'arm64' })).toBe(join(project, 'node_modules/lethe-darwin-arm64'));
  });

  it('in a checkout what was built there, and nothing from the cache', () => {
    put('cache/lethe/addon/1.2.3-linux-x64/lethe.node');
    const at = installed({}, 'lethe');
    expect(why(at)).toBe('the CPU addon is not built; with a C++17 compiler, run: npm run build:native');
    const built = put('lethe/build/lethe.node');
    expect(findAddon(at)).toBe(built);
  });
});

describe('why there is none, and what to do', () => {
  const leftOut = (name: string, install: string, build: string) =>
    `the CPU addon is in the package ${name}, which is not installed (optional dependencies were left out); ` +
    `run: ${install}; or, with a C++17 compiler, run: ${build}`;

  it.each([
    ['package-lock.json', 'npm install --include=optional', 'npx lethe build'],
    ['pnpm-lock.yaml', 'pnpm install', 'pnpm exec lethe build'],
    ['yarn.lock', 'yarn install --force', 'yarn lethe build'],
    ['nothing', 'npm install --include=optional', 'npx lethe build'],
  ])('optional dependencies were left out, in a project with %s', (lock, install, build) => {
    const cwd = dirname(put('src/index.js'));
    put(lock);
    expect(why(installed({ cwd }))).toBe(leftOut('lethe-linux-x64', install, build));
    const [about, ...advice] = why(installed({ cwd })).split('; ');
    expect([about, advice[0]]).toEqual([expect.stringContaining('left out'), `run: ${install}`]);
  });

  it.each([
    [{ platform: 'freebsd' }, 'freebsd-x64'],
    [{ arch: 'riscv64' }, 'linux-riscv64'],
    [{ musl: true }, 'linux-x64-musl'],
  ])('there is no package for the platform: %o', (parts, platform) => {
    for (const name of PREBUILT) putPrebuilt(name);
    expect(why(installed(parts))).toBe(
      `there is no ready-made CPU addon for ${platform}; with a C++17 compiler, run: npx lethe build`,
    );
  });

  it('on Windows the compiler is named that the build script can use', () => {
    expect(why(installed({ platform: 'win32' }))).toBe(
      'there is no ready-made CPU addon for win32-x64; with g++ of MinGW-w64, run: npx lethe build',
    );
  });

  it('the package is of another version', () => {
    putPrebuilt('lethe-linux-x64', '1.2.2');
    expect(why(installed())).toBe(
      'the package lethe-linux-x64 is version 1.2.2, lethe is 1.2.3; install both in the same version',
    );
  });

  it('in a bundle: what keeps it out of the bundle', () => {
    putJson('package.json', { name: 'app', version: '9.9.9' });
    putPrebuilt('lethe-linux-x64', '9.9.9');
    expect(why({ ...installed(), root: project })).toBe(
      'the CPU addon is not in this bundle; leave the package lethe out of the bundle (as external), or name a copy of lethe.node by LETHE_ADDON',
    );
  });

  it('LETHE_ADDON names what does not exist', () => {
    const env = { LETHE_ADDON: 'none.node' };
    expect(why(installed({ env }))).toBe(
      `LETHE_ADDON names ${join(project, 'none.node')}, which does not exist`,
    );
  });

  it('it does not load: the reason that the system gives, and what makes another', () => {
    const path = putPrebuilt('lethe-linux-x64');
    const cause = (() => {
      try {
        return createRequire(import.meta.url)(path);
      } catch (error) {
        return error;
      }
    })();
    const { kind, message } = refused(path, cause, installed());
    expect(kind).toBe('device');
    const [about, advice] = message.split('; ');
    expect(about).toMatch(/^the CPU addon does not load \(.*lethe-linux-x64.lethe\.node: .+\)$/);
    expect(advice).toBe('with a C++17 compiler, run: npx lethe build');
    const named = refused(path, cause, installed({ env: { LETHE_ADDON: path } }));
    expect(named.message).toBe(`${about}; LETHE_ADDON names it`);
    const glibc = new Error("/lib/libc.so.6: version `GLIBC_2.99' not found\n (required by x)");
    expect(refused('/x/lethe.node', glibc, installed()).message).toContain(
      "(/x/lethe.node: /lib/libc.so.6: version `GLIBC_2.99' not found (required by x)); with a C++17 compiler",
    );
  });

  it('this checkout says what its own scripts are', () => {
    expect(packageRoot()).toBe(process.cwd());
    expect(howToBuild()).toBe('with a C++17 compiler, run: npm run build:native');
    expect(describeCpuBackend().reason).not.toContain('npx');
  });
});

describe('lethe build', () => {
  /** A build script that writes what it was given. */
  const BUILD = `
    import { writeFileSync } from 'node:fs';
    import { join } from 'node:path';
    console.error('lethe: compiling');
    writeFileSync(join(process.argv[process.argv.indexOf('--out') + 1], 'lethe.node'), '');`;

  it('builds where it is then found: in the package', async () => {
    const at = installed();
    put('node_modules/lethe/native/build.mjs', BUILD);
    const said: string[] = [];
    const path = await buildAddon((line) => said.push(line), at);
    expect(path).toBe(join(at.root, 'build', 'lethe.node'));
    expect(findAddon(at)).toBe(path);
    expect(said).toEqual(['lethe: compiling']);
  });

  it('in the cache, where the package may not be written', async () => {
    const at = installed();
    put('node_modules/lethe/native/build.mjs', BUILD);
    put('node_modules/lethe/build'); // a file in the way: root may write to any folder
    const path = await buildAddon(() => {}, at);
    expect(path).toBe(join(project, 'cache/lethe/addon/1.2.3-linux-x64/lethe.node'));
    expect(findAddon(at)).toBe(path);
  });

  it('says why it failed', async () => {
    const at = installed();
    put(
      'node_modules/lethe/native/build.mjs',
      `console.error('lethe: no compiler\\ndetails'); process.exit(1);`,
    );
    await expect(buildAddon(() => {}, at)).rejects.toMatchObject({
      kind: 'device',
      message: 'the CPU addon was not built: no compiler',
    });
    expect(existsSync(join(at.root, 'build', 'lethe.node'))).toBe(false);
  });

  it('has nothing to build in a bundle, and nowhere to build to where nothing may be written', async () => {
    await expect(buildAddon(() => {}, { ...installed(), root: project })).rejects.toMatchObject({
      kind: 'device',
    });
    const at = installed();
    put('node_modules/lethe/build');
    put('cache');
    await expect(buildAddon(() => {}, at)).rejects.toMatchObject({ kind: 'io' });
  });
});

it('npm install without a compiler says what is missing, and succeeds', () => {
  const env = { ...process.env, CXX: '/nonexistent' };
  const args = ['native/build.mjs', '--optional', '--out', join(project, 'build')];
  const { status, stderr } = spawnSync(process.execPath, args, { env });
  expect(String(stderr)).toMatch(/no C\+\+ compiler found.* and run: npm run build:native\n$/);
  expect(status).toBe(0);
});

it('a Node without what is needed is told so', () => {
  vi.stubGlobal('process', { version: process.version });
  expect(() => packageRoot()).toThrow(
    `Node ${process.version} is too old for Lethe; expected 20.19, 22.12 or later`,
  );
  vi.unstubAllGlobals();
});
