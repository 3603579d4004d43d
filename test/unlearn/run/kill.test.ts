// A run killed with SIGKILL, again and again, at moments nobody chose, ends with the bits of a run left alone, and at
// no moment holds a file that is half there.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../compiled.ts';

let child: string;
const folders: string[] = [];
beforeAll(() => {
  [child] = compiled('kill', 'test/unlearn/run/child.ts');
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Runs the child; kills it `ms` after node has started, unless it has ended. */
function attempt(
  out: string,
  pace: number,
  ms = Number.POSITIVE_INFINITY,
): Promise<{ killed: boolean; talk: string }> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, out, String(pace)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let talk = '';
    let timer: NodeJS.Timeout | undefined;
    process_.stderr.on('data', (text) => {
      talk += text;
      if (Number.isFinite(ms)) timer ??= setTimeout(() => process_.kill('SIGKILL'), ms);
    });
    process_.on('error', reject);
    process_.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (signal === null && code !== 0) reject(new Error(talk));
      else resolve({ killed: signal === 'SIGKILL', talk });
    });
  });
}

function fresh(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-kill-'));
  folders.push(folder);
  return folder;
}

const weights = (out: string) =>
  readdirSync(join(out, 'checkpoints'))
    .filter((name) => name.endsWith('.safetensors') && !name.startsWith('.'))
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(out, 'checkpoints', name)))
        .digest('hex'),
    ]);

describe('SIGKILL', () => {
  it('at random moments, until done: the same bits', async () => {
    const alone = fresh();
    await attempt(alone, 0);
    const whole = weights(alone);
    expect(whole).toHaveLength(4);
    const out = fresh();
    let kills = 0;
    for (; kills < 60; kills++) {
      // The work has 57 steps of 20 ms or more: the first two attempts cannot reach its end. Growing, for a busy machine.
      const { killed } = await attempt(out, 20, 15 * kills + Math.random() * 400);
      if (existsSync(join(out, 'results.json'))) JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
      if (existsSync(join(out, 'cells'))) {
        for (const name of readdirSync(join(out, 'cells')).filter((n) => !n.startsWith('.'))) {
          JSON.parse(readFileSync(join(out, 'cells', name), 'utf8'));
        }
      }
      if (!killed) break;
    }
    if (kills === 60) await attempt(out, 0);
    expect(kills).toBeGreaterThan(1);
    expect(weights(out)).toEqual(whole);
    const log = readFileSync(join(out, 'log.txt'), 'utf8');
    expect(log).toMatch(/took over the lock of process \d+, which is gone/);
    expect(readdirSync(out)).not.toContain('lethe.lock');
  });

  it('two runs in one folder: the second is told who works there', async () => {
    const out = fresh();
    const first = attempt(out, 40);
    while (!existsSync(join(out, 'lethe.lock'))) await new Promise((wake) => setTimeout(wake, 5));
    await expect(attempt(out, 0)).rejects.toThrow(/in use by process \d+; wait for it/);
    await first;
  });
});
