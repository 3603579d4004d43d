// How much there is in an image, by itself: the entropy of its intensities.

import type { Split } from '../types.ts';

/** Entropy in nats of the histogram of an image's bytes, over all its channels: 0 (one colour) to ln 256. */
export function imageEntropy({ images, shape }: Split, position: number): number {
  const bytes = shape[0] * shape[1] * shape[2];
  const counts = new Uint32Array(256);
  for (let i = position * bytes; i < (position + 1) * bytes; i++) counts[images[i]]++;
  let entropy = 0;
  for (const count of counts) if (count > 0) entropy -= (count / bytes) * Math.log(count / bytes);
  return entropy;
}

/** Ids of the share of these positions with the most entropy, ascending; of equals the smaller id first. */
export function mostEntropy(split: Split, positions: readonly number[], share: number): number[] {
  const samples = positions.map((position) => ({
    id: split.ids[position],
    entropy: share < 1 ? imageEntropy(split, position) : 0,
  }));
  samples.sort((a, b) => b.entropy - a.entropy || a.id - b.id);
  const kept = samples.slice(0, Math.ceil(share * samples.length));
  return kept.map(({ id }) => id).sort((a, b) => a - b);
}
