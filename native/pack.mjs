#!/usr/bin/env node
// Makes what is published, as tarballs in pack/: lethe itself, and for each platform a package that has nothing but the
// addon. They are optional dependencies of lethe, so a package manager installs the one that fits the machine and nothing
// has to be compiled or run there.
//
//   node native/pack.mjs                  lethe, and Linux on x64 and arm64 (npm run pack:all)
//   node native/pack.mjs linux-x64 ...    the packages of these platforms only
//   node native/pack.mjs lethe            lethe, which depends on those platform packages that lie in pack/
//
// The dependencies are written into the packed package.json alone. In a checkout they would have to be in the lock file
// with a checksum, before they exist. For the same reason the checkout is private: what is published are these tarballs.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What npm installs a package on; and the compiler for it on a machine of another kind, of the same system unless `from`
 * names one. Without it, the package can be made on machines of its own kind only.
 */
const PLATFORMS = {
  'linux-x64': { os: 'linux', cpu: 'x64', libc: 'glibc', cross: 'x86_64-linux-gnu-g++' },
  'linux-arm64': { os: 'linux', cpu: 'arm64', libc: 'glibc', cross: 'aarch64-linux-gnu-g++' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl' },
  'darwin-x64': { os: 'darwin', cpu: 'x64', cross: 'clang++ -arch x86_64' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64', cross: 'clang++ -arch arm64' },
  'win32-x64': { os: 'win32', cpu: 'x64', cross: 'x86_64-w64-mingw32-g++-posix', from: 'linux' },
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const staging = join(root, 'build', 'pack');
const tarballs = join(root, 'pack');
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const isMusl = () => readFileSync(process.execPath).subarray(0, 4096).includes('/ld-musl-');

function isHere({ os, cpu, libc }) {
  if (os !== process.platform || cpu !== process.arch) return false;
  return libc === undefined || (libc === 'musl') === isMusl();
}

function emptyFolder(...path) {
  const folder = join(...path);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Packs a folder to `to`; returns the tarball's name. */
function pack(folder, to) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', to];
  const options = { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' };
  const [{ filename }] = Object.values(JSON.parse(execFileSync('npm', args, options)));
  return filename;
}

function buildAddon(name, folder) {
  const { os, cpu, cross, from = os } = PLATFORMS[name];
  const here = isHere(PLATFORMS[name]);
  if (!here && (cross === undefined || from !== process.platform))
    throw new Error(
      `${name} cannot be built on ${process.platform}-${process.arch}${isMusl() ? '-musl' : ''}`,
    );
  // The checkout's own objects serve its own platform.
  const objects = here ? join(root, 'build', 'native') : join(root, 'build', `native-${name}`);
  const args = ['--prebuilt', '--platform', os, '--arch', cpu, '--out', folder, '--objects', objects];
  execFileSync(process.execPath, [join(root, 'native', 'build.mjs'), ...args], {
    stdio: 'inherit',
    env: here ? process.env : { ...process.env, CXX: cross },
  });
}

/** An addon that needs a newer glibc than Node's own binaries would be refused where Node runs. */
function checkGlibc(addon) {
  const named = new Set(readFileSync(addon, 'latin1').match(/GLIBC_2\.\d+/g));
  const newer = [...named].filter((version) => Number(version.split('.')[1]) > 28);
  if (newer.length > 0)
    throw new Error(
      `${addon} needs ${newer.join(', ')}, Node itself 2.28 at most: native/src/runtime/glibc.cc has to help`,
    );
}

function packPlatform(name) {
  const { os, cpu, libc } = PLATFORMS[name];
  const folder = emptyFolder(staging, name);
  buildAddon(name, folder);
  if (libc === 'glibc') checkGlibc(join(folder, 'lethe.node'));
  const manifest = {
    name: `lethe-${name}`,
    version: own.version,
    description: `The CPU addon of lethe for ${name}.`,
    license: own.license,
    engines: own.engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: 'lethe.node',
    files: ['lethe.node'],
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    join(folder, 'README.md'),
    `# lethe-${name}\n\nThe CPU addon of lethe, machine unlearning in TypeScript, for ${name}.\nInstall lethe; package managers add this where it fits.\n`,
  );
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  return pack(folder, tarballs);
}

function packLethe() {
  if (!existsSync(join(root, 'dist', 'index.js'))) throw new Error('dist is missing: npm run build:ts');
  const folder = emptyFolder(staging, 'lethe');
  execFileSync('tar', ['-xzf', pack(root, folder), '--strip-components=1'], { cwd: folder });
  const there = readdirSync(tarballs);
  const names = Object.keys(PLATFORMS).filter((name) => there.includes(`lethe-${name}-${own.version}.tgz`));
  const manifest = {
    ...own,
    optionalDependencies: Object.fromEntries(names.map((name) => [`lethe-${name}`, own.version])),
  };
  // Of use in a checkout only; package managers ask their users about scripts.
  for (const key of ['private', 'scripts', 'devDependencies']) delete manifest[key];
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return pack(folder, tarballs);
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => name !== 'lethe' && !PLATFORMS[name]);
try {
  if (unknown)
    throw new Error(`no platform "${unknown}"; known: ${Object.keys(PLATFORMS).join(', ')}, lethe`);
  if (wanted.length === 0) emptyFolder(tarballs);
  mkdirSync(tarballs, { recursive: true });
  for (const name of wanted.length > 0 ? wanted : ['linux-x64', 'linux-arm64', 'lethe'])
    console.log(`pack/${name === 'lethe' ? packLethe() : packPlatform(name)}`);
} catch (error) {
  console.error(`pack: ${error.message}`);
  process.exit(1);
}
