// Where the addon lies in this installation; where there is none, why, and what gets one there.
//
// Looked for in this order: what LETHE_ADDON names; what was built from source, in the package's own build/ or, where that
// may not be written, in the user's cache; the ready-made one in the package of this platform, which is an optional
// dependency of the published package.

import { builtin } from '../builtin.ts';
import { check, LetheError } from '../engine/error.ts';

/** What an installation is known by. */
export interface Installation {
  /** The folder of Lethe's package. In a bundle, of the program it was bundled into. */
  readonly root: string;
  readonly cwd: string;
  readonly platform: string;
  readonly arch: string;
  /** Linux with musl in place of glibc. */
  readonly musl: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const thisInstallation = (): Installation => ({
  root: packageRoot(),
  cwd: process.cwd(),
  platform: process.platform,
  arch: process.arch,
  musl: usesMusl(),
  env: process.env,
});

/**
 * The nearest folder with a package.json, some folders up once compiled. A bundle that is no module does not know where it
 * lies: there it is sought from the working folder on.
 */
export function packageRoot(): string {
  const { dirname, join } = builtin('node:path');
  const { fileURLToPath } = builtin('node:url');
  let folder = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : process.cwd();
  while (!exists(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** Node names the loader it was linked for at its beginning, and shares it with what it loads. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { closeSync, openSync, readSync } = builtin('node:fs');
  try {
    const file = openSync(process.execPath, 'r');
    const head = Buffer.alloc(4096);
    const length = readSync(file, head);
    closeSync(file);
    return head.subarray(0, length).includes('/ld-musl-');
  } catch {
    return false; // not to be read: then it is glibc, as nearly everywhere
  }
}

/**
 * The addon's path.
 * @throws LetheError 'device' where there is none, with the cause and, after a semicolon, what to do.
 */
export function findAddon(at: Installation = thisInstallation()): string {
  const { join, resolve } = builtin('node:path');
  if (at.env.LETHE_ADDON) {
    const named = resolve(at.cwd, at.env.LETHE_ADDON);
    check(exists(named), 'device', () => `LETHE_ADDON names ${named}, which does not exist`);
    return named;
  }
  const built = buildFolders(at)
    .map((folder) => join(folder, 'lethe.node'))
    .find((path) => exists(path));
  const path = built ?? prebuilt(at);
  if (path === null) throw new LetheError('device', explain(at));
  return path;
}

/** Where an addon that is built from source may lie; it goes into the first of them that can be written. */
export function buildFolders(at: Installation = thisInstallation()): string[] {
  const { join } = builtin('node:path');
  const own = join(at.root, 'build');
  if (kindOf(at) !== 'dependency') return [own];
  const cache = at.env.XDG_CACHE_HOME || join(builtin('node:os').homedir(), '.cache');
  return [own, join(cache, 'lethe', 'addon', `${manifestOf(at.root).version}-${platformOf(at)}`)];
}

/** The addon of the platform's package; null where that is not installed. */
function prebuilt(at: Installation): string | null {
  if (kindOf(at) === 'bundle') return null;
  const { dirname, join } = builtin('node:path');
  const name = `lethe-${platformOf(at)}`;
  let folder: string;
  try {
    const { createRequire } = builtin('node:module');
    folder = dirname(createRequire(join(at.root, 'package.json')).resolve(`${name}/package.json`));
  } catch {
    return null;
  }
  const [has, wanted] = [folder, at.root].map((f) => manifestOf(f).version);
  check(has === wanted, 'device', () => {
    return `the package ${name} is version ${has}, lethe is ${wanted}; install both in the same version`;
  });
  return join(folder, 'lethe.node');
}

function explain(at: Installation): string {
  const build = howToBuild(at);
  switch (kindOf(at)) {
    case 'bundle':
      return `the CPU addon is not in this bundle; ${build}`;
    case 'checkout':
      return `the CPU addon is not built; ${build}`;
    case 'dependency': {
      const name = `lethe-${platformOf(at)}`;
      if (!manifestOf(at.root).optionalDependencies?.[name])
        return `there is no ready-made CPU addon for ${platformOf(at)}; ${build}`;
      const { install } = COMMANDS[packageManager(at)];
      return `the CPU addon is in the package ${name}, which is not installed (optional dependencies were left out); run: ${install}; or, ${build}`;
    }
  }
}

/** The error for an addon that is there and does not load: for another processor, another system or a newer C library. */
export function refused(path: string, cause: unknown, at: Installation = thisInstallation()): LetheError {
  const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\s*\n\s*/g, ' ').trim();
  const why = said.includes(path) ? said : `${path}: ${said}`;
  const remedy = at.env.LETHE_ADDON ? 'LETHE_ADDON names it' : howToBuild(at);
  return new LetheError('device', `the CPU addon does not load (${why}); ${remedy}`, { cause });
}

/** What to do to get an addon that is made for this machine, as the end of a sentence. */
export function howToBuild(at: Installation = thisInstallation()): string {
  const kind = kindOf(at);
  if (kind === 'bundle')
    return 'leave the package lethe out of the bundle (as external), or name a copy of lethe.node by LETHE_ADDON';
  const compiler = at.platform === 'win32' ? 'g++ of MinGW-w64' : 'a C++17 compiler';
  return `with ${compiler}, run: ${kind === 'checkout' ? 'npm run build:native' : COMMANDS[packageManager(at)].build}`;
}

type Manager = 'npm' | 'pnpm' | 'yarn';

const COMMANDS: Readonly<Record<Manager, { build: string; install: string }>> = {
  npm: { build: 'npx lethe build', install: 'npm install --include=optional' },
  pnpm: { build: 'pnpm exec lethe build', install: 'pnpm install' },
  yarn: { build: 'yarn lethe build', install: 'yarn install --force' },
};
const LOCKS: Readonly<Record<Manager, string>> = {
  npm: 'package-lock.json',
  pnpm: 'pnpm-lock.yaml',
  yarn: 'yarn.lock',
};

/** Whose project this is: the nearest lock file says it. */
function packageManager(at: Installation): Manager {
  const { dirname, join } = builtin('node:path');
  for (let folder = at.cwd; ; folder = dirname(folder)) {
    for (const name of ['npm', 'pnpm', 'yarn'] as const) if (exists(join(folder, LOCKS[name]))) return name;
    if (folder === dirname(folder)) return 'npm';
  }
}

export function kindOf(at: Installation): 'bundle' | 'checkout' | 'dependency' {
  const { join, sep } = builtin('node:path');
  if (!exists(join(at.root, 'native', 'build.mjs'))) return 'bundle';
  return at.root.split(sep).includes('node_modules') ? 'dependency' : 'checkout';
}

const platformOf = (at: Installation): string => `${at.platform}-${at.arch}${at.musl ? '-musl' : ''}`;

interface Manifest {
  readonly version: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(builtin('node:fs').readFileSync(builtin('node:path').join(folder, 'package.json'), 'utf8'));

const exists = (path: string): boolean => builtin('node:fs').existsSync(path);
