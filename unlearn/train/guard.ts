// What is said when training diverges: where, at which learning rate, and what to try.

import { LetheError } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import type { Loop } from './loop.ts';
import type { Position } from './schedule.ts';

/** The loss or the weights are no longer finite: another learning rate may do. */
export class Diverged extends LetheError {}

/** The loss of each step is watched; this sees what the last step did. @throws Diverged */
export async function checkFinite(loop: Loop): Promise<void> {
  const { schedule, carry } = loop;
  for (const [path, tensor] of lt.tree.entries<lt.Tensor>(carry.variables)) {
    const values: ArrayLike<number> = await tensor.data();
    if (Array.prototype.every.call(values, Number.isFinite)) continue;
    const epoch = schedule.epochs - 1;
    const epochSteps = schedule.stepsIn(epoch);
    const last = { step: schedule.steps - 1, epoch, epochSteps, within: epochSteps - 1 };
    throw await diverged(loop, `${path} is no longer finite`, last);
  }
}

/** The learning rate of a step. */
export async function rateAt(
  { input, schedule }: Pick<Loop, 'input' | 'schedule'>,
  step: number,
): Promise<number> {
  const rate = lt.scope(() => input.learningRate(lt.full([], schedule.updatesBefore(step))));
  try {
    return Number((await rate.item()).toPrecision(6));
  } finally {
    rate.dispose();
  }
}

export async function diverged(
  { input, schedule }: Pick<Loop, 'input' | 'schedule'>,
  what: string,
  at: Pick<Position, 'step' | 'epoch' | 'epochSteps' | 'within'>,
  advice = input.advice ?? 'lower the learning rate, or warm it up',
): Promise<Diverged> {
  const place = `epoch ${at.epoch + 1} of ${schedule.epochs}, step ${at.within + 1} of ${at.epochSteps}`;
  const rate = await rateAt({ input, schedule }, at.step);
  return new Diverged('value', `${input.name}: ${what} at ${place}, learning rate ${rate}; ${advice}`);
}
