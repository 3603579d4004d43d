// Training a network: initial weights, then the loop of train/fit.ts. What the options mean and what they are when left
// out stands in recipe/options.ts.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { completeOptions } from './options/complete.ts';
import { predictor } from './predict.ts';
import { trainSchema } from './recipe/options.ts';
import type { TrainOptions } from './recipe.ts';
import { chanceLoss, chanceWarning, hasLearned } from './train/chance.ts';
import type { EpochRecord } from './train/fit.ts';
import { tune } from './train/tune.ts';
import type { CheckpointStore, Progress, Split, UnlearnResult } from './types.ts';

export type { EpochRecord } from './train/fit.ts';

export interface TrainInput {
  readonly model: Model;
  readonly data: Split;
  /** Those left out take their defaults. */
  readonly options?: Partial<TrainOptions>;
  /** Decides the first weights and the order of the data; the order depends on (key, epoch, position) alone. */
  readonly key: lt.Tensor;
  /** Where to start instead of fresh weights; they stay the caller's. */
  readonly variables?: Variables;
  /** Measured after each epoch: `validationAccuracy` (percent) in the history. */
  readonly validation?: Split;
  /** Return the epoch with the best validation accuracy instead of the last. */
  readonly keepBest?: boolean;
  /** For progress and messages, 'train' by default. */
  readonly name?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Loaded once at the start; saved after each epoch or oftener, and once more before stopping for the signal. */
  readonly checkpoint?: CheckpointStore;
}

export interface TrainResult extends UnlearnResult {
  readonly history: readonly EpochRecord[];
  readonly details: {
    readonly history: readonly EpochRecord[];
    /** Mean over the last epoch, nats. */
    readonly trainLoss: number;
    /** False where that is no better than answering with the frequencies of the classes; a warning was given then. */
    readonly learned: boolean;
  };
}

/**
 * Trains; a run that was stopped and goes on from its checkpoint ends with the same bits as one left alone.
 * @throws what the signal was aborted with; LetheError 'value' for wrong options and where training diverges.
 */
export async function train(input: TrainInput): Promise<TrainResult> {
  const { model, data, key, validation, keepBest, name = 'train', ...rest } = input;
  const options = completeOptions<TrainOptions>(name, trainSchema, input.options);
  check(!keepBest || validation, 'value', () => `${name}: keepBest needs validation, a split to judge by`);
  const variables = input.variables ?? initial(model, key, data);
  const judge = validation && predictor(model);
  const afterEpoch =
    judge &&
    (async (v: Variables) => ({
      validationAccuracy: await judge.accuracy(v, validation, { signal: rest.signal }),
    }));
  try {
    const { signal, onProgress, checkpoint } = rest;
    const { epochs } = options;
    const chance = chanceLoss(data.labels);
    const onEpoch = (history: readonly EpochRecord[]) => {
      const warning = chanceWarning(history, { ...options, chance });
      const epoch = history.length;
      if (warning) onProgress?.({ phase: name, fraction: epoch / epochs, epoch, epochs, warning });
    };
    const hooks = { afterEpoch, onEpoch, keepBest: keepBest ? 'validationAccuracy' : undefined };
    const where = { model, variables, passes: [{ name, split: data }] };
    const result = await tune(options, key, { name, ...where, ...hooks, signal, onProgress, checkpoint });
    const { history } = result;
    const trainLoss = history[history.length - 1].loss;
    return { ...result, details: { history, trainLoss, learned: hasLearned(trainLoss, chance) } };
  } finally {
    judge?.dispose();
    if (variables !== input.variables) lt.tree.map((t: lt.Tensor) => t.dispose(), variables);
  }
}

/** Fresh weights: the same for the same key, whatever they are then trained on. */
const initial = (model: Model, key: lt.Tensor, data: Split): Variables =>
  lt.scope(() => model.init(lt.random.foldIn(key, 0), [1, ...data.shape]));
