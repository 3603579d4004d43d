// What results.json says about the task, read with care: the recipe, device and environment are free-form records, so every
// fact may be missing, and the options given to the report come first.

import type { Results, RunEntry } from '../types.ts';
import type { AuditTable } from './audits.ts';
import { listed } from './format.ts';
import type { ShownTable } from './view.ts';

export interface ReportOptions {
  /** Page title; made from the forget set when left out. */
  readonly title?: string;
  /** Class names by index; else environment.classes, else recipe.classes. */
  readonly classes?: readonly string[];
  /** What was forgotten; else environment.forget (a ForgetManifest or part of one), else recipe.forget. */
  readonly forget?: Readonly<Record<string, unknown>>;
  /** Exact command that reproduces the results; else environment.command. */
  readonly command?: string;
  /** Name -> hash (data set, forget set, model, code); else environment.hashes. */
  readonly hashes?: Readonly<Record<string, string>>;
  /** Further known limits; added to environment.notes. */
  readonly notes?: readonly string[];
  /** When the report was made; left out when not given, so that equal results give equal bytes. */
  readonly generated?: string;
  /** Show sample images. Default true. */
  readonly images?: boolean;
  /** The records of what was measured, where there are others beside Lethe's own. */
  readonly metrics?: ShownTable;
  /** The records of audits, where there are others beside Lethe's own. */
  readonly audits?: AuditTable;
}

export interface Facts {
  readonly title: string;
  readonly dataset: string | null;
  readonly model: string | null;
  /** Training images forgotten. */
  readonly size: number | null;
  /** Training images kept, and how many of them are of the most frequent class; null in older results. */
  readonly kept: { readonly size: number; readonly largestClass: number } | null;
  readonly classes: readonly string[];
  /** Number of classes; null where nothing tells. */
  readonly K: number | null;
  /** What goes: whole classes, or samples. */
  readonly kind: 'class' | 'samples';
  /** The classes that go, by index; none where nothing tells, and where samples go. */
  readonly gone: readonly number[];
  readonly command: string | null;
  /** Version and commit of Lethe that made the results. */
  readonly version: string | null;
  readonly commit: string | null;
  readonly hashes: readonly (readonly [string, string])[];
  readonly notes: readonly string[];
}

type Bag = Readonly<Record<string, unknown>>;

/** What may be a map, read as one: recipes in results come from anywhere. */
export const bag = (value: unknown): Bag =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Bag) : {};
export const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

export function factsOf(results: Results, options: ReportOptions = {}): Facts {
  const { recipe, environment } = { recipe: bag(results.recipe), environment: bag(results.environment) };
  const forget = { ...bag(recipe.forget), ...bag(environment.forget), ...bag(options.forget) };
  const spec = { ...forget, ...bag(forget.spec) };
  const named = [options.classes, environment.classes, recipe.classes, bag(recipe.data).classes].map(strings);
  const classes = named.find((list) => list.length) ?? [];
  const dataset = nameOf(recipe.dataset) ?? nameOf(recipe.data) ?? text(forget.dataset);
  const asked = [forget.classes ?? forget.classIndex ?? spec.class].flat();
  const gone = asked.flatMap((one) => indexOf(one, classes) ?? []);
  const forgotten = describe(spec, classes, gone);
  return {
    title: options.title ?? `Forgetting ${forgotten}${dataset ? ` in ${dataset}` : ''}`,
    dataset,
    model: nameOf(recipe.model),
    size: typeof forget.count === 'number' ? forget.count : null,
    kept: keptOf(bag(environment.kept)),
    classes,
    K:
      classes.length || results.runs.find((run) => matrixOf(run))?.exhibits?.forgetPredictions.length || null,
    kind: forget.kind === 'class' || spec.class !== undefined ? 'class' : 'samples',
    gone,
    command: options.command ?? text(environment.command),
    version: text(environment.lethe),
    commit: text(environment.commit),
    hashes: Object.entries({ ...bag(environment.hashes), ...options.hashes }).map(
      ([k, v]) => [k, String(v)] as const,
    ),
    notes: [...strings(environment.notes), ...(options.notes ?? [])],
  };
}

const matrixOf = ({ exhibits }: RunEntry) =>
  Array.isArray(exhibits?.forgetPredictions) && exhibits.forgetPredictions.length > 0;

function keptOf({ size, largestClass }: Bag): Facts['kept'] {
  return typeof size === 'number' && typeof largestClass === 'number' && size > 0
    ? { size, largestClass }
    : null;
}

/** Class name by index; the index where it has no name. */
export function className(classes: readonly string[], index: number): string {
  return index < 0 ? 'no answer' : (classes[index] ?? String(index));
}

function nameOf(value: unknown): string | null {
  return text(value) ?? text(bag(value).name) ?? text(bag(value).dataset) ?? text(bag(value).kind);
}

function indexOf(value: unknown, classes: readonly string[]): number | null {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  if (typeof value !== 'string') return null;
  const index = classes.indexOf(value);
  return index >= 0 ? index : null;
}

/** Classes that a title names; more are counted. */
const MOST_NAMED = 4;

/** What was forgotten in a few words, for the title. */
function describe(spec: Bag, classes: readonly string[], gone: readonly number[]): string {
  const share = typeof spec.ratio === 'number' ? `${Number((100 * spec.ratio).toPrecision(3))} %` : '';
  if (spec.mislabelled === true)
    return `${share === '' ? '' : `a random ${share} of `}the training data with wrong labels`;
  if (spec.scores !== undefined) {
    const end = spec.take === 'lowest' ? 'lowest' : 'highest';
    return `the ${share || 'part'} of the training data with the ${end} scores`;
  }
  // A person may be a whole class of the data set.
  if (spec.person !== undefined) return `person “${String(spec.person)}”`;
  if (spec.class !== undefined || spec.kind === 'class') {
    const asked = [spec.class ?? '?'].flat().map(String);
    const names = (gone.length > 0 ? gone.map((k) => className(classes, k)) : asked).map(
      (name) => `“${name}”`,
    );
    if (names.length > MOST_NAMED) return `${names.length} classes`;
    return `${names.length === 1 ? 'class' : 'classes'} ${listed(names)}`;
  }
  if (typeof spec.ratio === 'number') {
    const within = spec.withinClass === undefined ? '' : ` of class “${String(spec.withinClass)}”`;
    return `a random ${share} of the training data${within}`;
  }
  if (Array.isArray(spec.files)) return `${spec.files.length.toLocaleString('en-US')} named files`;
  if (Array.isArray(spec.ids)) return `${spec.ids.length.toLocaleString('en-US')} chosen samples`;
  return `the chosen data`;
}
