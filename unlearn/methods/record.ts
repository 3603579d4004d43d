// What a method is: one record. Recipes, estimates, the report, the docs' tables and the tests derive from it, so that a
// method is one file and the line in index.ts that lists it. What all methods share around their own computation is
// define.ts.

import type { OptionsOf, OptionsSection } from '../options/fields.ts';
import type { TrainOptions } from '../options/training.ts';
import type { UnlearnInput, UnlearnResult } from '../types.ts';
import type { ForgetInput, PredictInput, Prepared, PrepareInput } from './prepared.ts';

/** How many samples there are. */
export interface Sizes {
  /** Samples to be forgotten. */
  readonly forget: number;
  /** Samples that are kept. */
  readonly retain: number;
  /** Classes of the data, where that is known. */
  readonly classes?: number;
}

/** Samples through the network. */
export interface Work {
  /** Through a forward and a backward pass. */
  readonly train: number;
  /** Through a forward pass alone. */
  readonly infer: number;
}

/** Which values of an option a search tries: these, or those of a range (drawn evenly in the logarithm where `log`). */
export type Range =
  | readonly unknown[]
  | {
      /** The least. */
      readonly from: number;
      /** The largest. */
      readonly to: number;
      /** Whether factors count, not differences: for rates and weights. */
      readonly log?: boolean;
    };

/**
 * exact: the result is that of training without the forgotten samples, by construction; certified: it is close to that by
 * a proven bound; approximate: nothing is proven.
 */
export type Kind = 'exact' | 'certified' | 'approximate';

/** What is said of every method. Every field is required: one left out does not compile. */
export interface MethodFacts<S extends OptionsSection> {
  /** As code and recipes call it; the key in `methods`. */
  readonly name: string;
  /** As tables and reports call it. */
  readonly title: string;
  /** Where it comes from: authors, title, venue. */
  readonly paper: string;
  /** What is proven of its result. */
  readonly kind: Kind;
  /** The tasks it runs on: any, or those named. */
  readonly tasks: 'any' | readonly string[];
  /** 'nothing': neither the original nor the forgotten samples enter its result. */
  readonly startsFrom: 'original' | 'nothing';
  /** Its options; the section's text is one sentence on what the method does. */
  readonly options: S;
  /**
   * Options that a recipe takes from its `train` where it does not state them: `epochs`, or `train.epochs` where the method
   * has them in a section of that name.
   */
  readonly inherits: readonly (keyof TrainOptions | `train.${keyof TrainOptions}`)[];
  /**
   * What a search varies: for each option the values or the range that its paper, its code or those who measured it used.
   * Empty where there is nothing to search.
   */
  readonly search: { readonly [option in keyof OptionsOf<S>]?: Range };
  /** What it pushes through the network in all: for estimates. */
  cost(sizes: Sizes, options: OptionsOf<S>): Work;
  /**
   * Whether batch normalisation sees the forgotten samples alone and moves its running statistics to them: then a run adds
   * a control, the same computation at learning rate 0.
   */
  forgetStatistics(options: OptionsOf<S>): boolean;
}

/** A method that turns the original's weights into others. */
export interface UnlearnRecord<S extends OptionsSection = OptionsSection> extends MethodFacts<S> {
  /**
   * The method itself, for a forget set that is not empty. It borrows the input's variables and key and returns variables
   * of its own.
   */
  forget(options: OptionsOf<S>, input: UnlearnInput): Promise<UnlearnResult>;
  /**
   * Whether it needs a record of the original's training (`updates` of its input), which a run then makes, and the most
   * bytes that this may take; null where it needs none. Left out by methods that never do.
   */
  updates?(options: OptionsOf<S>): {
    /** The most that the record may take. */
    readonly bytes: number;
  } | null;
  /** None. */
  readonly prepare?: undefined;
  /** None. */
  readonly predict?: undefined;
}

/** A method that trains in a way of its own before anything is to be forgotten, and keeps what forgetting needs. */
export interface PreparedRecord<S extends OptionsSection = OptionsSection> extends MethodFacts<S> {
  /** Trains on all samples into an empty artifact. */
  prepare(options: OptionsOf<S>, input: PrepareInput): Promise<Prepared>;
  /** Turns the artifact into that of a training without the samples. */
  forget(options: OptionsOf<S>, input: ForgetInput): Promise<Prepared>;
  /** None. */
  readonly updates?: undefined;
  /** Shares of the classes, [size, K]: 0 or more, and 1 in all for each sample. */
  predict(options: OptionsOf<S>, input: PredictInput): Promise<Float32Array>;
}

/** What a method is: what is said of it, and its computation. */
export type MethodRecord<S extends OptionsSection = OptionsSection> = UnlearnRecord<S> | PreparedRecord<S>;
