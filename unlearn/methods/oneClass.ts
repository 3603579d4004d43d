// What ARCANE asks of a one-class model: a network that learns from the samples of one class alone, and says of any sample
// how foreign it is to that class. Foreignness compares between classes: the least decides. There are two: geometric
// transforms (rotations.ts) and Deep SVDD (svdd.ts).

import type { Model, Variables } from '../../engine/nn/types.ts';
import { choice } from '../options/fields.ts';
import { fraction, opt } from '../options/training.ts';
import type { SweepOptions } from '../reduce.ts';
import type { Objective } from '../train/objective.ts';
import type { Split } from '../types.ts';
import { headSizes } from './head.ts';
import { byRotations } from './rotations.ts';
import type { StateFacts, Took } from './stages.ts';
import { type Calibration, svdd } from './svdd.ts';

/** A one-class model. A state is its network for one class, and tensors beside it that stay as they were begun. */
export interface OneClass {
  /** What is trained. */
  readonly network: Model;
  /** How often a sample passes through the network, in a step of training and to be judged. */
  readonly views: number;
  /** What training does with the statistics of batch normalisation. */
  readonly batchNorm: 'train' | 'frozen';
  /** What a class begins with: the fresh variables, which become part of it; `set` are samples of the class. */
  begin(fresh: Variables, set: Split): Promise<{ readonly state: Variables; readonly took: Took }>;
  /** What a step minimises, on the one set that it draws from. */
  objective(state: Variables): Objective;
  /** What is known of a class after training; `set` are all its samples. */
  finish?(
    state: Variables,
    set: Split,
  ): Promise<{ readonly facts: Readonly<Record<string, number>>; readonly took: Took }>;
  /** How foreign each sample is to the class of this state, in the order of the set. */
  foreignness(state: Variables, facts: StateFacts, set: Split, how: SweepOptions): Promise<ArrayLike<number>>;
  /** Releases the compiled programs. */
  dispose(): void;
}

/** Options that say which model it is. */
export const oneClassOptions = {
  oneClass: opt(
    choice(
      'What a network learns from the samples of its class: `rotations` to tell by how many quarters of a circle an image was rotated, or halves where images are not square; `svdd` to map them near a centre (Deep SVDD).',
      ['rotations', 'svdd'],
    ),
    'rotations',
  ),
  calibrate: opt(
    choice(
      'With `oneClass: svdd`: score of a class, the least of which decides, from the squared distance d: `density`: d / m + ln m with the mean m over the class; `quantile`: d over a quantile of the class.',
      ['density', 'quantile'],
    ),
    'density',
  ),
  quantile: opt(fraction('With `calibrate: quantile`: which one.'), 0.95),
};
interface Options extends Calibration {
  readonly oneClass: keyof typeof RATES;
}

/** Step sizes where the options of training say none. */
export const RATES = { rotations: 1e-3, svdd: 1e-4 };

/** The model that the options ask for, made of a classifier, and how many classes that tells. `shape` is that of an image. */
export function oneClassOf(
  name: string,
  { oneClass, ...calibration }: Options,
  model: Model,
  shape: Split['shape'],
  sweep: SweepOptions,
): { readonly classes: number; readonly learner: OneClass } {
  const { features, classes } = headSizes(name, model, [1, ...shape]);
  const learner =
    oneClass === 'rotations' ? byRotations(name, model, shape) : svdd(model, features, calibration, sweep);
  return { classes, learner };
}
