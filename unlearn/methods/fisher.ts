// Fisher forgetting (Golatkar, Achille and Soatto, "Eternal Sunshine of the Spotless Net: Selective Forgetting in Deep
// Networks", CVPR 2020): noise on each weight, the more the less what is kept depends on it:
//   theta <- mean + sqrt(v) n,  n ~ N(0, 1),  v from F, the diagonal Fisher information of D_r
// Three programs go by that name, and they are the three variants: the authors' notebook, and the two that Unlearn-Sparse and
// SalUn compare with. What each does with F, and what of it is not copied, stands in docs/methods/fisher.md.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type DiagonalOptions, fisherDiagonal } from '../fisher-diagonal.ts';
import { choice, int, num, section } from '../options/fields.ts';
import { maskable, opt } from '../options/training.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { within } from '../train/update.ts';
import { dot, normalLike, type Vector } from '../train/vectors.ts';
import type { Split } from '../types.ts';
import { define } from './define.ts';
import { noiseLaw } from './fisherNoise.ts';
import { headOf } from './head.ts';

export const fisher = define({
  name: 'fisher',
  title: 'Fisher forgetting',
  paper:
    'Golatkar, Achille and Soatto, "Eternal Sunshine of the Spotless Net: Selective Forgetting in Deep Networks", CVPR 2020',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Noise on each weight, the more the less what is kept depends on it (Fisher forgetting).',
    {
      variant: opt(
        choice(
          '`official`: the Fisher information of each sample, over the model’s own labels, as in the authors’ notebook; `batch`: of batches (fisher_new in Unlearn-Sparse); `empirical`: of each sample with its true label (fisher there).',
          ['official', 'batch', 'empirical'],
        ),
        'official',
      ),
      alpha: opt(
        num('Of the noise: its variance is in proportion to it (to its root with `root`).', 0, 1e6),
        1e-6,
      ),
      variance: opt(
        choice(
          '`inverse`: alpha / F, as the code has it; `root`: sqrt(alpha / F), the optimum in the paper as we recall it (unconfirmed).',
          ['inverse', 'root'],
        ),
        'inverse',
      ),
      batchSize: opt(
        int('Samples per batch of the variant `batch`; of a block at most, in the others.', 1, 1_000_000),
        32,
      ),
      ...maskable,
    },
  ),
  inherits: [],
  search: { alpha: { from: 1e-9, to: 1e-5, log: true } },
  cost: ({ retain, classes = 10 }, { variant }) => ({
    train: (variant === 'empirical' ? 1 : classes) * retain,
    infer: 0,
  }),
  forgetStatistics: () => false,

  async forget({ variant, alpha, variance, batchSize }, input) {
    const { model, variables, forget, retain, key, mask, signal, onProgress } = input;
    const started = performance.now();
    const head = headOf('fisher', model, variables.params);
    const classes = head.bias.size;
    const gone = goneClasses(forget, retain);
    const onFraction = (fraction: number) => onProgress?.({ phase: 'fisher', fraction });
    const how: Omit<DiagonalOptions, 'labels' | 'per'> = { model, variables, batchSize, signal, onFraction };
    const kinds = {
      official: { labels: { model: classes }, per: 'sample' },
      batch: { labels: { model: classes }, per: 'batch' },
      empirical: { labels: 'data', per: 'sample' },
    } as const;
    const { values: information, visited } = await fisherDiagonal(retain, { ...how, ...kinds[variant] });
    const leaves = lt.tree.flatten<lt.Tensor>(variables.params).leaves;
    const heads = leaves.map((leaf) => leaf === head.weight || leaf === head.bias);
    const disturb = lt.jit(
      (params: Vector, F: Vector, isGone: lt.Tensor, k: lt.Tensor) => {
        const { def, leaves: weights } = lt.tree.flatten<lt.Tensor>(params);
        const [fs, draws] = [F, normalLike(params, k)].map((tree) => lt.tree.flatten<lt.Tensor>(tree).leaves);
        const laws = weights.map((w, i) =>
          noiseLaw({ alpha, variance, variant }, w, fs[i], heads[i] && isGone),
        );
        const free = mask && lt.tree.flatten<lt.Tensor>(mask).leaves;
        const noise = laws.map(({ deviation }, i) => {
          const all = deviation.mul(draws[i]);
          return free ? lt.where(free[i], all, 0) : all;
        });
        const next = lt.tree.unflatten(
          def,
          laws.map(({ mean }, i) => mean.add(noise[i])),
        ) as Vector;
        return [within(mask, next, params), dot(noise, noise), dot(weights, weights)] as const;
      },
      { name: 'fisher noise' },
    );
    const made: unknown[] = [information];
    try {
      const isGone = lt.tensor(
        Array.from({ length: classes }, (_, k) => gone.includes(k)),
        { dtype: 'bool' },
      );
      made.push(isGone);
      const [params, ...squares] = disturb(variables.params, information, isGone, key);
      made.push(squares);
      const [noise, weights] = await Promise.all(squares.map((s) => s.item()));
      const details = {
        resetClasses: variant === 'empirical' ? [] : gone,
        noiseToWeights: Math.sqrt(noise / weights),
      };
      const seconds = (performance.now() - started) / 1000;
      const result = { params, state: aliasesOf(variables.state) } as Variables;
      return { variables: result, cost: { seconds, gradientSteps: 1, samplesVisited: visited }, details };
    } finally {
      disposeTree(made);
      disturb.dispose();
    }
  },
});

/** Classes of which no sample is kept. */
function goneClasses(forget: Split, retain: Split): number[] {
  const kept = new Set(retain.labels);
  return [...new Set(forget.labels)].filter((label) => !kept.has(label)).sort((a, b) => a - b);
}
