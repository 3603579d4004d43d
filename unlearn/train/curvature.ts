// The curvature of a model's loss as a linear map that is never written out: A = C + (weightDecay + damping) I, where C is a
// mean over the samples of a set, one of products.ts; and the solution of A x = b. Evaluation mode: dropout is off, batch
// normalisation keeps its statistics.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Tensors } from '../tasks/record.ts';
import type { Split } from '../types.ts';
import { disposeTree, tensorsOf } from './feed.ts';
import type { LossOver, Params } from './gradients.ts';
import { largestEigenvalue, lissa } from './lissa.ts';
import { inverseFisher } from './lowRank.ts';
import { yieldToEventLoop } from './meter.ts';
import { type Product, productOf } from './products.ts';
import { endless } from './schedule.ts';
import { conjugateGradients, dot, plus, scaled, type Vector } from './vectors.ts';

export interface CurvatureOptions<S extends Samples = Split> extends LossOver<S> {
  /** 'hessian' by default. */
  readonly product?: Product;
  /** Added to the diagonal. 0 by default. */
  readonly damping?: number;
  /** Of the L2 penalty weightDecay / 2 |parameters|^2 in what was minimised: its Hessian. 0 by default. */
  readonly weightDecay?: number;
}

/** How A x = b is solved. */
export type SolveBy =
  | {
      /** Needs no more than products over the whole set. */
      readonly solver: 'conjugateGradients';
      /** At most. */
      readonly iterations: number;
      /** Stop where |b - A x| <= tolerance |b|. 0 by default. */
      readonly tolerance?: number;
      readonly onIteration?: (iteration: number, residual: number) => void;
    }
  | {
      /** Products over random mini-batches of `batchSize`. */
      readonly solver: 'lissa';
      /** Steps of a repeat. */
      readonly iterations: number;
      /** Whose results are averaged. 1 by default. */
      readonly repeats?: number;
      /** See lissa.ts; by default the largest eigenvalue of A by POWER steps of power iteration from b. */
      readonly scale?: number;
      /** Of the mini-batches' order. */
      readonly seed: number;
      readonly onIteration?: (iteration: number, residual: number) => void;
    }
  | {
      /** Of the product 'fisher' alone: exact but for rounding, from an N x N matrix for N samples. */
      readonly solver: 'lowRank';
      /** Samples whose gradients are held at once. */
      readonly block: number;
      /** Told the share that is done. */
      readonly onBlock?: (fraction: number) => void;
    };

export interface Solved {
  /** The caller's to dispose. */
  readonly x: Vector;
  /** |b - A x| / |b| of the x given back, by a product of its own. */
  readonly residual: number;
  /** As the solver carried it along: of conjugate gradients after each iteration, of LiSSA on the mini-batches; else none. */
  readonly residuals: readonly number[];
  /** Whether conjugate gradients met a direction without positive curvature, which ends them. */
  readonly indefinite: boolean;
  /** Of LiSSA: the scale that was used. */
  readonly scale?: number;
}

/** A as a map. Trees have the structure of the parameters. */
export interface Curvature {
  /** Samples pushed through so far, once a product. */
  readonly samplesVisited: number;
  /** A v; the caller's to dispose. */
  times(v: Vector): Promise<Vector>;
  /** |b - A x| / |b|, by one product. */
  residual(b: Vector, x: Vector): Promise<number>;
  /** x with A x = b, approximately. @throws LetheError 'value' where LiSSA diverges. */
  solve(b: Vector, how: SolveBy): Promise<Solved>;
  /** Releases the compiled programs. */
  dispose(): void;
}

/** Steps of power iteration that find LiSSA's scale. */
export const POWER = 10;

/** Compiles the products of a set's curvature, for any number of vectors and right-hand sides. */
export function curvatureOf<S extends Samples = Split>(options: CurvatureOptions<S>): Curvature {
  const { variables, samples, damping = 0, weightDecay = 0, batchSize = 256, signal } = options;
  const { task = defaultTask<S>(), product = 'hessian' } = options;
  const { params } = variables;
  const shift = weightDecay + damping;
  const ofBatch = productOf(options, product);
  const sums = reduction(ofBatch, { task, name: `${product} product` });
  const damped = lt.jit((hv: Vector, v: Vector) => plus(scaled(hv, 1 / samples.size), v, shift), {
    donate: [0],
    name: 'damping',
  });
  const damps = lt.jit(
    (batch: Tensors, p: Params, v: Vector) =>
      plus(scaled(ofBatch(batch, p, v), 1 / Object.values(batch)[0].shape[0]), v, shift),
    { name: `${product} product of a batch` },
  );
  const share = lt.jit(
    (b: Vector, ax: Vector) => {
      const rest = plus(b, ax, -1);
      const size = dot(b, b);
      return dot(rest, rest)
        .div(lt.where(size.greater(0), size, 1))
        .sqrt();
    },
    { name: 'residual' },
  );
  let samplesVisited = 0;

  const times = async (v: Vector): Promise<Vector> => {
    const sum = await sums.sum(samples, [params, v], { batchSize, signal });
    samplesVisited += samples.size;
    const result = damped(sum, v);
    disposeTree(sum);
    return result;
  };

  /** A of one random mini-batch after the other. */
  const drawn = (seed: number) => {
    const batches = endless(task, samples, { batchSize, seed });
    return async (v: Vector): Promise<Vector> => {
      signal?.throwIfAborted();
      const batch = (await batches.next()).value;
      const tensors = tensorsOf(batch);
      try {
        samplesVisited += batch.indices.length;
        return damps(tensors, params, v);
      } finally {
        disposeTree(tensors);
        await yieldToEventLoop();
      }
    };
  };

  const found = async (b: Vector, how: SolveBy): Promise<Omit<Solved, 'residual'>> => {
    if (how.solver === 'conjugateGradients') return conjugateGradients(times, b, { tolerance: 0, ...how });
    if (how.solver === 'lissa') {
      const scale = how.scale ?? ((await largestEigenvalue(times, b, POWER)) || 1);
      return { ...(await lissa(drawn(how.seed), b, { ...how, scale })), scale, indefinite: false };
    }
    check(
      product === 'fisher',
      'value',
      () => `the solver lowRank is for the product fisher, not ${product}`,
    );
    const { x, samplesVisited: visited } = await inverseFisher({ ...options, ...how, shift }, b);
    samplesVisited += visited;
    return { x, residuals: [], indefinite: false };
  };

  const residual = async (b: Vector, x: Vector): Promise<number> => {
    const ax = await times(x);
    const value = share(b, ax);
    disposeTree(ax);
    try {
      return await value.item();
    } finally {
      value.dispose();
    }
  };

  return {
    get samplesVisited() {
      return samplesVisited;
    },
    times,
    residual,
    async solve(b, how) {
      const solution = await found(b, how);
      try {
        return { ...solution, residual: await residual(b, solution.x) };
      } catch (error) {
        disposeTree(solution.x);
        throw error;
      }
    },
    dispose() {
      for (const compiled of [sums, damped, damps, share]) compiled.dispose();
    },
  };
}
