import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { cifar10Names } from '../../../unlearn/data/sets/cifar-10.ts';
import { cifar100Coarse, cifar100Fine } from '../../../unlearn/data/sets/cifar-100.ts';
import { cifar, cifar10Files, refuses, scratch } from './helpers.ts';

describe('CIFAR', () => {
  it('reads CIFAR-10, plain, .gz or .br, planes turned into pixels', async () => {
    const files = cifar10Files();
    const plain = await datasets.load('cifar-10', { dir: await scratch(files) });
    expect([plain.train.size, plain.test.size, plain.shape]).toEqual([15, 2, [32, 32, 3]]);
    expect([...plain.train.labels.subarray(0, 6)]).toEqual([1, 0, 9, 2, 1, 9]);
    // Record 1, pixel 5: red is byte 5 of the first plane, green of the second, blue of the third.
    expect([...plain.train.images.subarray(3072 + 15, 3072 + 18)]).toEqual(
      [5, 1029, 2053].map((i) => (i * 7 + 1) & 255),
    );
    expect(plain.notes.join()).toMatch(/15 records .* the published set has 50000/);
    const packed = await scratch(
      Object.fromEntries(
        Object.entries(files).map(([name, data], i) =>
          i % 2 ? [`${name}.gz`, gzipSync(data)] : [`${name}.br`, brotliCompressSync(data)],
        ),
      ),
    );
    expect((await datasets.load('cifar-10', { dir: packed })).hash).toBe(plain.hash);
  });

  it('reads names of classes from batches.meta.txt', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '__proto__', 'j'];
    const load = async (text: string) =>
      datasets.load('cifar-10', { dir: await scratch({ ...cifar10Files(), 'batches.meta.txt': text }) });
    expect((await load(`${names.join('\r\n')}\n\n`)).classes).toEqual(names);
    await refuses(() => load('a\nb\n'), 'data', /batches.meta.txt: line 2: expected 10 names, found 2$/);
    await refuses(
      () => load([...names.slice(0, 9), 'a'].join('\n')),
      'data',
      /line 10: expected a new name of 1 to 100 characters, found 'a'$/,
    );
  });

  it('reads CIFAR-100 with fine or coarse labels', async () => {
    const dir = await scratch({
      'train.bin': cifar([
        [19, 99],
        [3, 0],
      ]),
      'test.bin': cifar([[0, 7]]),
    });
    const fine = await datasets.load('cifar-100', { dir });
    expect([fine.classes.length, ...fine.train.labels, fine.classes[99], fine.classes[7]]).toEqual([
      100,
      99,
      0,
      'worm',
      'beetle',
    ]);
    const coarse = await datasets.load('cifar-100', { dir, labels: 'coarse' });
    expect([coarse.classes.length, ...coarse.train.labels, coarse.classes[19]]).toEqual([
      20,
      19,
      3,
      'vehicles_2',
    ]);
  });

  it('knows every class of CIFAR-100 once', () => {
    expect([cifar10Names, cifar100Coarse, cifar100Fine].map((n) => new Set(n).size)).toEqual([10, 20, 100]);
    expect([...cifar100Fine].sort()).toEqual(cifar100Fine);
  });

  const good = cifar10Files();
  const batch = good['data_batch_3.bin'];
  const wrongLabel = Buffer.from(batch);
  wrongLabel[3073] = 10;
  const malformed: [string, Record<string, Buffer>, RegExp][] = [
    [
      'an empty file',
      { 'data_batch_3.bin': Buffer.alloc(0) },
      /data_batch_3.bin: byte 0: expected whole records of 3073 bytes, found 0 bytes after 0 records$/,
    ],
    [
      'a file cut off',
      { 'data_batch_3.bin': batch.subarray(0, 7000) },
      /byte 6146: .* found 854 bytes after 2 records$/,
    ],
    [
      'trailing bytes',
      { 'test_batch.bin': Buffer.concat([good['test_batch.bin'], Buffer.from('x')]) },
      /byte 6146: .* found 1 bytes/,
    ],
    ['a label out of range', { 'data_batch_3.bin': wrongLabel }, /byte 3073: label 10, expected 0 to 9$/],
    [
      'a bad list of lossy records',
      { 'lossy-records.json': Buffer.from('{') },
      /lossy-records.json: expected a JSON object/,
    ],
  ];
  it.each(malformed)('refuses %s', async (_, files, line) => {
    const dir = await scratch({ ...good, ...files });
    await refuses(() => datasets.load('cifar-10', { dir }), 'data', line);
  });

  it('refuses a fine and a coarse label out of range in either place', async () => {
    for (const [record, line] of [
      [[20, 0], /byte 0: label 20, expected 0 to 19/],
      [[0, 100], /byte 1: label 100, expected 0 to 99/],
    ] as const) {
      const dir = await scratch({ 'train.bin': cifar([[...record]]), 'test.bin': cifar([[0, 0]]) });
      await refuses(() => datasets.load('cifar-100', { dir }), 'data', line);
    }
  });

  it("refuses a Brotli bomb, a missing batch and a folder in a file's place", async () => {
    const { 'data_batch_2.bin': two, ...rest } = good;
    const bomb = brotliCompressSync(Buffer.alloc(200_000_000), { params: { 1: 1, 2: 24 } });
    expect(bomb.length).toBeLessThan(100_000);
    await refuses(
      async () => datasets.load('cifar-10', { dir: await scratch({ ...rest, 'data_batch_2.bin.br': bomb }) }),
      'data',
      /data_batch_2.bin.br: decompresses to more than \d+ bytes$/,
    );
    await refuses(
      async () => datasets.load('cifar-10', { dir: await scratch(rest) }),
      'data',
      /lacks data_batch_2.bin \(plain, .gz or .br\)$/,
    );
    await refuses(
      async () => datasets.load('cifar-10', { dir: await scratch({ ...rest, 'data_batch_2.bin/x': two }) }),
      'data',
      /a folder has that name/,
    );
  });
});
