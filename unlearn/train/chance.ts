// Whether training has learned anything: its loss beside that of chance. Chance is a network that answers every image
// with the frequencies of the classes; its loss is the entropy of the labels, ln K for K classes of one size, and its
// accuracy the share of the largest class. A mean loss below that can only come of looking at the images. The accuracy is
// not computed: with few or unequal classes it passes chance later and says less.

import type { TrainOptions } from '../recipe.ts';
import type { EpochRecord } from './fit.ts';

/** A loss above this share of chance's is chance: epochs that learn nothing come out a little above or below it. */
const AT_CHANCE = 0.95;

/** Entropy of the labels, nats: 0 where all are equal. */
export function chanceLoss(labels: ArrayLike<number>): number {
  const counts = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i], (counts.get(labels[i]) ?? 0) + 1);
  let sum = 0;
  for (const count of counts.values()) sum -= (count / labels.length) * Math.log(count / labels.length);
  return Math.max(0, sum);
}

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
