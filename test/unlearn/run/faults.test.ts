// One call to the disk fails, or all from that one on, at every place of a run: it ends with one clear error or, where
// all was done, with a warning; and the same command then ends with the same weights.

import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LetheError } from '../../../engine/error.ts';
import type { RunEvent } from '../../../unlearn/run/log.ts';
import { run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { readTree, several, unsynced, withDisk } from './crash.ts';
import { faulty } from './faulty.ts';
import { toyParts, toyRecipe } from './toy.ts';

const recipe = toyRecipe({
  train: { epochs: 1 },
  methods: [{ name: 'retrain' }, { name: 'boundaryShrink' }],
  checkpointSeconds: 3600,
});
const toy = () => toyParts({ prepared: ['boundaryShrink'] });
const base = realpathSync(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lethe-fault-')));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Calls without which a run is complete: the log, and clearing up. */
const courtesy = /log\.txt|^unlink .*(lethe\.lock(\.\w+\.\w+\.tmp)?|unfinished\/.*)'$|^rmdir/;

/** A run in a folder of its own; what it ended with, and what it warned of. */
async function attempt(out: string): Promise<{ error: unknown; warnings: string[] }> {
  const warnings: string[] = [];
  const onEvent = (event: RunEvent) => {
    if (event.type === 'note' && event.level === 'warning') warnings.push(event.message);
  };
  const error = await run(recipe, { out, parts: toy(), onEvent }).then(
    () => null,
    (cause) => cause,
  );
  return { error, warnings };
}

const weights = (out: string) =>
  [...readTree(join(out, 'checkpoints'))].map(([name, data]) => [name, data && sha256(data)]);

describe('a disk that fails', () => {
  it.each<[string, string, (n: number) => (call: number) => boolean]>([
    ['once, with EIO', 'EIO', (n: number) => (call: number) => call === n],
    ['from then on, with EROFS', 'EROFS', (n: number) => (call: number) => call >= n],
  ])('%s: at every call', async (_, code, fails) => {
    const whole = join(base, `whole-${code}`);
    const sound = faulty(code, () => false);
    await withDisk(sound.broken, () => attempt(whole));
    const files = readdirSync(whole).sort();
    expect(sound.count()).toBeGreaterThan(100);
    const left: [string, string][] = [];
    for (let n = 1; n <= sound.count(); n++) {
      const out = join(base, `${code}-${n}`);
      const { broken, hit } = faulty(code, fails(n));
      const { error, warnings } = await withDisk(broken, () => attempt(out));
      const about = `call ${n}, ${hit[0]}: ${error}, ${warnings}`;
      if (error) {
        expect(error, about).toBeInstanceOf(LetheError);
        expect((error as LetheError).kind, about).toBe('io');
        // The first thing that stood in the way, not what failed in its wake.
        expect((error as Error).message, about).toContain(code);
        expect((error as Error).message, about).toContain(hit.find((call) => !courtesy.test(call)));
      } else {
        expect(
          hit.every((call) => courtesy.test(call)),
          about,
        ).toBe(true);
        expect(warnings.length > 0, about).toBe(hit.some((call) => !/log\.txt|lock\..*tmp/.test(call)));
        expect(
          warnings.every((text) => text.includes(code)),
          about,
        ).toBe(true);
        expect(existsSync(join(out, 'report.html')), about).toBe(true);
      }
      left.push([out, about]);
    }
    const goOn = async ([out, about]: [string, string]) => {
      // The lock of this process stands where it could not be removed; another process would take it over.
      rmSync(join(out, 'lethe.lock'), { force: true });
      rmSync(join(out, 'lethe.lock.next'), { force: true });
      expect((await attempt(out)).error, about).toBeNull();
      expect(weights(out), about).toEqual(weights(whole));
      expect(readdirSync(out).sort(), about).toEqual(files);
    };
    await withDisk(unsynced, () => several(left, goOn));
  });
});
