// The options each method and model understands, with their defaults: what a recipe may say under `options`. Those of data
// sets are in the records of data/sets. Values follow Boundary Unlearning's and SalUn's released code where the papers are silent; docs/methods.md
// says where paper and code differ.

import * as v from 'valibot';
import { datasetNames, records } from '../data/sets/index.ts';
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

/** The options of each data set: those of its record. */
export const datasetOptions: Readonly<Record<string, v.GenericSchema>> = Object.fromEntries(
  datasetNames.map((name) => [name, records[name].options]),
);

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
