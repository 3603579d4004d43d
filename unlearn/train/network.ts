// A model as a step uses it (tasks/record.ts, Network): one place for training mode, frozen statistics, the key of the
// step and mixed precision.

import type { ApplyOptions, Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { Network } from '../tasks/record.ts';

/** The setting of a step. */
export interface NetworkSettings extends Omit<ApplyOptions, 'tap'> {
  /** Compute in float16; parameters and inputs are rounded to it, the output comes back as float32. */
  readonly half?: boolean;
}

/** The model in a setting: evaluation in float32 unless said otherwise. */
export function networkOf(model: Model, { half = false, ...settings }: NetworkSettings = {}): Network {
  const inside = (t: lt.Tensor): lt.Tensor => (half ? t.astype('float16') : t);
  return ({ params, state }, inputs, { train = settings.train ?? false } = {}) => {
    const variables: Variables = { params: lt.tree.map(inside, params), state };
    const out = train
      ? model.apply(variables, inside(inputs), settings)
      : model.apply(variables, inside(inputs));
    return { output: half ? out.output.astype('float32') : out.output, state: out.state };
  };
}
