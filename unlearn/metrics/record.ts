// What a metric is: one total record of how it is computed, what it means, what fools it and how it is shown. A record that
// lacks a field does not compile. results.json, tables, flags and docs/metrics.md are made from the records; the table of
// all of them is index.ts.

import type { MiaOptions } from '../statistics/mia.ts';
import type { Outputs } from '../statistics/outputs.ts';

/** What metrics are measured on. */
interface Evidence {
  /** Answers on the forgotten training samples, D_f. */
  readonly forget: Outputs;
  /** Answers on the remaining training samples, D_r, in dataset order, augmentation off. */
  readonly retain: Outputs;
  /** Answers on the whole test set, T. */
  readonly test: Outputs;
  /** The test set without the forgotten class, T_r; all of it where samples are forgotten. */
  readonly kept: Outputs;
  /** The forgotten class's part of the test set, T_f; null where samples are forgotten or it has none. */
  readonly gone: Outputs | null;
  /** The same answers as on D_f beside the right labels; null unless some of its labels are known to be wrong. */
  readonly right: Outputs | null;
  /** Run time of the unlearning. */
  readonly seconds: number;
}
export type Need = keyof Evidence;

/** What every metric is given besides: the number of classes, and how the members of the attack are chosen. */
export interface Setting extends MiaOptions {
  /** Number of classes. */
  readonly K: number;
}

/** A number that a record writes into results.json. */
interface Fact {
  /** What it is, in a sentence. */
  readonly about: string;
  /** absent: results of older versions lack it; null: not every task has it; either: both. */
  readonly sometimes?: 'absent' | 'null' | 'either';
}
type Facts = Readonly<Record<string, Fact>>;

/** Percentages are 0 to 100. */
export type Unit = '%' | 'points' | 'nats' | '0 to 1' | 's' | 'steps';
const DISTANCES: Readonly<Record<Unit, string>> = {
  '%': ' points',
  points: ' points',
  nats: ' nats',
  '0 to 1': '',
  s: ' s',
  steps: ' steps',
};

/** A distance between two values of that unit, in words: percentages are points apart. */
export const withUnit = (distance: string | number, unit: Unit): string => `${distance}${DISTANCES[unit]}`;

/** What a distance from retrain says of the forgetting: too much of it, too little, or answers too sure of themselves. */
export type TraceKind = 'overforgotten' | 'underforgotten' | 'certain';

interface Trace {
  readonly kind: TraceKind;
  /** In words, the distance being `by`, with its unit. */
  readonly text: (by: string) => string;
}

/** What a metric is: how it is computed, what it means, what fools it and how it is shown. */
export interface MetricRecord<
  Key extends string = string,
  Gives extends Facts = Facts,
  Needs extends Need = Need,
  Own = never,
> {
  /** Its name in results.json and in the table of metrics. */
  readonly key: Key;
  /** Head of its column. */
  readonly label: string;
  /** Without the unit. */
  readonly title: string;
  /** What it is, in a sentence. */
  readonly definition: string;
  /** For docs/metrics.md, in its notation. */
  readonly formula: string;
  /** Unit of its values. */
  readonly unit: Unit;
  /** Least and greatest value; K is the number of classes. */
  readonly range: readonly [number, number | 'ln K'];
  /** 'retrain': closer to the retrained model is better. */
  readonly target: 'retrain' | 'lower' | 'higher';
  /** What is good, in a sentence. */
  readonly aim: string;
  /** The paper or code that it comes from. */
  readonly source: string;
  /** What makes it look good without forgetting, or bad with it. */
  readonly fools: string;
  /** The evidence that `measure` is given. */
  readonly needs: readonly Needs[];
  /** In time, beside the forward passes. */
  readonly cost: string;
  /** Behind the point, in tables. */
  readonly digits: number;
  /** compared: its value and the distance from retrain; value: the value alone; null: it has no column. */
  readonly column: 'compared' | 'value' | null;
  /** Distances from retrain up to which a cell counts as close, near and away; STEPS of report/rules.ts where left out. */
  readonly steps?: readonly [number, number, number];
  /** From which distance from retrain on the metric shows a trace, why from there, and what it says then. */
  readonly trace?: {
    /** The distance, in the metric's unit. */
    readonly far: number;
    /** In words. */
    readonly why: string;
    /** Where the value is above retrain's. */
    readonly above: Trace;
    /** Where the value is below retrain's. */
    readonly below: Trace;
  };
  /** The numbers it writes into results.json: itself and its companions. */
  readonly gives: Gives;
  /** Of `gives`: 0 where the metric says nothing. Against retrain it becomes 0 where it is 0 in either. */
  readonly measurable?: keyof Gives & string;
  /** Of `gives`: its standard deviation over random draws of its own. */
  readonly spread?: keyof Gives & string;
  /** NaN for what `compare` gives. */
  readonly measure: (input: Pick<Evidence, Needs> & Setting) => Measured<Gives>;
  /** What follows from the numbers of this model and of its paired retrain. */
  readonly compare?: (own: Own, retrain: Own) => Partial<Record<keyof Gives, number>>;
}

/** A record as it stands, its types read off it. */
export function metric<
  const Key extends string,
  Gives extends Readonly<Record<Key, Fact>> & Facts,
  const Needs extends Need,
  Own,
>(record: MetricRecord<Key, Gives, Needs, Own>): MetricRecord<Key, Gives, Needs, Own> {
  return record;
}

type Absent = { readonly sometimes: 'absent' | 'either' };
/** Of a fact, or of any: null is for those alone that say so. */
type Value<F> = F extends { readonly sometimes: 'absent' }
  ? number
  : 'sometimes' extends keyof F
    ? number | null
    : number;
type Measured<Gives> = { readonly [Name in keyof Gives]: Value<Gives[Name]> };

// The numbers of a table, read off its records: their `gives`, taken together.
type GivesOf<R> = R extends { readonly gives: infer Gives } ? Gives : never;
type All<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void ? I : never;
type Named<Gives> = {
  -readonly [Name in keyof Gives as Gives[Name] extends Absent ? never : Name]: Value<Gives[Name]>;
} & { -readonly [Name in keyof Gives as Gives[Name] extends Absent ? Name : never]?: Value<Gives[Name]> };

/** The numbers that records (a union of them) write into results.json. */
export type NumbersOf<R> = Named<All<GivesOf<R>>> extends infer N ? { [Name in keyof N]: N[Name] } : never;

/** Records by their keys; what one of them compares, one of them gives. */
export type MetricTable<T> = {
  readonly [Key in keyof T]: MetricRecord<Key & string, Facts, Need, NumbersOf<T[keyof T]>>;
};
/** Any record, and any table of them: for what reads them without knowing which there are. */
export type Metric = MetricRecord;
export type AnyTable = Readonly<Record<string, Metric>>;

/** What is written of one run. */
export type Numbers = Readonly<Record<string, number | null | undefined>>;

/** Value minus retrain's; NaN where one of them is missing. */
export function distance(value: number | null | undefined, retrain: number | null | undefined): number {
  return typeof value === 'number' && typeof retrain === 'number' ? value - retrain : Number.NaN;
}

/** Whether the metric says something in this model and in retrain. Older results do not say: there it does. */
export function isMeasurable({ measurable }: Metric, own: Numbers, retrain: Numbers): boolean {
  return measurable === undefined || (own[measurable] !== 0 && retrain[measurable] !== 0);
}
