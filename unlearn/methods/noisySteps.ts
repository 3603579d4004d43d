// The noisy steps of certified unlearning: how many, with how much noise, from which weights, and what one does. All but the
// weights follows from the options. What is proven of it stands in docs/methods/certified.md.

import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { clippedSteps, descentRho, descentSteps, gaussianDeviation, hockeyStick, rhoOf } from '../privacy.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Objective } from '../train/objective.ts';
import type { Update } from '../train/schedule.ts';
import { normalLike, plus } from '../train/vectors.ts';
import type { UnlearnInput } from '../types.ts';

type Params = Variables['params'];

/** Of the method's options those that say it. */
interface NoiseOptions {
  readonly variant: 'modelClipping' | 'bothClipping' | 'gradientClipping' | 'output';
  readonly epsilon: number;
  readonly delta: number;
  readonly startNorm?: number;
  readonly norm: number;
  readonly sigma: number;
  readonly startSigma: number;
  readonly gradientNorm: number;
  readonly noisyRate: number;
  readonly noisyDecay: number;
}

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
  /** Norm to which the start is clipped after its noise, where the first step is to begin in that ball. */
  readonly within?: number;
}

/** @throws LetheError 'value' where the options give no certificate. */
export function noiseOf(options: NoiseOptions): Noise {
  const { variant, epsilon, delta, norm, sigma, startSigma, gradientNorm, noisyRate: rate } = options;
  const { noisyDecay: decay } = options;
  const inBall = variant === 'modelClipping' || variant === 'bothClipping';
  const { startNorm = inBall ? 30 : 1 } = options;
  check(
    variant === 'modelClipping' || variant === 'output' || rate * decay < 1,
    'value',
    () => `certified: expected noisyRate times noisyDecay below 1, got ${rate} times ${decay}`,
  );
  if (inBall) {
    const known = startSigma > 0 ? hockeyStick(epsilon, (2 * startNorm) / startSigma) : 1;
    // What noise is put on: weights in the ball, or weights of the ball after a step of at most rate C1.
    const reach = variant === 'modelClipping' ? norm : norm + rate * gradientNorm;
    const reached = clippedSteps({ epsilon, delta, ratio: (2 * reach) / sigma, start: known });
    return { startNorm, startSigma, sigma, ...reached, ...(variant === 'bothClipping' && { within: norm }) };
  }
  if (variant === 'output') {
    check(epsilon <= 1, 'value', () => `certified: output: expected epsilon up to 1, got ${epsilon}`);
    const deviation = gaussianDeviation(2 * startNorm, epsilon, delta);
    return { startNorm, startSigma: deviation, steps: 0, sigma: deviation, delta };
  }
  const descent = { startNorm, gradientNorm, rate, decay };
  const steps = descentSteps(descent);
  const own = Math.sqrt(descentRho(descent, steps) / rhoOf(epsilon, delta));
  return { startNorm, startSigma: 0, steps, sigma: own, delta };
}

/** The clipped weights, with noise where there is to be some, and statistics that know nothing. */
export function begin(
  { startNorm, startSigma, within }: Noise,
  { model, variables, retain, key, task = defaultTask() }: UnlearnInput,
): Variables {
  const shape = task.inputShape(retain, 1);
  return lt.scope(() => {
    const clipped = lt.optim.clipByGlobalNorm(variables.params, startNorm);
    const noised =
      startSigma > 0 ? plus(clipped, normalLike(clipped, lt.random.foldIn(key, 2)), startSigma) : clipped;
    const params = within === undefined ? noised : lt.optim.clipByGlobalNorm(noised, within);
    return { params, state: model.init(lt.random.foldIn(key, 1), shape).state };
  });
}

/** The mean loss in training mode; what batch-norm would gather is left out, since the weights it is of are not released. */
export const noisy: Objective = (variables, { retain }, { network, task }) => ({
  loss: task.losses(network, variables, retain).losses.mean(),
  state: variables.state,
});

export function updateOf(
  { variant, norm, gradientNorm, noisyRate, noisyDecay }: NoiseOptions,
  sigma: number,
): Update {
  const { clipByGlobalNorm } = lt.optim;
  return (params, grads, key) => {
    const given = variant === 'modelClipping' ? grads : clipByGlobalNorm(grads, gradientNorm);
    const moved: Params = lt.tree.map(
      (p: lt.Tensor, g: lt.Tensor) => p.sub(g.add(p.mul(noisyDecay)).mul(noisyRate)),
      params,
      given,
    );
    const centre = variant === 'modelClipping' ? clipByGlobalNorm(moved, norm) : moved;
    const next = plus(centre, normalLike(centre, key), sigma);
    return variant === 'bothClipping' ? clipByGlobalNorm(next, norm) : next;
  };
}
