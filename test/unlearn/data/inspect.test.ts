// Looking a folder of pictures over: what is in it, what is wrong with it, and pictures that occur twice.

import jpeg from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { guessSize } from '../../../unlearn/data/readers/folder.ts';
import { differenceHash, NEAR, odditiesOf } from '../../../unlearn/data/readers/inspect.ts';
import { pnm, refuses, scratch } from './helpers.ts';

/** Smooth random pictures, each seed another one: waves of a few frequencies. */
function waves(seed: number, width: number, height: number): (i: number) => number {
  const of = (k: number) => ((Math.imul(seed * 31 + k, 2654435761) >>> 8) & 0xffff) / 0xffff;
  return (i) => {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    let sum = 0;
    for (let k = 0; k < 6; k++)
      sum += Math.sin(6.3 * (of(4 * k) * 5 * x + of(4 * k + 1) * 5 * y + of(4 * k + 2))) * of(4 * k + 3);
    return Math.max(0, Math.min(255, Math.round(128 + 35 * sum)));
  };
}
const wave = (seed: number, width = 48, height = 40) => pnm(width, height, 1, waves(seed, width, height));
/** The same picture, smaller, and compressed with loss. */
const copy = (seed: number, width = 36, height = 30) => {
  const value = waves(seed, width, height);
  const data = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
    (i & 3) === 3 ? 255 : value(i >> 2),
  );
  return jpeg.encode({ width, height, data }, 60).data;
};

const folder = () => {
  const files: Record<string, string | Uint8Array> = {};
  for (let k = 0; k < 30; k++) files[`${['a', 'b', 'c'][k % 3]}/${k}.pgm`] = wave(k);
  return files;
};

describe('a folder of pictures', () => {
  it('of one size and no fault is told as a run would use it', async () => {
    const dir = await scratch(folder());
    const found = await datasets.inspect('folder', { dir });
    const data = await datasets.load('folder', { dir });
    expect(found).toMatchObject({
      pictures: 30,
      classes: ['a', 'b', 'c'].map((name) => ({ name, train: 8, test: 2 })),
      sizes: [{ height: 40, width: 48, count: 30 }],
      size: [40, 48],
      sizeIs: 'that of all pictures',
      problems: [],
      dataset: { shape: [40, 48, 1], hash: data.hash },
    });
    expect(odditiesOf(found)).toEqual([]);
  });

  it('of many sizes is no error: a size is guessed', async () => {
    const dir = await scratch({ ...folder(), 'a/x.pgm': wave(90, 300, 200), 'b/x.pgm': wave(91, 30, 20) });
    const found = await datasets.inspect('folder', { dir });
    expect(found).toMatchObject({ size: [40, 48], sizeIs: 'a guess', problems: [], dataset: null });
    expect(found.sizes).toHaveLength(3);
    const { dataset } = await datasets.inspect('folder', { dir, size: [20, 24] });
    expect(dataset?.hash).toBe((await datasets.load('folder', { dir, size: [20, 24] })).hash);
  });

  it('with faults tells all of them', async () => {
    const dir = await scratch({
      ...folder(),
      'a/broken.png': 'x',
      'b/gone.pgm': 'P5',
      'd/only.pgm': wave(50),
      'e/readme.txt': 'x',
    });
    const found = await datasets.inspect('folder', { dir });
    expect(found.unreadable.map((u) => u.file)).toEqual(['a/broken.png', 'b/gone.pgm']);
    expect(found.problems).toEqual([
      expect.stringMatching(/^2 pictures cannot be read: a\/broken.png/),
      'nothing to train on in d (1 picture, for testing), e (0 pictures); add pictures, or take the folder of the class away',
    ]);
    expect(odditiesOf(found)).toEqual(['no picture in e', 'fewer than 5 pictures in d (1)']);
    const skipped = await datasets.inspect('folder', { dir, skipBad: true });
    expect(skipped.problems).toHaveLength(1);
    expect(skipped.unreadable).toHaveLength(2);
  });

  it('is one: others are refused', async () => {
    await refuses(() => datasets.inspect('glyphs'), 'value', /^glyphs is no folder of pictures/);
    await refuses(async () => datasets.inspect('folder', { dir: await scratch() }), 'data', /found 0$/);
  });
});

describe('duplicates', () => {
  it('pictures of the same pixels, whatever the files are called', async () => {
    const dir = await scratch({
      ...folder(),
      'a/again.pgm': wave(0),
      'c/too.pgm': wave(0),
      'b/b.pgm': wave(1),
    });
    const found = await datasets.inspect('folder', { dir });
    expect(found.duplicates).toEqual([
      ['a/0.pgm', 'a/again.pgm', 'c/too.pgm'],
      ['b/1.pgm', 'b/b.pgm'],
    ]);
    expect(found.nearDuplicates).toEqual([]);
    expect(odditiesOf(found)[0]).toBe(
      'the same picture more than once: a/0.pgm = a/again.pgm = c/too.pgm, b/1.pgm = b/b.pgm',
    );
  });

  it('copies that were made smaller and compressed; those across training and test first', async () => {
    const parted = Object.fromEntries(
      Object.entries(folder()).map(([name, data], i) => [`${i % 5 === 0 ? 'test' : 'train'}/${name}`, data]),
    );
    const dir = await scratch({ ...parted, 'train/b/x.jpg': copy(4), 'train/c/y.jpg': copy(0) });
    const { nearDuplicates, duplicates } = await datasets.inspect('folder', { dir, size: [32, 32] });
    expect(duplicates).toEqual([]);
    expect(nearDuplicates?.map(({ files, across }) => [...files, across])).toEqual([
      ['test/a/0.pgm', 'train/c/y.jpg', true],
      ['train/b/4.pgm', 'train/b/x.jpg', false],
    ]);
    for (const { distance } of nearDuplicates ?? []) expect(distance).toBeLessThanOrEqual(NEAR);
  });

  it('flat pictures are like nothing', () => {
    const flat = { width: 20, height: 20, channels: 1 as const, data: new Uint8Array(400).fill(7) };
    expect(differenceHash(flat)).toBeNull();
  });
});

it('a size is guessed from the middle of all, its longer side at most 64, in fours', () => {
  const sizes = (...list: [number, number, number][]) =>
    list.map(([height, width, count]) => ({ height, width, count }));
  expect(guessSize(sizes([3000, 4000, 5], [4000, 3000, 2]))).toEqual([48, 64]);
  expect(guessSize(sizes([112, 92, 10]))).toEqual([64, 52]);
  expect(guessSize(sizes([28, 28, 3], [30, 31, 1]))).toEqual([28, 28]);
  expect(guessSize(sizes([1, 900, 1]))).toEqual([4, 64]);
});
