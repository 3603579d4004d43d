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
