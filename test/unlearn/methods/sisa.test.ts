// SISA beyond the kit: where samples lie, what a removal redoes, how answers are joined, and a folder that survives a kill.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { Artifact } from '../../../unlearn/artifact.ts';
import { folderStore } from '../../../unlearn/artifact-folder.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { stripes, tinyMlp } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});
const folder = mkdtempSync(join(tmpdir(), 'lethe-sisa-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const data = stripes(80);
const input = () => ({ model: tinyMlp(), data, key: lt.random.key(6) });
const training = { epochs: 6, batchSize: 8, learningRate: 0.1 };
const options = { shards: 3, slices: 3, train: training };

test('a removal redoes one shard, from the slice on; the states of the others are the same objects', async () => {
  const sisa = methods.sisa(options);
  const before = await sisa.prepare(input());
  expect(before.artifact.names()).toHaveLength(9);
  let whole = 0;
  for (const id of [0, 5, 9, 33]) {
    const after = await sisa.forget(before, { ids: [id] });
    const changed = after.artifact
      .names()
      .filter((name) => after.artifact.ref(name).sha256 !== before.artifact.ref(name).sha256);
    const shards = new Set(changed.map((name) => name.split('/')[1]));
    expect(shards.size).toBe(1);
    const slices = changed.map((name) => Number(name.at(-1))).sort();
    expect(slices).toEqual([0, 1, 2].slice(3 - slices.length));
    expect(after.details).toMatchObject({ chainsHit: 1, statesTrained: slices.length });
    whole += after.cost.samplesVisited;
  }
  expect(whole / 4).toBeLessThan(before.cost.samplesVisited / 3);
});

describe('answers', () => {
  test.each(['vote', 'mean'] as const)('joined by %s say what most networks say', async (aggregate) => {
    const sisa = methods.sisa({ ...options, train: { ...training, epochs: 12 }, aggregate });
    const prepared = await sisa.prepare(input());
    const shares = await sisa.predict(prepared, data);
    const hits = [...data.labels].filter((label, i) => {
      const row = [...shares.subarray(3 * i, 3 * i + 3)];
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(hits.length / data.size).toBeGreaterThan(0.9);
    for (let i = 0; i < data.size; i++) {
      const sum = [...shares.subarray(3 * i, 3 * i + 3)].reduce((total, v) => total + v, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });
});

test('in a folder: prepared, reopened by another preparation at no cost, forgotten from, refused to others', async () => {
  const sisa = methods.sisa(options);
  const place = join(folder, 'prepared');
  const first = await sisa.prepare({ ...input(), folder: place });
  const again = await methods.sisa(options).prepare({ ...input(), folder: place });
  // The cost is that of the preparation, whoever did it.
  expect(again.cost).toMatchObject({ ...first.cost, seconds: expect.any(Number) });
  expect(sisa.digest(again)).toBe(sisa.digest(first));
  const gone = await sisa.forget(again, { ids: [2, 40] }, { folder: join(folder, 'gone') });
  const opened = await Artifact.open(folderStore(join(folder, 'gone')));
  expect(opened.digest()).toBe(sisa.digest(gone));
  expect(opened.notes.removed).toEqual([2, 40]);
  // Stopped on the way and begun again: the cost is that of both.
  const stop = new AbortController();
  let reports = 0;
  const onProgress = () => {
    if (++reports === 2) stop.abort();
  };
  const half = { folder: join(folder, 'half') };
  await expect(
    sisa.forget(again, { ids: [2, 40] }, { ...half, signal: stop.signal, onProgress }),
  ).rejects.toMatchObject({ name: 'AbortError' });
  expect((await Artifact.open(folderStore(half.folder))).names().length).toBeLessThan(9);
  const resumed = await sisa.forget(again, { ids: [2, 40] }, half);
  expect(sisa.digest(resumed)).toBe(sisa.digest(gone));
  expect(resumed.details).toEqual(gone.details);
  expect(resumed.cost).toMatchObject({ ...gone.cost, seconds: expect.any(Number) });
  await expect(sisa.forget(again, { ids: [3] }, half)).rejects.toThrow(/holds another artifact/);
  // In place: the folder of the preparation itself.
  const own = await sisa.forget(again, { ids: [2, 40] }, { folder: place });
  expect(sisa.digest(own)).toBe(sisa.digest(gone));
  expect(sisa.digest(await sisa.prepare({ ...input(), folder: place }))).toBe(sisa.digest(gone));
  // What knew the removed samples is not in the new folder any more.
  const objects = readdirSync(join(folder, 'gone', 'objects'));
  expect(objects.length).toBe(new Set(opened.names().map((name) => opened.ref(name).sha256)).size);
  await expect(
    methods.sisa({ ...options, shards: 2 }).prepare({ ...input(), folder: place }),
  ).rejects.toThrow(/holds an artifact of sisa with other options, data or key/);
});
