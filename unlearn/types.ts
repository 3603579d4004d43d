// The vocabulary of everything above the engine: data, forget sets, methods, results. Types only.

import type { Model, Variables } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { Finding } from './audits/record.ts';
import type { MethodRecord } from './methods/record.ts';
import type { Metrics } from './metrics/index.ts';
import type { Samples, Task } from './tasks/record.ts';

export type { Metrics };

/** Images as bytes, [size, height, width, channels], with labels. Batches turn bytes into float32 in [0, 1]. */
export interface Split {
  /** Number of samples. */
  readonly size: number;
  /** [height, width, channels] of one image. */
  readonly shape: readonly [number, number, number];
  /** The bytes of all images, one after the other. */
  readonly images: Uint8Array;
  /** Index of the class of each sample. */
  readonly labels: Int32Array;
  /** Stable identity of each sample: its position in the data set's own order. */
  readonly ids: Int32Array;
  /** File of each sample, relative to the data set's folder, where samples are files. */
  readonly files?: readonly string[];
}

/** A column of tabular data, as bytes hold it. */
export interface Feature {
  /** The column's name. */
  readonly name: string;
  /** What byte 0 stands for. */
  readonly min: number;
  /** What byte 255 stands for. */
  readonly max: number;
}

/** Training and test samples with what is known of them. */
export interface Dataset {
  /** Name of the data set. */
  readonly name: string;
  /** Names of the classes, in the order of labels. */
  readonly classes: readonly string[];
  /** [height, width, channels] of one image. */
  readonly shape: readonly [number, number, number];
  /** Training samples. */
  readonly train: Split;
  /** Test samples. */
  readonly test: Split;
  /** Mean of each channel over the training images, in [0, 1]; the model normalises with it. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel over the training images, in [0, 1]. */
  readonly std: readonly number[];
  /** What a reader should know: provenance, checks made, oddities found. */
  readonly notes: readonly string[];
  /** Of the notes those to look at before training, such as pictures left out that were probably meant. */
  readonly warnings?: readonly string[];
  /** sha256 over the decoded training and test bytes and labels: names exactly what was read. */
  readonly hash: string;
  /** Training samples that were given a wrong label: the right one, by id. Absent where no label is known to be wrong. */
  readonly mislabelled?: ReadonlyMap<number, number>;
  /** Tabular data only, one entry a column: byte b stands for min + (max - min) * b / 255. */
  readonly features?: readonly Feature[];
}

/** What is to be forgotten. Exactly one of the keys. */
export type ForgetSpec =
  | {
      /** All training samples of a class, or of several, by name or index. */
      readonly class: string | number | readonly (string | number)[];
    }
  | {
      /** Share of the training samples, above 0 and at most 1, drawn at random. */
      readonly ratio: number;
      /** Of the draw. Default 0. */
      readonly seed?: number;
      /** Draw among the samples of this class only, by name or index. */
      readonly withinClass?: string | number;
    }
  | {
      /** These samples. */
      readonly ids: readonly number[];
    }
  | {
      /** The samples of these files, relative to the data set's folder. */
      readonly files: readonly string[];
    }
  | {
      /** All samples of a person: the class of this name, or the files below the folder of this name. */
      readonly person: string;
    }
  | {
      /** The training samples that were given a wrong label. */
      readonly mislabelled: true;
      /** Share of these, above 0 and at most 1, drawn at random. Default all. */
      readonly ratio?: number;
      /** Of the draw. Default 0. */
      readonly seed?: number;
    }
  | {
      /** The samples with the highest, or lowest, score in this CSV file (`id,score`). */
      readonly scores: string;
      /** Which end. Default 'highest'. */
      readonly take?: 'highest' | 'lowest';
      /** Share of the training samples, above 0 and at most 1. */
      readonly ratio: number;
      /** Of the order of samples with equal scores. Default 0. */
      readonly seed?: number;
    };

/** Names what was forgotten so that any run can name it again. Saved as JSON beside the results. */
export interface ForgetManifest {
  /** The version of this form. */
  readonly version: 1;
  /** Name of the data set. */
  readonly dataset: string;
  /** Its hash: manifests of other data are refused. */
  readonly datasetHash: string;
  /** What was asked for. */
  readonly spec: ForgetSpec;
  /** 'class' when whole classes go (then test metrics split by class), else 'samples'. */
  readonly kind: 'class' | 'samples';
  /** Indices of the classes that go when kind is 'class', ascending; else none. */
  readonly classes: readonly number[];
  /** The class index when one class goes, else null. */
  readonly classIndex: number | null;
  /** The forgotten samples. */
  readonly ids: readonly number[];
  /** sha256 of each forgotten image's bytes and label, in the order of ids. */
  readonly hashes: readonly string[];
  /** How many they are. */
  readonly count: number;
}

/** How far a computation is. */
export interface Progress {
  /** What is being done. */
  readonly phase: string;
  /** 0..1 within the phase. */
  readonly fraction: number;
  /** Epochs done. */
  readonly epoch?: number;
  /** Epochs in all. */
  readonly epochs?: number;
  /** Steps done. */
  readonly step?: number;
  /** Steps in all. */
  readonly steps?: number;
  /** Of the last steps that were read back. */
  readonly loss?: number;
  /** Samples per second over the recent past. */
  readonly rate?: number;
  /** Seconds left, estimated. */
  readonly eta?: number;
  /** Something the user should know, said once. */
  readonly warning?: string;
}

/** What a computation took. */
export interface Cost {
  /** Wall-clock time. */
  readonly seconds: number;
  /** Parameter updates. */
  readonly gradientSteps: number;
  /** Samples pushed through a forward or backward pass, counted once a pass. */
  readonly samplesVisited: number;
  /** Steps that mixed precision skipped, which updated nothing; absent where all is float32. */
  readonly skippedSteps?: number;
}

/** An array of a checkpoint. */
export interface CheckpointArray {
  /** The elements, row-major. */
  data: Float32Array | Int32Array | Uint32Array;
  /** Sizes of the axes. */
  shape: number[];
}
/** The state of a long computation. */
export interface CheckpointState {
  /** By name. */
  arrays: Record<string, CheckpointArray>;
  /** JSON. */
  meta: Record<string, unknown>;
}

/** Where a long computation keeps its state so that a killed process resumes to the same bits. */
export interface CheckpointStore {
  /** Whether `save` would write now. Where it is there, ask before gathering a state that costs time to gather. */
  due?(): boolean;
  /** The newest state that was saved whole; null for none. */
  load(): Promise<CheckpointState | null>;
  /** Keeps a state, whole or not at all. */
  save(state: CheckpointState): Promise<void>;
}

/** What a method works on. */
export interface UnlearnInput<S extends Samples = Split> {
  /** The network. */
  readonly model: Model;
  /** What the samples are and what is lost on them; classification of images by default. */
  readonly task?: Task<S>;
  /** The original's; they stay the caller's. */
  readonly variables: Variables;
  /** Training samples to be forgotten. */
  readonly forget: S;
  /** Training samples that are kept. */
  readonly retain: S;
  /** Samples to judge by, for methods that do. */
  readonly validation?: S;
  /**
   * Which weights may move: a tree of bools like the parameters, such as saliencyMask makes. It takes the place of the
   * one that a method's option `mask` asks for, and stays the caller's. Methods without that option refuse it.
   */
  readonly mask?: Variables['params'];
  /** What `recordUpdates` kept of the original's training, for methods that undo parts of it. */
  readonly updates?: ArtifactStore;
  /** Decides all that is random. */
  readonly key: Tensor;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
  /** Where the state is kept, so that a killed process goes on from there. */
  readonly checkpoint?: CheckpointStore;
}

/** What a method gives. */
export interface UnlearnResult {
  /** New variables; the caller's to dispose. */
  readonly variables: Variables;
  /** What it took. */
  readonly cost: Cost;
  /** Facts worth reporting, per method: share of FGSM successes, rows pruned, loss history. JSON-serialisable. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A method with its options. */
export interface Method<Options extends object = object> {
  /** Its name in `methods`. */
  readonly name: string;
  /** All options, defaults filled in. */
  readonly options: Readonly<Options>;
  /** What is known of the method. */
  readonly record: MethodRecord;
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
    /** Bounds of the bins, one more than there are bins. */
    readonly edges: number[];
    /** Shares of forgotten samples. */
    readonly forget: number[];
    /** Shares of training samples that were kept. */
    readonly retain: number[];
    /** Shares of test samples. */
    readonly test: number[];
  };
  /** Share of forgotten training samples of each true class predicted as each class: [K][K], rows sum to 1 or 0. */
  readonly forgetPredictions: number[][];
  /** A few forgotten and retained samples: predicted class and confidence, PNG as data URI. */
  readonly samples: readonly {
    /** Of the sample in its data set. */
    id: number;
    /** Where it belongs. */
    set: 'forget' | 'retain';
    /** Index of its class. */
    label: number;
    /** Index of the class that was predicted. */
    predicted: number;
    /** Softmax of that class, 0 to 1. */
    confidence: number;
    /** The image, as a data URI. */
    png: string;
  }[];
  /** Accuracy on each class, %, by the index of the class; null where there is no sample of it. Absent in older results. */
  readonly accuracyByClass?: {
    /** On forgotten training samples. */
    readonly forget: readonly (number | null)[];
    /** On test samples. */
    readonly test: readonly (number | null)[];
  };
  /** A picture of the features in two dimensions: of each point its place, whose it is and its class. At most 400 points. */
  readonly embedding?: {
    /** How the features became two numbers, in a sentence. */
    readonly about: string;
    /** First coordinate of each point. */
    readonly x: readonly number[];
    /** Second coordinate of each point. */
    readonly y: readonly number[];
    /** forget: F, forgotten training samples; gone: T_f, test samples of forgotten classes; kept: T_r, other test samples. */
    readonly set: readonly ('forget' | 'gone' | 'kept')[];
    /** Index of the class of each point. */
    readonly label: readonly number[];
  };
  /** Where in the samples shown the network finds what speaks for their class: Grad-CAM. Absent where it shows none. */
  readonly attention?: {
    /** Path of the layer whose output is weighed. */
    readonly layer: string;
    /** Of a map, at most 14. */
    readonly height: number;
    /** Of a map, at most 14. */
    readonly width: number;
    /** A map of each sample shown, in their order. */
    readonly maps: readonly {
      /** Of the sample in its data set. */
      readonly id: number;
      /** Where it belongs. */
      readonly set: 'forget' | 'retain';
      /** Bytes row by row in base64, 255 for the largest value of the map; all 0 where nothing speaks for the class. */
      readonly map: string;
      /** That value in units of the logit; null where it is not finite. */
      readonly peak: number | null;
    }[];
  };
  /** What the model answers on the plane through three images, one slice of its decision regions: the same for all models. */
  readonly plane?: {
    /** Points in a row, and rows. */
    readonly side: number;
    /** The three images: one forgotten, two kept ones. */
    readonly images: readonly {
      /** Of the sample in its data set. */
      readonly id: number;
      /** Where it belongs. */
      readonly set: 'forget' | 'retain';
      /** Index of its class. */
      readonly label: number;
      /** From 0 at the left to 1 at the right. */
      readonly x: number;
      /** From 0 at the top to 1 at the bottom. */
      readonly y: number;
      /** The image, as a data URI; absent where people are in it. */
      readonly png?: string;
    }[];
    /** Index of the class at each point, -1 where no answer is finite, row by row from the top, in runs: class, how often, and so on. */
    readonly classes: readonly number[];
  };
}

/** What an audit found on the model of a row. */
export interface AuditFinding extends Finding {
  /** Its name in `audits`. */
  readonly name: string;
  /** As reports call it; the record's title where left out. */
  readonly title?: string;
  /** Its options, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What it took. */
  readonly seconds: number;
  /** Why it could not be made; then there are no values. */
  readonly failed?: string;
  /**
   * On the retrained row of a run of one training seed: its values on further retrained models, each in that row's place. How
   * far they lie apart is what the report takes for retrain's spread.
   */
  readonly again?: readonly Readonly<Record<string, number | null>>[];
}

/** A row of the results: one method, one seed. */
export interface RunEntry {
  /** Names the entry of the recipe's seeds: the seed, or train * 10^6 + forget * 10^3 + unlearn where they differ. */
  readonly seed: number;
  /** The three seeds of that entry; absent in older results. */
  readonly seeds?: {
    /** Of the original and of retrain. */
    readonly train: number;
    /** Of a random forget set. */
    readonly forget: number;
    /** Of the methods that start from the original. */
    readonly unlearn: number;
  };
  /** Names the files of the row; rows with the same cell are the same model, and count once in a spread. */
  readonly cell?: string;
  /** The label of the entry. */
  readonly method: string;
  /** On a control row, the label of the method whose computation this is at learning rate 0. Such rows are not ranked. */
  readonly control?: string;
  /** The file that the weights were taken from, where they were not made here: what made them, and what that cost, is not known. */
  readonly given?: {
    /** Its name. */
    readonly file: string;
    /** Of its bytes, in hex. */
    readonly sha256: string;
  };
  /** The options of the method, defaults filled in. */
  readonly options: Record<string, unknown>;
  /** What was measured. */
  readonly metrics: Metrics;
  /** What it took. */
  readonly cost: Cost;
  /** Facts that the method tells of itself. */
  readonly details: Record<string, unknown>;
  /** What the report draws. */
  readonly exhibits?: Exhibits;
  /** What audits found, by their labels: an audit's name, or what tells two settings of it apart. Absent where none ran. */
  readonly audits?: Readonly<Record<string, AuditFinding>>;
}

/** One setting that a search tried. Numbers that could not be measured are null. */
export interface SearchTrial {
  /** All options of the method. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Its estimated cost: samples through the network, a forward pass counting a third. The budget is kept by it. */
  readonly samples: number;
  /** What it took. */
  readonly seconds: number | null;
  /** UA, RA, accuracy on held-out images in place of TA, and MIA against these; absent where it failed. */
  readonly metrics?: Readonly<Record<'ua' | 'ra' | 'va' | 'mia', number | null>>;
  /** By the rule `retrain`: average gap to the retrain of the search's seed, points; less is better. */
  readonly retrain: number | null;
  /** By the rule `alone`, points; less is better. */
  readonly alone: number | null;
  /** Why its options led to nothing. */
  readonly failed?: string;
}

/** What a search made of one method. */
export interface SearchedMethod {
  /** The label of its entry. */
  readonly method: string;
  /** What was varied, and over which values. */
  readonly ranges: Readonly<Record<string, unknown>>;
  /** The options in which trials differ: those of `ranges`, and what was cut to keep the budget. */
  readonly varied: readonly string[];
  /** In the order they were tried; the first has the options that the recipe states. */
  readonly trials: readonly SearchTrial[];
  /** Which trial each rule takes, by its place in `trials`; null where none led to anything. */
  readonly best: {
    /** The rule `retrain`. */
    readonly retrain: number | null;
    /** The rule `alone`. */
    readonly alone: number | null;
  };
  /** The trial whose options were run; null where none led to anything and the stated options were. */
  readonly chosen: number | null;
  /** What was cut to keep the budget. */
  readonly notes: readonly string[];
}

/** What a search did before the run: docs/search.md. */
export interface SearchLog {
  /** Its seed. */
  readonly seed: number;
  /** The rule that chose. */
  readonly rule: 'retrain' | 'alone';
  /** Retrainings that the trials of a method might cost. */
  readonly budget: number;
  /** Images that were held out to judge by. */
  readonly validation: number;
  /** What one retraining costs. */
  readonly retraining: {
    /** Samples through the network. */
    readonly samples: number;
    /** What that of the search's seed took. */
    readonly seconds: number | null;
  };
  /** The methods that were searched. */
  readonly methods: readonly SearchedMethod[];
}

/** The contents of results.json. */
export interface Results {
  /** The version of this form. */
  readonly version: 1;
  /** The recipe, defaults filled in. */
  readonly recipe: Record<string, unknown>;
  /** The device and what is known of it. */
  readonly device: Record<string, unknown>;
  /** Where it ran: software, processor, memory. */
  readonly environment: Record<string, unknown>;
  /** How options were chosen, where the recipe asks for a search. */
  readonly search?: SearchLog;
  /** All rows. */
  readonly runs: RunEntry[];
}

/** The contents of results.json beside the runs of a recipe with `vary`: what each was measured as, in short. */
export interface VariedResults {
  /** The version of this form. */
  readonly version: 1;
  /** Tells it from the results of one run. */
  readonly kind: 'varied';
  /** The recipe with its runs, defaults filled in. */
  readonly recipe: Record<string, unknown>;
  /** What the runs differ in. */
  readonly about: string;
  /** In the order of the recipe. */
  readonly runs: readonly VariedRun[];
}

/** One of several runs. Its own results and report lie in the folder that its label names. */
export interface VariedRun {
  /** Its name, and that of its folder. */
  readonly label: string;
  /** Its place on the axis; null where the runs have none. */
  readonly at: number | null;
  /** What was forgotten, as the title of its report; null where it was not made yet. */
  readonly title: string | null;
  /** Training images forgotten; null where that is not known. */
  readonly forgotten: number | null;
  /** What may be concluded from it; null where it was not made yet. */
  readonly verdict: {
    /** How near the best method comes to retraining; `void`: nothing can be concluded. */
    readonly grade: 'close' | 'partly' | 'far' | 'exact' | 'none' | 'void';
    /** The grade in a few words. */
    readonly badge: string;
    /** Label of the method that is named; null for none. */
    readonly best: string | null;
    /** The conclusion in one sentence. */
    readonly headline: string;
    /** How sure that is; null where nothing is concluded. */
    readonly certainty: string | null;
  } | null;
  /** The original, retrain, then the methods. */
  readonly models: readonly VariedModel[];
}

/** A model of one of several runs: means over its seeds. */
export interface VariedModel {
  /** Its label in the recipe; several settings under one label are told apart by a number. */
  readonly label: string;
  /** Its name in tables. */
  readonly name: string;
  /** What it is there for. */
  readonly role: 'original' | 'retrain' | 'method';
  /** Numbers by the keys `ua`, `ra`, `ta`, `mia`, `avg_gap`, `rte_seconds`; those that were not measured are left out. */
  readonly figures: Readonly<Record<string, VariedFigure>>;
}

/** A number over seeds. */
export interface VariedFigure {
  /** Their mean: of UA, RA, TA and MIA in %, of the average gap in points, of the time in seconds. */
  readonly mean: number;
  /** Standard deviation over seeds; null for one. */
  readonly std: number | null;
  /** Seeds. */
  readonly n: number;
  /** False: the number says nothing here. Absent otherwise. */
  readonly measurable?: false;
}
