// Adversarial images towards random classes, several of each forgotten sample, put beside the samples of a batch: what L2UL
// holds a network in place with. Class and image depend on the seed, the sample's id and the image's number alone.

import type { Batch } from '../tasks/record.ts';
import { seedOf } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { type Adversaries, adversary } from './adversary.ts';
import { headOf } from './head.ts';
import { randomLabel } from './randomLabels.ts';

export interface TargetedOptions {
  /** Images of each sample. */
  readonly adversaries: number;
  /** Euclidean, in [0, 1] pixels. */
  readonly radius: number;
  readonly stepSize: number;
  readonly steps: number;
  readonly excludeTrueLabel: boolean;
}

export interface Targeted {
  /** Adds `adversarial` [n adversaries, height, width, channels] and their classes, `targets`, to a batch of n samples. */
  readonly change: (batch: Batch) => Batch;
  /** Percentage of images that the original takes for their class. */
  readonly success: number;
  /** Samples through the network, counted once a pass. */
  readonly visited: number;
}

/** Memory on the host: four bytes for each value of all images. */
export async function towardsRandom(
  name: string,
  options: TargetedOptions,
  { model, variables, forget, key, signal, onProgress }: UnlearnInput,
): Promise<Targeted> {
  const { adversaries, radius, stepSize, steps, excludeTrueLabel } = options;
  const classes = headOf(name, model, variables.params).bias.size;
  const draw = { classes, seed: await seedOf(key), excludeTrueLabel };
  const numbers = Array.from({ length: adversaries }, (_, k) => k);
  const targets = numbers.map((k) =>
    forget.labels.map((label, position) => randomLabel(draw, label, forget.ids[position], k)),
  );
  const search = adversary(model, { norm: 'l2', radius, share: stepSize / radius, steps, targeted: true });
  try {
    const found: Adversaries[] = [];
    for (const k of numbers) {
      const onBatch = (done: number) =>
        onProgress?.({ phase: 'adversarial images', fraction: (k + done / forget.size) / adversaries });
      found.push(await search.find(variables, forget, targets[k], { signal, onBatch }));
    }
    const hits = found.map(({ predicted }, k) => predicted.filter((p, i) => p === targets[k][i]).length);
    const change = (batch: Batch): Batch => {
      const { shape } = batch.arrays.images;
      const each = shape.slice(1).reduce((a, b) => a * b);
      const rows = batch.indices.length * adversaries;
      const images = new Float32Array(rows * each);
      const labels = new Int32Array(rows);
      batch.indices.forEach((position, i) => {
        for (const k of numbers) {
          const row = i * adversaries + k;
          images.set(found[k].images.subarray(position * each, (position + 1) * each), row * each);
          labels[row] = targets[k][position];
        }
      });
      const adversarial = { data: images, shape: [rows, ...shape.slice(1)] };
      return { ...batch, arrays: { ...batch.arrays, adversarial, targets: { data: labels, shape: [rows] } } };
    };
    const success = (100 * hits.reduce((a, b) => a + b)) / (forget.size * adversaries);
    return { change, success, visited: found.reduce((sum, { visited }) => sum + visited, 0) };
  } finally {
    search.dispose();
  }
}
