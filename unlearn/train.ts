// Training a network from scratch. This file is the contract that runs are written against; the loop itself is not
// here yet.

import { LetheError } from '../engine/error.ts';
import type { Model } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { TrainOptions } from './recipe.ts';
import type { CheckpointStore, Progress, Split, UnlearnResult } from './types.ts';

export interface TrainInput {
  readonly model: Model;
  readonly data: Split;
  readonly options: TrainOptions;
  /** Decides the first weights and the order of the data; the order depends on (key, epoch, position) alone. */
  readonly key: Tensor;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Loaded once at the start; saved after each epoch or oftener, and once more before stopping for the signal. */
  readonly checkpoint?: CheckpointStore;
}

/** Trains; a run that was stopped and goes on from its checkpoint ends with the same bits as one left alone. */
export async function train(_input: TrainInput): Promise<UnlearnResult> {
  throw new LetheError('state', 'training is not part of this version yet');
}
