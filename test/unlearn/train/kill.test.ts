// A real training, and unlearning after it, killed with SIGKILL at moments nobody chose, ends with the bits of a process
// left alone.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compiled } from '../../compiled.ts';

let child: string;
const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'lethe-train-')));
beforeAll(() => {
  [child] = compiled('train-kill', 'test/unlearn/train/child.ts');
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Runs the child and kills it `ms` after its first checkpoint; true if it was killed. */
function attempt(folder: string, ms: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    let talk = '';
    process_.stderr.on('data', (text) => {
      talk += text;
    });
    let at = Number.POSITIVE_INFINITY;
    const look = setInterval(() => {
      if (at === Number.POSITIVE_INFINITY && existsSync(join(folder, 'train.safetensors')))
        at = performance.now() + ms;
      if (performance.now() > at) process_.kill('SIGKILL');
    }, 5);
    process_.on('error', reject);
    process_.on('exit', (code, signal) => {
      clearInterval(look);
      if (signal === null && code !== 0) reject(new Error(talk));
      else resolve(signal === 'SIGKILL');
    });
  });
}

test('killed again and again, the same bits', async () => {
  await attempt(folders[0], Number.POSITIVE_INFINITY);
  let kills = 0;
  while (await attempt(folders[1], 200 + 700 * kills)) kills++;
  expect(kills).toBeGreaterThan(0);
  const [whole, pieces] = folders.map((folder) => readFileSync(join(folder, 'done.json'), 'utf8'));
  expect(pieces).toBe(whole);
});
