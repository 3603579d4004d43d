// Selective Synaptic Dampening (Foster, Schoepf and Brintrup, "Fast Machine Unlearning without Retraining through Selective
// Synaptic Dampening", AAAI 2024): no training. A weight that matters more to the forget set than to all training data is made
// smaller, in proportion. With F_D and F_f the mean over batches of the squared gradient of the batch's mean loss, over all
// training data D and over D_f:
//   where F_f > alpha F_D:  theta <- theta min((lambda F_D / F_f)^exponent, lowerBound)
// Settings by default: the released code's.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { joinSplits, takeSplit } from '../data/split.ts';
import { fisherDiagonal } from '../fisher-diagonal.ts';
import { choice, int, num, section } from '../options/fields.ts';
import { fraction, maskable, opt } from '../options/training.ts';
import { permutation } from '../random.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { seedOf } from '../train/tune.ts';
import type { Vector } from '../train/vectors.ts';
import type { Split } from '../types.ts';
import { parameterCount } from '../weights.ts';
import { define } from './define.ts';

const ORDER = 0x737364;

export const ssd = define({
  name: 'ssd',
  title: 'Selective dampening (SSD)',
  paper:
    'Foster, Schoepf and Brintrup, "Fast Machine Unlearning without Retraining through Selective Synaptic Dampening", AAAI 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Dampen the weights that matter more to the forget set than to all data (SSD); no training.',
    {
      alpha: opt(num('A weight is dampened where F_f is above this many times F_D.', 0, 1e9), 10),
      lambda: opt(num('Times F_D / F_f, the factor of a dampened weight.', 0, 1e9), 1),
      exponent: opt(num('Of that factor.', 0, 100), 1),
      lowerBound: opt(
        fraction('The factor is at most this; 1 lets no weight grow. The name is the released code’s.'),
        1,
      ),
      importance: opt(
        choice(
          '`loss`: squared gradients of the loss; `output`: absolute gradients of the squared norm of the outputs, which asks for no labels.',
          ['loss', 'output'],
        ),
        'loss',
      ),
      batchSize: opt(int('Samples per batch: the mean gradient of each is squared.', 1, 1_000_000), 64),
      ...maskable,
    },
  ),
  inherits: [],
  search: { alpha: { from: 1, to: 100, log: true }, lambda: { from: 0.1, to: 1, log: true } },
  cost: ({ forget, retain }) => ({ train: 2 * forget + retain, infer: 0 }),
  forgetStatistics: () => false,

  async forget({ alpha, lambda, exponent, lowerBound, importance, batchSize }, input) {
    const { model, variables, forget, retain, key, mask, signal, onProgress } = input;
    const started = performance.now();
    const dampen = lt.jit(
      (params: Vector, all: Vector, own: Vector) => {
        const above = lt.tree.map((d: lt.Tensor, f: lt.Tensor) => f.greater(d.mul(alpha)), all, own);
        const selected = mask ? lt.tree.map(lt.logicalAnd, above, mask) : above;
        const weakened = lt.tree.map(
          (p: lt.Tensor, d: lt.Tensor, f: lt.Tensor, here: lt.Tensor) => {
            const ratio = d.mul(lambda).div(f);
            const factor = (exponent === 1 ? ratio : ratio.pow(exponent)).minimum(lowerBound);
            return lt.where(here, p.mul(factor), p);
          },
          params,
          all,
          own,
          selected,
        );
        return [weakened, lt.tree.map((s: lt.Tensor) => lt.where(s, 1, 0).sum(), selected)] as const;
      },
      { name: 'ssd' },
    );
    const samplesVisited = 2 * forget.size + retain.size;
    const labels = importance === 'loss' ? 'data' : 'none';
    const measure = async (set: Split, before: number): Promise<Vector> => {
      const onFraction = (f: number) =>
        onProgress?.({ phase: 'ssd', fraction: Math.min(1, (before + f * set.size) / samplesVisited) });
      const how = { model, variables, labels, per: 'batch', batchSize, signal, onFraction } as const;
      return (await fisherDiagonal(set, how)).values;
    };
    const made: unknown[] = [];
    try {
      const own = await measure(forget, 0);
      made.push(own);
      const all = await measure(await mixed([forget, retain], key), forget.size);
      made.push(all);
      const [params, counts] = dampen(variables.params, all, own);
      made.push(counts);
      const numbers = lt.tree.flatten<lt.Tensor>(counts).leaves.map((count) => count.item());
      const dampened = (await Promise.all(numbers)).reduce((sum, n) => sum + n, 0);
      const result = { params, state: aliasesOf(variables.state) } as Variables;
      const seconds = (performance.now() - started) / 1000;
      const cost = { seconds, gradientSteps: 1, samplesVisited };
      return { variables: result, cost, details: { dampened, share: dampened / parameterCount(variables) } };
    } finally {
      disposeTree(made);
      dampen.dispose();
    }
  },
});

/** All samples in random order: batches of D are to hold what D holds, not the forget set first. */
async function mixed(sets: readonly Split[], key: lt.Tensor): Promise<Split> {
  const all = joinSplits(...sets);
  return takeSplit(all, permutation(all.size, await seedOf(key), ORDER));
}
