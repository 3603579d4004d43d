// The options each method, model and data set understands, with their defaults: what a recipe may say under
// `options`. Values follow Boundary Unlearning's and SalUn's released code where the papers are silent; docs/methods.md
// says where paper and code differ.

import * as v from 'valibot';
import { bool, choice, className, int, list, num, section, text } from '../options/fields.ts';

const opt = <S extends v.GenericSchema, D>(schema: S, value: D) => v.optional(schema, value as never);
const fraction = (about: string) => num(about, 0, 1);

/** Augmentation of training batches: random shifts and mirror images. */
export const augment = section('Augmentation of training batches.', {
  crop: opt(int('Zero padding in pixels on each side before a random crop back to size.', 0, 64), 0),
  flip: opt(bool('Mirror left and right with probability 1/2.'), false),
});

/** How an optimiser is set and how long it runs; the base of training and of every method that fine-tunes. */
const tuning = (d: { epochs: number; batchSize: number; learningRate: number; weightDecay: number }) => ({
  epochs: opt(int('Passes over the data.', 1, 100_000), d.epochs),
  batchSize: opt(int('Samples per step.', 1, 1_000_000), d.batchSize),
  learningRate: opt(num('Step size.', 0, 1000), d.learningRate),
  momentum: opt(fraction('Momentum of SGD.'), 0.9),
  weightDecay: opt(fraction('L2 penalty added to the gradient.'), d.weightDecay),
});

const batchNorm = opt(
  choice(
    "Batch-norm statistics while unlearning: `train` updates them from the batches seen (as the papers' code does), `frozen` keeps them.",
    ['train', 'frozen'],
  ),
  'train',
);

/** Keys of `train`, all of them optional here so that `retrain` can override single ones. */
export const trainEntries = {
  ...tuning({ epochs: 10, batchSize: 128, learningRate: 0.05, weightDecay: 5e-4 }),
  optimizer: opt(choice('Optimiser.', ['sgd', 'adam', 'adamw']), 'sgd'),
  schedule: opt(
    choice('Learning rate over time: `step` multiplies by `gamma` at each of `milestones`.', [
      'constant',
      'cosine',
      'step',
    ]),
    'cosine',
  ),
  milestones: v.optional(
    list(
      int('Epoch.', 1, 100_000),
      'Epochs at which a `step` schedule decays.',
      'a list of epochs, such as [91, 136]',
    ),
  ),
  gamma: opt(fraction('Factor of each decay of a `step` schedule.'), 0.1),
  warmupEpochs: opt(num('Epochs over which the learning rate rises from 0.', 0, 100_000), 0),
  precision: opt(
    choice(
      '`mixed` computes forward and backward passes in float16, with float32 weights and a loss scale; for `webgpu` with shader-f16.',
      ['float32', 'mixed'],
    ),
    'float32',
  ),
  augment: opt(augment, {}),
};

export const trainSchema = section('Training of the original, and of retrain.', trainEntries);

/** Overrides of `train`: the same keys, without defaults. */
const trainOverrides = Object.fromEntries(
  Object.entries(trainEntries).map(([key, schema]) => [
    key,
    v.optional((schema as { wrapped: v.GenericSchema }).wrapped),
  ]),
) as v.ObjectEntries;

const inherited = { augment: v.optional(augment) };

/** The options of each method that stands on its own; retrain takes those of `train`. */
export const methodSchemas = {
  finetune: section('Go on training on what is kept.', {
    ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
    batchNorm,
    ...inherited,
  }),
  randomLabels: section('Train on the forget set with random labels, then on what is kept.', {
    ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
    excludeTrueLabel: opt(
      bool('Never draw the true label (as the paper says; the released code may draw it).'),
      true,
    ),
    redraw: opt(
      choice(
        'How often labels are drawn anew. `epoch` is also what drawing for each batch comes to: an epoch sees a sample once.',
        ['epoch', 'once'],
      ),
      'epoch',
    ),
    order: opt(
      choice(
        "`phases`: a pass over the forget set, then one over what is kept, each epoch (SalUn's code for CIFAR-10); `mixed`: both shuffled together; `forgetOnly`: nothing that is kept is used.",
        ['phases', 'mixed', 'forgetOnly'],
      ),
      'phases',
    ),
    batchNorm,
    ...inherited,
  }),
  gradientAscent: section('Climb the loss on the forget set (negative gradient).', {
    ...tuning({ epochs: 5, batchSize: 256, learningRate: 1e-4, weightDecay: 5e-4 }),
    lossCap: v.optional(
      num(
        'A sample whose loss has passed this, in nats, is pushed no further. By default there is no cap.',
        0,
      ),
    ),
    batchNorm,
    ...inherited,
  }),
  boundaryShrink: section('Move each forgotten sample to its nearest other class (Boundary Shrink).', {
    ...tuning({ epochs: 10, batchSize: 64, learningRate: 1e-5, weightDecay: 0 }),
    epsilon: opt(fraction('Length of the one FGSM step that looks for the neighbour.'), 0.1),
    epsilonConvention: opt(
      choice(
        "`pixel`: epsilon in [0, 1] pixels; `released`: in the released code's mis-scaled units, about 2.5 times as far.",
        ['pixel', 'released'],
      ),
      'pixel',
    ),
    excludeTrueLabel: opt(
      bool(
        'Take the likeliest other class where the step does not change the label; false trains such samples towards their true label, as the released code does.',
      ),
      true,
    ),
    rounding: v.optional(
      bool(
        'Round the perturbed image to multiples of 1/255. By default with `released` (its code does), not with `pixel`.',
      ),
    ),
    batchNorm,
  }),
  boundaryExpanding: section(
    'Send the forget set to a shadow class that is cut off afterwards (Boundary Expanding).',
    {
      ...tuning({ epochs: 10, batchSize: 64, learningRate: 1e-5, weightDecay: 0 }),
      shadowInit: opt(
        choice(
          "First weights of the shadow class: `xavier` normal and no bias, as the authors' code draws them; `default` as PyTorch's linear layer does, in SalUn's version.",
          ['xavier', 'default'],
        ),
        'xavier',
      ),
      batchNorm,
    },
  ),
};

export const methodOptions: Readonly<Record<string, v.GenericSchema>> = {
  retrain: section(
    'Train from scratch on what is kept: the target every other method is measured against. Takes the keys of `train`; those left out come from there.',
    trainOverrides,
  ),
  ...methodSchemas,
};

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
