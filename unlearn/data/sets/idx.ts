// Images of the user's own as IDX files.

import * as v from 'valibot';
import { int, list, section, text } from '../../options/fields.ts';
import { defineDataset, dir, subset } from './record.ts';

export const idx = defineDataset({
  name: 'idx',
  title: 'IDX files',
  about: 'your images as IDX files, grey, with labels of any bytes',
  options: section('Your images as IDX files: grey, with labels of any bytes.', {
    dir,
    trainImages: v.optional(text('File name, without .gz or .br; by default as MNIST names it.')),
    trainLabels: v.optional(text('File name, likewise.')),
    testImages: v.optional(text('File name, likewise.')),
    testLabels: v.optional(text('File name, likewise.')),
    classes: v.optional(
      list(
        text('Name.'),
        'Names of the classes in the order of the labels; by default the labels themselves.',
        'a list of names',
      ),
    ),
    firstLabel: v.optional(
      int('With `classes`: the label of the first; by default the smallest one that occurs.', 0, 255),
    ),
    ...subset,
  }),
  people: false,
  files: 'the four names of `mnist`, or names of your own',
  async load(options) {
    const { loadOwnIdx } = await import('../readers/idx.ts');
    return loadOwnIdx(options);
  },
});
