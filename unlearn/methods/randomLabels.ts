// Random labels: train on the forget set with labels that say nothing, then on what is kept with the true ones.
// Sources: the baseline of Boundary Unlearning (CVPR 2023; `order: forgetOnly`) and RL in SalUn (ICLR 2024), whose code
// runs a pass over each set for CIFAR-10 (`phases`) and shuffles both together for CIFAR-100 (`mixed`). SalUn's paper
// draws among the other labels, its code among all (`excludeTrueLabel: false`).

import type { Batch } from '../data/batches.ts';
import { makeSplit } from '../data/split.ts';
import { philox } from '../random.ts';
import { methodSchemas } from '../recipe/options.ts';
import type { Pass } from '../train/fit.ts';
import { passedOn, seedOf, tune } from '../train/tune.ts';
import type { Split } from '../types.ts';
import { define } from './define.ts';
import { headOf } from './head.ts';

const LABEL = 0x6c61626c;

export const randomLabels = define(
  'randomLabels',
  methodSchemas.randomLabels,
  async (options, input) => {
    const { excludeTrueLabel, redraw, order } = options;
    const { forget, retain } = input;
    const classes = headOf('randomLabels', input.model, input.variables.params).bias.size;
    const seed = await seedOf(input.key);
    const draw = { classes, seed, excludeTrueLabel };
    /** Random labels for the samples at the positions of the forget set, the true ones behind them. */
    const labels = ({ indices, labels }: Batch, epoch: number) =>
      labels.map((label, i) =>
        indices[i] < forget.size
          ? randomLabel(draw, label, indices[i], redraw === 'once' ? 0 : epoch)
          : label,
      );
    const passes: Record<typeof order, () => Pass[]> = {
      phases: () => [
        { name: 'forget', split: forget, labels },
        { name: 'retain', split: retain },
      ],
      mixed: () => [{ name: 'forget and retain', split: joined(forget, retain), labels }],
      forgetOnly: () => [{ name: 'forget', split: forget, labels }],
    };
    const name = 'randomLabels';
    const result = await tune(options, input.key, { name, ...passedOn(input), passes: passes[order]() });
    return { ...result, details: { history: result.history } };
  },
  { forgetStatistics: ({ batchNorm, order }) => batchNorm === 'train' && order === 'forgetOnly' },
);

/** Uniform over the classes, or over the others; depends on the seed, the sample's position and the epoch alone. */
export function randomLabel(
  { classes, seed, excludeTrueLabel }: { classes: number; seed: number; excludeTrueLabel: boolean },
  label: number,
  position: number,
  epoch: number,
): number {
  const words = new Uint32Array(4);
  philox(position, epoch, LABEL, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
  // A 32-bit word scaled down: the bias is below 2^-24 for up to 256 classes.
  const among = excludeTrueLabel ? classes - 1 : classes;
  const drawn = Math.floor((words[0] / 2 ** 32) * among);
  return excludeTrueLabel && drawn >= label ? drawn + 1 : drawn;
}

function joined(a: Split, b: Split): Split {
  const { shape } = a;
  const images = new Uint8Array(a.images.length + b.images.length);
  images.set(a.images);
  images.set(b.images, a.images.length);
  const labels = new Int32Array(a.size + b.size);
  labels.set(a.labels);
  labels.set(b.labels, a.size);
  return makeSplit({ shape, images, labels });
}
