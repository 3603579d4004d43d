// Denoising of glyphs, the smallest task without classes: predict the noise that was added to a grey 16x16 picture, at a
// random level (Ho et al. 2020, "Denoising diffusion probabilistic models", section 3.2, with a continuous level in place
// of a table of steps). A sample with picture x, noise e and level a is seen as sqrt(a) x + sqrt(1 - a) e beside a plane
// that holds a; what it loses is the mean squared error of the predicted noise. A network that answers 0 loses 1.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { checkBatchOptions, positionsOf } from '../data/batches.ts';
import { Stream } from '../random.ts';
import type { Split } from '../types.ts';
import type { Network, Samples, Task, Tensors } from './record.ts';

const SIDE = 16;
const PIXELS = SIDE * SIDE;
const NOISE = 0x6e6f6973;
/** Levels stay off 0 and 1, where there is nothing to see or nothing to predict. */
const MIN_LEVEL = 0.02;
const MAX_LEVEL = 0.98;

/** Grey pictures of 16 x 16, values in [-1, 1], [size, 256] row by row. */
export interface Pictures extends Samples {
  /** All pixels, row by row. */
  readonly pixels: Float32Array;
}

/** A split's pictures for this task: the mean of the channels, halved to 16 x 16 by averages; 32 x 32 images only. */
export function pictures(split: Split): Pictures {
  const [height, width, channels] = split.shape;
  check(
    height === 2 * SIDE && width === 2 * SIDE,
    'shape',
    () => `denoising: images of ${height} x ${width}, expected 32 x 32`,
  );
  const pixels = new Float32Array(split.size * PIXELS);
  const block = 4 * channels;
  for (let i = 0; i < split.size; i++) {
    const from = i * height * width * channels;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++)
          pixels[i * PIXELS + (y >> 1) * SIDE + (x >> 1)] +=
            split.images[from + (y * width + x) * channels + c];
  }
  for (let i = 0; i < pixels.length; i++) pixels[i] = pixels[i] / (127.5 * block) - 1;
  return { size: split.size, ids: split.ids, pixels };
}

/** Two normal numbers by Box and Muller's transform. */
function normalPair(stream: Stream): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - stream.between(0, 1)));
  const angle = 2 * Math.PI * stream.between(0, 1);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

export const denoising: Task<Pictures> = {
  name: 'denoising',
  title: 'Denoising',
  about: 'Predict the noise that was added to a picture.',
  inputShape: (_, n) => [n, SIDE, SIDE, 2],
  check(what, samples) {
    check(samples?.pixels, 'value', () => `${what}: expected pictures of the task denoising`);
    const { pixels, size } = samples;
    check(
      pixels.length === size * PIXELS,
      'shape',
      () => `${what} has ${pixels.length} pixels for ${size} pictures of ${SIDE} x ${SIDE}`,
    );
  },

  /**
   * `images` and `noise` [n, 16, 16, 1], `level` [n]. Noise and level depend on seed, epoch and the sample's id alone; an
   * order without `shuffle` takes those of epoch 0, so that a set is always measured with the same noise.
   */
  *batches(samples, options) {
    checkBatchOptions(options);
    const { seed = 0, epoch = 0, stream = 0 } = options;
    for (const { indices, batch } of positionsOf(samples, options)) {
      const n = indices.length;
      const [images, noise] = [new Float32Array(n * PIXELS), new Float32Array(n * PIXELS)];
      const level = new Float32Array(n);
      for (const [i, position] of indices.entries()) {
        images.set(samples.pixels.subarray(position * PIXELS, (position + 1) * PIXELS), i * PIXELS);
        const random = new Stream(seed, samples.ids[position], epoch, NOISE ^ stream);
        level[i] = random.between(MIN_LEVEL, MAX_LEVEL);
        for (let p = 0; p < PIXELS; p += 2) noise.set(normalPair(random), i * PIXELS + p);
      }
      const shape = [n, SIDE, SIDE, 1];
      const arrays = {
        images: { data: images, shape },
        level: { data: level, shape: [n] },
        noise: { data: noise, shape },
      };
      yield { arrays, indices, batch };
    }
  },

  losses: squaredErrors,
  chance: () => 1,
  measures: {
    error: {
      title: 'Squared error of the noise',
      unit: 'mean square',
      better: 'lower',
      of: (network, variables, batch) => squaredErrors(network, variables, batch).losses,
    },
  },
};

function squaredErrors(network: Network, variables: lt.nn.Variables, { images, noise, level }: Tensors) {
  const a = level.reshape([level.size, 1, 1, 1]);
  const seen = images.mul(a.sqrt()).add(noise.mul(a.neg().add(1).sqrt()));
  const plane = lt.broadcastTo(a, [level.size, SIDE, SIDE, 1]);
  const { output, state } = network(variables, lt.concat([seen, plane], 3));
  return { losses: output.sub(noise).square().mean([1, 2, 3]), state };
}
