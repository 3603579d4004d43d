/**
 * lt.optim: optimisers as pairs of pure functions over trees. `update(grads, state, params)` gives new params and state
 * and changes nothing; jit it with donated arguments and each parameter is updated by one kernel, in place. Rates may be
 * schedules of the step count, which is part of the state. An optimiser that restricts or rescales another is a wrapper
 * with the same two functions.
 *
 * @module
 */

import { full, zeros, zerosLike } from './create.ts';
import type { DType } from './dtype.ts';
import { check } from './error.ts';
import { notNegative, settle } from './options.ts';
import type { Rate } from './schedules.ts';
import type { Tensor } from './tensor.ts';
import { flatten, type Leaf, map, type Tree, unflatten } from './tree.ts';

export {
  type CosineOptions,
  constant,
  cosine,
  type MultiStepOptions,
  multiStep,
  type OneCycleOptions,
  oneCycle,
  type Rate,
  type Schedule,
  warmup,
} from './schedules.ts';

/** Parameters or gradients: a tree of tensors of any structure. */
// biome-ignore lint/suspicious/noExplicitAny: callers know the structure of their own parameters
export type Params = any;
/** What an optimiser remembers: a tree, to be saved with the parameters. */
export interface OptimiserState {
  /** Updates made so far, int32 scalar. */
  readonly step: Tensor;
  /** Trees like the parameters: `velocity` of sgd with momentum, `first` and `second` moments of adam and adamw. */
  readonly [slot: string]: Tree<Tensor>;
}
/** What an update gives. */
export interface Updated<P> {
  /** The parameters after the update, of the structure, shapes and types of those before. */
  params: P;
  /** The state to go on with. */
  state: OptimiserState;
}
/** Two pure functions. Neither disposes what it is given; jit them with donated arguments to update in place. */
export interface Optimiser {
  /** The state before the first update. */
  init(params: unknown): OptimiserState;
  /**
   * One step. `grads` has the structure of `params`.
   * @throws 'value' where the structures differ.
   */
  update<P>(grads: P, state: OptimiserState, params: P): Updated<P>;
}

/** The same scalar for all parameters of one type, made once. */
function perType<S>(make: (dtype: DType) => S): (like: Tensor) => S {
  const memo = new Map<DType, S>();
  return ({ dtype }) => {
    const known = memo.get(dtype);
    if (known !== undefined) return known;
    const made = make(dtype);
    memo.set(dtype, made);
    return made;
  };
}
/** The rate for the update after `step`, in the type of a parameter. */
const rateOf = (rate: Rate, step: Tensor): ((like: Tensor) => Tensor | number) =>
  perType((dtype) => (typeof rate === 'number' ? rate : rate(step.astype(dtype)).astype(dtype)));
const checkRate = (name: string, rate: Rate): void =>
  check(
    typeof rate === 'function' || (Number.isFinite(rate) && rate >= 0),
    'value',
    () => `${name}: learningRate must be a number of at least 0 or a schedule, got ${String(rate)}`,
  );

/** Maps a function with several results over trees; gives one tree for each result. */
function mapMany(f: (...leaves: Tensor[]) => Tensor[], results: number, ...trees: Params[]): Params[] {
  const { def } = flatten<Leaf>(trees[0]);
  const rows: Tensor[][] = [];
  map(
    (...leaves: Tensor[]) => {
      rows.push(f(...leaves));
      return 0;
    },
    trees[0],
    ...trees.slice(1),
  );
  return Array.from({ length: results }, (_, k) =>
    unflatten(
      def,
      rows.map((r) => r[k]),
    ),
  );
}

/** Options of sgd. */
export interface SgdOptions {
  /** Factor of the step, at least 0, or a schedule. */
  learningRate: Rate;
  /** Share of the velocity that is kept, at least 0. Default 0: no velocity is kept. */
  momentum?: number;
  /**
   * Nesterov's momentum in PyTorch's form: the step is gradient + momentum * velocity. Needs a momentum. Default false.
   */
  nesterov?: boolean;
  /** L2 penalty: weightDecay * parameter is added to the gradient. At least 0. Default 0. */
  weightDecay?: number;
}
/**
 * PyTorch's SGD: velocity = momentum * velocity + gradient (no dampening), parameter -= rate * velocity (Sutskever et
 * al. 2013 keep the rate inside the velocity instead).
 * @throws 'value' for options out of range.
 */
export function sgd(options: SgdOptions): Optimiser {
  const { learningRate, momentum, nesterov, weightDecay } = settle('sgd', options, {
    learningRate: undefined,
    momentum: 0,
    nesterov: false,
    weightDecay: 0,
  });
  checkRate('sgd', learningRate);
  notNegative('sgd', { momentum, weightDecay });
  check(!nesterov || momentum > 0, 'value', () => 'sgd: nesterov needs a momentum');
  return {
    init: (params) => ({
      step: zeros([], 'int32'),
      ...(momentum > 0 ? { velocity: map(zerosLike, params) } : {}),
    }),
    update: (grads: Params, state, params: Params) => {
      const rate = rateOf(learningRate, state.step);
      const decayed = (g: Tensor, p: Tensor): Tensor => (weightDecay === 0 ? g : g.add(p.mul(weightDecay)));
      const step = state.step.add(1);
      if (momentum === 0) {
        const one = (p: Tensor, g: Tensor): Tensor => p.sub(decayed(g, p).mul(rate(p)));
        return { params: map(one, params, grads), state: { step } };
      }
      const [next, velocity] = mapMany(
        (p, g, v) => {
          const d = decayed(g, p);
          const moved = v.mul(momentum).add(d);
          const direction = nesterov ? d.add(moved.mul(momentum)) : moved;
          return [p.sub(direction.mul(rate(p))), moved];
        },
        2,
        params,
        grads,
        state.velocity,
      );
      return { params: next, state: { step, velocity } };
    },
  };
}

/** Options of adam and adamw. */
export interface AdamOptions {
  /** Factor of the step, at least 0, or a schedule. */
  learningRate: Rate;
  /** Decay of the mean of gradients, from 0 to below 1. Default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients, from 0 to below 1. Default 0.999. */
  beta2?: number;
  /** Added to the root of the second moment, at least 0. Default 1e-8. */
  epsilon?: number;
  /**
   * At least 0. adam: L2, added to the gradient as weightDecay * parameter; default 0. adamw: rate * weightDecay *
   * parameter is taken off the parameter; default 0.01.
   */
  weightDecay?: number;
}
function adamLike(name: string, decoupled: boolean, options: AdamOptions): Optimiser {
  const { learningRate, beta1, beta2, epsilon, weightDecay } = settle(name, options, {
    learningRate: undefined,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: decoupled ? 0.01 : 0,
  });
  checkRate(name, learningRate);
  notNegative(name, { epsilon, weightDecay });
  for (const [k, b] of [
    ['beta1', beta1],
    ['beta2', beta2],
  ] as const)
    check(b >= 0 && b < 1, 'value', () => `${name}: ${k} must be at least 0 and below 1, got ${b}`);
  return {
    init: (params) => ({
      step: zeros([], 'int32'),
      first: map(zerosLike, params),
      second: map(zerosLike, params),
    }),
    update: (grads: Params, state, params: Params) => {
      const rate = rateOf(learningRate, state.step);
      const step = state.step.add(1);
      // Bias corrections as factors on scalars, so that an element costs one root and one division.
      const factors = perType((dtype) => {
        // 1 - beta^t, without cancellation for beta near 1.
        const seen = (beta: number): Tensor =>
          beta === 0 ? full([], 1, dtype) : step.astype(dtype).mul(Math.log(beta)).expm1().neg();
        return { first: seen(beta1).pow(-1), root: seen(beta2).rsqrt() };
      });
      const [next, first, second] = mapMany(
        (p, grad, m, v) => {
          const r = rate(p);
          const g = weightDecay !== 0 && !decoupled ? grad.add(p.mul(weightDecay)) : grad;
          const m1 = m.mul(beta1).add(g.mul(1 - beta1));
          const v1 = v.mul(beta2).add(g.mul(g).mul(1 - beta2));
          const correct = factors(p);
          const size = v1.sqrt().mul(correct.root).add(epsilon);
          const moved = m1.mul(correct.first.mul(r)).div(size);
          const base = weightDecay !== 0 && decoupled ? p.sub(p.mul(weightDecay).mul(r)) : p;
          return [base.sub(moved), m1, v1];
        },
        3,
        params,
        grads,
        state.first,
        state.second,
      );
      return { params: next, state: { step, first, second } };
    },
  };
}
/**
 * Adam (Kingma and Ba 2015, algorithm 1) with PyTorch's conventions: moments are corrected for their bias, epsilon is
 * added after the root.
 * @throws 'value' for options out of range.
 */
export const adam = (options: AdamOptions): Optimiser => adamLike('adam', false, options);
/**
 * AdamW (Loshchilov and Hutter 2019, algorithm 2): decay decoupled from the gradient, multiplied by the rate as in
 * PyTorch.
 * @throws 'value' for options out of range.
 */
export const adamw = (options: AdamOptions): Optimiser => adamLike('adamw', true, options);

/**
 * The Euclidean norm of all leaves together, a scalar.
 * @throws 'value' for a tree without leaves.
 */
export function globalNorm(tree: unknown): Tensor {
  const { leaves } = flatten<Tensor>(tree);
  check(leaves.length > 0, 'value', () => 'globalNorm: the tree has no leaves');
  return leaves
    .map((g) => g.mul(g).sum())
    .reduce((a, b) => a.add(b))
    .sqrt();
}
/**
 * Gradients scaled down so that their global norm is at most `max`: multiplied by min(1, max / (norm + 1e-6)), as
 * PyTorch's clip_grad_norm_ does.
 * @throws 'value' unless max is positive.
 */
export function clipByGlobalNorm<T>(grads: T, max: number): T {
  check(max > 0, 'value', () => `clipByGlobalNorm: max must be positive, got ${max}`);
  const factor = globalNorm(grads).add(1e-6).pow(-1).mul(max).minimum(1);
  return map((g: Tensor) => g.mul(factor.astype(g.dtype)), grads as Params);
}
