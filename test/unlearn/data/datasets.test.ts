import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import type { DatasetName } from '../../../unlearn/data/sets/index.ts';
import { classCounts } from '../../../unlearn/data/split.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { cifar10Files, idxFiles, refuses, scratch } from './helpers.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const prefixed = (folder: string, files: Record<string, Buffer>) =>
  Object.fromEntries(Object.entries(files).map(([name, data]) => [`${folder}/${name}`, data]));

describe('datasets', () => {
  it('lists names with one line each', () => {
    const list = datasets.list();
    expect(list.map((entry) => entry.name)).toEqual([
      'glyphs',
      'mnist',
      'fashion-mnist',
      'cifar-10',
      'cifar-100',
      'faces',
      'folder',
      'idx',
      'csv',
    ]);
    expect(list.filter((entry) => entry.download).map((entry) => entry.name)).toEqual([
      'mnist',
      'fashion-mnist',
      'cifar-10',
      'cifar-100',
    ]);
    for (const { description } of list) expect(description).toMatch(/^[^\n]{10,110}$/);
  });

  it('looks in the given folder, then LETHE_DATA, then the cache', async () => {
    const [given, env, cache] = [await scratch(), await scratch(), await scratch()];
    vi.stubEnv('LETHE_DATA', env);
    vi.stubEnv('XDG_CACHE_HOME', cache);
    await refuses(
      () => datasets.load('mnist', { dir: given }),
      'data',
      new RegExp(
        `^mnist: no train-images-idx3-ubyte .* in any of: ${given}/mnist, .*${given}, ${env}/mnist, .*${env}, ${cache}/lethe/mnist, .*${cache}/lethe; give`,
      ),
    );
    const files = idxFiles();
    const { writeFile, mkdir } = await import('node:fs/promises');
    for (const folder of [join(cache, 'lethe', 'mnist'), join(env, 'MNIST', 'raw'), given]) {
      await mkdir(folder, { recursive: true });
      for (const [name, data] of Object.entries(files)) await writeFile(join(folder, name), data);
      expect((await datasets.describe('mnist', { dir: given })).root).toBe(folder);
    }
  });

  it('takes fewer samples in the proportions of the classes, keeping their ids', async () => {
    const dir = await scratch(prefixed('cifar-10', cifar10Files()));
    const all = await datasets.load('cifar-10', { dir });
    const some = await datasets.load('cifar-10', { dir, trainSize: 6, seed: 1 });
    expect([some.train.size, some.test.size]).toEqual([6, 2]);
    expect(classCounts(some.train, 10)[9]).toBe(2);
    some.train.ids.forEach((id, i) => {
      expect(some.train.labels[i]).toBe(all.train.labels[id]);
    });
    expect(some.notes.join()).toMatch(/6 of 15 train samples, chosen by seed 1/);
    expect(some.hash).not.toBe(all.hash);
    await refuses(
      () => datasets.load('cifar-10', { dir, trainSize: 16 }),
      'value',
      /trainSize: cifar-10 has 15 train samples, asked for 16$/,
    );
  });

  it('describes what was understood, with checksums where SHA256SUMS lies beside the data or above it', async () => {
    const files = idxFiles();
    const names = Object.keys(files);
    const sums = `${sha256(files[names[0]])}  mnist/${names[0]}\n${'0'.repeat(64)} *mnist/${names[1]}\n`;
    const dir = await scratch({ ...prefixed('mnist', files), SHA256SUMS: sums });
    const d = await datasets.describe('mnist', { dir });
    expect([d.train, d.test, d.shape, d.root]).toEqual([6, 3, [2, 3, 1], join(dir, 'mnist')]);
    expect(d.classes[1]).toEqual({ name: '1', train: 2, test: 1 });
    expect(d.files.map((f) => f.status)).toEqual(['listed', 'differs', 'unknown', 'unknown']);
    expect(d.hash).toBe((await datasets.load('mnist', { dir })).hash);
    const broken = await scratch({ ...prefixed('mnist', files), SHA256SUMS: 'rubbish\n' });
    await refuses(
      () => datasets.describe('mnist', { dir: broken }),
      'data',
      /SHA256SUMS: line 1: expected a sha256/,
    );
    const cifar = await datasets.describe('cifar-10', { dir: await scratch(cifar10Files()) });
    expect(cifar.files.map((f) => f.status)).toEqual(new Array(6).fill('differs'));
  });

  it('suggests names, and never takes a name for a path', async () => {
    const words: [string, RegExp][] = [
      ['fashion', /did you mean 'fashion-mnist'\?/],
      ['zebra', /^unknown data set 'zebra': known: glyphs/],
      ['cifar10', /did you mean 'cifar-10'\?/],
      ['../mnist\n', /^unknown data set '..\/mnist\\n'/],
      ['__proto__', /^unknown data set '__proto__'/],
      ['load', /^unknown data set 'load'/],
    ];
    for (const [name, line] of words) {
      await refuses(() => datasets.byName(name), 'value', line);
      await refuses(() => datasets.load(name as DatasetName), 'value', line);
    }
    await refuses(() => datasets.get('glyphs'), 'value', /^glyphs cannot be downloaded; these can: mnist, /);
  });
});

const real = process.env.LETHE_DATA;
describe.skipIf(!real)(`real data in LETHE_DATA (${real ? 'set' : 'not set: skipped'})`, () => {
  const present = async (name: DatasetName) =>
    datasets.describe(name).catch((error) => {
      if (!/in any of: /.test(error.message)) throw error;
      console.info(`skipped ${name}: not in LETHE_DATA`);
      return null;
    });

  it('Fashion-MNIST', async () => {
    const d = await present('fashion-mnist');
    if (d === null) return;
    expect([d.train, d.test, d.shape]).toEqual([60_000, 10_000, [28, 28, 1]]);
    expect(d.classes.every((c) => c.train === 6000 && c.test === 1000)).toBe(true);
    expect(d.files.every((f) => f.status === 'published')).toBe(true);
    expect([d.mean[0].toFixed(4), d.std[0].toFixed(4)]).toEqual(['0.2860', '0.3530']);
  });

  it('faces', async () => {
    const d = await present('faces');
    if (d === null) return;
    expect([d.train, d.test, d.shape, d.classes.length]).toEqual([280, 120, [56, 46, 1], 40]);
    expect(d.classes.every((c) => c.train === 7 && c.test === 3)).toBe(true);
  });

  it('CIFAR-10', async () => {
    const d = await present('cifar-10');
    if (d === null) return;
    expect([d.train, d.test, d.shape]).toEqual([50_000, 10_000, [32, 32, 3]]);
    expect(d.classes.every((c) => c.train === 5000 && c.test === 1000)).toBe(true);
    expect(d.mean.map((m) => m.toFixed(3))).toEqual(['0.491', '0.482', '0.447']);
    expect(d.std.map((s) => s.toFixed(3))).toEqual(['0.247', '0.243', '0.262']);
  });
});
