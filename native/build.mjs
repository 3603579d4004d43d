#!/usr/bin/env node
// Builds the CPU addon (build/lethe.node) from native/src with whatever C++17 compiler is there: no node-gyp, no
// download. A file that is written for one instruction set has its name (src/loops/avx2.cc); which of them runs is decided
// when the addon is loaded. Objects are reused while their sources and flags stay the same.
//
//   node native/build.mjs              build, or fail
//   node native/build.mjs --optional   build if possible, else one warning and success (npm install in a checkout)
//   node native/build.mjs --sanitize   build/sanitize/lethe.node, for native/test/sanitize.sh: stops at the first fault
//   --out FOLDER                       build there instead of in build/
//   --objects FOLDER                   objects go there, and may be shared; by default beside the addon, in native/
//   --prebuilt                         an addon for other machines: stripped, and in need of nothing that they may lack
//   --arch x64|arm64                   for another processor, by a cross compiler that CXX names
//   --platform linux|darwin|win32      for another system, likewise
//
// Every file is written beside its place and renamed, so that neither an interrupted build nor two at once leave half an
// addon; the stamp knows by time and size which file it speaks of.

import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { operationsHeader } from './header.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sourceFolder = join(root, 'native', 'src');

const argv = process.argv.slice(2);
const optionOf = (option) => (argv.includes(option) ? argv[argv.indexOf(option) + 1] : undefined);
const optional = argv.includes('--optional');
const sanitize = argv.includes('--sanitize');
const prebuilt = argv.includes('--prebuilt');

const buildFolder = resolve(optionOf('--out') ?? join(root, 'build', sanitize ? 'sanitize' : ''));
const objectFolder = resolve(optionOf('--objects') ?? join(buildFolder, 'native'));
const target = join(buildFolder, 'lethe.node');
const arch = optionOf('--arch') ?? process.arch;
const platform = optionOf('--platform') ?? process.platform;

const INSTRUCTION_SETS = [
  {
    file: 'avx512.cc',
    arch: 'x64',
    flags: ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma', '-mprefer-vector-width=512'],
  },
  { file: 'avx2.cc', arch: 'x64', flags: ['-mavx2', '-mfma'] },
  { file: 'neon.cc', arch: 'arm64', flags: [] },
];

// No contraction, so that a * b + c means the same everywhere; no errno and no trapping comparisons, because nobody
// looks at either and both keep loops from being vectorised.
const COMMON = [
  '-std=c++17',
  sanitize ? '-O1' : '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-pthread',
  '-Wall',
  '-Wextra',
  // A switch over operations that leaves one out.
  '-Werror=switch',
];

const SANITIZE = sanitize
  ? ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g1']
  : [];

/** g++ for Windows does not align the stack for registers that it then saves with aligned moves. */
const SYSTEM = platform === 'win32' ? ['-Wa,-muse-unaligned-vector-move'] : [];

const LINK = {
  darwin: ['-bundle', '-undefined', 'dynamic_lookup', ...(prebuilt ? ['-Wl,-x'] : [])],
  // The C++ library is newer where it is compiled than where it may run. libgcc_s is what Node itself has loaded: its
  // interface is old and fixed, and a copy in the addon would ask for a newer glibc.
  linux: [
    '-shared',
    '-Wl,--gc-sections',
    ...(prebuilt
      ? ['-static-libstdc++', '-shared-libgcc', '-Wl,--exclude-libs,ALL', '-Wl,-Bsymbolic', '-s']
      : []),
  ],
  // With the compiler's own libraries inside: Windows has none of them.
  win32: ['-shared', '-static', '-s'],
};
/** Only for other machines: here glibc's own do. */
const COMPATIBILITY = 'runtime/glibc.cc';

class Unavailable extends Error {}

function findCompiler() {
  const usual = platform === 'win32' ? ['g++'] : ['c++', 'g++', 'clang++'];
  const candidates = process.env.CXX ? [process.env.CXX] : usual;
  for (const name of candidates) {
    const [command, ...first] = name.split(/\s+/);
    const probe = spawnSync(command, [...first, '--version'], { encoding: 'utf8' });
    if (probe.status === 0) return { command, first, version: probe.stdout.split('\n')[0] };
  }
  throw new Unavailable(`no C++ compiler found (looked for ${candidates.join(', ')})`);
}

function packageFolder(name) {
  try {
    return dirname(createRequire(join(root, 'package.json')).resolve(`${name}/package.json`));
  } catch {
    throw new Unavailable('the packages node-addon-api and node-api-headers are not installed');
  }
}

// Ours, and what is made of the table of operations; others as system headers: their warnings are not ours.
const includeFlags = () => [
  `-I${sourceFolder}`,
  `-I${objectFolder}`,
  ...[packageFolder('node-addon-api'), join(packageFolder('node-api-headers'), 'include')].flatMap(
    (folder) => ['-isystem', folder],
  ),
];

/** What Node offers, for linkers that want every symbol accounted for; made by the tool that comes with the compiler. */
async function importLibrary(compiler) {
  if (platform !== 'win32') return [];
  const library = join(objectFolder, 'libnode.a');
  const tool = compiler.command.replace(/g\+\+(-posix)?(\.exe)?$/, 'dlltool');
  try {
    await run(tool, ['-d', join(packageFolder('node-api-headers'), 'def', 'node_api.def'), '-l', library]);
  } catch (error) {
    throw new Unavailable(`${tool} failed\n${error.stderr || error.message}`);
  }
  return [library];
}

/** Paths from native/src on, with `/` on every system. */
function sources() {
  const files = readdirSync(sourceFolder, { recursive: true })
    .filter((f) => f.endsWith('.cc'))
    .map((f) => f.replaceAll('\\', '/'))
    .sort();
  return files.flatMap((file) => {
    const set = INSTRUCTION_SETS.find((s) => s.file === basename(file));
    if (set && set.arch !== arch) return [];
    return [{ file, flags: set ? set.flags : [] }];
  });
}

// The paths of a source and of everything it includes from native/src, or from what was made.
function closure(file, seen = new Set()) {
  const path = [sourceFolder, objectFolder].map((folder) => join(folder, file)).find((f) => existsSync(f));
  if (path === undefined || seen.has(path)) return seen;
  seen.add(path);
  for (const [, name] of readFileSync(path, 'utf8').matchAll(/^\s*#include\s+"([^"]+)"/gm))
    closure(name, seen);
  return seen;
}

function digest(file, flags) {
  const hash = createHash('sha256').update(flags.join('\0'));
  for (const path of [...closure(file)].sort()) hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 24);
}

const run = promisify(execFile);

/** Writes a file beside its place and renames it. */
function put(path, text) {
  writeFileSync(`${path}.${process.pid}.part`, text);
  renameSync(`${path}.${process.pid}.part`, path);
}

async function compileAll(compiler, include) {
  for (const folder of [buildFolder, objectFolder]) mkdirSync(folder, { recursive: true });
  put(join(objectFolder, 'operations.h'), await operationsHeader(root));
  const jobs = sources().map(({ file, flags }) => {
    const all = [...compiler.first, ...COMMON, ...SYSTEM, ...SANITIZE, ...flags, ...include];
    const key = digest(file, [compiler.command, compiler.version, ...all]);
    return { file, all, object: join(objectFolder, `${file.slice(0, -3).replaceAll('/', '-')}-${key}.o`) };
  });
  const stale = jobs.filter((j) => !existsSync(j.object));
  if (stale.length > 0) console.error(`lethe: compiling ${stale.length} files with ${compiler.version}`);
  let next = 0;
  const worker = async () => {
    while (next < stale.length) {
      const { file, all, object } = stale[next++];
      const part = `${object}.${process.pid}.part`;
      try {
        const { stderr } = await run(compiler.command, [...all, '-c', join(sourceFolder, file), '-o', part]);
        if (stderr) process.stderr.write(stderr);
      } catch (error) {
        rmSync(part, { force: true });
        next = stale.length; // the others need not begin anything more
        throw new Unavailable(
          `${file} does not compile with ${compiler.version}\n${error.stderr ?? error.message}`,
        );
      }
      renameSync(part, object);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), stale.length) }, worker));
  return jobs;
}

/** Removes objects that are no longer wanted, and what builds that were interrupted left. */
function tidy(objects) {
  const keep = new Set(objects.map((o) => basename(o)));
  for (const folder of [objectFolder, buildFolder]) {
    for (const f of readdirSync(folder)) {
      const [, pid] = f.match(/\.(\d+)\.part$/) ?? [];
      if (pid ? !isRunning(Number(pid)) : f.endsWith('.o') && !keep.has(f))
        rmSync(join(folder, f), { force: true });
    }
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Which file `path` is, as far as renaming keeps it. */
const identity = (path) => {
  const { mtimeMs, size } = statSync(path);
  return `${mtimeMs} ${size}`;
};

async function link(compiler, objects) {
  const stamp = join(objectFolder, 'linked.txt');
  const flags = [...(LINK[platform] ?? LINK.linux), ...SANITIZE, '-pthread'];
  const key = [...flags, ...objects.map((o) => basename(o))].join('\n');
  const known = existsSync(target) && existsSync(stamp) && readFileSync(stamp, 'utf8');
  if (known === `${key}\n${known && identity(target)}`) return false;
  const part = `${target}.${process.pid}.part`;
  try {
    const node = await importLibrary(compiler);
    await run(compiler.command, [...compiler.first, ...flags, ...objects, ...node, '-o', part]);
  } catch (error) {
    rmSync(part, { force: true });
    if (error instanceof Unavailable) throw error;
    throw new Unavailable(`linking failed with ${compiler.version}\n${error.stderr ?? error.message}`);
  }
  const linked = `${key}\n${identity(part)}`;
  renameSync(part, target);
  put(stamp, linked);
  return true;
}

async function main() {
  const compiler = findCompiler();
  const began = Date.now();
  const jobs = await compileAll(compiler, includeFlags());
  const wanted = jobs.filter(({ file }) => prebuilt || file !== COMPATIBILITY);
  const linked = await link(
    compiler,
    wanted.map((j) => j.object),
  );
  tidy(jobs.map((j) => j.object));
  if (linked) console.error(`lethe: built the CPU addon (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  if (!optional) {
    console.error(`lethe: ${error.message}`);
    process.exit(1);
  }
  const [first] = error.message.split('\n');
  console.error(
    `lethe: the CPU addon was not built (${first}). Lethe works without it, on a GPU or slowly in TypeScript; to get it, install a C++17 compiler (set CXX if it is not on the PATH) and run: npm run build:native`,
  );
}
