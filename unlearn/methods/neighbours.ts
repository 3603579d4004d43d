// The neighbour search of Boundary Shrink: for each sample the class on the other side of the nearest boundary, found
// by one step of the fast gradient sign method on a fixed network in evaluation mode:
//   x' = x + epsilon * sign(gradient of the cross-entropy of (x, y) with respect to x),   label = argmax f(x')
// Boundary Unlearning (Chen et al., CVPR 2023), section 1.1 of the notes. It is deterministic, so doing it once is the
// same as doing it for every batch of every epoch, as the authors' code does.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { reduction } from '../reduce.ts';
import { networkOf } from '../train/network.ts';
import type { Progress, Split } from '../types.ts';

interface NeighbourOptions {
  readonly epsilon: number;
  /** 'released' takes the step between the constants below, which do not belong to the data's normalisation. */
  readonly epsilonConvention: 'pixel' | 'released';
  /** Round x' to multiples of 1/255; by default with 'released' only. */
  readonly rounding?: boolean;
  /** Take the likeliest class other than the true one, whatever x' is classified as. */
  readonly excludeTrueLabel: boolean;
  /** With excludeTrueLabel: classes that are not taken either, by index, such as others that go. Default: none. */
  readonly excluded?: readonly number[];
}

interface Neighbours {
  /** One for each sample of the split. */
  readonly labels: Int32Array;
  /** Percentage of samples whose x' is classified as something else than the true label. */
  readonly success: number;
  /** How many samples go to each class. */
  readonly histogram: readonly number[];
}

// The authors' code feeds the network (x - 0.5) / 0.5, but converts that to "pixels" for the attack, and back, with
// CIFAR-10's statistics; the third mean is a slip for 0.4465. A step of 0.1 there is 0.1 * 0.5 / 0.2023 = 0.247 here.
const MEAN = [0.4914, 0.4822, 0.2265];
const STD = [0.2023, 0.1994, 0.201];

/** x' for a batch of images in [0, 1] and the gradient at it. */
export function perturbed(x: lt.Tensor, gradient: lt.Tensor, options: NeighbourOptions): lt.Tensor {
  const { epsilon, epsilonConvention, rounding = epsilonConvention === 'released' } = options;
  const move = (pixels: lt.Tensor): lt.Tensor => {
    const moved = pixels.add(gradient.sign().mul(epsilon)).clip(0, 1);
    // Half a step up: the values are not negative.
    return rounding ? moved.mul(255).add(0.5).floor().div(255) : moved;
  };
  if (epsilonConvention === 'pixel') return move(x);
  const channel = (values: readonly number[]): lt.Tensor =>
    lt.tensor(Array.from({ length: x.shape[3] }, (_, c) => values[c % 3]));
  const [mean, std] = [channel(MEAN), channel(STD)];
  const shown = move(x.sub(0.5).div(0.5).mul(std).add(mean));
  return shown.sub(mean).div(std).mul(0.5).add(0.5);
}

/** Labels for a whole split. `variables` are borrowed and not changed. */
export async function findNeighbours(
  model: Model,
  variables: Variables,
  split: Split,
  batchSize: number,
  options: NeighbourOptions,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<Neighbours> {
  const network = networkOf(model);
  const { excluded = [] } = options;
  const search = reduction(
    ({ images: x, labels: y }, v: Variables) => {
      const loss = (image: lt.Tensor) => lt.crossEntropy(network(v, image).output, y, { reduction: 'sum' });
      const logits = network(v, perturbed(x, lt.grad(loss)(x), options)).output;
      const classes = logits.shape[1];
      const gone = lt.tensor(Array.from({ length: classes }, (_, k) => excluded.includes(k)));
      const others = lt.where(
        lt.oneHot(y, classes, 'bool').logicalOr(gone),
        Number.NEGATIVE_INFINITY,
        logits,
      );
      return { predicted: logits.argmax(), other: others.argmax(), row: lt.zeros([x.shape[0], classes]) };
    },
    { name: 'neighbours' },
  );
  const onBatch = (done: number) => onProgress?.({ phase: 'neighbour search', fraction: done / split.size });
  try {
    const found = await search.rows(split, [variables], { batchSize, signal, onBatch });
    const predicted = found.predicted.data;
    const labels = Int32Array.from(options.excludeTrueLabel ? found.other.data : predicted);
    const histogram = new Array<number>(found.row.shape[1]).fill(0);
    for (const label of labels) histogram[label]++;
    const missed = split.labels.reduce((sum, label, i) => sum + Number(predicted[i] === label), 0);
    return { labels, success: (100 * (split.size - missed)) / split.size, histogram };
  } finally {
    search.dispose();
  }
}
