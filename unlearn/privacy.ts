// What noise proves: (epsilon, delta) of Gaussian noise, of noisy steps with projection, of noisy steps with clipped gradients.
// Two distributions P and Q are (epsilon, delta)-indistinguishable where P(S) <= e^epsilon Q(S) + delta for every set S, and the
// other way round. Pure functions of numbers, in float64. The accounting is that of Koloskova et al., "Certified Unlearning for
// Neural Networks" (ICML 2025), with two corrections to its released code, which docs/methods/certified.md names.

import { check } from '../engine/error.ts';
import { erf } from '../engine/primitives/erf.ts';

/** 1 - erf(x), with full relative precision for large x too: there by the continued fraction, evaluated from its tail. */
export function erfc(x: number): number {
  if (x < 2.5) return 1 - erf(x);
  let tail = x;
  for (let n = 60; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
}

/** The upper tail of the standard normal distribution: the probability of more than x. */
export const normalTail = (x: number): number => erfc(x / Math.SQRT2) / 2;

/**
 * The hockey-stick divergence of N(0, 1) and N(r, 1): the smallest delta with which two Gaussians r standard deviations
 * apart are (epsilon, delta)-indistinguishable. Theta_epsilon(r) = Q(epsilon / r - r / 2) - e^epsilon Q(epsilon / r + r / 2).
 */
export const hockeyStick = (epsilon: number, r: number): number =>
  r === 0
    ? 0
    : Math.max(0, normalTail(epsilon / r - r / 2) - Math.exp(epsilon) * normalTail(epsilon / r + r / 2));

/** Steps of a certificate, and the delta they reach. */
interface Steps {
  readonly steps: number;
  readonly delta: number;
}

const MOST_STEPS = 100_000;
/** Of noisy descent, whose noise is a sum over its steps: nobody takes as many, and to add up more would take for ever. */
const MOST_DESCENT_STEPS = 1_000_000;

/**
 * Steps of theta <- clip(a map of theta) + N(0, sigma^2 I) after which two starts cannot be told apart by (epsilon, delta),
 * the clipping being to norm C: each multiplies delta by Theta at epsilon' = ln(1 + (e^epsilon - 1) / delta), r = 2 C / sigma.
 * @param start the delta before the first step; 1 where nothing is known.
 * @throws LetheError 'value' where that takes more than 100,000 steps.
 */
export function clippedSteps({
  epsilon,
  delta: target,
  ratio,
  start = 1,
}: {
  epsilon: number;
  delta: number;
  /** 2 C / sigma. */
  ratio: number;
  start?: number;
}): Steps {
  let delta = start;
  let steps = 0;
  while (delta > target) {
    check(
      steps < MOST_STEPS,
      'value',
      () =>
        `certified: no certificate after ${MOST_STEPS} steps with 2 C / sigma = ${ratio}; expected more noise or a smaller norm`,
    );
    delta *= hockeyStick(Math.log1p(Math.expm1(epsilon) / delta), ratio);
    steps++;
  }
  return { steps, delta };
}

/**
 * The epsilon of what has a Renyi divergence of alpha rho at each order alpha, as Gaussian noise has:
 * the minimum over alpha > 1 of alpha rho - (ln delta + ln alpha) / (alpha - 1) + ln((alpha - 1) / alpha)
 * (Canonne, Kamath and Steinke, NeurIPS 2020). Not below 0.
 */
export function epsilonOf(rho: number, delta: number): number {
  const at = (logOrder: number): number => {
    const less = Math.exp(logOrder);
    const alpha = 1 + less;
    return alpha * rho - (Math.log(delta) + Math.log(alpha)) / less + Math.log(less / alpha);
  };
  // A grid over alpha - 1 from e^-15 to e^25, then the golden section around its best point.
  let best = -15;
  for (let x = -15; x <= 25; x += 0.1) if (at(x) < at(best)) best = x;
  let [low, high] = [best - 0.1, best + 0.1];
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < 60; i++) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (at(a) < at(b)) high = b;
    else low = a;
  }
  return Math.max(0, at((low + high) / 2));
}

/** The largest rho whose epsilon is at most this one; see epsilonOf. */
export function rhoOf(epsilon: number, delta: number): number {
  let [low, high] = [0, 1];
  while (epsilonOf(high, delta) < epsilon) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (epsilonOf(middle, delta) <= epsilon) low = middle;
    else high = middle;
  }
  return low;
}

/** theta <- theta - rate (clip(gradient) + decay theta) + N(0, sigma^2 I). */
interface NoisyDescent {
  /** Largest norm of a start. */
  readonly startNorm: number;
  /** Largest norm of a gradient. */
  readonly gradientNorm: number;
  readonly rate: number;
  /** Weight decay; rate times decay is below 1. */
  readonly decay: number;
}

/**
 * Steps that take the least noise: ceil(C0 / (C1 rate)), or with weight decay the smaller ceil(ln(2 decay C0 / C1) / (rate decay)).
 * @throws LetheError 'value' where that is more than 1,000,000.
 */
export function descentSteps({ startNorm, gradientNorm, rate, decay }: NoisyDescent): number {
  const plain = Math.ceil(startNorm / (gradientNorm * rate));
  const decayed =
    decay > 0 ? Math.ceil(Math.log((2 * decay * startNorm) / gradientNorm) / (rate * decay)) : 0;
  const steps = Math.max(1, decayed > 0 ? Math.min(plain, decayed) : plain);
  check(
    steps <= MOST_DESCENT_STEPS,
    'value',
    () =>
      `certified: ${steps} noisy steps with gradientNorm ${gradientNorm}, noisyRate ${rate}, startNorm ${startNorm}; expected larger ones of the first two, or a smaller startNorm, for at most ${MOST_DESCENT_STEPS}`,
  );
  return steps;
}

/**
 * rho sigma^2 after T steps, by privacy amplification by iteration: with a = 1 - rate decay,
 * 1/2 (2 C0 a^T + 2 rate C1 sum of a^t)^2 / (sum of a^2t), t from 0 to T - 1.
 */
export function descentRho({ startNorm, gradientNorm, rate, decay }: NoisyDescent, steps: number): number {
  const a = 1 - rate * decay;
  let [power, sum, squares] = [1, 0, 0];
  for (let t = 0; t < steps; t++) {
    sum += power;
    squares += power * power;
    power *= a;
  }
  return (2 * startNorm * power + 2 * rate * gradientNorm * sum) ** 2 / (2 * squares);
}

/**
 * Standard deviation of Gaussian noise on what differs by at most `distance` (Dwork and Roth 2014, theorem 3.22):
 * distance sqrt(2 ln(1.25 / delta)) / epsilon, for epsilon up to 1.
 */
export const gaussianDeviation = (distance: number, epsilon: number, delta: number): number =>
  (distance * Math.sqrt(2 * Math.log(1.25 / delta))) / epsilon;

/** delta at k epsilon of what is (epsilon, delta)-private for one sample, when k samples differ. */
export const groupDelta = (epsilon: number, delta: number, k: number): number =>
  (delta * Math.expm1(k * epsilon)) / Math.expm1(epsilon);
