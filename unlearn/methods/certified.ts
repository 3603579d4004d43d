// Certified unlearning for networks (Koloskova, Allouah, Jha, Guerraoui and Koyejo, "Certified Unlearning for Neural Networks",
// ICML 2025): clip the weights, take noisy steps on what is kept until nobody can tell from which weights they began, then
// train on as one likes. How many steps, or how much noise, follows from the options alone (unlearn/privacy.ts).
//   modelClipping     theta <- clip(theta - rate (grad l(D_r) + decay theta), C) + sigma n, as often as (epsilon, delta) takes
//   gradientClipping  theta <- theta - rate (clip(grad l(D_r), C1) + decay theta) + sigma n, sigma by (epsilon, delta)
//   output            noise on the clipped weights, no steps: the baseline
// Batch-norm statistics of the original would tell of it: they are reset, and gathered anew by the training afterwards.

import * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { choice, int, num, type OptionsOf, section } from '../options/fields.ts';
import { inherited, opt, scheduled, tuning } from '../options/training.ts';
import { clippedSteps, descentRho, descentSteps, gaussianDeviation, hockeyStick, rhoOf } from '../privacy.ts';
import { defaultTask } from '../tasks/index.ts';
import { disposeTree } from '../train/feed.ts';
import type { Objective } from '../train/objective.ts';
import type { Pass, Update } from '../train/schedule.ts';
import { passedOn, tune } from '../train/tune.ts';
import type { UnlearnInput } from '../types.ts';
import { define } from './define.ts';

type Params = Variables['params'];

const name = 'certified';

const options = section(
  'Clip the weights and take noisy steps on what is kept until nobody can tell where they began, then train on (certified unlearning).',
  {
    variant: opt(
      choice(
        '`modelClipping`: the weights are clipped before the noise of each step; `gradientClipping`: the gradients are; `output`: noise once, on the clipped weights.',
        ['modelClipping', 'gradientClipping', 'output'],
      ),
      'modelClipping',
    ),
    epsilon: opt(num('Of the certificate; at most 1 with `output`.', 1e-6, 1000), 1),
    delta: opt(num('Of the certificate.', 1e-100, 0.5), 1e-5),
    startNorm: v.optional(
      num(
        'Norm to which the original’s weights are clipped, all as one vector. By default 30 with `modelClipping`, else 1.',
        1e-9,
        1e9,
      ),
    ),
    norm: opt(
      num('With `modelClipping`: norm to which the weights are clipped in each step.', 1e-9, 1e9),
      0.5,
    ),
    sigma: opt(num('With `modelClipping`: standard deviation of the noise of a step.', 1e-9, 1e9), 0.5),
    startSigma: opt(
      num(
        'With `modelClipping`: standard deviation of noise on the clipped start, which saves steps.',
        0,
        1e9,
      ),
      0,
    ),
    gradientNorm: opt(num('With `gradientClipping`: norm to which gradients are clipped.', 1e-9, 1e9), 10),
    noisyRate: opt(num('Learning rate of the noisy steps.', 1e-9, 1000), 1e-3),
    noisyDecay: opt(num('Weight decay of the noisy steps; times the rate it is below 1.', 0, 1e6), 0),
    ...tuning({ epochs: 50, batchSize: 128, learningRate: 0.1, weightDecay: 5e-4 }),
    epochs: opt(int('Epochs of training on what is kept, after the noise; may be 0.', 0, 100_000), 50),
    ...scheduled,
    ...inherited,
  },
);
type Options = OptionsOf<typeof options>;

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

/** What is done to the weights, by the options alone, and what that proves. */
interface Noise {
  /** Norm of the clipped start. */
  readonly startNorm: number;
  /** Of noise on it. */
  readonly startSigma: number;
  /** Noisy steps. */
  readonly steps: number;
  /** Of the noise of a step, or of the start where there is no step. */
  readonly sigma: number;
  /** What they reach. */
  readonly delta: number;
}

/** @throws LetheError 'value' where the options give no certificate. */
export function noiseOf(options: Options): Noise {
  const { variant, epsilon, delta, norm, sigma, startSigma, gradientNorm, noisyRate: rate } = options;
  const { noisyDecay: decay, startNorm = variant === 'modelClipping' ? 30 : 1 } = options;
  if (variant === 'modelClipping') {
    const known = startSigma > 0 ? hockeyStick(epsilon, (2 * startNorm) / startSigma) : 1;
    const reached = clippedSteps({ epsilon, delta, ratio: (2 * norm) / sigma, start: known });
    return { startNorm, startSigma, sigma, ...reached };
  }
  if (variant === 'output') {
    check(epsilon <= 1, 'value', () => `${name}: output: expected epsilon up to 1, got ${epsilon}`);
    const deviation = gaussianDeviation(2 * startNorm, epsilon, delta);
    return { startNorm, startSigma: deviation, steps: 0, sigma: deviation, delta };
  }
  check(
    rate * decay < 1,
    'value',
    () => `${name}: expected noisyRate times noisyDecay below 1, got ${rate} times ${decay}`,
  );
  const descent = { startNorm, gradientNorm, rate, decay };
  const steps = descentSteps(descent);
  const own = Math.sqrt(descentRho(descent, steps) / rhoOf(epsilon, delta));
  return { startNorm, startSigma: 0, steps, sigma: own, delta };
}

/** The clipped weights, with noise where there is to be some, and statistics that know nothing. */
function begin(
  { startNorm, startSigma }: Noise,
  { model, variables, retain, key, task = defaultTask() }: UnlearnInput,
): Variables {
  const shape = task.inputShape(retain, 1);
  return lt.scope(() => {
    const clipped = lt.optim.clipByGlobalNorm(variables.params, startNorm);
    const params = startSigma > 0 ? noised(clipped, lt.random.foldIn(key, 2), startSigma) : clipped;
    return { params, state: model.init(lt.random.foldIn(key, 1), shape).state };
  });
}

/** The mean loss in training mode; what batch-norm would gather is left out, since the weights it is of are not released. */
const noisy: Objective = (variables, { retain }, { network, task }) => ({
  loss: task.losses(network, variables, retain).losses.mean(),
  state: variables.state,
});

function updateOf({ variant, norm, gradientNorm, noisyRate, noisyDecay }: Options, sigma: number): Update {
  const { clipByGlobalNorm } = lt.optim;
  return (params, grads, key) => {
    const given = variant === 'modelClipping' ? grads : clipByGlobalNorm(grads, gradientNorm);
    const moved: Params = lt.tree.map(
      (p: lt.Tensor, g: lt.Tensor) => p.sub(g.add(p.mul(noisyDecay)).mul(noisyRate)),
      params,
      given,
    );
    return noised(variant === 'modelClipping' ? clipByGlobalNorm(moved, norm) : moved, key, sigma);
  };
}

/** With independent Gaussian noise on every entry. */
function noised(params: Params, key: lt.Tensor, sigma: number): Params {
  const { def, leaves } = lt.tree.flatten<lt.Tensor>(params);
  const keys = lt.random.split(key, leaves.length);
  return lt.tree.unflatten(
    def,
    leaves.map((p, i) => p.add(lt.random.normal(keys[i], p.shape, p.dtype).mul(sigma))),
  );
}
