// CIFAR-10: small photographs of ten kinds of things (Krizhevsky 2009).

import { section } from '../../options/fields.ts';
import { defineDataset, subset } from './record.ts';

export const cifar10Names = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

export const cifar10 = defineDataset({
  name: 'cifar-10',
  title: 'CIFAR-10',
  about: 'photographs of ten kinds of things, 32x32 colour, 50,000 + 10,000',
  options: section('CIFAR-10, binary files.', subset),
  people: false,
  files: 'the binary version: `data_batch_1.bin` to `_5`, `test_batch.bin`, `batches.meta.txt` (optional)',
  remote: {
    page: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    bases: ['https://www.cs.toronto.edu/~kriz/'],
    files: [
      {
        name: 'cifar-10-binary.tar.gz',
        sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
        extract: [
          'data_batch_1.bin',
          'data_batch_2.bin',
          'data_batch_3.bin',
          'data_batch_4.bin',
          'data_batch_5.bin',
          'test_batch.bin',
          'batches.meta.txt',
        ],
      },
    ],
    published: {
      'data_batch_1.bin': 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
      'data_batch_2.bin': 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed',
      'data_batch_3.bin': 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67',
      'data_batch_4.bin': '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48',
      'data_batch_5.bin': '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
      'test_batch.bin': '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b',
    },
  },
  async load({ dir }) {
    const { loadCifar } = await import('../readers/cifar.ts');
    const set = {
      name: 'cifar-10',
      folders: ['cifar-10', 'cifar10', 'cifar-10-batches-bin'],
      trainFiles: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
      testFile: 'test_batch.bin',
      layout: { labelBytes: 1, labelAt: 0, classes: [10] },
      namesFile: 'batches.meta.txt',
      names: cifar10Names,
    } as const;
    return loadCifar(set, dir);
  },
});
