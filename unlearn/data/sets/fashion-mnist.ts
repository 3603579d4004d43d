// Fashion-MNIST: pictures of clothing in the shape of MNIST (Xiao, Rasul, Vollgraf 2017).

import { section } from '../../options/fields.ts';
import { defineDataset, subset } from './record.ts';

const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

export const fashionMnist = defineDataset({
  name: 'fashion-mnist',
  title: 'Fashion-MNIST',
  about: 'pictures of clothing, 28x28 grey, 60,000 + 10,000',
  options: section('Fashion-MNIST, IDX files.', subset),
  people: false,
  files: 'four IDX files, named as those of `mnist`',
  remote: {
    page: 'https://github.com/zalandoresearch/fashion-mnist',
    bases: [
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
      'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
    ],
    files: [
      {
        name: 'train-images-idx3-ubyte.gz',
        sha256: '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
      },
      {
        name: 'train-labels-idx1-ubyte.gz',
        sha256: 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
      },
      {
        name: 't10k-images-idx3-ubyte.gz',
        sha256: '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
      },
      {
        name: 't10k-labels-idx1-ubyte.gz',
        sha256: '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
      },
    ],
  },
  async load({ dir }) {
    const { loadIdx } = await import('../readers/idx.ts');
    return loadIdx('fashion-mnist', ['fashion-mnist', 'FashionMNIST/raw', 'fashion_mnist'], classes, dir);
  },
});
