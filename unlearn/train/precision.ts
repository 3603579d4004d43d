// Mixed precision (Micikevicius et al. 2018, "Mixed precision training"): the network computes in float16 on copies of the
// weights; the weights themselves, the optimiser's state, batch-norm's statistics, softmax and loss stay float32. Gradients
// that float16 could not hold are lifted into its range by a scale on the loss. A step whose gradients are not finite is
// skipped and halves the scale; many good ones in a row double it. All of it is part of the compiled step: the host
// learns of skipped steps once an epoch.

import { checkSupport } from '../../engine/device.ts';
import { LetheError } from '../../engine/error.ts';
import { device } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';

/** What the next step multiplies its loss by, good steps since it last changed, and steps skipped in all; scalars. */
export interface Scaling {
  readonly scale: lt.Tensor;
  readonly good: lt.Tensor;
  readonly skipped: lt.Tensor;
}

const FIRST_SCALE = 2 ** 15;
const LARGEST_SCALE = 2 ** 24;
/** Good steps after which the scale is tried twice as large. */
const PATIENCE = 2000;

/** @throws LetheError 'value' where the current device has no float16. */
export function firstScaling(name: string, scale = FIRST_SCALE): Scaling {
  try {
    checkSupport(device().backend, 'float16');
  } catch (cause) {
    const why = (cause as Error).message;
    throw new LetheError('value', `${name}: precision 'mixed' computes in float16; ${why}`, { cause });
  }
  return { scale: lt.full([], scale), good: lt.zeros([], 'int32'), skipped: lt.zeros([], 'int32') };
}

/** Gradients of the loss from gradients of the scaled loss, and whether all of them are finite (bool scalar). */
export function unscale<T>(grads: T, { scale }: Scaling): { grads: T; finite: lt.Tensor } {
  // NaN is larger than everything in a maximum, and less than nothing.
  const largest = lt.tree
    .flatten<lt.Tensor>(grads)
    .leaves.map((g) => g.abs().max())
    .reduce((a, b) => a.maximum(b));
  const back = (g: lt.Tensor): lt.Tensor => g.div(scale);
  return { grads: lt.tree.map(back, grads as unknown) as T, finite: largest.less(Infinity) };
}

/** `after` where the step counts, else `before`. */
export const chosen = <T>(finite: lt.Tensor, after: T, before: T): T =>
  lt.tree.map((a: lt.Tensor, b: lt.Tensor) => lt.where(finite, a, b), after as unknown, before) as T;

export function nextScaling({ scale, good, skipped }: Scaling, finite: lt.Tensor): Scaling {
  const row = good.add(1);
  const patient = row.less(PATIENCE);
  const raised = lt.where(patient, scale, scale.mul(2).minimum(LARGEST_SCALE));
  return {
    scale: lt.where(finite, raised, scale.mul(0.5).maximum(1)),
    good: lt.where(lt.logicalAnd(finite, patient), row, 0),
    skipped: lt.where(finite, skipped, skipped.add(1)),
  };
}
