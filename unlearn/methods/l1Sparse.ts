// l1-sparse: go on training on what is kept, with a penalty on the absolute values of the weights,
//   minimise l(theta; D_r) + alpha_t ||theta||_1
// (Jia et al., "Model Sparsity Can Simplify Machine Unlearning", NeurIPS 2023, and its code, Unlearn-Sparse). alpha_t changes
// from epoch to epoch. Optionally the start is pruned, and what is pruned stays 0. See docs/methods/l1Sparse.md.

import * as lt from '../../index.ts';
import { batchCount } from '../data/batches.ts';
import { choice, int, num, section } from '../options/fields.ts';
import { batchNorm, fraction, inherited, maskable, opt, tuning } from '../options/training.ts';
import { passedOn, tune } from '../train/tune.ts';
import { l1Penalty, masked, softThreshold } from '../train/update.ts';
import { define } from './define.ts';
import { pruned } from './prune.ts';

export const l1Sparse = define({
  name: 'l1Sparse',
  title: 'l1-sparse',
  paper: 'Jia et al., "Model Sparsity Can Simplify Machine Unlearning", NeurIPS 2023',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options: section(
    'Go on training on what is kept, with a penalty on the absolute values of weights (l1-sparse).',
    {
      ...tuning({ epochs: 10, batchSize: 256, learningRate: 0.01, weightDecay: 5e-4 }),
      alpha: opt(num('Weight of the penalty, the sum of absolute values of all parameters.', 0, 1000), 1e-4),
      alphaSchedule: opt(
        choice(
          'alpha over the epochs: `decreasing` to 0, as the released code has it; `constant`; `increasing` from 0, as in RULI.',
          ['decreasing', 'constant', 'increasing'],
        ),
        'decreasing',
      ),
      freeEpochs: opt(int('Last epochs without the penalty.', 0, 100_000), 0),
      penalty: opt(
        choice(
          '`subgradient`: as part of the loss, as the released code has it; `proximal`: a soft threshold after each step, which makes weights exactly 0.',
          ['subgradient', 'proximal'],
        ),
        'subgradient',
      ),
      prune: opt(
        fraction(
          "Share of the weights, the original's smallest over all layers, that are set to 0 first and stay 0.",
        ),
        0,
      ),
      batchNorm,
      ...maskable,
      ...inherited,
    },
  ),
  inherits: ['augment'],
  search: {
    learningRate: { from: 1e-3, to: 1e-1, log: true },
    alpha: { from: 1e-6, to: 3e-4, log: true },
  },
  cost: ({ retain }, { epochs }) => ({ train: epochs * retain, infer: 0 }),
  forgetStatistics: () => false,

  async forget(options, input) {
    const { batchSize, learningRate, penalty, prune } = options;
    const { retain, variables: original } = input;
    const alpha = alphaOf(options, batchCount(retain, { batchSize }));
    const penalised =
      penalty === 'subgradient' ? l1Penalty(alpha) : softThreshold((step) => alpha(step).mul(learningRate));
    const start = prune > 0 ? await pruned(original, prune) : null;
    const { variables = original, mask } = start ?? {};
    try {
      const result = await tune(options, input.key, {
        name: 'l1Sparse',
        ...passedOn(input),
        variables,
        passes: [{ name: 'retain', sets: { retain: { set: retain } } }],
        update: (inner) => (mask ? masked(mask)(penalised(inner)) : penalised(inner)),
      });
      const { history } = result;
      return { ...result, details: { zeroShare: await zeroShare(result.variables.params), history } };
    } finally {
      start?.dispose();
    }
  },
});

interface Penalty {
  readonly alpha: number;
  readonly alphaSchedule: 'decreasing' | 'constant' | 'increasing';
  readonly epochs: number;
  readonly freeEpochs: number;
}

/** alpha for each step, constant within an epoch: of epoch e (from 0) of E, the last E0 of which are free. */
export function alphaOf({ alpha, alphaSchedule, epochs, freeEpochs }: Penalty, epochSteps: number) {
  const last = epochs - freeEpochs;
  return (step: lt.Tensor): lt.Tensor => {
    // Half a step in, so that no rounding of the quotient reaches the next whole number.
    const epoch = step.add(0.5).div(epochSteps).floor();
    if (last <= 0) return lt.zerosLike(epoch);
    const part = epoch.div(last);
    const share = { decreasing: part.neg().add(1), constant: lt.onesLike(part), increasing: part };
    return lt.where(epoch.less(last), share[alphaSchedule].mul(alpha), 0);
  };
}

/** Percentage of the parameters that are exactly 0. */
async function zeroShare(params: lt.tree.Tree<lt.Tensor>): Promise<number> {
  const { leaves } = lt.tree.flatten<lt.Tensor>(params);
  const counts = lt.scope(() => leaves.map((leaf) => leaf.equal(0).sum()));
  try {
    const zeros = await Promise.all(counts.map((count) => count.item()));
    return (100 * zeros.reduce((a, b) => a + b)) / leaves.reduce((sum, { size }) => sum + size, 0);
  } finally {
    for (const count of counts) count.dispose();
  }
}
