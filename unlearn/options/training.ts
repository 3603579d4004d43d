// The options of training and what methods take of them: the base that methods' own schemas are built from.

import * as v from 'valibot';
import { bool, choice, int, list, num, only, section } from './fields.ts';

/** An option with a default. */
export const opt = <S extends v.GenericSchema, const D extends v.InferInput<S>>(schema: S, value: D) =>
  v.optional(schema, value);
/** A number from 0 to 1. */
export const fraction = (about: string) => num(about, 0, 1);

/** Augmentation of training batches: random shifts and mirror images. */
const augment = section('Augmentation of training batches.', {
  crop: opt(int('Zero padding in pixels on each side before a random crop back to size.', 0, 64), 0),
  flip: opt(bool('Mirror left and right with probability 1/2.'), false),
});

/** How an optimiser is set and how long it runs; the base of training and of every method that fine-tunes. */
export const tuning = (d: {
  epochs: number;
  batchSize: number;
  learningRate: number;
  weightDecay: number;
}) => ({
  epochs: opt(int('Passes over the data.', 1, 100_000), d.epochs),
  batchSize: opt(int('Samples per step.', 1, 1_000_000), d.batchSize),
  learningRate: opt(num('Step size.', 0, 1000), d.learningRate),
  momentum: opt(fraction('Momentum of SGD.'), 0.9),
  weightDecay: opt(fraction('L2 penalty added to the gradient.'), d.weightDecay),
});

/** The option `batchNorm` of methods that fine-tune. */
export const batchNorm = opt(
  choice(
    "Batch-norm statistics while unlearning: `train` updates them from the batches seen (as the papers' code does), `frozen` keeps them.",
    ['train', 'frozen'],
  ),
  'train',
);

/**
 * For methods that move the original's weights; `define` makes the mask, `tune` keeps what it hides (train/mask.ts).
 * Without defaults: where nothing is said of a mask, options are what they were before there were masks.
 */
export const maskable = {
  mask: v.optional(
    choice(
      "Which weights may move: `saliency` those with the largest gradients of the forget set's loss (SalUn); `random` as many, chosen at random; `none`, the default, all.",
      ['none', 'saliency', 'random'],
    ),
  ),
  density: v.optional(fraction('Share of the weights that a mask lets move. By default 0.5.')),
};

/** For methods whose claim needs every weight to move: they refuse a mask, and say why. */
export const unmaskable = (why: string) => ({
  mask: v.optional(only('none', 'Which weights may move: all.', why)),
});

/** Whether a method of these options takes a mask. */
export const takesMask = (entries: Readonly<Record<string, unknown>>): boolean => {
  const { mask } = entries as { readonly mask?: { readonly wrapped?: { readonly type: string } } };
  return mask !== undefined && mask.wrapped?.type !== 'literal';
};

/** Taken from `train` where a recipe says nothing. */
export const inherited = { augment: v.optional(augment) };

/** The options of an optimiser and of its learning rate over time. */
export const scheduled = {
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
};

/** Keys of `train`. */
export const trainEntries = {
  ...tuning({ epochs: 10, batchSize: 128, learningRate: 0.05, weightDecay: 5e-4 }),
  ...scheduled,
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

/** How a network is trained. */
export type TrainOptions = v.InferOutput<typeof trainSchema>;

/** The keys of `train`, for methods that take all of them from there. */
export const trainKeys = Object.keys(trainEntries) as readonly (keyof TrainOptions)[];

/** As an option `train` of a method that trains networks of its own. */
export const ownTrain = opt(section('Training of each network.', trainEntries), {});
/** The keys of such an option, for methods that take all of them from `train`. */
export const ownTrainKeys = trainKeys.map((key) => `train.${key}` as const);
