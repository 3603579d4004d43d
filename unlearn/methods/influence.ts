// An influence step: where would the weights lie had the forgotten samples not been there? One Newton step on the objective
// of what is kept, L(w) = mean loss on D_r + weightDecay / 2 |w|^2, from the original's weights:
//   w' = w + scale * (C + (weightDecay + damping) I)^-1 v,   C the curvature of the mean loss on D_r
// (Koh and Liang, "Understanding Black-box Predictions via Influence Functions", ICML 2017; for removal Guo et al.,
// "Certified Data Removal", ICML 2020; as IU in Jia et al., "Model Sparsity Can Simplify Machine Unlearning", NeurIPS 2023).
// v is minus the gradient of L, or what equals it where the original is at its own objective's minimum. The inverse is never
// formed (train/curvature.ts). Dropout is off and batch normalisation keeps its statistics.

import * as v from 'valibot';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { choice, int, num, type OptionsOf, section } from '../options/fields.ts';
import { fraction, maskable, opt } from '../options/training.ts';
import { POWER } from '../train/curvature.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { within } from '../train/update.ts';
import { plus, type Vector } from '../train/vectors.ts';
import { define } from './define.ts';
import { inverseTimes, rightHandSide } from './newton.ts';
import type { Sizes, Work } from './record.ts';

type Params = Variables['params'];

const options = section(
  'Take the forgotten samples’ influence off the weights: one step by an inverse Hessian.',
  {
    gradient: opt(
      choice(
        'v: `forget` the forgotten samples’ gradients, `retain` minus the retained ones’, `difference` both as released; equal where the original is at a minimum.',
        ['forget', 'retain', 'difference'],
      ),
      'forget',
    ),
    solver: opt(
      choice(
        'The inverse times v: `conjugateGradients` and `lissa` iterate; `lowRank` is exact for the empirical Fisher of `samples`; `released` is the recursion of the released code.',
        ['conjugateGradients', 'lissa', 'lowRank', 'released'],
      ),
      'conjugateGradients',
    ),
    curvature: opt(choice('C of the solvers that iterate.', ['hessian', 'gaussNewton']), 'hessian'),
    scale: opt(num('Times the step, the papers’ alpha; 1 is the step of the formula.', 0, 1000), 1),
    damping: opt(
      num('Added to the diagonal of the curvature: a deep network’s Hessian is indefinite.', 0, 1e6),
      0.1,
    ),
    weightDecay: opt(fraction('L2 penalty that the original was trained with.'), 5e-4),
    batchSize: opt(int('Samples per pass, and per mini-batch of `lissa`.', 1, 1_000_000), 256),
    iterations: opt(int('Iterations at most; of each repeat of `lissa` all.', 1, 100_000), 30),
    tolerance: opt(num('`conjugateGradients` stops where the residual is this share of v.', 0, 1), 1e-3),
    lissaScale: v.optional(
      num(
        'c of `lissa`, above half the largest eigenvalue of a mini-batch’s curvature. Default: that of all, by power iteration.',
        0,
        1e9,
      ),
    ),
    repeats: opt(int('Repeats of `lissa`, averaged.', 1, 1000), 1),
    samples: opt(
      int(
        'N of the Fisher: `lowRank` draws as many retained samples, `released` takes the first N + 2.',
        1,
        20_000,
      ),
      1000,
    ),
    block: opt(int('Samples whose gradients `lowRank` holds at once, twice.', 1, 20_000), 32),
    ...maskable,
  },
);

export type InfluenceOptions = OptionsOf<typeof options>;

function cost({ forget, retain }: Sizes, how: InfluenceOptions): Work {
  const right = (how.gradient === 'retain' ? 0 : forget) + (how.gradient === 'forget' ? 0 : retain);
  // A product with a Hessian is two gradients' work.
  if (how.solver === 'conjugateGradients')
    return { train: right + 2 * (how.iterations + 1) * retain, infer: 0 };
  if (how.solver === 'lissa') {
    const passes = 1 + (how.lissaScale === undefined ? POWER : 0);
    const drawn = how.repeats * how.iterations * Math.min(how.batchSize, retain);
    return { train: right + 2 * (passes * retain + drawn), infer: 0 };
  }
  const n = Math.min(how.samples + (how.solver === 'released' ? 2 : 0), retain);
  const blocks = Math.ceil(n / how.block);
  const gram = how.solver === 'released' ? 0 : (how.block * blocks * (blocks + 1)) / 2;
  return { train: right + gram + 4 * n + 1, infer: 0 };
}

export const influence = define({
  name: 'influence',
  title: 'Influence',
  paper: 'Koh and Liang, "Understanding Black-box Predictions via Influence Functions", ICML 2017',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options,
  inherits: ['weightDecay'],
  search: { scale: { from: 0.1, to: 100, log: true }, damping: { from: 1e-3, to: 1, log: true } },
  cost,
  forgetStatistics: () => false,

  async forget(how, input) {
    const { forget, retain, variables, mask, signal } = input;
    const started = performance.now();
    const say = (done: number) => input.onProgress?.({ phase: 'influence', fraction: Math.min(done, 1) });
    const made: unknown[] = [];
    const moved = lt.jit((p: Params, step: Vector) => within(mask, plus(p, step, how.scale) as Params, p), {
      name: 'influence step',
    });
    try {
      const right = await rightHandSide(how, input);
      made.push(right);
      say(0.1);
      signal?.throwIfAborted();
      const { x, samplesVisited, ...details } = await inverseTimes(how, input, right, (done) =>
        say(0.1 + 0.8 * done),
      );
      made.push(x);
      const next = { params: moved(variables.params, x), state: aliasesOf(variables.state) };
      say(1);
      const cost = {
        seconds: (performance.now() - started) / 1000,
        gradientSteps: 1,
        samplesVisited:
          (how.gradient === 'retain' ? 0 : forget.size) +
          (how.gradient === 'forget' ? 0 : retain.size) +
          samplesVisited,
      };
      return { variables: next, cost, details };
    } finally {
      disposeTree(made);
      moved.dispose();
    }
  },
});
