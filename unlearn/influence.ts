// How much each training sample matters to a criterion: what a model loses on a validation set, or any other number that
// can be differentiated. With J the mean loss over the N training samples at its minimum, H its curvature there and
// g_i the gradient of sample i's loss,
//   phi_i = s^T g_i,   s = (H + damping I)^-1 grad C
// is minus the derivative of C by the weight of sample i: adding lambda times its loss to J moves the weights by
// -lambda H^-1 g_i, and C by -lambda phi_i. Leaving it out is lambda = -1/N: C changes by phi_i / N. So phi < 0 are the
// samples that do harm, where C is a loss (Cook and Weisberg 1982; Koh and Liang, ICML 2017; the two steps here are those
// of PUMA, AAAI 2022). One solution of a linear system for each criterion, then one pass forward: the derivative of all
// losses of a batch along s. Nothing of size samples x parameters is ever there.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import { reduction } from './reduce.ts';
import { defaultTask } from './tasks/index.ts';
import type { Samples, Task, Tensors } from './tasks/record.ts';
import { type Criterion, gradientAt, type Judge } from './train/criterion.ts';
import { type Curvature, curvatureOf, type Solved } from './train/curvature.ts';
import { disposeTree } from './train/feed.ts';
import { alongOf, lossesOf, type Params } from './train/gradients.ts';
import type { Vector } from './train/vectors.ts';
import type { Progress, Split } from './types.ts';

/** What influence works on. */
export interface InfluenceInput<S extends Samples = Split> {
  /** The network; dropout is off, batch normalisation keeps its statistics. */
  readonly model: Model;
  /** What the samples are and what is lost on them; classification of images by default. */
  readonly task?: Task<S>;
  /** Of the trained model; they stay the caller's. */
  readonly variables: Variables;
  /** All training samples, N of them. */
  readonly data: S;
  /**
   * The curvature is that of the mean loss over these: the data by default. A part of it, drawn at random, costs less for
   * each iteration.
   */
  readonly curvatureSamples?: S;
  /** What the influence is on. */
  readonly criterion: Criterion<S>;
  /**
   * Curvature of the mean loss: its exact 'hessian', or 'gaussNewton' (the default), which has no negative curvature where
   * a deep network is not convex, and is the Hessian itself where the outputs are linear in the parameters.
   */
  readonly product?: 'hessian' | 'gaussNewton';
  /** Added to the diagonal of the curvature, 0.01 by default. */
  readonly damping?: number;
  /** Of the L2 penalty weightDecay / 2 |parameters|^2 that was minimised with the loss: added likewise. 0 by default. */
  readonly weightDecay?: number;
  /** Conjugate-gradient iterations at most, 100 by default. */
  readonly iterations?: number;
  /** Stop where the residual is this share of the right-hand side, 1e-3 by default. */
  readonly tolerance?: number;
  /** Samples a pass, 256 by default. */
  readonly batchSize?: number;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
}

/** As InfluenceInput, for several criteria at once. */
export interface InfluencesInput<S extends Samples = Split> extends Omit<InfluenceInput<S>, 'criterion'> {
  /** What the influences are on: a solution of a linear system each, one pass for all. */
  readonly criteria: readonly Criterion<S>[];
}

/** Influences, and how they were come by. Arrays over criteria are in the order given. */
export interface Influences {
  /** phi of each sample, in the order of the data; one array a criterion. */
  readonly phi: readonly Float32Array[];
  /** Each criterion's value. */
  readonly values: readonly number[];
  /** |grad C - (H + damping I) s| / |grad C| of each criterion's s: 0 is exact. */
  readonly residuals: readonly number[];
  /** Iterations of each solution. */
  readonly iterations: readonly number[];
  /** Whether a direction without positive curvature ended a solution: take more damping, or 'gaussNewton'. */
  readonly indefinite: readonly boolean[];
  /** Wall-clock time. */
  readonly seconds: {
    /** Of the criteria's gradients and the solutions. */
    readonly inverse: number;
    /** Of the pass over the data. */
    readonly pass: number;
  };
  /** Samples pushed through the network, counted once a pass. */
  readonly samplesVisited: number;
}

/**
 * phi of each training sample on one criterion, [N]; see this file's formula. Up-weighting sample i by lambda (adding
 * lambda times its loss to the mean loss) changes the criterion by about -lambda phi_i, leaving it out by phi_i / N.
 * @throws LetheError 'value' for data that is not of the task or empty, 'shape' for a criterion that is no scalar; what
 * the signal was aborted with.
 */
export async function influence<S extends Samples = Split>({
  criterion,
  ...input
}: InfluenceInput<S>): Promise<Float32Array> {
  return (await influences({ ...input, criteria: [criterion] })).phi[0];
}

/**
 * As influence, on several criteria at once, with residuals and times.
 * @throws as influence does.
 */
export async function influences<S extends Samples = Split>(input: InfluencesInput<S>): Promise<Influences> {
  const { data, criteria, task = defaultTask<S>(), onProgress, iterations = 100, ...rest } = input;
  const samples = input.curvatureSamples ?? data;
  const { damping = 0.01, product = 'gaussNewton', tolerance = 1e-3 } = rest;
  task.check('influence: data', data);
  task.check('influence: curvatureSamples', samples);
  check(data.size > 0, 'value', () => 'influence: data: expected at least one sample');
  const total = criteria.length * iterations + 1;
  let done = 0;
  const say = (fraction: number) => onProgress?.({ phase: 'influence', fraction: Math.min(1, fraction) });
  const curvature = curvatureOf({ ...rest, task, samples, damping, product });
  try {
    const found = await influencesBy(curvature, {
      ...rest,
      task,
      criteria: criteria.map((criterion) => ({ criterion, task })),
      data,
      solve: { solver: 'conjugateGradients', iterations, tolerance, onIteration: () => say(++done / total) },
    });
    say(1);
    return found;
  } finally {
    curvature.dispose();
  }
}

/** What the influences of a known curvature need. */
interface ByCurvature<S extends Samples>
  extends Pick<InfluenceInput<S>, 'model' | 'variables' | 'data' | 'batchSize' | 'signal'> {
  readonly task: Task<S>;
  readonly criteria: readonly Judge[];
  readonly solve: Parameters<Curvature['solve']>[1];
}

/** The influences by a curvature that is there already. */
export async function influencesBy<S extends Samples>(
  curvature: Curvature,
  { model, task, variables, data, criteria, solve, batchSize, signal }: ByCurvature<S>,
): Promise<Influences> {
  const started = performance.now();
  const { params } = variables;
  const losses = lossesOf({ model, task, variables });
  const how = { batchSize, signal };
  const along = reduction(
    (batch: Tensors, p: Params, directions: readonly Vector[]) =>
      directions.map((s) => alongOf(losses, p, batch, s)),
    { task, name: 'influence' },
  );
  const before = curvature.samplesVisited;
  const solved: Solved[] = [];
  const values: number[] = [];
  let visited = data.size;
  try {
    for (const judge of criteria) {
      const { value, gradient, samples } = await gradientAt(judge, { model, variables, ...how });
      visited += samples;
      try {
        values.push(value);
        solved.push(await curvature.solve(gradient, solve));
      } finally {
        disposeTree(gradient);
      }
    }
    const inverse = performance.now();
    const rows = await along.rows(data, [params, solved.map(({ x }) => x)], how);
    return {
      phi: rows.map((row) => Float32Array.from(row.data)),
      values,
      residuals: solved.map(({ residual }) => residual),
      iterations: solved.map(({ residuals }) => residuals.length),
      indefinite: solved.map(({ indefinite }) => indefinite),
      seconds: { inverse: (inverse - started) / 1000, pass: (performance.now() - inverse) / 1000 },
      samplesVisited: visited + curvature.samplesVisited - before,
    };
  } finally {
    disposeTree(solved.map(({ x }) => x));
    along.dispose();
  }
}
