// Whether training has learned anything: its loss beside that of chance. Chance is a model that knows nothing of its input
// (Task.chance): for classification one that answers every image with the frequencies of the classes. A mean loss below
// that can only come of looking at the input. The accuracy is not asked: with few or unequal classes it passes chance
// later and says less.

import type { TrainOptions } from '../options/training.ts';
import type { EpochRecord } from './loop.ts';

/** A loss above this share of chance's is chance: epochs that learn nothing come out a little above or below it. */
const AT_CHANCE = 0.95;

/** Whether an epoch's loss is below chance. With a single class there is nothing to learn, and it counts as learned. */
export const hasLearned = (loss: number, chance: number): boolean =>
  chance === 0 || loss < AT_CHANCE * chance;

/**
 * What to say after the last epoch of a history, null for nothing. It is said once: after the first epoch at chance from a
 * third of all epochs on, but not before the second, the end of the warm-up, or the only one.
 */
export function chanceWarning(
  history: readonly EpochRecord[],
  {
    epochs,
    warmupEpochs,
    learningRate,
    chance,
  }: Pick<TrainOptions, 'epochs' | 'warmupEpochs' | 'learningRate'> & { chance: number },
): string | null {
  const from = Math.min(epochs, Math.max(2, Math.ceil(epochs / 3), Math.ceil(warmupEpochs) + 1));
  const first = history.find(({ epoch, loss }) => epoch >= from && !hasLearned(loss, chance));
  if (first === undefined || first !== history.at(-1)) return null;
  const { epoch, loss } = first;
  return `the network has learned nothing so far: loss ${loss.toFixed(2)} after epoch ${epoch} of ${epochs}, chance ${chance.toFixed(2)}; try more epochs, or another learning rate than ${learningRate}`;
}
