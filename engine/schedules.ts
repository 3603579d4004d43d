// Learning-rate schedules: functions from the number of updates made so far (a float scalar tensor, 0 at the first
// update) to a scalar tensor. They run inside the compiled update, so that a changing rate never causes a new trace.

import { full } from './create.ts';
import { check } from './error.ts';
import { where } from './ops/index.ts';
import { notNegative, settle } from './options.ts';
import type { Tensor } from './tensor.ts';

/**
 * A learning rate for each step: from the number of updates made so far (a float scalar, 0 at the first update) to a
 * scalar. Runs inside the compiled update, so it must be made of operations on tensors.
 */
export type Schedule = (step: Tensor) => Tensor;
/** A learning rate: a schedule, or a number for every step. */
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

/** The same rate at every step. */
export const constant =
  (learningRate: number): Schedule =>
  (step) =>
    full([], learningRate, step.dtype);

/** Options of multiStep. */
export interface MultiStepOptions {
  /** The rate before the first milestone, at least 0. */
  learningRate: number;
  /** Numbers of updates after which the rate falls. */
  milestones: readonly number[];
  /** Factor at each milestone. Default 0.1. */
  gamma?: number;
}
/**
 * learningRate * gamma^(number of milestones reached): PyTorch's MultiStepLR, with milestones in updates.
 * @throws 'value' for options out of range.
 */
export function multiStep(options: MultiStepOptions): Schedule {
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

/**
 * A schedule after `steps` updates of linear warm-up: update k (from 0) takes (k + 1) / steps of the schedule's first
 * rate.
 * @throws 'value' for negative steps.
 */
export function warmup(steps: number, then: Schedule): Schedule {
  check(steps >= 0, 'value', () => `warmup: steps must not be negative, got ${steps}`);
  if (steps === 0) return then;
  return (step) => {
    const first = then(full([], 0, step.dtype));
    return where(step.less(steps), first.mul(step.add(1).div(steps)), then(step.sub(steps).maximum(0)));
  };
}

/** Options of cosine. */
export interface CosineOptions {
  /** The rate after warm-up, at least 0. */
  learningRate: number;
  /** Updates until `final` is reached, warm-up included; more than `warmup`. */
  total: number;
  /** Updates of linear warm-up. Default 0. */
  warmup?: number;
  /** The rate at the end and from then on. Default 0. */
  final?: number;
}
/**
 * Half a cosine from learningRate to `final` over the updates after `warmup` up to `total`, then `final` (Loshchilov
 * and Hutter 2017, section 3, without restarts).
 * @throws 'value' unless total is more than warmup and the rate at least 0.
 */
export function cosine(options: CosineOptions): Schedule {
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

/** Options of oneCycle. */
export interface OneCycleOptions {
  /** The highest rate, at least 0. */
  learningRate: number;
  /** Updates in the cycle. */
  total: number;
  /** Share of the updates in which the rate rises. Default 0.3. */
  rise?: number;
  /** The first rate is learningRate / divide. Default 25. */
  divide?: number;
  /** The last rate is learningRate / (divide * finalDivide). Default 1e4. */
  finalDivide?: number;
}
/**
 * Smith and Topin 2018, as PyTorch's OneCycleLR with its defaults: cosine from learningRate / divide up to learningRate
 * over the first `rise` of `total` updates, then cosine down to learningRate / (divide * finalDivide) at the last.
 * @throws 'value' where there are too few updates to rise and fall.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
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
