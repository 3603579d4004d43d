// Learning-rate schedules: functions from the number of updates made so far (a float scalar tensor, 0 at the first
// update) to a scalar tensor. They run inside the compiled update, so that a changing rate never causes a new trace.

import { full } from './create.ts';
import { check } from './error.ts';
import { where } from './ops/index.ts';
import { notNegative, settle } from './options.ts';
import type { Tensor } from './tensor.ts';

export type Schedule = (step: Tensor) => Tensor;
/** A number stands for itself at every step. */
export type Rate = number | Schedule;

const positive = (name: string, what: string, value: number): void =>
  check(
    Number.isFinite(value) && value > 0,
    'value',
    () => `${name}: ${what} must be positive, got ${value}`,
  );
/** Half a cosine from `from` at 0 to `to` at 1. */
const anneal = (from: number, to: number, fraction: Tensor): Tensor =>
  fraction
    .clip(0, 1)
    .mul(Math.PI)
    .cos()
    .add(1)
    .mul((from - to) / 2)
    .add(to);

export const constant =
  (learningRate: number): Schedule =>
  (step) =>
    full([], learningRate, step.dtype);

/** learningRate * gamma^(number of milestones reached). PyTorch's MultiStepLR, with milestones in steps. */
export function multiStep(options: {
  learningRate: number;
  milestones: readonly number[];
  gamma?: number;
}): Schedule {
  const { learningRate, milestones, gamma } = settle('multiStep', options, {
    learningRate: undefined,
    milestones: undefined,
    gamma: 0.1,
  });
  notNegative('multiStep', { learningRate });
  check(Array.isArray(milestones), 'value', () => 'multiStep: needs milestones, a list of steps');
  const sorted = [...milestones].sort((a, b) => a - b);
  return (step) =>
    sorted.reduce(
      (rate, m, i) => where(step.less(m), rate, learningRate * gamma ** (i + 1)),
      full([], learningRate, step.dtype),
    );
}

/** A schedule after `steps` steps of linear warm-up: step k takes (k + 1) / steps of the schedule's first rate. */
export function warmup(steps: number, then: Schedule): Schedule {
  check(steps >= 0, 'value', () => `warmup: steps must not be negative, got ${steps}`);
  if (steps === 0) return then;
  return (step) => {
    const first = then(full([], 0, step.dtype));
    return where(step.less(steps), first.mul(step.add(1).div(steps)), then(step.sub(steps).maximum(0)));
  };
}

/** Half a cosine from learningRate to `final` over the steps after `warmup` up to `total`, then `final`. */
export function cosine(options: {
  learningRate: number;
  total: number;
  warmup?: number;
  final?: number;
}): Schedule {
  const {
    learningRate,
    total,
    warmup: warm,
    final,
  } = settle('cosine', options, { learningRate: undefined, total: undefined, warmup: 0, final: 0 });
  notNegative('cosine', { learningRate });
  check(
    total > warm,
    'value',
    () => `cosine: total (${total}) must be more than warmup (${warm}); both are steps`,
  );
  return warmup(warm, (step) => anneal(learningRate, final, step.div(total - warm)));
}

/**
 * Smith and Topin 2018, as PyTorch's OneCycleLR with its defaults: cosine from learningRate / divide up to learningRate
 * over the first `rise` of `total` steps, then cosine down to learningRate / (divide * finalDivide) at the last.
 */
export function oneCycle(options: {
  learningRate: number;
  total: number;
  rise?: number;
  divide?: number;
  finalDivide?: number;
}): Schedule {
  const { learningRate, total, rise, divide, finalDivide } = settle('oneCycle', options, {
    learningRate: undefined,
    total: undefined,
    rise: 0.3,
    divide: 25,
    finalDivide: 1e4,
  });
  notNegative('oneCycle', { learningRate });
  positive('oneCycle', 'total', total);
  const start = learningRate / divide;
  const top = rise * total - 1;
  check(top > 0 && top < total - 1, 'value', () => `oneCycle: ${total} steps are too few for rise ${rise}`);
  return (step) =>
    where(
      step.lessEqual(top),
      anneal(start, learningRate, step.div(top)),
      anneal(learningRate, start / finalDivide, step.sub(top).div(total - 1 - top)),
    );
}
