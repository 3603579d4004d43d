// Random labels: train on the forget set with labels that say nothing, then on what is kept with the true ones.
// Sources: the baseline of Boundary Unlearning (CVPR 2023; `order: forgetOnly`) and RL in SalUn (ICLR 2024), whose code
// runs a pass over each set for CIFAR-10 (`phases`) and shuffles both together for CIFAR-100 (`mixed`). SalUn's paper
// draws among the other labels, its code among all (`excludeTrueLabel: false`).

import { joinSplits } from '../data/split.ts';
import { bool, choice, section } from '../options/fields.ts';
import { batchNorm, inherited, opt, tuning } from '../options/training.ts';
import { philox } from '../random.ts';
import { labelsOf, relabelled } from '../tasks/classification.ts';
import type { Batch } from '../tasks/record.ts';
import type { Pass } from '../train/schedule.ts';
import { passedOn, seedOf, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { headOf } from './head.ts';

const LABEL = 0x6c61626c;

export const randomLabels = define({
  name: 'randomLabels',
  title: 'Random labels',
  paper: 'baseline of Chen et al., "Boundary Unlearning", CVPR 2023; RL of Fan et al., "SalUn", ICLR 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Train on the forget set with random labels, then on what is kept.', {
    ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
    excludeTrueLabel: opt(
      bool('Never draw the true label (as the paper says; the released code may draw it).'),
      true,
    ),
    redraw: opt(
      choice(
        'How often labels are drawn anew. `epoch` is also what drawing for each batch comes to: an epoch sees a sample once.',
        ['epoch', 'once'],
      ),
      'epoch',
    ),
    order: opt(
      choice(
        "`phases`: a pass over the forget set, then one over what is kept, each epoch (SalUn's code for CIFAR-10); `mixed`: both shuffled together; `forgetOnly`: nothing that is kept is used.",
        ['phases', 'mixed', 'forgetOnly'],
      ),
      'phases',
    ),
    batchNorm,
    ...inherited,
  }),
  inherits: ['augment'],
  search: { learningRate: { from: 1e-4, to: 1e-1, log: true } },
  cost: ({ forget, retain }, { epochs, order }) => ({
    train: epochs * (forget + (order === 'forgetOnly' ? 0 : retain)),
    infer: 0,
  }),
  forgetStatistics: (options) => options.batchNorm === 'train' && options.order === 'forgetOnly',

  async forget(options, input) {
    const { excludeTrueLabel, redraw, order } = options;
    const { forget, retain } = input;
    const classes = headOf('randomLabels', input.model, input.variables.params).bias.size;
    const seed = await seedOf(input.key);
    const draw = { classes, seed, excludeTrueLabel };
    /** Random labels for the samples at the positions of the forget set, the true ones behind them. */
    const change = (batch: Batch, epoch: number) => {
      const labels = labelsOf(batch).map((label, i) =>
        batch.indices[i] < forget.size
          ? randomLabel(draw, label, batch.indices[i], redraw === 'once' ? 0 : epoch)
          : label,
      );
      return relabelled(batch, labels);
    };
    const passes: Record<typeof order, () => Pass[]> = {
      phases: (): Pass[] => [
        { name: 'forget', sets: { forget: { set: forget, change } } },
        { name: 'retain', sets: { retain: { set: retain } } },
      ],
      mixed: () => [
        { name: 'forget and retain', sets: { all: { set: joinSplits(forget, retain), change } } },
      ],
      forgetOnly: () => [{ name: 'forget', sets: { forget: { set: forget, change } } }],
    };
    const name = 'randomLabels';
    const result = await tune(options, input.key, { name, ...passedOn(input), passes: passes[order]() });
    return { ...result, details: { history: result.history } };
  },
});

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
