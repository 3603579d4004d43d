import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { parseIdx } from '../../../unlearn/data/idx.ts';
import { idx, idxFiles, refuses, scratch } from './helpers.ts';

const gz = (files: Record<string, Buffer>) =>
  Object.fromEntries(Object.entries(files).map(([name, data]) => [`${name}.gz`, gzipSync(data)]));

describe('IDX', () => {
  it('reads plain and gzip files alike', async () => {
    const plain = await datasets.load('mnist', { dir: await scratch(idxFiles()) });
    expect([plain.train.size, plain.test.size, plain.shape]).toEqual([6, 3, [2, 3, 1]]);
    expect([...plain.train.labels]).toEqual([0, 1, 2, 9, 1, 0]);
    expect([...plain.train.images.subarray(6, 9)]).toEqual([222, 3, 40]);
    expect(plain.classes[9]).toBe('9');
    const packed = await datasets.load('fashion-mnist', { dir: await scratch(gz(idxFiles())) });
    expect(packed.hash).toBe(plain.hash);
    expect(packed.classes[9]).toBe('Ankle boot');
  });

  const image = 'train-images-idx3-ubyte';
  const label = 'train-labels-idx1-ubyte';
  const good = idxFiles();
  // What is wrong, the file put in place of the good one, and the line expected.
  const malformed: [string, Record<string, Buffer>, RegExp][] = [
    [
      'empty',
      { [image]: Buffer.alloc(0) },
      /images-idx3-ubyte: byte 0: expected an IDX header of 16 bytes, found 0$/,
    ],
    ['header cut off', { [image]: good[image].subarray(0, 11) }, /header of 16 bytes, found 11$/],
    [
      'labels for images',
      { [image]: idx([36], new Uint8Array(36)) },
      /byte 0: expected the magic number 2051, found 2049$/,
    ],
    [
      'another type',
      { [image]: idx([6, 2, 3], new Uint8Array(36), 0x0d03) },
      /magic number 2051, found 3331$/,
    ],
    [
      'a count that lies',
      { [image]: idx([7, 2, 3], new Uint8Array(36)) },
      /byte 16: expected 42 values for dimensions 7 x 2 x 3, found 36$/,
    ],
    ['trailing bytes', { [image]: idx([6, 2, 3], new Uint8Array(37)) }, /expected 36 values .* found 37$/],
    [
      'absurd dimensions',
      { [image]: idx([0xffffffff, 0xffffffff, 0xffffffff], []) },
      /byte 4: dimensions 4294967295 are beyond any bound$/,
    ],
    ['a dimension of 0', { [image]: idx([6, 0, 3], []) }, /byte 8: dimension 1 is 0$/],
    [
      'a label out of range',
      { [label]: idx([6], [0, 1, 10, 0, 0, 0]) },
      /labels-idx1-ubyte: byte 10: label 10, expected 0 to 9$/,
    ],
    ['too few labels', { [label]: idx([5], new Uint8Array(5)) }, /byte 4: 5 labels for 6 images$/],
    [
      'test images of another size',
      { 't10k-images-idx3-ubyte': idx([3, 3, 3], new Uint8Array(27)) },
      /images of 3 x 3, the training images are 2 x 3$/,
    ],
  ];
  it.each(malformed)('refuses %s', async (_, files, line) => {
    const dir = await scratch({ ...good, ...files });
    await refuses(() => datasets.load('mnist', { dir }), 'data', line);
  });

  it('refuses damaged, cut-off, padded and exploding gzip files', async () => {
    const packed = gz(good);
    const name = `${image}.gz`;
    const flipped = Buffer.from(packed[name]);
    flipped[flipped.length - 6] ^= 1;
    const cases: [Buffer, RegExp][] = [
      [flipped, /ubyte\.gz: damaged gzip stream/],
      [packed[name].subarray(0, packed[name].length - 9), /damaged gzip stream \(unexpected end of file\)$/],
      [
        Buffer.concat([packed[name], Buffer.alloc(2)]),
        /byte \d+: 2 bytes follow the end of the gzip stream$/,
      ],
      [Buffer.from('not gzip'), /damaged gzip stream/],
    ];
    for (const [data, line] of cases) {
      const dir = await scratch({ ...packed, [name]: data });
      await refuses(() => datasets.load('mnist', { dir }), 'data', line);
    }
  });

  it('refuses a set with a missing file, naming it', async () => {
    const { [label]: _, ...rest } = good;
    await refuses(
      async () => datasets.load('mnist', { dir: await scratch(rest) }),
      'data',
      /lacks train-labels-idx1-ubyte/,
    );
  });

  it('allocates nothing for the values: they are a view of the file', () => {
    const bytes = good[image];
    expect(parseIdx(bytes, 'x', 3).values.buffer).toBe(bytes.buffer);
  });
});
