// The curvature of a model's loss as a linear map that is never written out: A = C + (weightDecay + damping) I, where C is,
// for the mean loss over a set at the given parameters,
//   'hessian'      its exact second derivative, forward over reverse (Pearlmutter 1994); may be indefinite
//   'gaussNewton'  J^T L'' J, J the Jacobian of the network's outputs and L'' the loss's Hessian in them (Schraudolph 2002);
//                  positive semidefinite where the loss is convex in the outputs, as cross-entropy and squared error are
//   'fisher'       the empirical Fisher, the mean of g g^T over the samples' gradients; positive semidefinite
// and the solution of A x = b. Evaluation mode: dropout is off, batch normalisation keeps its statistics.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Task, Tensors } from '../tasks/record.ts';
import type { Split } from '../types.ts';
import { disposeTree } from './feed.ts';
import { networkOf } from './network.ts';
import { conjugateGradients, dot, plus, scaled, type Vector } from './vectors.ts';

type Params = Variables['params'];

/** Which matrix stands for the curvature. */
export type Product = 'hessian' | 'gaussNewton' | 'fisher';

export interface CurvatureOptions<S extends Samples = Split> {
  readonly model: Model;
  /** Classification by default. */
  readonly task?: Task<S>;
  /** Where the curvature is taken; they stay the caller's. */
  readonly variables: Variables;
  /** The loss is the mean over these. */
  readonly samples: S;
  /** 'hessian' by default. */
  readonly product?: Product;
  /** Added to the diagonal. 0 by default. */
  readonly damping?: number;
  /** Of the L2 penalty weightDecay / 2 |parameters|^2 in what was minimised: its Hessian. 0 by default. */
  readonly weightDecay?: number;
  /** Samples a pass, 256 by default. */
  readonly batchSize?: number;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
}

export interface SolveBy {
  /** At most. */
  readonly iterations: number;
  /** Stop where |b - A x| <= tolerance |b|. 0 by default. */
  readonly tolerance?: number;
  readonly onIteration?: (iteration: number, residual: number) => void;
}

export interface Solved {
  /** The caller's to dispose. */
  readonly x: Vector;
  /** |b - A x| / |b| of the x given back, by a product of its own. */
  readonly residual: number;
  /** As the solver carried it along, after each iteration. */
  readonly residuals: readonly number[];
  /** Whether a direction without positive curvature turned up and ended the solving. */
  readonly indefinite: boolean;
}

/** A as a map. Trees have the structure of the parameters. */
export interface Curvature {
  /** Samples pushed through so far, once a product. */
  readonly samplesVisited: number;
  /** A v; the caller's to dispose. */
  times(v: Vector): Promise<Vector>;
  /** x with A x = b, approximately, by conjugate gradients. */
  solve(b: Vector, how: SolveBy): Promise<Solved>;
  /** Releases the compiled programs. */
  dispose(): void;
}

/** Compiles the products of a set's curvature, for any number of vectors and right-hand sides. */
export function curvatureOf<S extends Samples = Split>(options: CurvatureOptions<S>): Curvature {
  const { variables, samples, damping = 0, weightDecay = 0, batchSize = 256, signal } = options;
  const { task = defaultTask<S>(), product = 'hessian' } = options;
  const sums = reduction(productOf(options.model, task as Task, variables.state, product), {
    task,
    name: `${product} product`,
  });
  const shift = weightDecay + damping;
  const damped = lt.jit((hv: Vector, v: Vector) => plus(scaled(hv, 1 / samples.size), v, shift), {
    donate: [0],
    name: 'damping',
  });
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
    const sum = await sums.sum(samples, [variables.params, v], { batchSize, signal });
    samplesVisited += samples.size;
    const result = damped(sum, v);
    disposeTree(sum);
    return result;
  };

  const residualOf = async (b: Vector, x: Vector): Promise<number> => {
    const ax = await times(x);
    const value = share(b, ax);
    try {
      return await value.item();
    } finally {
      disposeTree([ax, value]);
    }
  };

  return {
    get samplesVisited() {
      return samplesVisited;
    },
    times,
    async solve(b, { iterations, tolerance = 0, onIteration }) {
      const found = await conjugateGradients(times, b, { maxIterations: iterations, tolerance, onIteration });
      try {
        return { ...found, residual: await residualOf(b, found.x) };
      } catch (error) {
        disposeTree(found.x);
        throw error;
      }
    },
    dispose() {
      for (const compiled of [sums, damped, share]) compiled.dispose();
    },
  };
}

/** (batch, parameters, v) -> C v of the sum of the batch's losses. Traced. */
function productOf(model: Model, task: Task, state: Variables['state'], product: Product) {
  const network = networkOf(model);
  const losses = (p: Params, batch: Tensors): lt.Tensor =>
    task.losses(network, { params: p, state }, batch).losses;
  const total = (batch: Tensors) => (p: Params) => losses(p, batch).sum();
  if (product === 'hessian')
    return (batch: Tensors, p: Params, v: Vector) => lt.hvp(total(batch), [p], [v]) as Vector;
  // Both others are J^T W J, J of the losses or of the outputs: forward through J, times W, back through J.
  return (batch: Tensors, p: Params, v: Vector): Vector => {
    const inner = (at: Params) =>
      product === 'fisher' ? [losses(at, batch)] : outputsOf(task, network, at, state, batch);
    const [value, along] = lt.jvp(inner, [p], [v as Params]);
    const weighted =
      product === 'fisher'
        ? along
        : lt.hvp((outputs: lt.Tensor[]) => lossOf(task, outputs, state, batch), [value], [along]);
    const [, pullback] = lt.vjp(inner, p);
    return pullback(weighted)[0] as Vector;
  };
}

/** What the network answers while the task computes its losses: the outputs, in the order of the calls. */
function outputsOf(
  task: Task,
  network: ReturnType<typeof networkOf>,
  params: Params,
  state: Variables['state'],
  batch: Tensors,
): lt.Tensor[] {
  const outputs: lt.Tensor[] = [];
  const heard: typeof network = (...call) => {
    const applied = network(...call);
    outputs.push(applied.output);
    return applied;
  };
  task.losses(heard, { params, state }, batch);
  return outputs;
}

/** The sum of the task's losses as a function of those outputs. */
function lossOf(
  task: Task,
  outputs: readonly lt.Tensor[],
  state: Variables['state'],
  batch: Tensors,
): lt.Tensor {
  let call = 0;
  const answers = () => ({ output: outputs[call++], state });
  return task.losses(answers, { params: {}, state }, batch).losses.sum();
}
