// What a run is assembled from: device, data, trainer, methods, evaluation, report. Types only. run.ts knows files,
// order and resumption and nothing of tensors; the real parts are default-parts.ts, tests and plug-ins hand in their own.
// Weights travel as safetensors, read and written a tensor at a time, so what is compared, hashed and stored is one and
// the same, and no file has to fit into memory.

import type { ByteSource } from '../../engine/io/index.ts';
import type { Artifact, ArtifactStore, Content } from '../artifact.ts';
import type { Bank as Trained } from '../bank.ts';
import type { Constants } from '../model.ts';
import type { Seeds } from '../recipe/seeds.ts';
import type { AuditEntry, MethodEntry, Recipe, TrainOptions } from '../recipe.ts';
import type { Memorisation } from '../statistics/memorisation.ts';
import type {
  AuditFinding,
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
import type { Bank } from './audits.ts';

/** The data of a run, and what of it is to be forgotten. */
export interface RunData {
  readonly dataset: Dataset;
  readonly manifest: ForgetManifest;
  /** Training images to forget. */
  readonly forget: Split;
  /** Training images to keep. */
  readonly retain: Split;
  /** Test images without the forgotten classes; all of them where samples are forgotten. */
  readonly kept: Split;
  /** Test images of the forgotten classes; null where samples are forgotten, or there are none. */
  readonly gone: Split | null;
  /** Images that were held out of training, of all classes; null where a recipe holds none out. */
  readonly validation: Split | null;
}

/** What every step gets. */
export interface Task {
  readonly recipe: Recipe;
  readonly runData: RunData;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** What a step that makes something gets besides. */
export interface Making extends Task {
  readonly checkpoint: CheckpointStore;
  /** Runs the part of the work whose time counts; without it, all of it counts. */
  readonly timed: <T>(work: () => Promise<T>) => Promise<T>;
  readonly output: Output;
}

/** Takes what a step leaves, as the step goes; it counts once the step is done. */
export interface Output {
  /** The weights, once: the parts of a safetensors file, each good until the next is asked for. */
  weights(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  /** A further file, such as `ema` or `mask`. */
  put(name: string, content: Content): Promise<void>;
}

/** What a step tells of what it made. */
export interface Outcome {
  readonly cost: Cost;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a method with a preparation of its own works on: an artifact, which it changes and commits. */
export interface ArtifactTask extends Task {
  readonly method: MethodEntry;
  readonly artifact: Artifact;
  readonly timed: Making['timed'];
}

/** What is evaluated: weights, or what a method with a preparation of its own left. */
export type Subject =
  | { readonly weights: ByteSource }
  | { readonly artifact: Artifact; readonly method: MethodEntry };

/** What a bank of further models is made of: an artifact, which is changed and committed. */
interface BankTask extends Task {
  readonly kind: Bank['kind'];
  readonly artifact: Artifact;
}

/** What reference models tell of samples, training samples first. */
interface Memorised extends Pick<Trained, 'trained' | 'cost'> {
  readonly memorisation: Memorisation;
}

/** What is audited, and what with. */
export interface AuditTask extends Task {
  readonly audits: readonly AuditEntry[];
  readonly subjects: {
    readonly own: Subject;
    readonly original: Subject;
    /** Absent where there is none. */
    readonly retrain?: Subject;
    /** Further retrained models, where they were given and are not a bank. */
    readonly retrains: readonly Subject[];
    /** Of other training seeds and the same forget set: of the same label, and retrained. */
    readonly repeats: { readonly own: readonly Subject[]; readonly retrain: readonly Subject[] };
  };
  /** Whether each audit is also made of the further retrained models, in the place of the audited one, which is retrain. */
  readonly again: boolean;
  /** What made the audited model; null for the original, and where that is not known. */
  readonly method: MethodEntry | null;
  /** Artifacts of the banks that these audits need. */
  readonly banks: Readonly<Partial<Record<Bank['kind'], Artifact>>>;
  /** Told each finding as it is made. */
  readonly onFinding: (audit: AuditEntry, finding: AuditFinding) => Promise<void>;
}

/** What a plan has to know of a method with its options. */
export interface MethodNeeds {
  /** It starts from the original's weights, not from nothing. */
  readonly original: boolean;
  /**
   * Something is trained for it beforehand: networks of its own, or, where it starts from the original, the original once
   * more with a record of its training.
   */
  readonly preparation: boolean;
  /**
   * It sees the forgotten samples alone while the model gathers statistics: then its row needs a control, the same
   * computation at learning rate 0.
   */
  readonly control: boolean;
}

/** How given weights are used. */
export interface Fit {
  /** Whether the file says for what network and data it is, as files of Lethe do. */
  readonly described: boolean;
  /** Constants of the normalisation: those of the file, else those of the recipe. */
  readonly constants: Constants;
}

export interface Evaluation {
  /** avg_gap and rte_seconds are filled in by the run, which knows retrain and the clock. */
  readonly metrics: Metrics;
  readonly exhibits?: Exhibits;
  /** With held-out images: how far the answers on forgotten samples are from those on unseen ones (statistics/unseen.ts), %. */
  readonly unseen?: number;
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
  /** Reads the data set and draws the forget set of the first of the recipe's seeds. `folder` is --data. */
  load(recipe: Recipe, folder?: string): Promise<RunData>;
  /** The same data with the forget set of other seeds. */
  draw(recipe: Recipe, runData: RunData, seeds: Seeds): RunData;
  /** Trains the original on all training images. */
  train(task: Making & { readonly options: TrainOptions }): Promise<Outcome>;
  /** Runs a method, `retrain` included; `weights` are the original's, null for a method that starts from nothing. */
  unlearn(
    task: Making & {
      readonly method: MethodEntry;
      readonly weights: ByteSource | null;
      /** What `record` left, for a method that needs it. */
      readonly updates?: ArtifactStore;
    },
  ): Promise<Outcome>;
  /**
   * Trains the original once more into an artifact with the updates of all batches that hold a forgotten image, for a method
   * that takes them back. The artifact is empty or holds what an earlier process left of the same work.
   */
  record(
    task: Omit<Making, 'output'> & {
      readonly options: TrainOptions;
      readonly method: MethodEntry;
      readonly artifact: Artifact;
    },
  ): Promise<Outcome>;
  /** Trains into an artifact, which is empty or holds what an earlier process left of the same work. */
  prepare(task: ArtifactTask): Promise<Outcome>;
  /** Removes the forget set from a copy of what was prepared, or goes on with what an earlier process left of it. */
  forget(task: ArtifactTask): Promise<Outcome>;
  /** Measures on test images, or in their place on those held out for validation. */
  evaluate(task: Task & Subject & { readonly judge?: 'test' | 'validation' }): Promise<Evaluation>;
  /** Trains further models into an artifact, which is empty or holds what an earlier process left of the same work. */
  bank(task: BankTask): Promise<void>;
  /** Trains the reference models that are missing, and asks them how far each sample is memorised. */
  memorise(task: Omit<BankTask, 'kind'>): Promise<Memorised>;
  /** Makes audits of one model, one after the other. */
  audit(task: AuditTask): Promise<void>;
  /**
   * Whether weights that somebody made are of the recipe's network and for this data, whole and of the right names and shapes.
   * @throws LetheError 'data' where they are not.
   */
  fit(recipe: Recipe, runData: RunData, weights: ByteSource): Promise<Fit>;
  needs(recipe: Recipe, runData: RunData, method: MethodEntry): MethodNeeds;
  /** Times a step of the recipe's model on the device. */
  measure(recipe: Recipe, runData: RunData): Promise<StepCost>;
  /** The report, a whole HTML file. */
  render(results: Results): Promise<string>;
}
