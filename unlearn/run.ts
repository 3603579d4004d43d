// A whole experiment from one recipe: train -> retrain -> unlearn -> evaluate -> report, for each seed. What is done
// is skipped, what was begun goes on, and a process killed at any moment leaves nothing half-written: weights first,
// then the record that names them. How tensors, methods and data work is not known here: that is run/parts.ts.

import { dirname, join } from 'node:path';
import { LetheError } from '../engine/error.ts';
import { applyManifest } from './data/forget.ts';
import { isIo, makeFolder } from './files.ts';
import { knownMethods, withScoresOf } from './recipe/own.ts';
import { recipeText } from './recipe/shipped.ts';
import { checkSingle, variantOf } from './recipe/vary.ts';
import { checkRecipe, draftRecipe, finishRecipe, type Recipe } from './recipe.ts';
import type { Failure } from './run/collect.ts';
import { estimatePlan } from './run/estimate.ts';
import { checkFolder, clearUnfinished, LOG, prepareFolder } from './run/folder.ts';
import { auditRecipe, type GivenWeights, openGiven } from './run/given.ts';
import { type Executor, planJobs } from './run/jobs.ts';
import { lockFolder } from './run/lock.ts';
import { fileLog, type RunEvent, stackOf, tidy } from './run/log.ts';
import { takeOver } from './run/neighbours.ts';
import type { Parts, StepCost } from './run/parts.ts';
import type { PlannedCell } from './run/plan.ts';
import { Runner } from './run/runner.ts';
import { searchLines } from './run/search.ts';
import { type DataSummary, summarise, summaryLines } from './run/summary.ts';
import { refuseOthers, type Survey, Surveyor } from './run/survey.ts';
import { printable, reasonOf } from './text.ts';
import type { Results, SearchLog } from './types.ts';

export type { Executor, Job, Policy } from './run/jobs.ts';
export type { RunEvent } from './run/log.ts';
export type { Parts } from './run/parts.ts';
export type { PlannedCell } from './run/plan.ts';

/** Options of run. */
export interface RunOptions {
  /** Folder the results go to; made if missing. If not empty, it has to be one that a run has worked in. */
  readonly out: string;
  /** Folder with data sets. */
  readonly data?: string;
  /** Overrides the recipe's device. */
  readonly device?: Recipe['device'];
  /** Overrides the recipe's seeds by this one. */
  readonly seed?: number;
  /** Only go on with what is there: refuse where finished results of other settings would be replaced. */
  readonly resume?: boolean;
  /** Stop all at the first method that fails, instead of going on with the others. */
  readonly failFast?: boolean;
  /** Stops the run when it aborts; the next run goes on from there. */
  readonly signal?: AbortSignal;
  /** Told what happens. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Plan and estimate only; writes nothing. */
  readonly dryRun?: boolean;
  /** Weights that are audited in the place of what the recipe's methods would make, as `lethe audit` does. */
  readonly given?: GivenWeights;
  /** Folders of other runs: what they have finished of what this one is to make is taken over. None by default. */
  readonly neighbours?: readonly string[];
  /** Where and in which order the jobs are performed; one after the other, here, unless said otherwise. */
  readonly executor?: Executor;
  /** What to run with; the engine, its data sets and methods unless said otherwise. */
  readonly parts?: Parts;
}

export type { GivenWeights } from './run/given.ts';

/** What run gives. */
export interface RunOutcome {
  /** The recipe, defaults and overrides filled in. */
  readonly recipe: Recipe;
  /** The cells, in order, with what was done before. */
  readonly plan: readonly PlannedCell[];
  /** What was read and what is to be forgotten. */
  readonly data: DataSummary;
  /** How options were chosen, as far as that is known; null without a search. */
  readonly search: SearchLog | null;
  /** Labels of the methods whose options a search has still to find. */
  readonly open: readonly string[];
  /** Null after a dry run. */
  readonly results: Results | null;
  /** What one training step was measured to cost; null unless it was a dry run. */
  readonly step: StepCost | null;
  /** Methods that failed, with why. */
  readonly failures: readonly {
    /** Label of the cell. */
    readonly cell: string;
    /** In one line. */
    readonly reason: string;
  }[];
}

/**
 * Runs a recipe, given as the path of a YAML or JSON file, as the name of one that comes with Lethe, or as a plain object.
 * Files of methods that it names are run; relative paths count from the recipe's folder, those of an object from the
 * current one. A recipe with `vary` is several runs: runVaried runs those.
 * @throws LetheError: 'value' or 'data' for wrong input or a folder that holds something else, 'io' where the folder
 * cannot be written, 'state' when stopped by the signal or when another run works in the folder.
 */
export async function run(source: string | object, options: RunOptions): Promise<RunOutcome> {
  const { given } = options;
  const change =
    given && ((plain: object) => auditRecipe(plain, given.manifest && { ids: given.manifest.ids }));
  const stating = typeof source === 'string' ? await readRecipe(source, [], { change }) : source;
  checkSingle(stating);
  const read = change ? change(stating) : stating;
  const known = await knownMethods(read);
  const stated = checkRecipe(read, 'recipe', known);
  const seeds = options.seed === undefined ? stated.seeds : [options.seed];
  // A file is one model: it belongs to one seed.
  const recipe: Recipe = {
    ...stated,
    device: options.device ?? stated.device,
    seeds: given ? seeds.slice(0, 1) : seeds,
  };
  await checkFolder(options.out);
  const parts =
    options.parts ?? (await import('./run/default-parts.ts')).defaultParts({ methods: known.table });
  const device = await parts.open(recipe.device);
  const runData = await parts.load(recipe, options.data);
  // Where samples are not those that the manifest names, this says which.
  if (given?.manifest) applyManifest(runData.dataset, given.manifest);
  const told = given && (await openGiven(given, { recipe, runData, parts, out: options.out }));
  const found = summarise(runData);
  const data = { ...found, warnings: [...found.warnings, ...(told?.notes ?? [])] };
  const surveyor = new Surveyor(recipe, runData, device, parts, known.table, told);
  const { search, runDataOf } = surveyor;
  const estimated = (plan: readonly PlannedCell[], step: StepCost) =>
    estimatePlan(plan, { recipe, runData, methods: known.table }, step);
  if (options.dryRun) {
    const step = await parts.measure(recipe, runData);
    const { plan, log, open } = await surveyor.look(options.out);
    return {
      recipe,
      plan: estimated(plan, step),
      data,
      search: log,
      open,
      results: null,
      step,
      failures: [],
    };
  }
  await makeFolder(options.out);
  const early: string[] = [];
  const unlock = await lockFolder(options.out, (message) => early.push(message));
  let log: (event: RunEvent) => void = () => {};
  const tell = (event: RunEvent) => {
    log(event);
    options.onEvent?.(event);
  };
  const say = (message: string) => tell({ type: 'note', level: 'info', message });
  const warn = (message: string) => tell({ type: 'note', level: 'warning', message });
  let step: StepCost | null = null;
  /** Looks what there is to do, and tells it. */
  const survey = async (without?: readonly string[]): Promise<Survey> => {
    let found = await surveyor.look(options.out, without);
    if (options.resume) refuseOthers(found, options.out);
    const { out, neighbours = [], signal } = options;
    if (await takeOver(found.plan, { out, neighbours, signal, tell }))
      found = await surveyor.look(out, without);
    // A few steps, so that whoever watches can be told from the first moment how long all of it will take.
    if (options.onEvent && found.plan.some((cell) => cell.state !== 'done'))
      step ??= await parts.measure(recipe, runData);
    const plan = step ? estimated(found.plan, step) : found.plan;
    tell({ type: 'plan', cells: plan });
    return { ...found, plan };
  };
  /** Carries out one part of a plan: its search, or the run itself, which ends in the report. */
  const perform = (part: Recipe, cells: readonly PlannedCell[], { plan, log: search }: Survey) => {
    for (const { id, flaw, state } of cells) {
      const why = state === 'replace' ? 'replacing a result of other settings' : flaw;
      if (why) warn(`${id}: ${why}`);
    }
    const setting = { recipe: part, device, runData, runDataOf, plan, search, methods: known.table, told };
    const jobs = planJobs(cells).filter(({ action }) => action !== 'report' || part === recipe);
    return new Runner(setting, options, parts, tell).go(jobs);
  };
  try {
    await prepareFolder(options.out);
    log = fileLog(join(options.out, LOG));
    for (const message of early) warn(message);
    let now = await survey();
    for (const message of summaryLines(data)) say(message);
    for (const message of data.warnings) warn(message);
    for (const { method, notes } of now.log?.methods ?? [])
      for (const note of notes) say(`search: ${method}: ${note}`);
    const failures: Failure[] = [];
    if (search && now.tried.some(({ state }) => state !== 'done')) {
      failures.push(...(await perform(search.recipe, now.tried, now)).failures);
      // A method whose trials are not all known is left out: chosen from the others, it might be another one next time.
      now = await survey((await surveyor.look(options.out)).open);
    }
    for (const line of now.log ? searchLines(now.log, now.open) : []) say(line);
    const { results, failures: more } = await perform(recipe, now.cells, now);
    failures.push(...more);
    const { plan, log: found, open } = now;
    if (failures.length === 0) await tidy(tell, () => clearUnfinished(options.out, plan));
    return { recipe, plan, data, search: found, open, results, step: null, failures };
  } catch (cause) {
    // That the last state could not be written matters more than that the run was asked to stop.
    const error = options.signal?.aborted && !isIo(cause) ? stopped(options.out) : cause;
    // For the log alone: whoever called is told by the error itself.
    log({ type: 'note', level: 'error', message: reasonOf(error), detail: stackOf(error) });
    throw error;
  } finally {
    await tidy(tell, unlock);
  }
}

/** How a recipe is read. */
export interface Reading {
  /** The label of the one of its runs that is meant, where it has `vary`. */
  readonly vary?: string;
  /** What becomes of it before it is checked; it has to be one run then. */
  readonly change?: (plain: object) => object;
}

/**
 * Reads a recipe, given by its path or by the name of one that comes with Lethe, and runs the files of methods it names.
 * @throws LetheError 'value' where there is none or it is wrong.
 */
export async function readRecipe(
  given: string,
  overrides: readonly string[] = [],
  { vary, change }: Reading = {},
): Promise<Recipe> {
  const { text, source, path } = await recipeText(given);
  const read = draftRecipe(text, source, overrides);
  // What belongs to a recipe lies beside it; what users make for one that comes with Lethe lies with them.
  const folder = path === given ? dirname(path) : '.';
  const draft = { ...read, value: withScoresOf(read.value, folder) };
  const finish = async (value: typeof draft.value) =>
    finishRecipe({ ...draft, value }, await knownMethods(value, path));
  if (vary === undefined) {
    if (!change) return finish(draft.value);
    checkSingle(draft.value);
    return finish(change(draft.value) as typeof draft.value);
  }
  const one = variantOf(await finish(draft.value), vary);
  if (!change) return one;
  const changed = change(one);
  return checkRecipe(changed, source, await knownMethods(changed));
}

/** The error of a run that its signal stopped. */
export function stopped(out: string): LetheError {
  return new LetheError('state', `stopped; the same command goes on from here (${printable(out)})`);
}
