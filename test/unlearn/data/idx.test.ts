import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { parseIdx } from '../../../unlearn/data/readers/idx.ts';
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

describe("one's own IDX files", () => {
  const own = (train: number[], test: number[]) => ({
    'train-images-idx3-ubyte': idx([train.length, 2, 2], new Uint8Array(4 * train.length)),
    'train-labels-idx1-ubyte': idx([train.length], train),
    't10k-images-idx3-ubyte': idx([test.length, 2, 2], new Uint8Array(4 * test.length)),
    't10k-labels-idx1-ubyte': idx([test.length], test),
  });

  it('make a class of each label that occurs, named by it', async () => {
    const data = await datasets.load('idx', { dir: await scratch(gz(own([7, 200, 26, 7], [26, 200]))) });
    expect(data.classes).toEqual(['7', '26', '200']);
    expect([[...data.train.labels], [...data.test.labels]]).toEqual([
      [0, 2, 1, 0],
      [1, 2],
    ]);
  });

  it('take names for the labels from the smallest on, or from the one given', async () => {
    const classes = [...'abcdefghijklmnopqrstuvwxyz'];
    const dir = await scratch(own([1, 26, 2], [26]));
    const letters = await datasets.load('idx', { dir, classes });
    expect([letters.classes.length, ...letters.train.labels, ...letters.test.labels]).toEqual([
      26, 0, 25, 1, 25,
    ]);
    const from0 = await datasets.load('idx', { dir, classes: ['zero', ...classes], firstLabel: 0 });
    expect(from0.classes[from0.train.labels[1]]).toBe('z');
    await refuses(
      () => datasets.load('idx', { dir, classes: ['a', 'b'] }),
      'data',
      /train-labels-idx1-ubyte: byte 9: label 26, expected 1 to 2$/,
    );
  });

  it('go by the names given', async () => {
    const files = own([1, 2, 3], [1]);
    const dir = await scratch({
      'letters-train-images.gz': gzipSync(files['train-images-idx3-ubyte']),
      'letters-train-labels': files['train-labels-idx1-ubyte'],
      'letters-test-images': files['t10k-images-idx3-ubyte'],
      'letters-test-labels': files['t10k-labels-idx1-ubyte'],
    });
    const names = {
      trainImages: 'letters-train-images',
      trainLabels: 'letters-train-labels',
      testImages: 'letters-test-images',
      testLabels: 'letters-test-labels',
    };
    expect((await datasets.load('idx', { dir, ...names })).train.size).toBe(3);
    await refuses(() => datasets.load('idx', { dir }), 'data', /lacks train-images-idx3-ubyte/);
  });

  it('refuse what cannot be, in one line', async () => {
    await refuses(() => datasets.load('idx'), 'value', /^idx: give the folder of the files: --data DIR/);
    await refuses(() => datasets.load('idx', { dir: 'no/such' }), 'value', /^idx: no folder \/.*no\/such$/);
    await refuses(() => datasets.load('idx', { dir: 'x\r\ny' }), 'value', /^idx: no folder .*x\\r\\ny$/);
    const one = await scratch(own([5, 5], [5]));
    await refuses(() => datasets.load('idx', { dir: one }), 'data', /two or more different labels, found 1$/);
    const stray = await scratch(own([5, 6], [7]));
    await refuses(
      () => datasets.load('idx', { dir: stray }),
      'data',
      /byte 8: label 7, expected one of the 2 labels of the training file$/,
    );
    const classes = ['a', 'a'];
    await refuses(() => datasets.load('idx', { dir: stray, classes }), 'value', /^classes: expected two/);
    await refuses(() => datasets.load('idx', { dir: stray, firstLabel: 1 }), 'value', /^firstLabel/);
  });
});
