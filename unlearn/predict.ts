// A model's answers over a split: logits, batch by batch, in evaluation mode. What they say is statistics/.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import { reduction, type SweepOptions } from './reduce.ts';
import { networkOf } from './train/network.ts';
import type { Split } from './types.ts';

/** How a split is gone through; `onBatch` is told after each batch how many samples are done. */
export type PredictOptions = SweepOptions;

interface Predictor {
  /** Logits [split.size, K], row by row. `variables` stay the caller's. */
  logits(variables: Variables, split: Split, options?: PredictOptions): Promise<Float32Array>;
  dispose(): void;
}

/** Compiles a model's forward pass for repeated use. */
export function predictor(model: Model): Predictor {
  const network = networkOf(model);
  const forward = reduction(
    ({ images }, variables: Variables) => {
      const { output } = network(variables, images);
      const [rows] = images.shape;
      check(
        output.shape.length === 2 && output.shape[0] === rows,
        'shape',
        () => `predict: the model answers [${output.shape.join(', ')}], expected [${rows}, classes]`,
      );
      return output;
    },
    { name: 'predict' },
  );

  const logits: Predictor['logits'] = async (variables, split, options) => {
    if (split.size === 0) return new Float32Array(0);
    const { data } = await forward.rows(split, [variables], options);
    return data instanceof Float32Array ? data : Float32Array.from(data);
  };

  return { logits, dispose: () => forward.dispose() };
}

/** Logits [split.size, K] of one split, in evaluation mode. See predictor for repeated use. */
export async function predict(
  model: Model,
  variables: Variables,
  split: Split,
  options?: PredictOptions,
): Promise<Float32Array> {
  const p = predictor(model);
  try {
    return await p.logits(variables, split, options);
  } finally {
    p.dispose();
  }
}
