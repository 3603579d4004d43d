// A x = b by the series A^-1 = (1/c) sum over j of (I - A/c)^j, each factor with the curvature of another mini-batch (Agarwal,
// Bullins and Hazan, "Second-order stochastic optimization for machine learning in linear time", JMLR 2017; as Koh and
// Liang 2017 use it):
//   x_0 = b,  x_{j+1} = b + x_j - A_j x_j / c,  result x_J / c, the mean of some repeats
// It converges where the eigenvalues of the A_j lie between 0 and 2 c.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { disposeTree } from './feed.ts';
import { dot, plus, type Solution, scaled, type Vector } from './vectors.ts';

/** A residual this many times the right-hand side is taken for divergence. */
const DIVERGENCE_FACTOR = 1000;
/** At most as many residuals are read back in a repeat. */
const MAX_RESIDUALS = 100;

interface LissaOptions {
  /** Steps of a repeat. */
  readonly iterations: number;
  /** Whose results are averaged. 1 by default. */
  readonly repeats?: number;
  /** c: above half the largest eigenvalue of any A_j. The larger, the more steps it takes. */
  readonly scale: number;
  readonly onIteration?: (iteration: number, residual: number) => void;
}

/**
 * @param apply A of the next mini-batch times a vector; its result is disposed here.
 * @returns with the residuals |b - A_j x_j / c| / |b| of at most a hundred steps of each repeat.
 * @throws LetheError 'value' where it diverges.
 */
export async function lissa(
  apply: (v: Vector) => Promise<Vector>,
  b: Vector,
  { iterations, repeats = 1, scale, onIteration }: LissaOptions,
): Promise<Solution> {
  const step = lt.jit(
    (x: Vector, ax: Vector, right: Vector) => {
      const rest = plus(right, ax, -1 / scale);
      return [plus(x, rest), dot(rest, rest).div(dot(right, right)).sqrt()] as const;
    },
    { donate: [0], name: 'LiSSA' },
  );
  const gather = lt.jit((sum: Vector, x: Vector) => plus(sum, x, 1 / (repeats * scale)), {
    donate: [0],
    name: 'LiSSA, mean',
  });
  const every = Math.ceil(iterations / MAX_RESIDUALS);
  const residuals: number[] = [];
  let sum: Vector | null = null;
  let x: Vector | null = null;
  try {
    sum = lt.scope(() => lt.tree.map((t: lt.Tensor) => lt.zerosLike(t), b));
    for (let repeat = 0; repeat < repeats; repeat++) {
      // Memory of its own: it is given away to be written over.
      x = lt.scope(() => lt.tree.map((t: lt.Tensor) => t.add(0), b));
      for (let j = 1; j <= iterations; j++) {
        const ax = await apply(x);
        const [next, share]: readonly [Vector, lt.Tensor] = step(x, ax, b);
        disposeTree([x, ax]);
        x = next;
        try {
          if (j % every !== 0 && j !== iterations) continue;
          const residual = await share.item();
          check(
            residual < DIVERGENCE_FACTOR,
            'value',
            () =>
              `LiSSA diverges: after ${j} steps the residual is ${residual.toPrecision(3)} times the right-hand side at scale ${scale.toPrecision(3)}; raise the scale, or the damping where the Hessian is indefinite`,
          );
          residuals.push(residual);
          onIteration?.(repeat * iterations + j, residual);
        } finally {
          share.dispose();
        }
      }
      const next = gather(sum, x);
      disposeTree([sum, x]);
      [sum, x] = [next, null];
    }
    return { x: sum, residuals };
  } catch (error) {
    disposeTree(sum);
    throw error;
  } finally {
    disposeTree(x);
    step.dispose();
    gather.dispose();
  }
}

/**
 * The largest absolute eigenvalue of a symmetric A by power iteration: |A v| for a unit vector v, from below.
 * @param start not 0. @param apply A times a vector; its result is disposed here.
 */
export async function largestEigenvalue(
  apply: (v: Vector) => Promise<Vector>,
  start: Vector,
  iterations: number,
): Promise<number> {
  const unit = lt.jit(
    (v: Vector) => {
      const norm = dot(v, v).sqrt();
      return [scaled(v, lt.div(1, lt.where(norm.greater(0), norm, 1))), norm] as const;
    },
    { name: 'power iteration' },
  );
  let [v, norm] = unit(start);
  try {
    for (let i = 0; i < iterations; i++) {
      const av = await apply(v);
      const [nextV, nextNorm] = unit(av);
      disposeTree([v, norm, av]);
      [v, norm] = [nextV, nextNorm];
    }
    return await norm.item();
  } finally {
    disposeTree([v, norm]);
    unit.dispose();
  }
}
