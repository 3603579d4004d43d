// The classifiers of the papers and of the demo, built from the layers. Children are named after PyTorch's modules, so
// that a path in params is the name in a state dict (see docs/models.md for every list). All take images [N, H, W, C] of
// any size their pools allow, and give logits [N, classes].

import { check, describe } from '../error.ts';
import * as ops from '../ops/index.ts';
import { settle } from '../options.ts';
import { scope } from '../tensor.ts';
import { residual, sequential } from './compose.ts';
import { kaimingNormal } from './init.ts';
import {
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  maxPool,
  type Normalisation,
  normalise,
  positive,
  relu,
  stateless,
} from './layers.ts';
import { batchNorm } from './norm.ts';
import type { Classifier, Layer } from './types.ts';

/** Options of every model. */
export interface ModelOptions {
  /** Number of logits, a positive integer. */
  classes: number;
  /** Per-channel statistics of the input, applied inside the model. Default: inputs are taken as they come. */
  normalise?: Normalisation;
}

/** undefined for classes: they have to be given, which `classifier` checks. */
const MODEL_DEFAULTS = { classes: undefined, normalise: undefined };

function classifier(
  name: string,
  head: readonly string[],
  options: ModelOptions,
  build: (classes: number) => { readonly [child: string]: Layer },
): Classifier {
  const { classes, normalise: statistics } = settle(name, options, MODEL_DEFAULTS);
  positive(name, 'classes', classes);
  const children = build(classes);
  const model = sequential({ normalise: statistics && normalise(statistics), ...children }, name);
  // The scope gives back what initialisers needed on the way: a second copy of every weight.
  return { ...model, init: (key, shape) => scope(() => model.init(key, shape)), head };
}

/** Options of mlp. */
export interface MlpOptions extends ModelOptions {
  /** Width of each hidden layer. Default [256, 256]. */
  hidden?: readonly number[];
}
/**
 * Flatten, then a dense layer and ReLU for each entry of `hidden`, then the head: fc1, fc2, ... Takes images of any
 * size, or vectors [N, features].
 * @throws 'value' for options out of range.
 */
export function mlp(given: MlpOptions): Classifier {
  const { hidden, ...options } = settle('mlp', given, { ...MODEL_DEFAULTS, hidden: [256, 256] });
  const head = `fc${hidden.length + 1}`;
  const children: Record<string, Layer> = { flatten: flatten() };
  hidden.forEach((n, i) => {
    children[`fc${i + 1}`] = dense(n);
    children[`relu${i + 1}`] = relu();
  });
  return classifier('mlp', [head], options, (classes) => ({ ...children, [head]: dense(classes) }));
}

/**
 * LeNet-5 (LeCun et al. 1998, section II.B) in its usual modern form: ReLU and max pools, no padding. 61,706 parameters
 * at 32x32x1 and 10 classes.
 * @throws 'value' for options out of range.
 */
export const lenet = (options: ModelOptions): Classifier =>
  classifier('lenet', ['fc3'], options, (classes) => ({
    conv1: conv2d(6, { size: 5 }),
    relu1: relu(),
    pool1: maxPool({ size: 2 }),
    conv2: conv2d(16, { size: 5 }),
    relu2: relu(),
    pool2: maxPool({ size: 2 }),
    flatten: flatten(),
    fc1: dense(120),
    relu3: relu(),
    fc2: dense(84),
    relu4: relu(),
    fc3: dense(classes),
  }));

/**
 * Two 3x3 convolutions (32, 64) with ReLU and 2x2 max pools, dense 128, head. The demo's model: it trains on a CPU.
 * @throws 'value' for options out of range.
 */
export const smallCnn = (options: ModelOptions): Classifier =>
  classifier('smallCnn', ['fc2'], options, (classes) => ({
    conv1: conv2d(32, { padding: 1 }),
    relu1: relu(),
    pool1: maxPool({ size: 2 }),
    conv2: conv2d(64, { padding: 1 }),
    relu2: relu(),
    pool2: maxPool({ size: 2 }),
    flatten: flatten(),
    fc1: dense(128),
    relu3: relu(),
    fc2: dense(classes),
  }));

/** Options of allCnn. */
export interface AllCnnOptions extends ModelOptions {
  /** Channels: 96 and 192 ('full') or 48 and 96 ('half', the default). */
  width?: 'half' | 'full';
}
/**
 * All-CNN (Springenberg et al. 2015) with batch norm and a dense head, as the unlearning papers use it; half
 * width is Boundary Unlearning's. Ends in a global average pool, which at 32x32 is the original's 8x8 average pool.
 * @throws 'value' for options out of range.
 */
export function allCnn(given: AllCnnOptions): Classifier {
  const { width, ...options } = settle('allCnn', given, { ...MODEL_DEFAULTS, width: 'half' });
  check(
    width === 'half' || width === 'full',
    'value',
    () => `allCnn: width is ${describe(width)}, expected 'half' or 'full'`,
  );
  const [a, b] = width === 'full' ? [96, 192] : [48, 96];
  const block = (filters: number, stride = 1, size = 3): Layer =>
    sequential([
      conv2d(filters, { size, stride, padding: (size - 1) / 2, bias: false }),
      batchNorm(),
      relu(),
    ]);
  const nothing = stateless('identity', (x) => x); // where the original can drop out
  return classifier('allCnn', ['classifier', '0'], options, (classes) => ({
    features: sequential([
      ...[block(a), block(a), block(b, 2), nothing],
      ...[block(b), block(b), block(b, 2), nothing],
      ...[block(b), block(b, 1, 1)],
    ]),
    pool: globalAvgPool(),
    classifier: sequential([dense(classes)]),
  }));
}

/**
 * ResNet-18 (He et al. 2016, table 1) with the CIFAR stem: a 3x3 convolution of stride 1 and no max pool. 11,173,962
 * parameters for 3 channels and 10 classes.
 * @throws 'value' for options out of range.
 */
export function resnet18(options: ModelOptions): Classifier {
  const conv = (filters: number, size: number, stride: number): Layer =>
    conv2d(filters, {
      size,
      stride,
      padding: (size - 1) / 2,
      bias: false,
      weightInit: kaimingNormal({ mode: 'fanOut' }),
    });
  const block = (filters: number, stride: number): Layer =>
    residual(
      {
        conv1: conv(filters, 3, stride),
        bn1: batchNorm(),
        relu: relu(),
        conv2: conv(filters, 3, 1),
        bn2: batchNorm(),
      },
      {
        shortcut: stride === 1 ? undefined : sequential([conv(filters, 1, stride), batchNorm()]),
        activation: ops.relu,
      },
    );
  const stage = (filters: number, stride: number): Layer =>
    sequential([block(filters, stride), block(filters, 1)]);
  return classifier('resnet18', ['fc'], options, (classes) => ({
    conv1: conv(64, 3, 1),
    bn1: batchNorm(),
    relu: relu(),
    layer1: stage(64, 1),
    layer2: stage(128, 2),
    layer3: stage(256, 2),
    layer4: stage(512, 2),
    pool: globalAvgPool(),
    fc: dense(classes),
  }));
}

/**
 * VGG-16 (Simonyan and Zisserman 2015, configuration D) in its CIFAR form: batch norm, one dense head. 14,728,266
 * parameters for 3 channels and 10 classes.
 * @throws 'value' for options out of range.
 */
export function vgg16(options: ModelOptions): Classifier {
  // A fifth pool would leave nothing of a small image (28x28 is 1x1 after four): then it does nothing.
  const pool = stateless('maxPool', (x) =>
    Math.min(x.shape[1], x.shape[2]) < 2 ? x : ops.maxPool2d(x, { size: 2 }),
  );
  const stage = (filters: number, convolutions: number): Layer[] => [
    ...Array.from({ length: convolutions }, () => [
      conv2d(filters, { padding: 1 }),
      batchNorm(),
      relu(),
    ]).flat(),
    pool,
  ];
  return classifier('vgg16', ['classifier'], options, (classes) => ({
    features: sequential([
      ...stage(64, 2),
      ...stage(128, 2),
      ...stage(256, 3),
      ...stage(512, 3),
      ...stage(512, 3),
    ]),
    pool: globalAvgPool(),
    classifier: dense(classes),
  }));
}

/** Every model by name, for recipes and the command line. */
export const models = {
  /** See {@link mlp}. */
  mlp,
  /** See {@link lenet}. */
  lenet,
  /** See {@link smallCnn}. */
  smallCnn,
  /** See {@link allCnn}. */
  allCnn,
  /** See {@link resnet18}. */
  resnet18,
  /** See {@link vgg16}. */
  vgg16,
};
/** The name of a model. */
export type ModelName = keyof typeof models;
