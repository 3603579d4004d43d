// Exact methods killed with SIGKILL: the folder holds a state that is whole, and the same work, begun again, comes to the same
// bits, whether the kill hit the preparation or the removal.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { Artifact } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { compiled } from '../../compiled.ts';
import { stripes, tinyMlp } from '../problems.ts';
import { without } from './kit.ts';

let child: string;
const base = mkdtempSync(join(tmpdir(), 'lethe-exact-kill-'));
beforeAll(async () => {
  [child] = compiled('exact', 'test/unlearn/methods/exact.child.ts');
  await lt.init({ device: 'reference' });
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Runs the child; kills it at the report of this number. */
function attempt(name: string, folder: string, kill: number): Promise<{ killed: boolean; lines: string[] }> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, name, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    process_.stdout.on('data', (text) => {
      said += text;
      if (said.split('\n').length > kill) process_.kill('SIGKILL');
    });
    process_.on('error', reject);
    process_.on('exit', (code, signal) => {
      if (signal === null && code !== 0) reject(new Error(said));
      else resolve({ killed: signal === 'SIGKILL', lines: said.trim().split('\n') });
    });
  });
}

test.each(['sisa', 'arcane'] as const)('%s: killed at several points', async (name) => {
  const train = { epochs: 2, batchSize: 16 };
  const method =
    name === 'sisa' ? methods.sisa({ shards: 2, slices: 2, train }) : methods.arcane({ blocks: 2, train });
  const data = without(stripes(40), [3, 17]);
  const anew = await method.prepare({ model: tinyMlp(), data, key: lt.random.key(6) });
  const folder = join(base, name);
  // Further each time, as what was done is not done again.
  for (const kill of [1, 4, 7]) {
    await attempt(name, folder, kill);
    const found = await Artifact.find(folderStore(folder));
    await found?.verify();
  }
  const { killed, lines } = await attempt(name, folder, Number.POSITIVE_INFINITY);
  expect(killed).toBe(false);
  expect(lines.at(-1)).toBe(method.digest(anew));
  const found = await Artifact.open(folderStore(folder));
  expect(found.notes).toMatchObject({ removed: [3, 17] });
  const held = new Set(found.names().map((file) => found.ref(file).sha256));
  expect(new Set(readdirSync(join(folder, 'objects')))).toEqual(held);
});
