// Random labels: train on the forget set with labels that say nothing, then on what is kept with the true ones.
// Sources: the baseline of Boundary Unlearning (CVPR 2023; `order: forgetOnly`) and RL in SalUn (ICLR 2024), whose code
// runs a pass over each set for CIFAR-10 (`phases`) and shuffles both together for CIFAR-100 (`mixed`). SalUn's paper
// draws among the other labels, its code among all (`excludeTrueLabel: false`).

import { joinSplits } from '../data/split.ts';
import { bool, choice, section } from '../options/fields.ts';
import { batchNorm, inherited, maskable, opt, tuning } from '../options/training.ts';
import { philox } from '../random.ts';
import { labelsOf, relabelled } from '../tasks/classification.ts';
import type { Draw, Pass } from '../train/schedule.ts';
import { passedOn, seedOf, tune } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { define } from './define.ts';
import { headOf } from './head.ts';

const LABEL = 0x6c61626c;

/** How labels are drawn. */
export const labelling = {
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
};

export const randomLabels = define({
  name: 'randomLabels',
  title: 'Random labels',
  paper: 'baseline of Chen et al., "Boundary Unlearning", CVPR 2023; RL of Fan et al., "SalUn", ICLR 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section('Train on the forget set with random labels, then on what is kept.', {
    ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
    ...labelling,
    order: opt(
      choice(
        "`phases`: a pass over the forget set, then one over what is kept, each epoch (SalUn's code for CIFAR-10); `mixed`: both shuffled together; `forgetOnly`: nothing that is kept is used.",
        ['phases', 'mixed', 'forgetOnly'],
      ),
      'phases',
    ),
    batchNorm,
    ...maskable,
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
    const name = 'randomLabels';
    const change = await relabelling(name, options, input);
    const passes = passesOf(options.order, change, input);
    const result = await tune(options, input.key, { name, ...passedOn(input), passes });
    return { ...result, details: { history: result.history } };
  },
});

type Change = NonNullable<Draw['change']>;

/** Random labels for the samples at the positions of the forget set; the true ones for those behind them. */
export async function relabelling(
  name: string,
  { excludeTrueLabel, redraw }: { excludeTrueLabel: boolean; redraw: 'epoch' | 'once' },
  { model, variables, forget, key }: UnlearnInput,
): Promise<Change> {
  const classes = headOf(name, model, variables.params).bias.size;
  const draw = { classes, seed: await seedOf(key), excludeTrueLabel };
  return (batch, epoch) => {
    const labels = labelsOf(batch).map((label, i) =>
      batch.indices[i] < forget.size
        ? randomLabel(draw, label, batch.indices[i], redraw === 'once' ? 0 : epoch)
        : label,
    );
    return relabelled(batch, labels);
  };
}

/** The passes of an epoch, `change` giving the forget set its labels. */
export function passesOf(
  order: 'phases' | 'mixed' | 'forgetOnly',
  change: Change,
  { forget, retain }: UnlearnInput,
): Pass[] {
  if (order === 'mixed')
    return [{ name: 'forget and retain', sets: { all: { set: joinSplits(forget, retain), change } } }];
  const first: Pass = { name: 'forget', sets: { forget: { set: forget, change } } };
  return order === 'forgetOnly' ? [first] : [first, { name: 'retain', sets: { retain: { set: retain } } }];
}

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
