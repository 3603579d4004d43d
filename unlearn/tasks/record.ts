// What a task is: which batches it makes of its samples, what a model loses on each sample, and what is measured. A task
// knows nothing of methods, and methods that run on any task know nothing of images, labels or classes: those live in
// classification.ts alone.

import type { DType, TypedArray } from '../../engine/dtype.ts';
import type { Applied, Variables } from '../../engine/nn/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { BatchOptions } from '../data/batches.ts';

/** Samples of any kind; what each holds is the task's business. */
export interface Samples {
  /** Number of samples. */
  readonly size: number;
  /** Stable identity of each sample: its position in the data set's own order. */
  readonly ids: Int32Array;
}

/** An array on the host, row-major. The first axis counts the samples of a batch. */
export interface HostArray {
  /** The elements. */
  readonly data: TypedArray;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** By default that of the array's class: Float32Array is float32, Int32Array int32, Uint32Array uint32. */
  readonly dtype?: DType;
}

/** Some samples, ready for the device: named arrays. Nothing handed out is written again. */
export interface Batch {
  /** By name. */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** Positions of the samples in their set (not ids). */
  readonly indices: Int32Array;
  /** Number of the batch within the epoch. */
  readonly batch: number;
}

/** The arrays of a batch on the device, by the same names. */
export type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A model as objectives and measures see it: with the random numbers, the precision and the batch-norm setting of the
 * step. Output is float32 (float64 on a float64 device).
 */
export type Network = (
  variables: Variables,
  inputs: Tensor,
  /** `train: false` evaluates in any case, as for a fixed teacher; otherwise as the step says. */
  options?: { readonly train?: boolean },
) => Applied;

/** What a model is worth on a set: the mean of a number that each sample has. */
export interface Measure {
  /** As tables and histories show it. */
  readonly title: string;
  /** Such as %. */
  readonly unit: string;
  /** Which values are good. */
  readonly better: 'higher' | 'lower';
  /** One number a sample, [N], from the network's outputs in evaluation mode. */
  readonly of: (network: Network, variables: Variables, batch: Tensors) => Tensor;
}

/** What a model loses on a batch. */
export interface SampleLosses {
  /** One number a sample, [N]. */
  readonly losses: Tensor;
  /** The state to go on with. */
  readonly state: Variables['state'];
}

/** What samples are, what is minimised on them, and what is measured. */
export interface Task<S extends Samples = Samples> {
  /** As code and recipes call it; the key in `tasks`. */
  readonly name: string;
  /** As tables and reports call it. */
  readonly title: string;
  /** One sentence: what the model is to do. */
  readonly about: string;
  /** Shape of the network's input for n samples, [n, ...]. */
  inputShape(samples: S, n: number): readonly number[];
  /** @throws LetheError 'value' or 'shape' where `samples` are not of this task; `what` names them in the message. */
  check(what: string, samples: S): void;
  /**
   * The batches of one epoch, from memory or as they arrive. They depend on the samples and the options alone, so that
   * starting at batch k gives the batches that a run from the start would have given from k on.
   */
  batches(samples: S, options: BatchOptions): Iterable<Batch> | AsyncIterable<Batch>;
  /** Loss of each sample, [N], with the state to go on with. Traced: pure. */
  losses(network: Network, variables: Variables, batch: Tensors): SampleLosses;
  /** Mean loss of a model that knows nothing of its input: training is to come below it. */
  chance(samples: S): number;
  /** By name. The first is what `keepBest` judges by. */
  readonly measures: Readonly<Record<string, Measure>>;
}
