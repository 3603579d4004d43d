// The diagonal of the Fisher information and its relatives: for each weight, the mean over a set of what the loss's
// gradient is in square. Three of them are used for forgetting, and they differ:
//   model       mean over x of sum over y of p(y | x) (d l(x, y) / d theta)^2, p being the model's own answer: the Fisher
//               information itself (Golatkar, Achille and Soatto, CVPR 2020), K backward passes a sample
//   data        the label of the sample in place of that sum: the "empirical Fisher"
//   none        |d ||f(x)||^2 / d theta|: no label is asked (Foster et al., AAAI 2024, after Aljundi et al., ECCV 2018)
// each for every sample, or for the mean over a batch, which is cheaper, smaller, and depends on how the batches fall. The
// model is in evaluation mode. Gradients of single samples are taken in blocks and added up on the device: what is
// held does not grow with the samples.

import type { Model, Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { reduction } from './reduce.ts';
import { defaultTask } from './tasks/index.ts';
import type { Samples, Task, Tensors } from './tasks/record.ts';
import { disposeTree, type FeedOptions } from './train/feed.ts';
import { networkOf } from './train/network.ts';
import { plus, scaled, type Vector } from './train/vectors.ts';
import type { Split } from './types.ts';
import { parameterCount } from './weights.ts';

/** Entries of gradients of single samples that are held at a time: 128 MB of float32. */
const MAX_ENTRIES = 2 ** 25;

export interface DiagonalOptions<S extends Samples = Split> extends Pick<FeedOptions, 'signal'> {
  readonly model: Model;
  /** Classification by default. */
  readonly task?: Task<S>;
  /** Where the gradients are taken; borrowed. */
  readonly variables: Variables;
  /** See above; of `model` the classes are needed. `model` and `none` are for classification. */
  readonly labels: { readonly model: number } | 'data' | 'none';
  /** Whose gradients are squared. */
  readonly per: 'sample' | 'batch';
  /** Samples of a batch; of a block, at most, where each sample counts. */
  readonly batchSize: number;
  /** Told how much is done, above 0 to 1. */
  readonly onFraction?: (fraction: number) => void;
}

interface Diagonal {
  /** In the form of the parameters; the caller's to dispose. */
  readonly values: Vector;
  /** Samples that went through a forward and a backward pass. */
  readonly visited: number;
}

/** @throws LetheError 'value' for an empty set; what the signal was aborted with. */
export async function fisherDiagonal<S extends Samples = Split>(
  samples: S,
  options: DiagonalOptions<S>,
): Promise<Diagonal> {
  const { model, task = defaultTask<S>(), variables, labels, per, signal, onFraction } = options;
  const { params, state } = variables;
  const network = networkOf(model);

  /** Of a batch: the square of the gradient of its mean, times the weight of the label. */
  const ofBatch = (batch: Tensors, p: Vector, s: Vector, label: lt.Tensor): Vector => {
    const given = typeof labels === 'string' ? batch : { ...batch, labels: batch.labels.mul(0).add(label) };
    const mean = (at: Vector): [lt.Tensor, lt.Tensor] => {
      const here = { params: at, state: s };
      if (labels === 'none') {
        const loss = network(here, batch.images).output.square().sum(1).mean();
        return [loss, loss];
      }
      const { losses } = task.losses(network, here, given);
      // The loss is -ln p(y | x).
      return [losses.mean(), losses.neg().exp().mean()];
    };
    const [gradient, weight] = lt.grad(mean, { hasAux: true })(p) as [Vector, lt.Tensor];
    return lt.tree.map((g: lt.Tensor) => {
      if (labels === 'none') return g.abs();
      return labels === 'data' ? g.square() : g.square().mul(weight);
    }, gradient);
  };
  const ofEach = (batch: Tensors, ...rest: [Vector, Vector, lt.Tensor]): Vector => {
    const one = (alone: Tensors) =>
      ofBatch(lt.tree.map((t: lt.Tensor) => t.reshape([1, ...t.shape]), alone) as Tensors, ...rest);
    const all = lt.vmap(one as (alone: lt.tree.Leaf) => lt.tree.Leaf)(batch);
    return lt.tree.map((t: lt.Tensor) => t.sum(0), all);
  };

  const block = Math.min(options.batchSize, Math.max(1, Math.floor(MAX_ENTRIES / parameterCount(variables))));
  const batchSize = per === 'sample' ? block : options.batchSize;
  const passes = typeof labels === 'string' ? 1 : labels.model;
  const count = per === 'sample' ? samples.size : Math.ceil(samples.size / batchSize);
  const name = 'Fisher information';
  const sweep = reduction(per === 'sample' ? ofEach : ofBatch, { task, name });
  let total: Vector = null;
  try {
    for (let k = 0; k < passes; k++) {
      const label = lt.full([], k, 'int32');
      try {
        const onBatch = (done: number) => onFraction?.((k + done / samples.size) / passes);
        const part = await sweep.sum(samples, [params, state, label], { batchSize, signal, onBatch });
        const before: Vector = total;
        const more = (): Vector =>
          before === null ? scaled(part, 1 / count) : plus(before, part, 1 / count);
        total = lt.scope(more);
        disposeTree([before, part]);
      } finally {
        label.dispose();
      }
    }
    signal?.throwIfAborted();
    return { values: total, visited: passes * samples.size };
  } catch (error) {
    disposeTree(total);
    throw error;
  } finally {
    sweep.dispose();
  }
}
