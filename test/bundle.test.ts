// What bundlers make of the package with no option set: bundles for a browser ask for nothing of Node's, keep the methods
// of tensors, and are small; bundles for Node run; and so does what `require` gives.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build as esbuild } from 'esbuild';
import { type InlineConfig, type Rolldown, build as vite } from 'vite';
import { beforeAll, describe, expect, test } from 'vitest';
import { installed } from './installed.ts';

const cubes = (lt: string) =>
  `${lt}init({ device: 'reference' }).then(async () => console.log(String(await ${lt}tensor([1, 2, 3]).pow(3).data())));`;
const files = {
  'all.js': "import * as lt from 'lethe';\nglobalThis.lethe = lt;",
  'grad.js': "import { grad } from 'lethe';\nglobalThis.grad = grad;",
  'names.js': `import { init, tensor } from 'lethe';\n${cubes('')}`,
  'space.js': `import * as lt from 'lethe';\n${cubes('lt.')}`,
  'webgpu.js':
    "import { createWebGpuBackend } from 'lethe/webgpu';\nglobalThis.create = createWebGpuBackend;",
  'method.js': "import * as method from 'lethe/method';\nglobalThis.method = method;",
  'unlearn.js':
    "import * as lt from 'lethe';\nimport * as un from 'lethe/unlearn';\nObject.assign(globalThis, { lt, un });",
  'files.js': `import * as un from 'lethe/unlearn';
const tell = async (what, call) => {
  try {
    await call();
    console.log(what);
  } catch (error) {
    console.log(what + ': ' + error.kind + ', ' + error.message);
  }
};
for (const { name, download } of un.datasets.list()) {
  const options = name === 'csv' ? { label: 'species' } : {};
  await tell(name, () => un.datasets.describe(name, options));
  if (un.datasets[name].inspect) await tell('inspect', () => un.datasets.inspect(name, options));
  if (download) await tell('get', () => un.datasets.get(name));
}
for (const name of ['cardOfFile', 'folderStore', 'loadManifest', 'loadScores', 'memorise', 'predictFiles', 'run', 'runVaried', 'saveManifest'])
  await tell('un', () => un[name]('here', []));`,
  'cpu.js': `import { init } from 'lethe';
init({ device: 'cpu' }).catch((error) => console.log(error.kind + ': ' + error.message));`,
  'old.cjs': `const lt = require('lethe');\n${cubes('lt.')}`,
};
const entries = Object.keys(files).filter((file) => file.endsWith('.js'));

let project: string;
beforeAll(() => {
  project = installed('bundle', files);
});

/** A file of a bundle: its code, and what it needs of other files before it runs. */
interface Piece {
  readonly name: string;
  readonly code: string;
  readonly needs: readonly string[];
}

/** The files that esbuild makes, the entry's first, and what is imported but not in them. */
async function withEsbuild(entry: string, options: BuildOptions = {}) {
  const { metafile, outputFiles, warnings } = await esbuild({
    absWorkingDir: project,
    entryPoints: [entry],
    outdir: 'esbuild',
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    ...options,
    metafile: true,
    write: false,
  });
  expect(warnings).toEqual([]);
  const outputs = Object.entries(metafile.outputs);
  const pieces = outputs.map(([name, { imports }]): Piece => {
    const file = outputFiles.find(({ path }) => path === join(project, name));
    const needs = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
    return { name, code: file?.text ?? '', needs };
  });
  pieces.sort((a, b) => Number(isEntry(b)) - Number(isEntry(a)));
  return {
    pieces,
    outside: outputs.flatMap(([, { imports }]) => imports.filter(({ external }) => external)),
  };

  function isEntry({ name }: Piece): boolean {
    return metafile.outputs[name].entryPoint === entry;
  }
}

/** As Vite builds a page that loads `entry`, with what it warns of. */
async function withVite(entry: string) {
  const warnings: string[] = [];
  const config: InlineConfig = {
    root: project,
    configFile: false,
    logLevel: 'warn',
    customLogger: {
      hasWarned: false,
      info: () => {},
      warn: (message) => void warnings.push(message),
      warnOnce: (message) => void warnings.push(message),
      error: (message) => void warnings.push(message),
      clearScreen: () => {},
      hasErrorLogged: () => false,
    },
    build: { write: false, rolldownOptions: { input: join(project, entry) } },
  };
  const { output } = (await vite(config)) as Rolldown.RolldownOutput;
  const chunks = output.filter((file) => file.type === 'chunk');
  chunks.sort((a, b) => Number(b.isEntry) - Number(a.isEntry));
  const pieces = chunks.map(({ fileName: name, code, imports: needs }): Piece => ({ name, code, needs }));
  return { pieces, warnings };
}

/** KB (1000 bytes), minified and gzipped, of a bundle's entry and what it needs before it runs. */
function sizeOf(pieces: readonly Piece[]): number {
  const needed = new Set([pieces[0]]);
  for (const piece of needed)
    for (const name of piece.needs) needed.add(pieces.find((p) => p.name === name) as Piece);
  return [...needed].reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0) / 1000;
}

const print = (code: string, type = 'module'): string =>
  execFileSync(process.execPath, [`--input-type=${type}`, '-'], {
    cwd: project,
    input: code,
    encoding: 'utf8',
  });

describe('for a browser', () => {
  test.each(entries)('esbuild bundles %s with no option', async (entry) => {
    const { pieces, outside } = await withEsbuild(entry);
    expect(outside).toEqual([]);
    expect(pieces).toHaveLength(1);
    expect(pieces[0].code).not.toMatch(/\b(import|require)\b *\(?["']node:/);
  });
  test.each(entries)('Vite bundles %s with no option', async (entry) => {
    const { pieces, warnings } = await withVite(entry);
    expect(warnings).toEqual([]);
    const code = pieces.map((piece) => piece.code).join('\n');
    expect(code).not.toMatch(/\b(import|from|require)\b *\(?["'`]node:|vite-browser-external/);
  });
  test.each(['names.js', 'space.js'])('the methods of tensors are in %s', async (entry) => {
    expect(print((await withEsbuild(entry)).pieces[0].code)).toBe('1,8,27\n');
    expect(print((await withEsbuild(entry, { minify: true })).pieces[0].code)).toBe('1,8,27\n');
  });
  test('what needs files says so, and the rest is there', async () => {
    const told = print((await withEsbuild('files.js')).pieces[0].code)
      .trim()
      .split('\n');
    const needsFiles =
      /: io, (a data set other than glyphs|datasets.get|\w+) needs files: it works in Node, not in a browser$/;
    expect(told.filter((line) => !needsFiles.test(line))).toEqual(['glyphs']);
    expect(told).toHaveLength(9 + 4 + 2 + 9);
  });
  test('a plain script runs, too', async () => {
    const { pieces } = await withEsbuild('names.js', { format: 'iife' });
    expect(print(pieces[0].code, 'commonjs')).toBe('1,8,27\n');
  });
});

describe('sizes are as docs/browser.md says, and below its limits:', () => {
  const page = readFileSync('docs/browser.md', 'utf8');
  const rows = [...page.matchAll(/^\| (.+) \| (\d+) \|(?: (\d+))? \| (\d+) \|$/gm)].map((row) =>
    row.slice(1),
  );
  /** Whether devices, which `init` loads, are in files of their own. */
  const bundles: Record<string, [entry: string, splitting: boolean]> = {
    "`import { grad } from 'lethe'`": ['grad.js', false],
    'all of `lethe`, before a device is opened': ['all.js', true],
    'all of `lethe` and `lethe/unlearn`, before a device is opened': ['unlearn.js', true],
    'all of `lethe` in one file, devices included': ['all.js', false],
  };
  test('all of them', () => expect(rows.map(([label]) => label)).toEqual(Object.keys(bundles)));
  test.each(rows)('%s', async (label, saidOfEsbuild, saidOfVite, limit) => {
    const [entry, splitting] = bundles[label];
    const sizes = [sizeOf((await withEsbuild(entry, { minify: true, splitting })).pieces)];
    if (saidOfVite) sizes.push(sizeOf((await withVite(entry)).pieces));
    [saidOfEsbuild, saidOfVite].filter(Boolean).forEach((said, i) => {
      expect(sizes[i]).toBeLessThan(Number(limit));
      expect(Math.abs(sizes[i] / Number(said) - 1)).toBeLessThan(0.25);
    });
  });
});

describe('for Node', () => {
  test('a bundle of esbuild runs', async () => {
    const { pieces } = await withEsbuild('names.js', { platform: 'node' });
    expect(print(pieces[0].code)).toBe('1,8,27\n');
  });
  test('a bundle in the old format runs', async () => {
    const { pieces } = await withEsbuild('old.cjs', { platform: 'node', format: 'cjs' });
    expect(print(pieces[0].code, 'commonjs')).toBe('1,8,27\n');
  });
  test.each(['esm', 'cjs'] as const)('a bundle (%s) says how to have the addon', async (format) => {
    const { pieces } = await withEsbuild('cpu.js', { platform: 'node', format });
    expect(print(pieces[0].code, format === 'esm' ? 'module' : 'commonjs')).toBe(
      'device: the CPU addon is not in this bundle; leave the package lethe out of the bundle (as external), or name a copy of lethe.node by LETHE_ADDON\n',
    );
  });
  test('require gives the package', () => {
    expect(print(files['old.cjs'], 'commonjs')).toBe('1,8,27\n');
  });
});
