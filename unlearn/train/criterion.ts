// What a model is judged by, as a number with a gradient: for influences, and for methods that hold it where it is.

import { check } from '../../engine/error.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import type { Network, Samples, Task, Tensors } from '../tasks/record.ts';
import type { Split } from '../types.ts';
import { disposeTree } from './feed.ts';
import { networkOf } from './network.ts';
import { scaled, type Vector } from './vectors.ts';

type Params = Variables['params'];

/**
 * A number that a model is judged by: the mean loss over samples, the mean over samples of another number that each has,
 * or any scalar of the variables. Traced: pure; it may close over tensors.
 */
export type Criterion<S extends Samples = Split> =
  | S
  | {
      /** The mean is taken over these. */
      readonly samples: S;
      /** One number a sample, [N], with the network in evaluation mode. */
      readonly of: (network: Network, variables: Variables, batch: Tensors) => lt.Tensor;
    }
  | ((variables: Variables, network: Network) => lt.Tensor);

/** A criterion with the task that its samples are of. */
export interface Judge {
  // biome-ignore lint/suspicious/noExplicitAny: tasks of different samples side by side
  readonly criterion: Criterion<any>;
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  readonly task: Task<any>;
}

interface At {
  readonly model: Model;
  readonly variables: Variables;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** Value of a criterion and its gradient, with the samples it took. The gradient is the caller's to dispose. */
export async function gradientAt({ criterion, task }: Judge, { model, variables, ...how }: At) {
  const { params, state } = variables;
  const network = networkOf(model);
  if (typeof criterion === 'function') {
    const both = lt.jit(
      (p: Params) =>
        lt.valueAndGrad((at: Params) => {
          const value = criterion({ params: at, state }, network);
          check(
            value.size === 1,
            'shape',
            () => `influence: criterion: a result of [${value.shape.join(', ')}]; expected a scalar`,
          );
          return value.reshape([]);
        })(p),
      { name: 'criterion' },
    );
    try {
      const [value, gradient] = both(params);
      return { value: await taken(value), gradient: gradient as Vector, samples: 0 };
    } finally {
      both.dispose();
    }
  }
  const { samples, of } = overSamples(criterion, task);
  task.check('influence: criterion', samples);
  const sums = reduction(
    (batch: Tensors, p: Params) =>
      lt.valueAndGrad((at: Params) => of(network, { params: at, state }, batch).sum())(p),
    { task, name: 'criterion' },
  );
  try {
    const total = await sums.sum(samples, [params], how);
    try {
      const [value, gradient] = lt.scope(() => scaled(total as Vector, 1 / samples.size)) as unknown as [
        lt.Tensor,
        Vector,
      ];
      return { value: await taken(value), gradient, samples: samples.size };
    } finally {
      disposeTree(total);
    }
  } finally {
    sums.dispose();
  }
}

/** Value of a criterion alone, with the samples it took. */
export async function valueAt({ criterion, task }: Judge, { model, variables, ...how }: At) {
  const network = networkOf(model);
  if (typeof criterion === 'function')
    return { value: await taken(lt.scope(() => criterion(variables, network))), samples: 0 };
  const { samples, of } = overSamples(criterion, task);
  const sums = reduction((batch: Tensors, v: Variables) => of(network, v, batch).sum(), {
    task,
    name: 'criterion value',
  });
  try {
    const total = await sums.sum(samples, [variables], how);
    return { value: (await taken(total)) / samples.size, samples: samples.size };
  } finally {
    sums.dispose();
  }
}

function overSamples<S extends Samples>(
  criterion: Exclude<Criterion<S>, (...args: never) => unknown>,
  task: Task<S>,
) {
  if ('of' in criterion) return criterion;
  const of = (network: Network, variables: Variables, batch: Tensors) =>
    task.losses(network, variables, batch).losses;
  return { samples: criterion as S, of };
}

/** The number in a scalar, which is disposed. */
async function taken(scalar: lt.Tensor): Promise<number> {
  try {
    return await scalar.item();
  } finally {
    scalar.dispose();
  }
}
