// MNIST: handwritten digits (LeCun, Cortes, Burges).

import { section } from '../../options/fields.ts';
import { defineDataset, subset } from './record.ts';

const classes = [...'0123456789'];

export const mnist = defineDataset({
  name: 'mnist',
  title: 'MNIST',
  about: 'handwritten digits, 28x28 grey, 60,000 + 10,000',
  options: section('MNIST, IDX files.', subset),
  people: false,
  files: 'four IDX files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...`',
  remote: {
    page: 'http://yann.lecun.com/exdb/mnist/',
    bases: [
      'https://ossci-datasets.s3.amazonaws.com/mnist/',
      'https://storage.googleapis.com/cvdf-datasets/mnist/',
    ],
    files: [
      {
        name: 'train-images-idx3-ubyte.gz',
        sha256: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
      },
      {
        name: 'train-labels-idx1-ubyte.gz',
        sha256: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
      },
      {
        name: 't10k-images-idx3-ubyte.gz',
        sha256: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
      },
      {
        name: 't10k-labels-idx1-ubyte.gz',
        sha256: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
      },
    ],
  },
  async load({ dir }) {
    const { loadIdx } = await import('../readers/idx.ts');
    return loadIdx('mnist', ['mnist', 'MNIST/raw', 'MNIST'], classes, dir);
  },
});
