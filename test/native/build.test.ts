// native/build.mjs with a compiler of our own, which writes what it was given and can be made to wait: what an
// interrupted build leaves, and what two at once make.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const COMPILER = `
  import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
  const args = process.argv.slice(2);
  const tag = args.find((a) => a.startsWith('--tag=')) ?? '';
  if (args.includes('--version')) {
    console.log('compiler 1');
  } else {
    const out = args[args.indexOf('-o') + 1];
    const inputs = args.filter((a) => /\\.(cc|o)$/.test(a) && a !== out);
    const step = args.includes('-c') ? 'compile' : 'link';
    writeFileSync(out, step + ' ' + tag + '\\n');
    writeFileSync(new URL('at-' + step, import.meta.url), out);
    const wait = new URL('wait-' + step, import.meta.url);
    while (existsSync(wait)) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const f of inputs) appendFileSync(out, readFileSync(f, 'utf8'));
    appendFileSync(out, 'end\\n');
  }`;

let root: string;
let children: ChildProcess[];
const path = (...parts: string[]) => join(root, ...parts);
const addon = () => readFileSync(path('build', 'lethe.node'), 'utf8');
const source = (text: string) => writeFileSync(path('native', 'src', 'a.cc'), `${text}\n`);

beforeEach(() => {
  children = [];
  root = mkdtempSync(join(tmpdir(), 'lethe-build-'));
  mkdirSync(path('native', 'src'), { recursive: true });
  const project = join(import.meta.dirname, '..', '..');
  mkdirSync(path('engine', 'primitives'), { recursive: true });
  for (const file of ['native/build.mjs', 'native/header.mjs', 'engine/primitives/table.ts'])
    copyFileSync(join(project, file), path(file));
  symlinkSync(join(project, 'node_modules'), path('node_modules'));
  writeFileSync(path('package.json'), '{}');
  writeFileSync(path('compiler.mjs'), COMPILER);
  source('one');
  writeFileSync(path('native', 'src', 'b.cc'), 'b\n');
});
afterEach(async () => {
  for (const step of ['compile', 'link']) rmSync(path(`wait-${step}`), { force: true });
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

function build(tag = 'a'): ChildProcess {
  const env = { ...process.env, CXX: `${process.execPath} ${path('compiler.mjs')} --tag=${tag}` };
  const child = spawn(process.execPath, [path('native', 'build.mjs')], { env, stdio: 'ignore' });
  children.push(child);
  return child;
}
const built = async (tag?: string) => expect(await once(build(tag), 'exit')).toEqual([0, null]);

/** Starts a build and kills it while the compiler has written half a file. */
async function interrupted(step: 'compile' | 'link'): Promise<void> {
  writeFileSync(path(`wait-${step}`), '');
  const child = build();
  await reached(step);
  child.kill('SIGKILL');
  await once(child, 'exit');
  rmSync(path(`wait-${step}`));
}
async function reached(step: 'compile' | 'link'): Promise<void> {
  const mark = `at-${step}`;
  for await (const _ of ticks()) if (existsSync(path(mark))) break;
  rmSync(path(mark));
}
async function* ticks() {
  const watcher = watch(root);
  try {
    yield;
    for (;;) {
      await once(watcher, 'change');
      yield;
    }
  } finally {
    watcher.close();
  }
}

const whole = (tag: string, a: string) =>
  `link --tag=${tag}\ncompile --tag=${tag}\n${a}\nend\ncompile --tag=${tag}\nb\nend\nend\n`;
const parts = () =>
  [path('build'), path('build', 'native')].flatMap((f) => readdirSync(f)).filter((f) => f.endsWith('.part'));

it('builds, and does nothing where nothing has changed', async () => {
  await built();
  expect(addon()).toBe(whole('a', 'one'));
  writeFileSync(
    path('compiler.mjs'),
    `console.log('compiler 1'); if (!process.argv.includes('--version')) process.exit(1);`,
  );
  await built();
});

it.each(['compile', 'link'] as const)(
  'killed while it has to %s, it leaves no addon, and the next one is whole',
  async (step) => {
    await interrupted(step);
    expect(existsSync(path('build', 'lethe.node'))).toBe(false);
    await built();
    expect(addon()).toBe(whole('a', 'one'));
  },
);

it.each(['compile', 'link'] as const)(
  'killed while it has to %s, it leaves the addon that was there',
  async (step) => {
    await built();
    for (const mark of ['compile', 'link']) rmSync(path(`at-${mark}`), { force: true });
    source('two');
    await interrupted(step);
    expect(addon()).toBe(whole('a', 'one'));
    await built();
    expect(addon()).toBe(whole('a', 'two'));
  },
);

it('what an interrupted build left is removed by the next', async () => {
  await built();
  writeFileSync(path('build', 'lethe.node.999999999.part'), 'half');
  writeFileSync(path('build', 'native', 'a-0.o.999999999.part'), 'half');
  await built();
  expect(parts()).toEqual([]);
});

it('two at once make one whole addon, and each knows its own', async () => {
  writeFileSync(path('wait-link'), '');
  const first = build('a');
  await reached('link');
  const second = build('b');
  await reached('link');
  rmSync(path('wait-link'));
  await Promise.all([once(first, 'exit'), once(second, 'exit')]);
  expect([whole('a', 'one'), whole('b', 'one')]).toContain(addon());
  expect(parts()).toEqual([]);
  for (const tag of ['a', 'b', 'b', 'a']) {
    await built(tag);
    expect(addon()).toBe(whole(tag, 'one'));
  }
});
