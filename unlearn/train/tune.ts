// From options, as recipes and callers state them, to the loop of loop.ts: optimiser, learning-rate schedule, seed. The
// options themselves, with ranges and defaults, are options/training.ts.

import type { Optimiser, Schedule } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import type { Augment } from '../data/batches.ts';
import type { UnlearnInput } from '../types.ts';
import { type LoopInput, type LoopResult, runLoop } from './loop.ts';
import { type Pass, Schedule as Passes } from './schedule.ts';
import { masked } from './update.ts';
import { digestOf } from './vectors.ts';

/** What every gradient-based method can be told. */
export interface Tuning {
  /** Passes over the data. */
  readonly epochs: number;
  /** Samples per step. */
  readonly batchSize: number;
  /** Step size. */
  readonly learningRate: number;
  /** Of SGD. */
  readonly momentum: number;
  /** L2 penalty added to the gradient. */
  readonly weightDecay: number;
  /** SGD by default. */
  readonly optimizer?: 'sgd' | 'adam' | 'adamw';
  /** Learning rate over time, constant by default. */
  readonly schedule?: 'constant' | 'cosine' | 'step';
  /** Epochs at which `step` decays. */
  readonly milestones?: readonly number[];
  /** Factor of each of these decays. */
  readonly gamma?: number;
  /** Epochs over which the rate rises from 0; 0 by default. */
  readonly warmupEpochs?: number;
  /** 'frozen': running statistics are used and stay as they are. Default 'train'. */
  readonly batchNorm?: 'train' | 'frozen';
  /** 'mixed': forward and backward passes in float16. Default 'float32'. */
  readonly precision?: 'float32' | 'mixed';
  /** Random shifts and mirror images of the sets that name none of their own. */
  readonly augment?: Augment;
}

/** What a loop needs beside options: the parts of LoopInput that they do not say. */
export type TuneInput = Omit<
  LoopInput,
  'epochs' | 'batchSize' | 'optimizer' | 'learningRate' | 'seed' | 'batchNorm' | 'precision'
> & {
  /** In place of the optimiser that the options name; given the rate that they describe. */
  readonly optimizer?: (learningRate: Schedule) => Optimiser;
  /** Around the optimiser: proximal steps, projections (update.ts). Given the passes, for what changes from step to step. */
  readonly update?: (optimizer: Optimiser, passes: Passes) => Optimiser;
  /** Which weights may move: the others keep their bits, whatever `update` does. */
  readonly mask?: UnlearnInput['mask'];
};

/** Runs the loop as the options say; `key` decides all that is random. */
export async function tune(options: Tuning, key: lt.Tensor, rest: TuneInput): Promise<LoopResult> {
  const { epochs, batchSize, batchNorm, precision } = options;
  const { optimizer, update = (inner) => inner, mask, identity = '', ...loop } = rest;
  const passes = rest.passes.map((pass) => augmented(pass, options.augment));
  const whole = new Passes(rest.name, passes, epochs, batchSize);
  const learningRate = scheduleOf(options, (epoch) => whole.updatesUntil(epoch));
  const updating = update(optimizer?.(learningRate) ?? optimiserOf(options, learningRate), whole);
  const named = mask && rest.checkpoint ? ` mask ${await digestOf(mask)}` : '';
  return runLoop({
    ...loop,
    passes,
    epochs,
    batchSize,
    batchNorm,
    precision,
    seed: await seedOf(key),
    identity: JSON.stringify(options) + identity + named,
    optimizer: mask ? masked(mask)(updating) : updating,
    learningRate,
  });
}

/** The pass with this augmentation where its sets name none of their own. */
const augmented = (pass: Pass, augment: Augment | undefined): Pass => ({
  ...pass,
  sets: Object.fromEntries(Object.entries(pass.sets).map(([name, draw]) => [name, { augment, ...draw }])),
});

/** What a method passes on from its input to the loop. */
export const passedOn = ({
  model,
  task,
  variables,
  mask,
  signal,
  onProgress,
  checkpoint,
}: UnlearnInput): Pick<
  UnlearnInput,
  'model' | 'task' | 'variables' | 'mask' | 'signal' | 'onProgress' | 'checkpoint'
> => ({
  model,
  task,
  variables,
  mask,
  signal,
  onProgress,
  checkpoint,
});

/** A key as a whole number below 2^53, for choices made on the host. */
export async function seedOf(key: lt.Tensor): Promise<number> {
  const [low, high] = await key.data();
  return low + (high % 2 ** 21) * 2 ** 32;
}

function optimiserOf(
  { optimizer = 'sgd', momentum, weightDecay }: Tuning,
  learningRate: Schedule,
): Optimiser {
  if (optimizer === 'sgd') return lt.optim.sgd({ learningRate, momentum, weightDecay });
  return lt.optim[optimizer]({ learningRate, weightDecay });
}

/**
 * Learning rate by step, counted from 0 over all epochs. The warm-up rises linearly; `cosine` then falls to 0 at the
 * end, step by step; `step` multiplies by `gamma` at each milestone (an epoch).
 * @param startOf the first step of an epoch, counted from 0; a part of an epoch is a part of its steps. Or the steps of
 * an epoch, where all have the same number.
 */
export function scheduleOf(options: Tuning, startOf: number | ((epoch: number) => number)): Schedule {
  const { epochs, learningRate, schedule = 'constant', milestones = [], gamma, warmupEpochs = 0 } = options;
  const at = (epoch: number): number => (typeof startOf === 'number' ? epoch * startOf : startOf(epoch));
  const total = at(epochs);
  const warmup = Math.max(0, Math.min(Math.round(at(Math.min(warmupEpochs, epochs))), total - 1));
  if (schedule === 'cosine') return lt.optim.cosine({ learningRate, total, warmup });
  const rate =
    schedule === 'step'
      ? lt.optim.multiStep({
          learningRate,
          milestones: milestones.filter((m) => m < epochs).map((m) => at(m) - warmup),
          gamma,
        })
      : lt.optim.constant(learningRate);
  return lt.optim.warmup(warmup, rate);
}
