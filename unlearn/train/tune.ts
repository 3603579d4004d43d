// From options, as recipes and callers state them, to the loop of fit.ts: optimiser, learning-rate schedule, seed. The
// options themselves, with ranges and defaults, are recipe/options.ts.

import type { Optimiser, Schedule } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import { type Augment, batchCount } from '../data/batches.ts';
import type { UnlearnInput } from '../types.ts';
import { type FitInput, type FitResult, fitModel } from './fit.ts';

/** What every gradient-based method can be told. */
export interface Tuning {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly optimizer?: 'sgd' | 'adam' | 'adamw';
  readonly schedule?: 'constant' | 'cosine' | 'step';
  readonly milestones?: readonly number[];
  readonly gamma?: number;
  readonly warmupEpochs?: number;
  readonly batchNorm?: 'train' | 'frozen';
  readonly precision?: 'float32' | 'mixed';
  readonly augment?: Augment;
}

/** The parts of FitInput that options do not say. */
type Rest = Omit<
  FitInput,
  'epochs' | 'batchSize' | 'optimizer' | 'learningRate' | 'seed' | 'batchNorm' | 'precision'
>;

/** Runs the loop as the options say; `key` decides all that is random. */
export async function tune(options: Tuning, key: lt.Tensor, rest: Rest): Promise<FitResult> {
  const { epochs, batchSize, batchNorm, precision } = options;
  const perEpoch = rest.passes.reduce((sum, { split }) => sum + batchCount(split, { batchSize }), 0);
  const learningRate = scheduleOf(options, perEpoch);
  return fitModel({
    ...rest,
    passes: rest.passes.map((pass) => ({ augment: options.augment, ...pass })),
    epochs,
    batchSize,
    batchNorm,
    precision,
    seed: await seedOf(key),
    identity: JSON.stringify(options),
    optimizer: optimiserOf(options, learningRate),
    learningRate,
  });
}

/** What a method passes on from its input to the loop. */
export const passedOn = ({ model, variables, signal, onProgress, checkpoint }: UnlearnInput) => ({
  model,
  variables,
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
 */
export function scheduleOf(options: Tuning, stepsPerEpoch: number): Schedule {
  const { epochs, learningRate, schedule = 'constant', milestones = [], gamma, warmupEpochs = 0 } = options;
  const total = epochs * stepsPerEpoch;
  const warmup = Math.min(Math.round(warmupEpochs * stepsPerEpoch), total - 1);
  if (schedule === 'cosine') return lt.optim.cosine({ learningRate, total, warmup });
  const rate =
    schedule === 'step'
      ? lt.optim.multiStep({
          learningRate,
          milestones: milestones.map((m) => m * stepsPerEpoch - warmup),
          gamma,
        })
      : lt.optim.constant(learningRate);
  return lt.optim.warmup(warmup, rate);
}
