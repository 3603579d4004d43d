// What a run is assembled from: device, data, trainer, methods, evaluation, report. Types only. run.ts knows files,
// order and resumption and nothing of tensors; the real parts are workshop.ts, tests and plug-ins hand in their own.
// Weights travel as the bytes of a safetensors file, so what is compared, hashed and stored is one and the same.

import type { MethodEntry, Recipe, TrainOptions } from '../recipe.ts';
import type {
  CheckpointStore,
  Cost,
  Dataset,
  Exhibits,
  ForgetManifest,
  Metrics,
  Progress,
  Results,
  Split,
} from '../types.ts';

/** The data of a run, and what of it is to be forgotten. */
export interface Material {
  readonly dataset: Dataset;
  readonly manifest: ForgetManifest;
  /** Training images to forget. */
  readonly forget: Split;
  /** Training images to keep. */
  readonly retain: Split;
}

/** What every long step gets. */
export interface Task {
  readonly recipe: Recipe;
  readonly material: Material;
  readonly seed: number;
  readonly checkpoint: CheckpointStore;
  /** Runs the part of the work whose time counts; without it, all of it counts. */
  readonly timed: <T>(work: () => Promise<T>) => Promise<T>;
  readonly signal?: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface Product {
  /** A whole safetensors file. */
  readonly weights: Uint8Array;
  readonly cost: Cost;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Evaluation {
  /** avg_gap and rte_seconds are filled in by the run, which knows retrain and the clock. */
  readonly metrics: Metrics;
  readonly exhibits?: Exhibits;
}

/** What one training step was measured to cost here. */
export interface StepCost {
  readonly parameters: number;
  /** Forward and backward passes and the update, per sample. */
  readonly trainSeconds: number;
  /** A forward pass, per sample. */
  readonly inferSeconds: number;
  /** Seconds before the first step: tracing, planning. */
  readonly startSeconds: number;
  /** Bytes needed while training, data included. */
  readonly bytes: number;
}

/** The device in use. What decides the bits enters the key of every cell (plan.ts); all is told in results.json. */
export interface DeviceInfo extends Readonly<Record<string, unknown>> {
  readonly backend: string;
  readonly dtype: string;
}

export interface Parts {
  /** Takes a device into use. */
  open(device: Recipe['device']): Promise<DeviceInfo>;
  /** Reads the data set and draws the forget set. `folder` is --data. */
  load(recipe: Recipe, folder?: string): Promise<Material>;
  /** Trains the original on all training images. */
  train(task: Task & { readonly options: TrainOptions }): Promise<Product>;
  /** Runs a method, `retrain` included, from the original's weights. */
  unlearn(task: Task & { readonly method: MethodEntry; readonly weights: Uint8Array }): Promise<Product>;
  evaluate(task: Omit<Task, 'checkpoint' | 'timed'> & { readonly weights: Uint8Array }): Promise<Evaluation>;
  /**
   * Whether the method, with its options, sees the forgotten samples alone while the model gathers statistics: then its
   * row needs a control, the same computation at learning rate 0.
   */
  needsControl(recipe: Recipe, material: Material, method: MethodEntry): boolean;
  /** Times a step of the recipe's model on the device. */
  measure(recipe: Recipe, material: Material): Promise<StepCost>;
  /** The report, a whole HTML file. */
  render(results: Results): Promise<string>;
}
