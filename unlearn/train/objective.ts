// What a step minimises: a function of the variables and of one batch from each set the step draws from.

import type { Variables } from '../../engine/nn/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Network, Task, Tensors } from '../tasks/record.ts';

/** What an objective has beside variables and batches. */
export interface StepContext {
  /** The network, in the setting of the step. */
  readonly network: Network;
  /** The task, for its losses. */
  readonly task: Pick<Task, 'losses'>;
  /** Random numbers of the step, a key. */
  readonly key: Tensor;
}

/** A batch of each set drawn from, by the set's name: { forget, retain }. */
export type Batches = Readonly<Record<string, Tensors>>;

/** What an objective gives. */
export interface Minimised {
  /** The scalar to be minimised. */
  readonly loss: Tensor;
  /** The network's state to go on with. */
  readonly state: Variables['state'];
}

/**
 * Traced, pure: a scalar to be minimised and the network's state to go on with. It may close over tensors, such as a
 * teacher's variables.
 */
export type Objective = (variables: Variables, batches: Batches, context: StepContext) => Minimised;

/** The task's mean loss over the batch of the set with this name. */
export const meanLoss =
  (set: string): Objective =>
  (variables, batches, { network, task }) => {
    const { losses, state } = task.losses(network, variables, batches[set]);
    return { loss: losses.mean(), state };
  };
