// Checkpoints of work in progress: damaged and foreign ones are told from good ones.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileStore, type State } from '../../../unlearn/run/store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const state = (step: number): State => ({
  arrays: {
    w: { data: Float32Array.of(step, Number.NaN, -0, 1e-40), shape: [2, 2] },
    order: { data: Uint32Array.of(step, 2 ** 32 - 1), shape: [2] },
    empty: { data: new Int32Array(0), shape: [0, 3] },
  },
  meta: { step, nested: { list: [1, 'two', null] } },
});
const store = (more = {}) => new FileStore(join(folder, 'a.safetensors'), { key: 'k', ...more });

describe('the store', () => {
  it('gives back what it was given, bit for bit', async () => {
    await store().save(state(7));
    const found = await store().load();
    expect(found?.meta).toEqual(state(7).meta);
    for (const [name, { data, shape }] of Object.entries(state(7).arrays)) {
      expect(found?.arrays[name].shape).toEqual(shape);
      expect(Buffer.from(found?.arrays[name].data.buffer as ArrayBuffer)).toEqual(Buffer.from(data.buffer));
    }
  });

  it('falls back to the state before when the newest is damaged anywhere', async () => {
    await store().save(state(1));
    await store().save(state(2));
    const good = readFileSync(join(folder, 'a.safetensors'));
    const older = readFileSync(join(folder, 'a.previous.safetensors'));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bad = cut ? good.subarray(0, at) : Buffer.from(good);
          if (!cut) bad[at] ^= flip;
          writeFileSync(join(folder, 'a.safetensors'), bad);
          writeFileSync(join(folder, 'a.previous.safetensors'), older);
          const found = await store().load();
          expect(found?.meta.step).toBe(1);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('ignores the state of other inputs', async () => {
    await store().save(state(1));
    expect(await store({ key: 'other' }).load()).toBeNull();
  });

  it('writes at most every so often, at once when stopped, and clears up', async () => {
    const stop = new AbortController();
    const slow = store({ everySeconds: 3600, signal: stop.signal });
    await slow.save(state(1));
    expect(await store().load()).toBeNull();
    stop.abort();
    await slow.save(state(2));
    expect((await store().load())?.meta.step).toBe(2);
    await slow.clear();
    expect(await store().load()).toBeNull();
  });

  it('goes on counting seconds where the killed process stopped', async () => {
    const first = store();
    first.start();
    await new Promise((wake) => setTimeout(wake, 30));
    await first.save(state(1));
    const second = store();
    second.start();
    await second.load();
    expect(second.seconds).toBeGreaterThan(0.029);
    expect(second.resumed).toBe(true);
  });
});
