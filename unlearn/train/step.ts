// One step of training as one compiled program: objective, gradients, mixed precision, update.

import type { Model, Variables } from '../../engine/nn/types.ts';
import type { Optimiser } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import type { Samples, Task, Tensors } from '../tasks/record.ts';
import { networkOf } from './network.ts';
import type { Batches, Objective } from './objective.ts';
import { chosen, nextScaling, type Scaling, unscale } from './precision.ts';
import type { Update } from './schedule.ts';

interface StepSettings<S extends Samples> {
  readonly name: string;
  readonly model: Model;
  readonly task: Task<S>;
  readonly optimizer: Optimiser;
  /** 'frozen': batch normalisation uses its running statistics and leaves them as they are. */
  readonly batchNorm?: 'train' | 'frozen';
}

/** What a step takes and returns beside the batches. */
export interface StepState {
  readonly variables: Variables;
  readonly optimizer: lt.optim.OptimiserState;
  /** Of mixed precision; null where all is float32. */
  readonly scaling: Scaling | null;
}

export interface Step {
  (
    state: StepState,
    batches: Readonly<Record<string, Tensors>>,
    key: lt.Tensor,
  ): StepState & { loss: lt.Tensor };
  dispose(): void;
}

const OWN = 0x757064;

/**
 * Compiles the step of an objective. It takes the tensors of the state it is given, and reuses their memory.
 * @param own what moves the parameters in place of the optimiser.
 */
export function compileStep<S extends Samples>(
  settings: StepSettings<S>,
  objective: Objective,
  own?: Update,
): Step {
  const { name, model, task, optimizer, batchNorm = 'train' } = settings;
  const step = lt.jit(
    (
      params: Variables['params'],
      state: Variables['state'],
      optimizerState: lt.optim.OptimiserState,
      scaling: Scaling | null,
      batches: Batches,
      key: lt.Tensor,
    ) => {
      const frozenStatistics = batchNorm === 'frozen';
      const network = networkOf(model, { train: true, key, frozenStatistics, half: scaling !== null });
      const value = (p: Variables['params']): [lt.Tensor, [lt.Tensor, Variables['state']]] => {
        const out = objective({ params: p, state }, batches, { network, task, key });
        return [scaling ? out.loss.mul(scaling.scale) : out.loss, [out.loss, out.state]];
      };
      const update = (gradients: Variables['params']) =>
        own
          ? { params: own(params, gradients, lt.random.foldIn(key, OWN)), state: optimizerState }
          : optimizer.update(gradients, optimizerState, params);
      const [[, [loss, nextState]], grads] = lt.valueAndGrad(value, { hasAux: true })(params);
      if (scaling === null) {
        const next = update(grads);
        return [next.params, nextState, next.state, null, loss] as const;
      }
      const { grads: unscaled, finite } = unscale(grads, scaling);
      const next = update(unscaled);
      return [
        ...chosen(
          finite,
          [next.params, nextState, next.state] as const,
          [params, state, optimizerState] as const,
        ),
        nextScaling(scaling, finite),
        loss,
      ] as const;
    },
    { donate: [0, 1, 2, 3], name: `${name} step` },
  );
  const run = ({ variables, optimizer, scaling }: StepState, batches: Batches, key: lt.Tensor) => {
    const [params, state, next, scaled, loss] = step(
      variables.params,
      variables.state,
      optimizer,
      scaling,
      batches,
      key,
    );
    return { variables: { params, state }, optimizer: next, scaling: scaled, loss };
  };
  return Object.assign(run, { dispose: () => step.dispose() });
}
