// The vocabulary of everything above the engine: data, forget sets, methods, results. Types only.

import type { Model, Variables } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { MethodRecord } from './methods/record.ts';
import type { Metrics } from './metrics/index.ts';
import type { Samples, Task } from './tasks/record.ts';

export type { Metrics };

/** Images as bytes, [size, height, width, channels], with labels. Batches turn bytes into float32 in [0, 1]. */
export interface Split {
  readonly size: number;
  /** [height, width, channels] of one image. */
  readonly shape: readonly [number, number, number];
  readonly images: Uint8Array;
  readonly labels: Int32Array;
  /** Stable identity of each sample: its position in the data set's own order. */
  readonly ids: Int32Array;
  /** File of each sample, relative to the data set's folder, where samples are files. */
  readonly files?: readonly string[];
}

export interface Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly shape: readonly [number, number, number];
  readonly train: Split;
  readonly test: Split;
  /** Per-channel statistics of the training images in [0, 1]; the model normalises with them. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** What a reader should know: provenance, checks made, oddities found. */
  readonly notes: readonly string[];
  /** Of the notes those to look at before training, such as pictures left out that were probably meant. */
  readonly warnings?: readonly string[];
  /** sha256 over the decoded training and test bytes and labels: names exactly what was read. */
  readonly hash: string;
  /** Tabular data only, one entry a column: byte b stands for min + (max - min) * b / 255. */
  readonly features?: readonly { readonly name: string; readonly min: number; readonly max: number }[];
}

/** What is to be forgotten. Exactly one of the keys. */
export type ForgetSpec =
  | { readonly class: string | number }
  | { readonly ratio: number; readonly seed?: number; readonly withinClass?: string | number }
  | { readonly ids: readonly number[] }
  | { readonly files: readonly string[] }
  | { readonly person: string };

/** Names what was forgotten so that any run can name it again. Saved as JSON beside the results. */
export interface ForgetManifest {
  readonly version: 1;
  readonly dataset: string;
  readonly datasetHash: string;
  readonly spec: ForgetSpec;
  /** 'class' when a whole class goes (then test metrics split by class), else 'samples'. */
  readonly kind: 'class' | 'samples';
  /** The class index when kind is 'class'. */
  readonly classIndex: number | null;
  readonly ids: readonly number[];
  /** sha256 of each forgotten image's bytes and label, in the order of ids. */
  readonly hashes: readonly string[];
  readonly count: number;
}

export interface Progress {
  readonly phase: string;
  /** 0..1 within the phase. */
  readonly fraction: number;
  readonly epoch?: number;
  readonly epochs?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly loss?: number;
  /** Samples per second over the recent past. */
  readonly rate?: number;
  /** Seconds left, estimated. */
  readonly eta?: number;
  /** Something the user should know, said once. */
  readonly warning?: string;
}

export interface Cost {
  readonly seconds: number;
  /** Parameter updates. */
  readonly gradientSteps: number;
  /** Samples pushed through a forward or backward pass, counted once a pass. */
  readonly samplesVisited: number;
  /** Steps that mixed precision skipped, which updated nothing; absent where all is float32. */
  readonly skippedSteps?: number;
}

/** Where a long computation keeps its state so that a killed process resumes to the same bits. */
export interface CheckpointStore {
  /** Whether `save` would write now. Where it is there, ask before gathering a state that costs time to gather. */
  due?(): boolean;
  load(): Promise<{
    arrays: Record<string, { data: Float32Array | Int32Array | Uint32Array; shape: number[] }>;
    meta: Record<string, unknown>;
  } | null>;
  save(state: {
    arrays: Record<string, { data: Float32Array | Int32Array | Uint32Array; shape: number[] }>;
    meta: Record<string, unknown>;
  }): Promise<void>;
}

export interface UnlearnInput<S extends Samples = Split> {
  readonly model: Model;
  /** What the samples are and what is lost on them; classification of images by default. */
  readonly task?: Task<S>;
  /** The original's; they stay the caller's. */
  readonly variables: Variables;
  /** Training samples to be forgotten. */
  readonly forget: S;
  /** Training samples that are kept. */
  readonly retain: S;
  readonly validation?: S;
  /** Decides all that is random. */
  readonly key: Tensor;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly checkpoint?: CheckpointStore;
}

export interface UnlearnResult {
  readonly variables: Variables;
  readonly cost: Cost;
  /** Facts worth reporting, per method: share of FGSM successes, rows pruned, loss history. JSON-serialisable. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Method<Options extends object = object> {
  readonly name: string;
  readonly options: Readonly<Options>;
  readonly record: MethodRecord;
  /** Starts from fresh weights: neither the original nor the forgotten samples enter its result. */
  readonly fromScratch: boolean;
  /** With these options batch normalisation sees the forgotten samples alone and moves its running statistics to them. */
  readonly forgetStatistics: boolean;
  /**
   * @throws LetheError 'value' for a task that the method does not run on, sets that are not of the task, and where training
   * diverges; what the signal was aborted with.
   */
  unlearn<S extends Samples = Split>(input: UnlearnInput<S>): Promise<UnlearnResult>;
}

/** What the report draws beyond the table: bounded in size, no image bytes of people unless asked. */
export interface Exhibits {
  /** Softmax-entropy histograms in nats over [0, ln K], equal bins, shares that sum to 1. */
  readonly entropy: {
    readonly edges: number[];
    readonly forget: number[];
    readonly retain: number[];
    readonly test: number[];
  };
  /** Share of forgotten training samples of each true class predicted as each class: [K][K], rows sum to 1 or 0. */
  readonly forgetPredictions: number[][];
  /** A few forgotten and retained samples: predicted class and confidence, PNG as data URI. */
  readonly samples: readonly {
    id: number;
    set: 'forget' | 'retain';
    label: number;
    predicted: number;
    confidence: number;
    png: string;
  }[];
}

export interface RunEntry {
  readonly seed: number;
  /** The label of the entry. */
  readonly method: string;
  /** On a control row, the label of the method whose computation this is at learning rate 0. Such rows are not ranked. */
  readonly control?: string;
  readonly options: Record<string, unknown>;
  readonly metrics: Metrics;
  readonly cost: Cost;
  readonly details: Record<string, unknown>;
  readonly exhibits?: Exhibits;
}

export interface Results {
  readonly version: 1;
  readonly recipe: Record<string, unknown>;
  readonly device: Record<string, unknown>;
  readonly environment: Record<string, unknown>;
  readonly runs: RunEntry[];
}
