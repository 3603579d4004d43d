// Gradients of a model's losses on a set, by the parameters, without ever holding one for each sample: what lies below
// influence, curvature and inverses. Evaluation mode: dropout is off, batch normalisation keeps its statistics.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Task, Tensors } from '../tasks/record.ts';
import { weighted } from '../tasks/views.ts';
import type { Split } from '../types.ts';
import { networkOf } from './network.ts';
import type { Vector } from './vectors.ts';

export type Params = Variables['params'];

/** The losses of a model on a set, and how the set is gone through. */
export interface LossOver<S extends Samples = Split> {
  readonly model: Model;
  /** Classification by default. */
  readonly task?: Task<S>;
  /** Where derivatives are taken; they stay the caller's. */
  readonly variables: Variables;
  readonly samples: S;
  /** Samples a pass, 256 by default. */
  readonly batchSize?: number;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
}

/** Loss of each sample of a batch, [n]. Traced. */
type Losses = (params: Params, batch: Tensors) => lt.Tensor;

export function lossesOf<S extends Samples>({
  model,
  task = defaultTask<S>(),
  variables: { state },
}: Pick<LossOver<S>, 'model' | 'task' | 'variables'>): Losses {
  const network = networkOf(model);
  return (params, batch) => task.losses(network, { params, state }, batch).losses;
}

/** The product of each sample's gradient with v, [n], by forward mode. Traced. */
export const alongOf = (losses: Losses, params: Params, batch: Tensors, v: Vector): lt.Tensor =>
  lt.jvp((p: Params) => losses(p, batch), [params], [v as Params])[1];

/** The sum of the samples' gradients, each times its weight; the caller's to dispose. @param weights by position. */
export async function weightedGradient<S extends Samples>(
  over: LossOver<S>,
  weights: Float64Array,
): Promise<Vector> {
  const { task = defaultTask<S>(), variables, samples, batchSize, signal } = over;
  const losses = lossesOf(over);
  const gradient = reduction(
    ({ sampleWeights: w, ...batch }, p: Params) =>
      lt.grad((at: Params) => losses(at, batch).mul(w).sum())(p) as Vector,
    { task: weighted(task, weights), name: 'weighted gradient' },
  );
  try {
    return await gradient.sum(samples, [variables.params], { batchSize, signal });
  } finally {
    gradient.dispose();
  }
}
