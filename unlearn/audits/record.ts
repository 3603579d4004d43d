// What an audit is: one record of what it asks of a model, what it gives, where it comes from and what fools it. A metric
// (metrics/record.ts) is a function of one model's logits; an audit may look into the network, train it on, and compare it with
// the original, with retrained models and with reference models. Recipes, results, report and docs/audits.md derive from
// the records; the table of all is index.ts, and what is computed on plain arrays is statistics/.

import type * as v from 'valibot';
import type { Unit } from '../metrics/record.ts';
import type { OptionsOf, OptionsSection } from '../options/fields.ts';
import type { Progress, Split } from '../types.ts';
import type { Subject } from './subject.ts';

/** The sets a model is asked about. */
export interface Sets {
  /** Forgotten training samples, F. */
  readonly forget: Split;
  /** Training samples that were kept, R. */
  readonly retain: Split;
  /** Samples that no model was trained on, T. */
  readonly test: Split;
  /** T without the forgotten classes, T_r; all of it where samples are forgotten. */
  readonly kept: Split;
  /** T_f: of T what is of the forgotten classes; null where samples are forgotten, or there are none. */
  readonly gone: Split | null;
}

/** A model trained as the original was, on a random half of training and test samples. */
export interface Reference {
  /** The model. */
  readonly subject: Subject;
  /**
   * Whether it was trained on a sample, by its place among all: training samples first, in the order of their ids, then test
   * samples.
   */
  readonly members: Uint8Array;
}

/** A model that was made for an audit. */
export interface Held {
  /** The model. */
  readonly subject: Subject;
  /** Gives its memory back. */
  release(): void;
}

/** What an audit can ask for beside answers of the audited model. */
export type Need =
  /** The network itself: its features, or a copy to train on. */
  | 'network'
  /** The model before unlearning. */
  | 'original'
  /** The retrained model of the same seed and forget set. */
  | 'retrain'
  /** Further retrained models of the same forget set, of other seeds. */
  | 'retrains'
  /** What the same method, and retraining, made of the same forget set with other seeds of the run. */
  | 'repeats'
  /** Models trained on random halves. */
  | 'references'
  /** The audited method, to run it on references. */
  | 'unlearn';

/** What an audit works on. */
export interface AuditInput {
  /** The audited model. */
  readonly own: Subject;
  /** Of the same seed. */
  readonly original?: Subject;
  /** Of the same seed and forget set; the audited model itself where that is the retrained one. */
  readonly retrain?: Subject;
  /** Of the same forget set and other seeds: none of them is `retrain`. */
  readonly retrains?: readonly Subject[];
  /** Models of other trainings of the same forget set: rows of the run of other seeds. None of them is in `retrains`. */
  readonly repeats?: {
    /** Of what the audited model is: a method's, originals, or retrained ones. */
    readonly own: readonly Subject[];
    /** Retrained ones. */
    readonly retrain: readonly Subject[];
  };
  /** In complementary pairs: of each two, every sample is in the training of exactly one. */
  readonly references?: readonly Reference[];
  /**
   * What the audited method makes of a reference that is to forget some of its members; `release` gives its memory back. The ids
   * of both splits are places in `members`: ids of training and test samples would be the same numbers. Audits that ask for it
   * share what it gives for one input (this object).
   */
  readonly unlearn?: (reference: Reference, forget: Split, retain: Split) => Promise<Held>;
  /** Samples, by what they were to the audited model. */
  readonly sets: Sets;
  /** Number of classes. */
  readonly classes: number;
  /** Classes that went as a whole; none where samples were forgotten. */
  readonly goneClasses: readonly number[];
  /** Decides all that is drawn at random. */
  readonly seed: number;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A number that an audit gives. */
export interface Figure {
  /** Head of its column. */
  readonly label: string;
  /** What it is, in a sentence. */
  readonly about: string;
  /** Unit of its values. */
  readonly unit: Unit;
  /** What is good: retrain's value; the least; the largest; null for what is told beside others. */
  readonly target: 'retrain' | 'lower' | 'higher' | null;
  /** Behind the point, in tables. */
  readonly digits: number;
}
/** The numbers of an audit by name; the first is the one that tables show. */
export type Figures<Names extends string = string> = Readonly<Record<Names, Figure>>;

/** A curve to draw. */
export interface Curve {
  /** What it is of. */
  readonly name: string;
  /** What is told apart along it, with its unit. */
  readonly x: string;
  /** What is measured, with its unit. */
  readonly y: string;
  /** In the order of x. */
  readonly points: readonly (readonly [number, number])[];
}

/** One number for each sample of a set, such as how surely an attacker calls it a member. */
export interface SampleScores {
  /** Whose samples. */
  readonly set: 'forget' | 'retain';
  /** What the numbers are; more is worse. */
  readonly about: string;
  /** Of the samples, in the data set. */
  readonly ids: readonly number[];
  /** One a sample. */
  readonly scores: readonly number[];
}

/** What an audit found on one model. */
export interface Finding<Name extends string = string> {
  /** null: it could not be measured here; `notes` say why. */
  readonly values: Readonly<Record<Name, number | null>>;
  /** 95 % intervals of this model's values, over what `certainty` of the record says. */
  readonly intervals?: Readonly<Partial<Record<Name, readonly [number, number]>>>;
  /** What the report draws. */
  readonly curves?: readonly Curve[];
  /** For the attacker's view of single samples. */
  readonly samples?: readonly SampleScores[];
  /** What a reader has to know, in sentences. */
  readonly notes?: readonly string[];
}

/** An audit. Every field is required: one left out does not compile. */
export interface AuditRecord<
  S extends OptionsSection = OptionsSection,
  Gives extends string = string,
  Name extends string = string,
> {
  /** As code and recipes call it; the key in `audits`. */
  readonly name: Name;
  /** As reports call it. */
  readonly title: string;
  /** What it does, in a sentence. */
  readonly definition: string;
  /** In the notation of docs/audits.md. */
  readonly formula: string;
  /** The paper or code that it comes from, and what of it is ours. */
  readonly source: string;
  /** What makes it look good without forgetting, or bad with it. */
  readonly fools: string;
  /** What its intervals are taken over, or why there are none. */
  readonly certainty: string;
  /** In passes and trainings, beside what it needs. */
  readonly cost: string;
  /** What it can be asked of: forgotten classes, forgotten samples, or either. */
  readonly tasks: 'any' | 'class' | 'samples';
  /** What it needs beside answers. */
  readonly needs: readonly Need[];
  /** What it uses besides, where it is given: for floors and controls. */
  readonly uses: readonly Need[];
  /** Its options; the section's text is one sentence on them. */
  readonly options: S;
  /** The numbers it gives. */
  readonly gives: Figures<Gives>;
  /** The audit itself. It borrows all it is given. */
  audit(options: OptionsOf<S>, input: AuditInput): Promise<Finding<Gives>>;
}

/** An audit with its options. */
export interface Audit<Options extends object = object, Name extends string = string> {
  /** Its name in `audits`. */
  readonly name: string;
  /** All options, defaults filled in. */
  readonly options: Readonly<Options>;
  /** What is known of it. */
  readonly record: AuditRecord;
  /**
   * Audits a model.
   * @throws LetheError 'value' where something it needs is not given, or what was forgotten is not what it is for; what the
   * signal was aborted with.
   */
  run(input: AuditInput): Promise<Finding<Name>>;
}

/** An audit as users make it, audits.NAME(options).run(input), with its record. */
export interface MakeAudit<
  S extends OptionsSection = OptionsSection,
  Gives extends string = string,
  Name extends string = string,
> {
  (options?: Partial<v.InferInput<S> & object>): Audit<OptionsOf<S>, Gives>;
  /** What is known of it. */
  readonly record: AuditRecord<S, Gives, Name>;
}
