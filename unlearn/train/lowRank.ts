// The empirical Fisher of N samples is a matrix of low rank, F = d I + (1/N) G G^T with a column of G for each sample's
// gradient, and its inverse needs an N x N system only (Woodbury 1950):
//   F^-1 b = (1/d) (b - G (N d I + G^T G)^-1 G^T b)
// G is never held: G^T b is one forward-mode pass, G y the gradient of a weighted sum, and G^T G comes from two blocks of
// samples' gradients at a time.

import { check } from '../../engine/error.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { solveCholesky } from '../statistics/cholesky.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Tensors } from '../tasks/record.ts';
import { disposeTree, feed } from './feed.ts';
import { alongOf, type LossOver, lossesOf, type Params, weightedGradient } from './gradients.ts';
import { plus, scaled, type Vector } from './vectors.ts';

interface LowRankOptions<S extends Samples> extends LossOver<S> {
  /** d, above 0. */
  readonly shift: number;
  /** Samples whose gradients are held at once; twice as many are. */
  readonly block: number;
  /** Told the share of the blocks that is done. */
  readonly onBlock?: (fraction: number) => void;
}

/** F^-1 b, the caller's to dispose, and the samples that went through. @throws LetheError 'value' where d is 0. */
export async function inverseFisher<S extends Samples>(
  options: LowRankOptions<S>,
  b: Vector,
): Promise<{ readonly x: Vector; readonly samplesVisited: number }> {
  const { task, variables, samples, shift, batchSize, signal } = options;
  const { params } = variables;
  check(shift > 0, 'value', () => 'the low-rank Fisher has no inverse without damping: expected one above 0');
  const n = samples.size;
  const { gram, samplesVisited } = await gramOf(options);
  const losses = lossesOf(options);
  const along = reduction((batch, p: Params, v: Vector) => alongOf(losses, p, batch, v), {
    task,
    name: 'G^T b',
  });
  const ends = lt.jit((right: Vector, gy: Vector) => scaled(plus(right, gy, -1), 1 / shift), {
    donate: [1],
    name: 'low-rank step',
  });
  try {
    const right = (await along.rows(samples, [params, b], { batchSize, signal })).data as Float32Array;
    for (let i = 0; i < n; i++) gram[i * n + i] += n * shift;
    const y = solveCholesky(gram, Float64Array.from(right));
    check(y, 'value', () => 'the low-rank Fisher is not positive definite; raise the damping');
    const gy = await weightedGradient(options, y);
    const x = ends(b, gy);
    disposeTree(gy);
    return { x, samplesVisited: samplesVisited + 2 * n };
  } finally {
    along.dispose();
    ends.dispose();
  }
}

/** G^T G, row by row, in float64; each product of gradients in the device's type. */
async function gramOf<S extends Samples>(options: LowRankOptions<S>) {
  const { task = defaultTask<S>(), samples, signal, onBlock } = options;
  const { params } = options.variables;
  const losses = lossesOf(options);
  const n = samples.size;
  const block = Math.min(options.block, n);
  const blocks = Math.ceil(n / block);
  const pairs = (blocks * (blocks + 1)) / 2;
  const one = (p: Params, sample: Tensors): lt.Tensor =>
    losses(
      p,
      lt.tree.map((t: lt.Tensor) => t.reshape([1, ...t.shape]), sample as never) as unknown as Tensors,
    ).sum();
  const gradients = lt.jit(
    (p: Params, batch: Tensors) => lt.vmap(lt.grad(one), { inAxes: [null, 0] })(p, batch) as Vector,
    { name: 'gradients of samples' },
  );
  const cross = lt.jit(
    (a: Vector, b: Vector) => {
      const rows = (v: Vector) =>
        lt.tree.flatten<lt.Tensor>(v).leaves.map((t) => t.reshape([block, t.size / block]));
      const [x, y] = [rows(a), rows(b)];
      return x.map((t, i) => t.matmul(y[i].transpose())).reduce((sum, part) => sum.add(part));
    },
    { name: 'products of gradients' },
  );
  const gram = new Float64Array(n * n);
  const fill = async (a: Vector, b: Vector, from: number, to: number): Promise<void> => {
    const products = cross(a, b);
    try {
      const values = await products.data();
      for (let i = from; i < Math.min(n, from + block); i++)
        for (let j = to; j < Math.min(n, to + block); j++) {
          const value = values[(i - from) * block + (j - to)];
          gram[i * n + j] = value;
          gram[j * n + i] = value;
        }
    } finally {
      products.dispose();
    }
  };
  let samplesVisited = 0;
  let done = 0;
  const how = { batchSize: block, pad: true, signal };
  try {
    await feed(task, samples, how, async (tensors, { batch: row, indices }) => {
      const mine = gradients(params, tensors);
      samplesVisited += indices.length;
      try {
        await fill(mine, mine, row * block, row * block);
        onBlock?.(++done / pairs);
        if (row + 1 === blocks) return;
        await feed(
          task,
          samples,
          { ...how, startBatch: row + 1 },
          async (others, { batch: column, indices: there }) => {
            const theirs = gradients(params, others);
            samplesVisited += there.length;
            try {
              await fill(mine, theirs, row * block, column * block);
            } finally {
              disposeTree(theirs);
            }
            onBlock?.(++done / pairs);
          },
        );
      } finally {
        disposeTree(mine);
      }
    });
  } finally {
    gradients.dispose();
    cross.dispose();
  }
  return { gram, samplesVisited };
}
