// The search before a run: an original, a forget set and a retrain of a seed that is not reported, trials of each method
// on them, and what is chosen of these by images that were held out. Trials are cells like others (plan.ts), made and kept
// in the same way. docs/search.md explains rules and costs.

import { check } from '../../engine/error.ts';
import { type MethodTable, recordOf } from '../methods/index.ts';
import { againstRetrain } from '../metrics/measure.ts';
import { type Ranges, rangesOf } from '../recipe/ranges.ts';
import { isDrawn } from '../recipe/seeds.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import type { SearchedMethod, SearchLog, SearchTrial } from '../types.ts';
import { sizesOf, workOfMethod } from './estimate.ts';
import type { RunData } from './parts.ts';
import type { CellRecord, PlannedCell } from './plan.ts';
import { drawTrials, effort } from './trials.ts';

/** A setting as an entry of a recipe, and what it costs: samples through the network. */
interface Trial extends MethodEntry {
  readonly samples: number;
}

/** A method with the settings to try. */
interface Searched {
  readonly method: MethodEntry;
  readonly ranges: Ranges;
  readonly trials: readonly Trial[];
  readonly notes: readonly string[];
}

export interface Search {
  /** The run on which options are tried, as a recipe: its methods are retrain and all trials. */
  readonly recipe: Recipe;
  readonly methods: readonly Searched[];
  /** Samples through the network in one retraining. */
  readonly retraining: number;
  readonly validation: number;
}

/** The recipe of the run on which a search tries options, without its trials; null where there is no search. */
export function tuningRecipe(recipe: Recipe): Recipe | null {
  const { search, forget, evaluate, methods } = recipe;
  if (!search) return null;
  const { seed } = search;
  check(
    !recipe.seeds.includes(seed),
    'value',
    () => `search: seed ${seed} is reported; expected another seed for the search`,
  );
  return {
    ...recipe,
    seeds: [seed],
    // A draw of its own, also where the recipe states that of the others.
    forget: isDrawn(forget) ? { ...forget, seed } : forget,
    methods: methods.filter(({ label }) => label === 'retrain'),
    evaluate: { ...evaluate, controls: false, exhibits: false },
  };
}

/**
 * What a search will try; null where no method has anything to search.
 * @param runData with the forget set of the search.
 */
export function planSearch(
  recipe: Recipe,
  tuning: Recipe,
  runData: RunData,
  table: MethodTable,
): Search | null {
  const { seed, trials: count, budget } = recipe.search as NonNullable<Recipe['search']>;
  const [retrain] = tuning.methods;
  const sizes = sizesOf(runData);
  const costOf = (name: string, options: object) =>
    effort(workOfMethod({ name, options: options as MethodEntry['options'] }, sizes, table));
  const retraining = costOf(retrain.name, retrain.options);
  const methods = recipe.methods.flatMap((method): Searched[] => {
    const { name, label, options: stated } = method;
    const record = recordOf(name, table);
    if (record?.startsFrom !== 'original') return [];
    const ranges = rangesOf(method.search, record.search as Ranges);
    if (Object.keys(ranges).length === 0) return [];
    const { options, notes } = drawTrials({
      stated,
      ranges,
      schema: record.options,
      count,
      seed,
      allowance: budget * retraining,
      costOf: (options) => costOf(name, options),
    });
    const trials = options.map((one, i) => {
      const entry = { name, label: `${label}-trial-${i}`, options: { ...one } };
      return { ...entry, samples: costOf(name, one) };
    });
    return [{ method, ranges, trials, notes }];
  });
  if (methods.length === 0) return null;
  const all = [retrain, ...methods.flatMap(({ trials }) => trials.map(({ samples: _, ...entry }) => entry))];
  return {
    recipe: { ...tuning, methods: all },
    methods,
    retraining,
    validation: runData.validation?.size ?? 0,
  };
}

/** Labels of the methods with a trial that neither led to something nor failed, or whose original or retrain is missing. */
export function openMethods({ methods }: Search, cells: readonly PlannedCell[]): string[] {
  const undone = new Set(cells.flatMap(({ label, state }) => (state === 'done' ? [] : [label])));
  const all = undone.has('original') || undone.has('retrain');
  return methods
    .filter(({ trials }) => all || trials.some(({ label }) => undone.has(label)))
    .map(({ method }) => method.label);
}

/** What the trials were worth, as far as they were made. */
export function searchLog(
  { methods, retraining, validation }: Search,
  recipe: Recipe,
  cells: readonly PlannedCell[],
): SearchLog {
  const { seed, rule, budget } = recipe.search as NonNullable<Recipe['search']>;
  const records = new Map(cells.map(({ label, record }) => [label, record]));
  const [original, retrain] = [records.get('original'), records.get('retrain')];
  return {
    seed,
    rule,
    budget,
    validation,
    retraining: { samples: retraining, seconds: finite(retrain?.cost.seconds) },
    methods: methods.map(({ method, ranges, trials, notes }): SearchedMethod => {
      const tried = trials.map((trial) =>
        trialOf(trial, { record: records.get(trial.label), original, retrain }),
      );
      const best = { retrain: least(tried, 'retrain'), alone: least(tried, 'alone') };
      const varied = variedIn(tried, method, ranges);
      return { method: method.label, ranges, varied, trials: tried, best, chosen: best[rule], notes };
    }),
  };
}

interface Records {
  readonly record?: CellRecord | null;
  readonly original?: CellRecord | null;
  readonly retrain?: CellRecord | null;
}

function trialOf({ options, samples }: Trial, { record, original, retrain }: Records): SearchTrial {
  const seconds = finite(record?.cost.seconds);
  const own = record?.evaluation;
  if (!own || record.failed !== undefined) {
    const failed = record?.failed ?? 'not measured';
    return { options, samples, seconds, retrain: null, alone: null, failed };
  }
  const { ua, ra, ta, mia } = own.metrics;
  const [before, target] = [original?.evaluation, retrain?.evaluation];
  const gap = target && againstRetrain(own.metrics, target.metrics).avg_gap;
  const drop = (key: 'ra' | 'ta') => Math.max(0, (before?.metrics[key] ?? Number.NaN) - own.metrics[key]);
  const alone = ((own.unseen ?? Number.NaN) + drop('ra') + drop('ta')) / 3;
  const metrics = { ua: finite(ua), ra: finite(ra), va: finite(ta), mia: finite(mia) };
  return { options, samples, seconds, metrics, retrain: finite(gap), alone: finite(alone) };
}

/** The place of the smallest score, the first of equals; null where there is none. */
function least(trials: readonly SearchTrial[], rule: 'retrain' | 'alone'): number | null {
  let best: number | null = null;
  for (const [i, trial] of trials.entries()) {
    const score = trial[rule];
    if (score !== null && (best === null || score < (trials[best][rule] as number))) best = i;
  }
  return best;
}

const finite = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

/** The recipe with what was chosen, but for methods that are still open. */
export function withChosen(
  recipe: Recipe,
  { methods: searched }: SearchLog,
  open: readonly string[],
): Recipe {
  const methods = recipe.methods.map((method): MethodEntry => {
    const found = searched.find((one) => one.method === method.label && !open.includes(method.label));
    const chosen = found && found.chosen !== null ? found.trials[found.chosen] : null;
    return chosen ? { ...method, options: { ...chosen.options } } : method;
  });
  return { ...recipe, methods };
}

/** What was chosen, a line for each method. */
export function searchLines({ methods, rule }: SearchLog, open: readonly string[]): string[] {
  return methods.map(({ method, trials, varied, chosen }) => {
    if (open.includes(method)) return `search: ${method}: left out, not all of its trials could be made`;
    if (chosen === null) return `search: ${method}: no setting led to anything; the stated options are run`;
    const { options } = trials[chosen];
    const said = varied.map((name) => `${name} ${JSON.stringify(options[name] ?? null)}`).join(', ');
    const score = (trial: SearchTrial) => trial[rule]?.toFixed(2) ?? 'none';
    const place = chosen === 0 ? 'the stated options' : `trial ${chosen + 1} of ${trials.length}`;
    return `search: ${method}: ${place} by rule ${rule}: ${said} (score ${score(trials[chosen])}, the stated options ${score(trials[0])})`;
  });
}

/** Options in which trials differ from each other or from what the recipe states. */
const variedIn = (trials: readonly SearchTrial[], { options }: MethodEntry, ranges: Ranges): string[] =>
  Object.keys(options).filter(
    (name) =>
      Object.hasOwn(ranges, name) ||
      trials.some((trial) => JSON.stringify(trial.options[name]) !== JSON.stringify(options[name])),
  );
