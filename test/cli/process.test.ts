// The command line as a process: signals, a folder that cannot be written, a reader that goes away, a quick start.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compiled } from '../compiled.ts';
import { recipeText } from './world.ts';

let child: string;
let main: string;
let folder: string;
beforeAll(() => {
  [child, main] = compiled('cli', 'test/cli/child.ts', 'cli/main.ts');
  folder = mkdtempSync(join(tmpdir(), 'lethe-process-'));
  writeFileSync(join(folder, 'toy.yaml'), recipeText);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a slow toy run; sends the signals once work has begun, the next one once the last was answered. */
function signalled(
  out: string,
  signals: NodeJS.Signals[],
): Promise<{ code: number | null; signal: string | null; talk: string }> {
  return new Promise((resolve, reject) => {
    const words = ['run', join(folder, 'toy.yaml'), '--out', out];
    const runner = spawn(process.execPath, [child, signals.length > 1 ? '400' : '20', ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let talk = '';
    const cues = [/seed-0-original: train/, /stopping at the next/];
    runner.stderr.on('data', (text) => {
      talk += text;
      if (cues[0]?.test(talk) && signals.length > 0) {
        cues.shift();
        runner.kill(signals.shift());
      }
    });
    runner.on('error', reject);
    runner.on('exit', (code, signal) => resolve({ code, signal, talk }));
  });
}

it('one SIGINT stops at a safe point, with exit code 1 and how to go on', async () => {
  const out = join(folder, 'one');
  const { code, talk } = await signalled(out, ['SIGINT']);
  expect(talk).toContain('stopping at the next safe point');
  expect(talk).toContain('lethe: error: stopped; the same command goes on from here');
  expect(code).toBe(1);
  expect(existsSync(join(out, 'lethe.lock'))).toBe(false);
  expect(readdirSync(join(out, 'unfinished'))).toContain('seed-0-original.safetensors');
});

it('a second SIGINT ends at once', async () => {
  const { signal, talk } = await signalled(join(folder, 'two'), ['SIGINT', 'SIGINT']);
  expect(talk).toContain('press Ctrl-C again');
  expect(signal).toBe('SIGINT');
});

it('a folder that cannot be written is one line and exit code 1', () => {
  const locked = join(folder, 'locked');
  mkdirSync(locked);
  chmodSync(locked, 0o500);
  // The superuser may write anywhere: there a file in the way has to do.
  const out = process.getuid?.() === 0 ? join(folder, 'toy.yaml', 'x') : join(locked, 'x');
  const { status, stderr } = spawnSync(process.execPath, [
    child,
    '0',
    'run',
    join(folder, 'toy.yaml'),
    '--out',
    out,
  ]);
  expect(String(stderr)).toMatch(/^lethe: error: could not make .*\n$/);
  expect(status).toBe(1);
});

it('shows its help, and loads no package but the one that parses arguments', () => {
  const args = ['--import', `data:text/javascript,${encodeURIComponent(spy)}`, main, 'run', '--help'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stdout).toMatch(/^Examples:/);
  expect(new Set(stderr.trim().split('\n'))).toEqual(new Set(['commander']));
});

/** Says on stderr which packages are loaded. */
const hooks = `export async function resolve(name, context, next) {
  if (/^[a-z]/.test(name) && !/^(node|file|data):/.test(name)) (await import('node:fs')).writeSync(2, name + '\\n');
  return next(name, context);
}`;
const spy = `import { register } from 'node:module'; register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hooks))});`;
