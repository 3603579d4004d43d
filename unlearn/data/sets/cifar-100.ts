// CIFAR-100: small photographs of a hundred kinds of things, five to each of twenty coarse ones (Krizhevsky 2009).

import * as v from 'valibot';
import { choice, section } from '../../options/fields.ts';
import { defineDataset, subset } from './record.ts';

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

export const cifar100Coarse = list(`
  aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
  insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
  medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2`);

export const cifar100Fine = list(`
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
  caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
  flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
  motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
  poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
  squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
  wardrobe whale willow_tree wolf woman worm`);

export const cifar100 = defineDataset({
  name: 'cifar-100',
  title: 'CIFAR-100',
  about: 'photographs of a hundred kinds of things (or 20 coarse), 32x32 colour, 50,000 + 10,000',
  options: section('CIFAR-100, binary files.', {
    labels: v.optional(choice('100 fine classes, or 20 coarse ones.', ['fine', 'coarse']), 'fine'),
    ...subset,
  }),
  people: false,
  files:
    'the binary version: `train.bin`, `test.bin`, `fine_label_names.txt` and `coarse_label_names.txt` (optional)',
  remote: {
    page: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    bases: ['https://www.cs.toronto.edu/~kriz/'],
    files: [
      {
        name: 'cifar-100-binary.tar.gz',
        sha256: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
        extract: ['train.bin', 'test.bin', 'fine_label_names.txt', 'coarse_label_names.txt'],
      },
    ],
    published: {
      'train.bin': 'f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29',
      'test.bin': 'd8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a',
    },
  },
  async load({ dir, labels }) {
    const { loadCifar } = await import('../readers/cifar.ts');
    const set = {
      name: 'cifar-100',
      folders: ['cifar-100', 'cifar100', 'cifar-100-binary'],
      trainFiles: ['train.bin'],
      testFile: 'test.bin',
    };
    const coarse = labels === 'coarse';
    return loadCifar(
      {
        ...set,
        layout: { labelBytes: 2, labelAt: coarse ? 0 : 1, classes: [20, 100] },
        namesFile: `${labels}_label_names.txt`,
        names: coarse ? cifar100Coarse : cifar100Fine,
      },
      dir,
    );
  },
});
