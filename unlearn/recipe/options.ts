// The options each method, model and data set understands, with their defaults: what a recipe may say under
// `options`. A method's stand in its record.

import * as v from 'valibot';
import { methods } from '../methods/index.ts';
import type { MethodRecord } from '../methods/record.ts';
import { bool, choice, className, docOf, int, list, num, section, text } from '../options/fields.ts';
import { fraction, opt } from '../options/training.ts';

/**
 * The options of each method as a recipe states them: those it inherits from `train` have no default here, the others that
 * of the method.
 */
export const methodOptions: Readonly<Record<string, v.GenericSchema>> = Object.fromEntries(
  Object.values(methods).map(({ record }) => [record.name, recipeSchemaOf(record)]),
);

function recipeSchemaOf({ options, inherits }: MethodRecord): v.GenericSchema {
  const entries = Object.entries(options.entries).map(([key, schema]) => {
    const from = (inherits as readonly string[]).includes(key);
    return [key, from ? v.optional((schema as unknown as { wrapped: v.GenericSchema }).wrapped) : schema];
  });
  return section(docOf(options).about, Object.fromEntries(entries) as v.ObjectEntries);
}

export const modelOptions: Readonly<Record<string, v.GenericSchema>> = {
  mlp: section('Fully connected network.', {
    hidden: opt(
      list(
        int('Units.', 1, 65_536),
        'Units of each hidden layer.',
        'a list of layer widths, such as [256, 256]',
      ),
      [256, 256],
    ),
  }),
  lenet: section('LeNet-5 with ReLU and max pools.', {}),
  smallCnn: section(
    'Two convolutions (32, 64) with max pools, dense 128: trains in seconds on a processor.',
    {},
  ),
  allCnn: section('All-CNN: convolutions only, with batch-norm.', {
    width: opt(choice("`half` is Boundary Unlearning's network.", ['half', 'full']), 'half'),
  }),
  resnet18: section('ResNet-18 with the 3x3 stem for small images.', {}),
  vgg16: section('VGG-16 with batch-norm.', {}),
};

const subset = {
  trainSize: v.optional(int('Fewer training images, chosen by `seed` in the proportions of the classes.', 1)),
  testSize: v.optional(int('Fewer test images, chosen likewise.', 1)),
  seed: opt(int('Seed of every random choice about the data.'), 0),
};

const pictures = {
  size: v.optional(
    list(int('Pixels.', 1, 4096), '[height, width] to resize to.', '[height, width] in pixels', 2),
  ),
  channels: v.optional(v.pipe(int('1 grey, 3 colour.', 1, 3), v.notValue(2, 'expected 1 or 3'))),
  testPerClass: v.optional(int('Test pictures of each class.', 1)),
  testRatio: v.optional(fraction('Share of each class held back for testing, instead of testPerClass.')),
  skipBad: v.optional(
    bool('Leave out pictures that cannot be read, and name them, instead of refusing them.'),
  ),
};

const dir = v.optional(text('Folder of the data, instead of --data.'));
const column = 'a column name, or its position, from the end if negative';
const columnOf = (about: string) =>
  v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.integer())], `expected ${column}`),
    v.metadata({ about, expected: column }),
  );

export const datasetOptions: Readonly<Record<string, v.GenericSchema>> = {
  glyphs: section('Drawn by Lethe from a seed: 32x32 colour, ten classes. Needs no files.', {
    trainSize: opt(int('Training images.', 1, 500_000), 4000),
    testSize: opt(int('Test images.', 1, 500_000), 1000),
    seed: opt(int('Seed of the drawing.'), 0),
  }),
  mnist: section('MNIST, IDX files.', subset),
  'fashion-mnist': section('Fashion-MNIST, IDX files.', subset),
  'cifar-10': section('CIFAR-10, binary files.', subset),
  'cifar-100': section('CIFAR-100, binary files.', {
    labels: opt(choice('100 fine classes, or 20 coarse ones.', ['fine', 'coarse']), 'fine'),
    ...subset,
  }),
  faces: section('The AT&T/ORL faces: 40 people, 10 pictures each.', { ...pictures, ...subset }),
  folder: section('Your pictures: one folder for each class or person.', { dir, ...pictures, ...subset }),
  idx: section('Your images as IDX files: grey, with labels of any bytes.', {
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
  csv: section('Your table: numeric columns and a class column.', {
    dir,
    testFile: v.optional(text('File with the test rows.')),
    label: v.optional(columnOf('Column of the class; by default the last.')),
    drop: v.optional(list(columnOf('Column.'), 'Columns to leave out.', 'a list of columns')),
    header: v.optional(
      bool('Whether the first row names the columns; by default when none of its fields is a number.'),
    ),
    delimiter: v.optional(v.pipe(text('One character.'), v.length(1, 'expected one character'))),
    testRatio: v.optional(fraction('Share of each class for testing when there is no test file.')),
    ...subset,
  }),
};

/** What to forget: exactly one of class, ratio, ids, files, person (checked in schema.ts). */
export const forgetEntries = {
  class: v.optional(className('Forget this whole class.')),
  ratio: v.optional(num('Forget this share of the training images, drawn at random.', 0, 1)),
  seed: v.optional(int('With `ratio`: seed of the draw.')),
  withinClass: v.optional(className('With `ratio`: draw from this class only.')),
  ids: v.optional(
    list(
      int('Position.'),
      'Forget these training images, by their position in the data set.',
      'a list of positions',
    ),
  ),
  files: v.optional(
    list(text('File.'), "Forget these files, relative to the data set's folder.", 'a list of file names'),
  ),
  person: v.optional(text('Forget every image of this person.')),
};
