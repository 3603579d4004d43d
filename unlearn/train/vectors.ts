// Trees of tensors as vectors: what conjugate gradients and influence need of linear algebra.

import * as lt from '../../index.ts';
import { startSha256 } from '../sha256.ts';
import { disposeTree } from './feed.ts';

export type Vector = lt.tree.Tree<lt.Tensor>;

/** Sum of products over all entries, a scalar tensor. */
export const dot = (a: Vector, b: Vector): lt.Tensor => {
  const [x, y] = [a, b].map((v) => lt.tree.flatten<lt.Tensor>(v).leaves);
  return x.map((t, i) => t.mul(y[i]).sum()).reduce((sum, part) => sum.add(part));
};

/** a + factor b. */
export const plus = (a: Vector, b: Vector, factor: lt.Tensor | number = 1): Vector =>
  lt.tree.map((x: lt.Tensor, y: lt.Tensor) => x.add(y.mul(factor)), a, b);

export const scaled = (a: Vector, factor: lt.Tensor | number): Vector =>
  lt.tree.map((x: lt.Tensor) => x.mul(factor), a);

/** Independent standard normal numbers, one for each entry, from a key that serves nothing else. */
export const normalLike = (like: Vector, key: lt.Tensor): Vector => {
  const { def, leaves } = lt.tree.flatten<lt.Tensor>(like);
  const keys = lt.random.split(key, leaves.length);
  return lt.tree.unflatten(
    def,
    leaves.map(({ shape, dtype }, i) => lt.random.normal(keys[i], shape, dtype)),
  );
};

/** sha256 of the values of a tree, one tensor after the other. */
export async function digestOf(tree: Vector): Promise<string> {
  const hash = startSha256();
  for (const tensor of lt.tree.flatten<lt.Tensor>(tree).leaves) {
    const { buffer, byteOffset, byteLength } = await tensor.data();
    hash.update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  }
  return hash.hex();
}

export interface Solution {
  /** The caller's to dispose. */
  readonly x: Vector;
  /** |b - A x| / |b| after each iteration. */
  readonly residuals: readonly number[];
}

interface SolveOptions {
  readonly iterations: number;
  /** Stop where |b - A x| <= tolerance |b|. */
  readonly tolerance: number;
  readonly onIteration?: (iteration: number, residual: number) => void;
}

/**
 * Solves A x = b for a symmetric A by conjugate gradients (Hestenes and Stiefel 1952), starting from 0. Where a direction of
 * negative or no curvature turns up, A is not positive definite and the solution so far is given back.
 * @param apply A times a vector; its result is disposed here.
 */
export async function conjugateGradients(
  apply: (v: Vector) => Promise<Vector>,
  b: Vector,
  { iterations, tolerance, onIteration }: SolveOptions,
): Promise<Solution & { readonly indefinite: boolean }> {
  const product = lt.jit((u: Vector, v: Vector) => dot(u, v), { name: 'dot' });
  const advance = lt.jit(
    (x: Vector, r: Vector, p: Vector, ap: Vector, alpha: lt.Tensor) =>
      [plus(x, p, alpha), plus(r, ap, alpha.neg())] as const,
    { donate: [0, 1], name: 'conjugate gradients' },
  );
  const turn = lt.jit((r: Vector, p: Vector, beta: lt.Tensor) => plus(r, p, beta), {
    donate: [1],
    name: 'conjugate gradients, direction',
  });
  const value = async (u: Vector, v: Vector): Promise<number> => {
    const result = product(u, v);
    try {
      return await result.item();
    } finally {
      result.dispose();
    }
  };
  const like = (f: (t: lt.Tensor) => lt.Tensor): Vector => lt.scope(() => lt.tree.map(f, b));
  let x = like((t) => lt.zerosLike(t));
  // Memory of their own: they are given away to be written over.
  let r = like((t) => t.add(0));
  let p = like((t) => t.add(0));
  const residuals: number[] = [];
  let indefinite = false;
  try {
    const size = await value(b, b);
    let square = size;
    for (let i = 0; i < iterations && square > tolerance ** 2 * size; i++) {
      const ap = await apply(p);
      const curvature = await value(p, ap);
      if (!(curvature > 0)) {
        disposeTree(ap);
        indefinite = true;
        break;
      }
      const alpha = lt.full([], square / curvature);
      const [nextX, nextR] = advance(x, r, p, ap, alpha);
      for (const v of [x, r, ap, alpha]) disposeTree(v);
      [x, r] = [nextX, nextR];
      const next = await value(r, r);
      const beta = lt.full([], next / square);
      const turned = turn(r, p, beta);
      for (const v of [p, beta]) disposeTree(v);
      p = turned;
      square = next;
      residuals.push(Math.sqrt(square / size));
      onIteration?.(i + 1, residuals[i]);
    }
    return { x, residuals, indefinite };
  } catch (error) {
    disposeTree(x);
    throw error;
  } finally {
    disposeTree(r);
    disposeTree(p);
    for (const compiled of [product, advance, turn]) compiled.dispose();
  }
}
