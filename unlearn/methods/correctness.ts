// Which samples of a set a network classifies correctly, for methods that judge their own epochs.

import type { Model, Variables } from '../../engine/nn/types.ts';
import { reduction } from '../reduce.ts';
import { classification } from '../tasks/classification.ts';
import { networkOf } from '../train/network.ts';
import type { Split } from '../types.ts';

/** Compiles the question for a model. */
export function correctness(model: Model) {
  const network = networkOf(model);
  const { accuracy } = classification.measures;
  const right = reduction((batch, variables: Variables) => accuracy.of(network, variables, batch), {
    name: 'correctness',
  });
  return {
    /** 100 for each sample that is classified correctly, else 0. */
    async of(variables: Variables, split: Split, signal?: AbortSignal): Promise<number[]> {
      const { data } = await right.rows(split, [variables], { signal });
      return Array.from(data);
    },
    /** Releases the compiled program. */
    dispose: () => right.dispose(),
  };
}
