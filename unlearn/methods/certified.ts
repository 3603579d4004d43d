// Certified unlearning for networks (Koloskova, Allouah, Jha, Guerraoui and Koyejo, "Certified Unlearning for Neural Networks",
// ICML 2025): clip the weights, take noisy steps on what is kept until nobody can tell from which weights they began, then
// train on as one likes. How many steps, or how much noise, follows from the options alone (unlearn/privacy.ts).
//   modelClipping     theta <- clip(theta - rate (grad l(D_r) + decay theta), C) + sigma n, as often as (epsilon, delta) takes
//   bothClipping      theta <- clip(theta - rate (clip(grad l(D_r), C1) + decay theta) + sigma n, C), the noise before the clipping
//   gradientClipping  theta <- theta - rate (clip(grad l(D_r), C1) + decay theta) + sigma n, sigma by (epsilon, delta)
//   output            noise on the clipped weights, no steps: the baseline
// Batch-norm statistics of the original would tell of it: they are reset, and gathered anew by the training afterwards.

import * as v from 'valibot';
import { choice, int, num, section } from '../options/fields.ts';
import { inherited, opt, scheduled, tuning, unmaskable } from '../options/training.ts';
import { disposeTree } from '../train/feed.ts';
import type { Pass } from '../train/schedule.ts';
import { passedOn, tune } from '../train/tune.ts';
import { define } from './define.ts';
import { begin, noiseOf, noisy, updateOf } from './noisySteps.ts';

const name = 'certified';

const options = section(
  'Clip the weights and take noisy steps on what is kept until nobody can tell where they began, then train on (certified unlearning).',
  {
    variant: opt(
      choice(
        '`modelClipping`: the weights are clipped before the noise of each step; `bothClipping`: the gradients before it, the weights after it; `gradientClipping`: the gradients alone; `output`: noise once, on the clipped weights.',
        ['modelClipping', 'bothClipping', 'gradientClipping', 'output'],
      ),
      'modelClipping',
    ),
    epsilon: opt(num('Of the certificate; at most 1 with `output`.', 1e-6, 1000), 1),
    delta: opt(num('Of the certificate.', 1e-100, 0.5), 1e-5),
    startNorm: v.optional(
      num(
        'Norm to which the original’s weights are clipped, all as one vector. By default 30 with `modelClipping` and `bothClipping`, else 1.',
        1e-9,
        1e9,
      ),
    ),
    norm: opt(
      num(
        'With `modelClipping` and `bothClipping`: norm to which the weights are clipped in each step.',
        1e-9,
        1e9,
      ),
      0.5,
    ),
    sigma: opt(
      num('With `modelClipping` and `bothClipping`: standard deviation of the noise of a step.', 1e-9, 1e9),
      0.5,
    ),
    startSigma: opt(
      num(
        'With `modelClipping` and `bothClipping`: standard deviation of noise on the clipped start, which saves steps.',
        0,
        1e9,
      ),
      0,
    ),
    gradientNorm: opt(
      num('With `gradientClipping` and `bothClipping`: norm to which gradients are clipped.', 1e-9, 1e9),
      10,
    ),
    noisyRate: opt(num('Learning rate of the noisy steps.', 1e-9, 1000), 1e-3),
    noisyDecay: opt(num('Weight decay of the noisy steps; times the rate it is below 1.', 0, 1e6), 0),
    ...tuning({ epochs: 50, batchSize: 128, learningRate: 0.1, weightDecay: 5e-4 }),
    epochs: opt(int('Epochs of training on what is kept, after the noise; may be 0.', 0, 100_000), 50),
    ...scheduled,
    ...inherited,
    ...unmaskable('the certificate is of noise on every weight, and one that keeps its bits tells of D_f'),
  },
);
export const certified = define({
  name,
  title: 'Certified (noisy steps)',
  paper:
    'Koloskova, Allouah, Jha, Guerraoui and Koyejo, "Certified Unlearning for Neural Networks", ICML 2025',
  kind: 'certified',
  tasks: 'any',
  startsFrom: 'original',
  options,
  inherits: ['augment'],
  search: {
    noisyRate: { from: 1e-4, to: 1e-2, log: true },
    norm: [0.5, 0.75, 0.975],
    learningRate: { from: 1e-2, to: 0.3, log: true },
  },
  cost: ({ retain }, options) => ({
    train: noiseOf(options).steps * Math.min(options.batchSize, retain) + options.epochs * retain,
    infer: 0,
  }),
  forgetStatistics: () => false,

  async forget(options, input) {
    const { epochs } = options;
    const noise = noiseOf(options);
    const started = performance.now();
    const start = begin(noise, input);
    const { steps, sigma, delta } = noise;
    const { epsilon, variant } = options;
    const certificate = { variant, ...noise, epsilon };
    const facts = { epsilon, delta, steps, sigma, certificate };
    const seconds = () => (performance.now() - started) / 1000;
    if (steps === 0 && epochs === 0) {
      input.onProgress?.({ phase: name, fraction: 1 });
      return {
        variables: start,
        cost: { seconds: seconds(), gradientSteps: 0, samplesVisited: 0 },
        details: facts,
      };
    }
    const sets = { retain: { set: input.retain } };
    const passes: Pass[] = [];
    if (steps > 0) {
      const update = updateOf(options, sigma);
      passes.push({ name: 'noise', steps, sets, objective: noisy, update, during: (epoch) => epoch === 0 });
    }
    if (epochs > 0) passes.push({ name: 'retain', sets });
    try {
      // The noisy steps are the beginning of the first epoch; without a training afterwards they are all of it.
      const settings = epochs > 0 ? options : { ...options, epochs: 1, schedule: 'constant' as const };
      const advice = 'lower the learning rates, or warm the one of the training up';
      const { history, ...result } = await tune(settings, input.key, {
        name,
        ...passedOn(input),
        variables: start,
        passes,
        advice,
      });
      return { ...result, details: { ...facts, history } };
    } finally {
      disposeTree(start);
    }
  },
});
