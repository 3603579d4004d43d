// What is said when training diverges: where, at which learning rate, and what to try.

import { LetheError } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { FitInput } from './fit.ts';

/** The loss of each step is watched; this sees what the last step did. @throws LetheError 'value' */
export async function checkFinite(input: FitInput, variables: Variables, perEpoch: number): Promise<void> {
  for (const [path, tensor] of lt.tree.entries<lt.Tensor>(variables)) {
    const values: ArrayLike<number> = await tensor.data();
    if (!Array.prototype.every.call(values, Number.isFinite))
      throw await diverged(input, `${path} is no longer finite`, input.epochs * perEpoch - 1, perEpoch);
  }
}

/** The learning rate of a step. */
export async function rateAt({ learningRate }: FitInput, step: number): Promise<number> {
  const rate = lt.scope(() => learningRate(lt.full([], step)));
  try {
    return Number((await rate.item()).toPrecision(6));
  } finally {
    rate.dispose();
  }
}

export async function diverged(
  input: FitInput,
  what: string,
  step: number,
  perEpoch: number,
): Promise<LetheError> {
  const { name, advice = 'lower the learning rate, or warm it up', epochs } = input;
  const place = `epoch ${Math.floor(step / perEpoch) + 1} of ${epochs}, step ${(step % perEpoch) + 1} of ${perEpoch}`;
  const rate = await rateAt(input, step);
  return new LetheError('value', `${name}: ${what} at ${place}, learning rate ${rate}; ${advice}`);
}
