// U-LiRA: for each sample, how likely a model's confidence in it is where it was a member and unlearned, against where it never
// was one. Hayes et al., "Inexact Unlearning Needs More Careful Evaluations" (arXiv 2403.01218). The density for few models is
// ours, by conjugacy: variances of four models are too rough for a Gaussian of their own.

import { logGamma } from './gamma.ts';
import { momentsOf } from './spread.ts';

/** How the confidences of a world are described. */
type Density =
  /** Student's t below 32 models a world, the Gaussian from there on. */
  | 'auto'
  /** Student's t: a Gaussian of unknown mean and variance, both shrunk towards those of all samples of the world. */
  | 'student'
  /** A Gaussian for each sample, variance with n - 1. */
  | 'gaussian'
  /** The mean of Gaussians around each model's confidence, with one width; RULI (arXiv 2506.13009) has width 1. */
  | 'kernel';

/** Logit-scaled confidences, finite. */
export interface LiraInput {
  /** Under the model that is attacked, [n]. */
  readonly own: ArrayLike<number>;
  /** Under models that were trained on the sample and unlearned it, [n][models]. */
  readonly unlearned: readonly ArrayLike<number>[];
  /** Under models that were never trained on it, [n][models]. */
  readonly out: readonly ArrayLike<number>[];
  /** 'auto' by default. */
  readonly density?: Density;
  /** Width of kernels, 1 by default. */
  readonly bandwidth?: number;
}

/** Models a world from which on `auto` takes the Gaussian. */
const MODELS_FOR_GAUSSIAN = 32;
/** Of the prior: as strong as a tenth of a model for the mean, and as four for the variance. */
const KAPPA = 0.1;
const ALPHA = 2;
/** Variances below it are taken for it: answers that never change would make any other answer impossible. */
const LEAST_VARIANCE = 1e-6;

/**
 * Lambda of each sample, [n], 0 to 1: q_u / (q_u + q_out), the densities of the own confidence in the two worlds. Above 1/2 it
 * looks like a member that was unlearned.
 * @throws RangeError where a sample has no model in a world, or fewer than two for the Gaussian.
 */
export function liraScores(input: LiraInput): Float64Array {
  const { own, unlearned, out, density = 'auto', bandwidth = 1 } = input;
  const fewest = [...unlearned, ...out].reduce((least, { length }) => Math.min(least, length), Infinity);
  const needed = density === 'gaussian' ? 2 : 1;
  if (fewest < needed)
    throw new RangeError(`lira: a sample has ${fewest} models in a world, expected ${needed} or more`);
  const kind = density === 'auto' ? (fewest < MODELS_FOR_GAUSSIAN ? 'student' : 'gaussian') : density;
  const logDensity = (world: readonly ArrayLike<number>[]) => {
    if (kind === 'kernel') return kernels(world, bandwidth);
    return kind === 'gaussian' ? gaussians(world) : students(world);
  };
  const [inside, outside] = [logDensity(unlearned), logDensity(out)];
  return Float64Array.from(own, (x, i) => 1 / (1 + Math.exp(outside(x, i) - inside(x, i))));
}

/** The logarithm of a density of x in sample i's world. */
type LogDensity = (x: number, i: number) => number;

const logGaussian = (x: number, mean: number, variance: number): number =>
  -0.5 * (Math.log(2 * Math.PI * variance) + (x - mean) ** 2 / variance);

function gaussians(world: readonly ArrayLike<number>[]): LogDensity {
  const moments = world.map(momentsOf);
  return (x, i) => {
    const { n, mean, squares } = moments[i];
    return logGaussian(x, mean, Math.max(LEAST_VARIANCE, squares / (n - 1)));
  };
}

/**
 * Normal-inverse-gamma prior with kappa0 = 0.1, alpha0 = 2, beta0 = (alpha0 - 1) times the pooled variance within samples,
 * mu0 = mean of the world. What is predicted of a further model is Student's t: 2 alpha degrees of freedom, location
 * (kappa0 mu0 + n mean) / kappa, squared scale beta (kappa + 1) / (alpha kappa), where kappa = kappa0 + n, alpha = alpha0 + n / 2
 * and beta = beta0 + squares / 2 + kappa0 n (mean - mu0)^2 / (2 kappa).
 */
function students(world: readonly ArrayLike<number>[]): LogDensity {
  const moments = world.map(momentsOf);
  const total = moments.reduce((sum, { n }) => sum + n, 0);
  const mu0 = moments.reduce((sum, { n, mean }) => sum + n * mean, 0) / total;
  const within = moments.reduce((sum, { squares }) => sum + squares, 0) / Math.max(1, total - moments.length);
  const beta0 = (ALPHA - 1) * Math.max(LEAST_VARIANCE, within);
  return (x, i) => {
    const { n, mean, squares } = moments[i];
    const kappa = KAPPA + n;
    const alpha = ALPHA + n / 2;
    const beta = beta0 + squares / 2 + (KAPPA * n * (mean - mu0) ** 2) / (2 * kappa);
    const location = (KAPPA * mu0 + n * mean) / kappa;
    const scale2 = (beta * (kappa + 1)) / (alpha * kappa);
    return (
      logGamma(alpha + 0.5) -
      logGamma(alpha) -
      0.5 * Math.log(2 * alpha * Math.PI * scale2) -
      (alpha + 0.5) * Math.log1p((x - location) ** 2 / (2 * alpha * scale2))
    );
  };
}

function kernels(world: readonly ArrayLike<number>[], bandwidth: number): LogDensity {
  return (x, i) => {
    const logs = Array.from(world[i], (at) => logGaussian(x, at, bandwidth ** 2));
    const most = Math.max(...logs);
    return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / logs.length);
  };
}
