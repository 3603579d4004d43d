// What the released code of influence unlearning computes where its paper has an inverse Fisher times a vector (the functions
// of Unlearn-Sparse and Unlearn-Saliency, Jia et al. 2023 and Fan et al. 2024): one pass over the first N + 2 retained samples,
// one by one, with
//   k = v, o = g_1;  then for each later gradient g:  t = o g,  k <- k - (k g) / (N + t) o,  o <- o - t / (N + t) o
// As o is only ever scaled it stays a multiple of g_1, so k = v - c g_1: a change along one sample's gradient, next to
// nothing. The recursion so needs the products of all gradients with v and g_1 alone, which one forward-mode pass gives.

import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples } from '../tasks/record.ts';
import { someOf } from '../tasks/views.ts';
import { curvatureOf } from '../train/curvature.ts';
import { disposeTree } from '../train/feed.ts';
import { alongOf, type LossOver, lossesOf, type Params, weightedGradient } from '../train/gradients.ts';
import { plus, type Vector } from '../train/vectors.ts';

/**
 * k, the caller's to dispose, and |v - F k| / |v| for the F that was meant.
 * @param n the N of the recursion; of `samples` all take part, in their order.
 */
export async function woodFisher<S extends Samples>(
  over: LossOver<S>,
  n: number,
  v: Vector,
): Promise<{ readonly x: Vector; readonly residual: number; readonly samplesVisited: number }> {
  const { task = defaultTask<S>(), variables, samples, batchSize, signal } = over;
  const losses = lossesOf(over);
  const along = reduction(
    (batch, p: Params, u: Vector, g: Vector) => ({
      v: alongOf(losses, p, batch, u),
      first: alongOf(losses, p, batch, g),
    }),
    { task, name: 'products with v and g_1' },
  );
  const moved = lt.jit((from: Vector, g: Vector, c: lt.Tensor) => plus(from, g, c.neg()), {
    name: 'released recursion',
  });
  const one = await someOf(task, samples, 1);
  const m = samples.size;
  // The matrix that was meant, I + (1/N) G G^T, is (m/N) times the samples' Fisher with N/m on its diagonal.
  const meant = curvatureOf({ ...over, product: 'fisher', damping: n / m });
  const made: unknown[] = [];
  try {
    const first = await weightedGradient({ ...over, ...one }, Float64Array.of(1));
    made.push(first);
    const products = await along.rows(samples, [variables.params, v, first], { batchSize, signal });
    const c = lt.full([], multipleOf(products.v.data, products.first.data, n));
    const x = moved(v, first, c);
    made.push(c, x);
    const smaller = lt.scope(() => lt.tree.map((t: lt.Tensor) => t.mul(m / n), x));
    made.push(smaller);
    const residual = await meant.residual(v, smaller);
    made.splice(made.indexOf(x), 1);
    return { x, residual, samplesVisited: 1 + m + meant.samplesVisited };
  } finally {
    disposeTree(made);
    for (const compiled of [along, moved, meant]) compiled.dispose();
  }
}

/** c of k = v - c g_1, from the products of each sample's gradient with v and with g_1. o is `scale` times g_1. */
function multipleOf(withV: ArrayLike<number>, withFirst: ArrayLike<number>, n: number): number {
  let c = 0;
  let scale = 1;
  for (let i = 1; i < withV.length; i++) {
    const t = scale * withFirst[i];
    c += ((withV[i] - c * withFirst[i]) / (n + t)) * scale;
    scale -= (t / (n + t)) * scale;
  }
  return c;
}
