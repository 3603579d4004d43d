// Products of second order for the sum of a batch's losses, each a traced map v -> C v that never writes C out:
//   'hessian'      the exact second derivative, forward over reverse (Pearlmutter 1994); may be indefinite
//   'gaussNewton'  J^T L'' J, J the Jacobian of the network's outputs and L'' the loss's Hessian in them (Schraudolph 2002);
//                  positive semidefinite where the loss is convex in the outputs, as cross-entropy and squared error are
//   'fisher'       the empirical Fisher, the sum of g g^T over the samples' gradients; positive semidefinite
// Gauss-Newton takes the losses for a function of what the network answers: a loss that uses parameters beside them, as a
// penalty does, is not seen.

import * as lt from '../../index.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Network, Samples, Tensors } from '../tasks/record.ts';
import { type LossOver, lossesOf, type Params } from './gradients.ts';
import { networkOf } from './network.ts';
import type { Vector } from './vectors.ts';

type LossOf<S extends Samples> = Pick<LossOver<S>, 'model' | 'task' | 'variables'>;

/** Which matrix stands for the curvature. */
export type Product = 'hessian' | 'gaussNewton' | 'fisher';

/** (batch, parameters, v) -> C v of the sum of the batch's losses. Traced. */
export function productOf<S extends Samples>(
  of: LossOf<S>,
  product: Product,
): (batch: Tensors, p: Params, v: Vector) => Vector {
  const losses = lossesOf(of);
  if (product === 'hessian')
    return (batch, p, v) => lt.hvp((at: Params) => losses(at, batch).sum(), [p], [v as Params]);
  if (product === 'fisher')
    return (batch, p, v) =>
      through(
        (at) => [losses(at, batch)],
        p,
        v,
        (_, along) => along,
      );
  return (batch, p, v) =>
    through(
      (at) => outputsOf(of, at, batch),
      p,
      v,
      (outputs, along) => lt.hvp((at: lt.Tensor[]) => lossAt(of, at, batch), [outputs], [along]),
    );
}

/** J^T W J v for the derivative J of f at p: forward through J, times W, back through J. */
function through(
  f: (p: Params) => lt.Tensor[],
  p: Params,
  v: Vector,
  weigh: (values: lt.Tensor[], along: lt.Tensor[]) => lt.Tensor[],
): Vector {
  const [values, along] = lt.jvp(f, [p], [v as Params]);
  const [, pullback] = lt.vjp(f, p);
  return pullback(weigh(values, along))[0];
}

/** What the network answers while the task computes its losses: the outputs, in the order of the calls. */
function outputsOf<S extends Samples>(
  { model, task = defaultTask<S>(), variables: { state } }: LossOf<S>,
  params: Params,
  batch: Tensors,
): lt.Tensor[] {
  const network = networkOf(model);
  const outputs: lt.Tensor[] = [];
  const heard: Network = (...call) => {
    const applied = network(...call);
    outputs.push(applied.output);
    return applied;
  };
  task.losses(heard, { params, state }, batch);
  return outputs;
}

/** The sum of the task's losses where the network answers with these outputs. */
function lossAt<S extends Samples>(
  { task = defaultTask<S>(), variables: { state } }: LossOf<S>,
  outputs: readonly lt.Tensor[],
  batch: Tensors,
): lt.Tensor {
  let call = 0;
  const answers: Network = () => ({ output: outputs[call++], state });
  return task.losses(answers, { params: {}, state }, batch).losses.sum();
}
