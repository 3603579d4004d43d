// Adversarial images towards random classes, several of each forgotten sample, as a set to draw from: what L2UL holds a
// network in place with. Class and image depend on the seed, the sample's id and the image's number alone.

import { takeSplit } from '../data/split.ts';
import { Stream } from '../random.ts';
import { relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import type { Draw } from '../train/schedule.ts';
import { seedOf } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { type Adversaries, adversary } from './adversary.ts';
import { headOf } from './head.ts';
import { randomLabel } from './randomLabels.ts';

const START = 0x73746172;

interface TargetedOptions {
  /** Images of each sample. */
  readonly adversaries: number;
  /** Euclidean, in [0, 1] pixels. */
  readonly radius: number;
  readonly stepSize: number;
  readonly steps: number;
  readonly randomStart: boolean;
  readonly excludeTrueLabel: boolean;
}

interface Targeted {
  /** The images with their classes, number by number. */
  readonly draw: Draw;
  /** Percentage of images that the original takes for their class. */
  readonly success: number;
  /** Samples through the network, counted once a pass. */
  readonly visited: number;
}

/** Memory on the host: five bytes for each value of all images. */
export async function towardsRandom(
  name: string,
  options: TargetedOptions,
  { model, variables, forget, key, signal, onProgress }: UnlearnInput,
): Promise<Targeted> {
  const { adversaries, radius, stepSize, steps, randomStart, excludeTrueLabel } = options;
  const classes = headOf(name, model, variables.params).bias.size;
  const seed = await seedOf(key);
  const [height, width, channels] = forget.shape;
  const each = height * width * channels;
  const numbers = Array.from({ length: adversaries }, (_, k) => k);
  const label = (position: number, k: number) =>
    randomLabel({ classes, seed, excludeTrueLabel }, forget.labels[position], forget.ids[position], k);
  const targets = numbers.map((k) => forget.labels.map((_, position) => label(position, k)));
  /** Uniform in [0, 1]. */
  const noise = (position: number, k: number) => {
    const stream = new Stream(seed, forget.ids[position], k, START);
    return Float32Array.from({ length: each }, () => stream.between(0, 1));
  };
  const search = adversary(model, { norm: 'l2', radius, share: stepSize / radius, steps, targeted: true });
  const found: Adversaries[] = [];
  try {
    for (const k of numbers) {
      const onBatch = (done: number) =>
        onProgress?.({ phase: 'adversarial images', fraction: (k + done / forget.size) / adversaries });
      const start = randomStart ? (position: number) => noise(position, k) : undefined;
      found.push(await search.find(variables, forget, targets[k], { signal, onBatch, start }));
    }
  } finally {
    search.dispose();
  }
  const change = (batch: Batch): Batch => {
    const { images } = batch.arrays;
    const pixels = new Float32Array(images.data.length);
    const labels = batch.indices.map((at, i) => {
      const [k, position] = [Math.floor(at / forget.size), at % forget.size];
      pixels.set(found[k].images.subarray(position * each, (position + 1) * each), i * each);
      return targets[k][position];
    });
    const arrays = { ...batch.arrays, images: { data: pixels, shape: images.shape } };
    return relabelled({ ...batch, arrays }, labels);
  };
  const hits = found.map(({ predicted }, k) => predicted.filter((p, i) => p === targets[k][i]).length);
  return {
    draw: {
      set: takeSplit(
        forget,
        numbers.flatMap(() => [...forget.labels.keys()]),
      ),
      change,
    },
    success: (100 * hits.reduce((a, b) => a + b)) / (forget.size * adversaries),
    visited: found.reduce((sum, { visited }) => sum + visited, 0),
  };
}
