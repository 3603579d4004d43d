// What methods with a preparation of their own work on: an artifact, the data, and what is to be removed from it.

import type { Model } from '../../engine/nn/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Artifact, ArtifactStore } from '../artifact.ts';
import type { SweepOptions } from '../reduce.ts';
import type { Cost, Progress, Split } from '../types.ts';
import type { MethodRecord } from './record.ts';

interface Listening {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface PrepareInput extends Listening {
  readonly model: Model;
  /** All training samples. */
  readonly data: Split;
  /** Decides all that is random. */
  readonly key: Tensor;
  /** Empty, or what a stopped preparation left: whatever stands in it is taken up. */
  readonly artifact: Artifact;
}

export interface ForgetInput extends Listening {
  readonly model: Model;
  /** All samples that the artifact was made with, those already removed from it left out or not. */
  readonly data: Split;
  /** Ids of the samples to remove. Ids that are not in the artifact change nothing. */
  readonly ids: readonly number[];
  readonly key: Tensor;
  /** A copy of the prepared artifact, to be changed. */
  readonly artifact: Artifact;
}

export interface PredictInput extends SweepOptions {
  readonly model: Model;
  readonly artifact: Artifact;
  readonly samples: Split;
}

/** What a preparation or a removal took. */
export interface Prepared {
  readonly cost: Cost;
  /** JSON-serialisable. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A prepared artifact in the hands of a program, with what it takes to go on with it. */
export interface PreparedArtifact extends Prepared {
  readonly artifact: Artifact;
  readonly model: Model;
  readonly data: Split;
  readonly key: Tensor;
}

/** Where an artifact goes: a folder (Node only) or a store; in memory where neither is said. */
interface Place {
  readonly folder?: string;
  readonly store?: ArtifactStore;
}

/** A method that prepares for forgetting: methods.NAME(options). */
export interface PreparedMethod<Options extends object = object> {
  readonly name: string;
  readonly options: Readonly<Options>;
  readonly record: MethodRecord;
  /**
   * Trains on `data` and keeps what forgetting will need. What stands in the folder or store already, from a preparation
   * that was stopped, is taken up.
   * @throws LetheError 'value' where it holds something else.
   */
  prepare(input: Omit<PrepareInput, 'artifact'> & Place): Promise<PreparedArtifact>;
  /**
   * A new artifact without the samples: that of a preparation which never saw them, bit for bit where the method is exact.
   * The one given stays as it is.
   */
  forget(
    prepared: PreparedArtifact,
    request: { readonly ids: readonly number[] },
    options?: Listening & Place,
  ): Promise<PreparedArtifact>;
  /** Logits, or logarithms of probabilities, of the samples, [samples.size, K]. */
  predict(prepared: PreparedArtifact, samples: Split, options?: SweepOptions): Promise<Float32Array>;
  /** sha256 over all that is stored: equal digests mean equal states. */
  digest(prepared: PreparedArtifact): string;
}
