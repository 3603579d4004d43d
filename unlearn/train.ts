// Training a network: initial weights, then the loop of train/loop.ts. What the options mean and what they are when left
// out stands in options/training.ts.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { completeOptions } from './options/complete.ts';
import { type TrainOptions, trainSchema } from './options/training.ts';
import { reduction } from './reduce.ts';
import { defaultTask } from './tasks/index.ts';
import type { Samples, Task, Tensors } from './tasks/record.ts';
import { chanceWarning, hasLearned } from './train/chance.ts';
import { disposeTree } from './train/feed.ts';
import { type Hook, keepBest, measured, told } from './train/hooks.ts';
import type { EpochRecord } from './train/loop.ts';
import { networkOf } from './train/network.ts';
import { tune } from './train/tune.ts';
import type { CheckpointStore, Progress, Split, UnlearnResult } from './types.ts';

export type { EpochRecord } from './train/loop.ts';

/** What train works on. */
export interface TrainInput<S extends Samples = Split> {
  /** The network. */
  readonly model: Model;
  /** What the samples are and what is lost on them; classification of images by default. */
  readonly task?: Task<S>;
  /** Training samples. */
  readonly data: S;
  /** Those left out take their defaults. */
  readonly options?: Partial<TrainOptions>;
  /** Decides the first weights and the order of the data; the order depends on (key, epoch, position) alone. */
  readonly key: lt.Tensor;
  /** Where to start instead of fresh weights; they stay the caller's. */
  readonly variables?: Variables;
  /** Measured after each epoch: `validationAccuracy` (percent) in the history; other tasks have other measures. */
  readonly validation?: S;
  /** Return the epoch whose first measure on `validation` was best instead of the last. */
  readonly keepBest?: boolean;
  /** Further hooks of the loop, such as a moving average of the weights. */
  readonly hooks?: readonly Hook[];
  /** For progress and messages, 'train' by default. */
  readonly name?: string;
  /** Stops the training when it aborts, after a last save to `checkpoint`. */
  readonly signal?: AbortSignal;
  /** Told how far it is, and of warnings. */
  readonly onProgress?: (progress: Progress) => void;
  /** Loaded once at the start; saved after each epoch or oftener, and once more before stopping for the signal. */
  readonly checkpoint?: CheckpointStore;
}

/** What train gives. */
export interface TrainResult extends UnlearnResult {
  /** What is known of each epoch. */
  readonly history: readonly EpochRecord[];
  readonly details: {
    /** The same, for results.json. */
    readonly history: readonly EpochRecord[];
    /** Mean over the last epoch; nats for classification. */
    readonly trainLoss: number;
    /** False where that is no better than knowing nothing of the input (Task.chance); a warning was given then. */
    readonly learned: boolean;
  };
}

/**
 * Trains; a run that was stopped and goes on from its checkpoint ends with the same bits as one left alone.
 * @throws what the signal was aborted with; LetheError 'value' for wrong options and where training diverges.
 */
export async function train<S extends Samples = Split>(input: TrainInput<S>): Promise<TrainResult> {
  const { model, data, key, validation, name = 'train', task = defaultTask<S>() } = input;
  const { signal, onProgress, checkpoint } = input;
  const options = completeOptions<TrainOptions>(name, trainSchema, input.options);
  check(
    !input.keepBest || validation,
    'value',
    () => `${name}: keepBest needs validation, a split to judge by`,
  );
  task.check(`${name}: data`, data);
  const variables = input.variables ?? initial(model, key, task.inputShape(data, 1));
  const judge = validation && judgeOf(model, task, validation, signal);
  const { epochs } = options;
  const chance = task.chance(data);
  const warn = (history: readonly EpochRecord[]) => {
    const warning = chanceWarning(history, { ...options, chance });
    const epoch = history.length;
    if (warning) onProgress?.({ phase: name, fraction: epoch / epochs, epoch, epochs, warning });
  };
  const hooks = [
    ...(judge ? [measured(judge.measure)] : []),
    ...(judge && input.keepBest ? [keepBest(judge.first, judge.better)] : []),
    told(warn),
    ...(input.hooks ?? []),
  ];
  try {
    const passes = [{ name, sets: { data: { set: data } } }];
    const loop = { name, model, task, variables, passes, hooks, signal, onProgress, checkpoint };
    const result = await tune(options, key, loop);
    const { history } = result;
    const trainLoss = history[history.length - 1].loss;
    return { ...result, details: { history, trainLoss, learned: hasLearned(trainLoss, chance) } };
  } finally {
    judge?.dispose();
    if (variables !== input.variables) disposeTree(variables);
  }
}

/** Fresh weights: the same for the same key, whatever they are then trained on. */
const initial = (model: Model, key: lt.Tensor, shape: readonly number[]): Variables =>
  lt.scope(() => model.init(lt.random.foldIn(key, 0), shape));

/** All measures of a task on a set, as facts named `validation` and the measure's name. */
function judgeOf<S extends Samples>(model: Model, task: Task<S>, set: S, signal: AbortSignal | undefined) {
  const network = networkOf(model);
  const measures = Object.entries(task.measures);
  const named = (name: string) => `validation${name[0].toUpperCase()}${name.slice(1)}`;
  const sweep = reduction(
    (batch: Tensors, v: Variables) =>
      Object.fromEntries(measures.map(([name, { of }]) => [name, of(network, v, batch)])),
    { task, name: 'validation' },
  );
  const [[first, { better }]] = measures;
  return {
    first: named(first),
    better,
    async measure(variables: Variables) {
      const rows = await sweep.rows(set, [variables], { signal });
      const mean = (values: lt.TypedArray) => {
        let sum = 0;
        for (const value of values) sum += value;
        return sum / values.length;
      };
      return Object.fromEntries(measures.map(([name]) => [named(name), mean(rows[name].data)]));
    },
    dispose: () => sweep.dispose(),
  };
}
