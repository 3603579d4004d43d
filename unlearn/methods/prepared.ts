// What methods with a preparation of their own work on: an artifact, the data, and what is to be removed from it.

import type { Model } from '../../engine/nn/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Artifact, ArtifactStore } from '../artifact.ts';
import type { SweepOptions } from '../reduce.ts';
import type { Cost, Progress, Split } from '../types.ts';
import type { MethodRecord } from './record.ts';

/** What stops a piece of work, and what it tells. */
interface Listening {
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What a preparation works on. */
export interface PrepareInput extends Listening {
  /** The network. */
  readonly model: Model;
  /** All training samples. */
  readonly data: Split;
  /** Decides all that is random. */
  readonly key: Tensor;
  /** Empty, or what a stopped preparation left: whatever stands in it is taken up. */
  readonly artifact: Artifact;
}

/** What a removal works on. */
export interface ForgetInput extends Listening {
  /** The network. */
  readonly model: Model;
  /** All samples that the artifact was made with, those already removed from it left out or not. */
  readonly data: Split;
  /** Ids of the samples to remove. Ids that are not in the artifact change nothing. */
  readonly ids: readonly number[];
  /** Decides all that is random. */
  readonly key: Tensor;
  /** A copy of the prepared artifact, to be changed. */
  readonly artifact: Artifact;
}

/** What a prediction works on. */
export interface PredictInput extends SweepOptions {
  /** The network. */
  readonly model: Model;
  /** What the preparation or a removal left. */
  readonly artifact: Artifact;
  /** What is to be predicted. */
  readonly samples: Split;
}

/**
 * Images to be predicted: a split, whose labels are not looked at; a tensor [N, height, width, channels] with values in
 * [0, 1], which are rounded to bytes, as all images are held; or such bytes, one image after the other.
 */
export type Images = Split | Tensor | Uint8Array;

/** Shares of the classes, [N, K], row by row: 0 or more, and 1 in all for each image. */
export type Shares = Float32Array & {
  /** [N, K]. */
  readonly shape: readonly [number, number];
};

/** What a preparation or a removal took, processes that were stopped included. */
export interface Prepared {
  /** What it took. */
  readonly cost: Cost;
  /** JSON-serialisable. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A prepared artifact in the hands of a program, with what it takes to go on with it. */
export interface PreparedArtifact extends Prepared {
  /** What was left: weights and all that forgetting needs. */
  readonly artifact: Artifact;
  /** The network. */
  readonly model: Model;
  /** All training samples. */
  readonly data: Split;
  /** Decides all that is random. */
  readonly key: Tensor;
}

/** Where an artifact goes: a folder (Node only) or a store; in memory where neither is said. */
interface Place {
  /** A folder; Node only. */
  readonly folder?: string;
  /** Where manifest and files go. */
  readonly store?: ArtifactStore;
}

/** A method that prepares for forgetting: methods.NAME(options). */
export interface PreparedMethod<Options extends object = object> {
  /** Its name in `methods`. */
  readonly name: string;
  /** All options, defaults filled in. */
  readonly options: Readonly<Options>;
  /** What is known of the method. */
  readonly record: MethodRecord;
  /**
   * Trains on `data` and keeps what forgetting will need. What stands in the folder or store already, from a preparation
   * that was stopped, is taken up.
   * @throws LetheError 'value' where it holds something else.
   */
  prepare(input: Omit<PrepareInput, 'artifact'> & Place): Promise<PreparedArtifact>;
  /**
   * A new artifact without the samples: that of a preparation which never saw them, bit for bit where the method is exact.
   * The one given stays as it is, unless the folder or store is its own: then the samples are removed in place, and only
   * the new one is good. What was queued goes with it, in one batch. A removal that was stopped is taken up where the same
   * folder or store is given again.
   * @throws LetheError 'value' where it holds another artifact.
   */
  forget(
    prepared: PreparedArtifact,
    request: { readonly ids: readonly number[] },
    options?: Listening & Place,
  ): Promise<PreparedArtifact>;
  /**
   * Accepts a removal that is carried out later: it is noted in the artifact, for good once this is done, and goes with the
   * next `forget`. A folder that a preparation takes up still has it.
   * @returns the ids of all that wait, each once, in order.
   */
  queue(prepared: PreparedArtifact, request: { readonly ids: readonly number[] }): Promise<readonly number[]>;
  /** What the networks say of each image. @throws LetheError 'shape' for images that are not of the artifact's shape. */
  predict(prepared: PreparedArtifact, images: Images, options?: SweepOptions): Promise<Shares>;
  /** sha256 over all that is stored: equal digests mean equal states. */
  digest(prepared: PreparedArtifact): string;
}
