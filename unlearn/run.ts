// A whole experiment from one recipe: train -> retrain -> unlearn -> evaluate -> report, for each seed. What is done
// is skipped, what was begun goes on, and a process killed at any moment leaves nothing half-written: weights first,
// then the record that names them. How tensors, methods and data work is not known here: that is run/parts.ts.

import { join } from 'node:path';
import { LetheError } from '../engine/error.ts';
import { isIo, makeFolder } from './files.ts';
import { drawsForget, seedsOf } from './recipe/seeds.ts';
import { recipeText } from './recipe/shipped.ts';
import { checkRecipe, type MethodEntry, parseRecipe, type Recipe } from './recipe.ts';
import { Carrier } from './run/carry.ts';
import { version } from './run/environment.ts';
import { estimatePlan } from './run/estimate.ts';
import { checkFolder, LOG, prepareFolder } from './run/folder.ts';
import { inspectCells } from './run/inspect.ts';
import { type Executor, planJobs } from './run/jobs.ts';
import { lockFolder } from './run/lock.ts';
import { fileLog, type RunEvent, stackOf, tidy } from './run/log.ts';
import type { Material, Parts, StepCost } from './run/parts.ts';
import { type MaterialOf, type PlannedCell, planCells } from './run/plan.ts';
import { type DataSummary, summarise, summaryLines } from './run/summary.ts';
import { printable, reasonOf } from './text.ts';
import type { Results } from './types.ts';

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
  /** Where and in which order the jobs are performed; one after the other, here, unless said otherwise. */
  readonly executor?: Executor;
  /** What to run with; the engine, its data sets and methods unless said otherwise. */
  readonly parts?: Parts;
}

/** What run gives. */
export interface RunOutcome {
  /** The recipe, defaults and overrides filled in. */
  readonly recipe: Recipe;
  /** The cells, in order, with what was done before. */
  readonly plan: readonly PlannedCell[];
  /** What was read and what is to be forgotten. */
  readonly data: DataSummary;
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
 * @throws LetheError: 'value' or 'data' for wrong input or a folder that holds something else, 'io' where the folder
 * cannot be written, 'state' when stopped by the signal or when another run works in the folder.
 */
export async function run(source: string | object, options: RunOptions): Promise<RunOutcome> {
  const given = typeof source === 'string' ? await readRecipe(source) : checkRecipe(source);
  const recipe: Recipe = {
    ...given,
    device: options.device ?? given.device,
    seeds: options.seed === undefined ? given.seeds : [options.seed],
  };
  await checkFolder(options.out);
  const parts = options.parts ?? (await import('./run/workshop.ts')).workshop();
  const device = await parts.open(recipe.device);
  const material = await parts.load(recipe, options.data);
  const data = summarise(material);
  const needsOf = (method: MethodEntry) => parts.needs(recipe, material, method);
  const materialOf = drawing(recipe, material, parts);
  const cells = planCells(recipe, materialOf, device, version, needsOf);
  const jobs = planJobs(cells);
  if (options.dryRun) {
    const step = await parts.measure(recipe, material);
    const plan = estimatePlan(await inspectCells(options.out, cells), recipe, material, step);
    return { recipe, plan, data, results: null, step, failures: [] };
  }
  await makeFolder(options.out);
  const early: string[] = [];
  const unlock = await lockFolder(options.out, (message) => early.push(message));
  let log: (event: RunEvent) => void = () => {};
  const tell = (event: RunEvent) => {
    log(event);
    options.onEvent?.(event);
  };
  try {
    await prepareFolder(options.out);
    log = fileLog(join(options.out, LOG));
    for (const message of early) tell({ type: 'note', level: 'warning', message });
    let plan = await inspectCells(options.out, cells);
    const replaced = plan.filter((cell) => cell.state === 'replace').map((cell) => cell.id);
    if (replaced.length > 0 && options.resume) {
      throw new LetheError(
        'value',
        `--resume: ${printable(options.out)} holds results of other settings for ${replaced.join(', ')}; expected the settings they were made with, or another --out`,
      );
    }
    // A few steps, so that whoever watches can be told from the first moment how long all of it will take.
    if (options.onEvent && plan.some((cell) => cell.state !== 'done'))
      plan = estimatePlan(plan, recipe, material, await parts.measure(recipe, material));
    tell({ type: 'plan', cells: plan });
    for (const message of summaryLines(data)) tell({ type: 'note', level: 'info', message });
    for (const message of data.warnings) tell({ type: 'note', level: 'warning', message });
    for (const { id, flaw, state } of plan) {
      const why = state === 'replace' ? 'replacing a result of other settings' : flaw;
      if (why) tell({ type: 'note', level: 'warning', message: `${id}: ${why}` });
    }
    const setting = { recipe, device, material, materialOf, plan };
    return { ...(await new Carrier(setting, options, parts, tell).go(jobs)), data };
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

/** The data with the forget set of each seed: that of the first ones, and of the others that which was asked for last. */
function drawing(recipe: Recipe, first: Material, parts: Parts): MaterialOf {
  const drawn = drawsForget(recipe);
  const [{ forget }] = seedsOf(recipe);
  let last = { forget, material: first };
  return (seeds) => {
    if (!drawn || seeds.forget === forget) return first;
    if (last.forget !== seeds.forget)
      last = { forget: seeds.forget, material: parts.draw(recipe, first, seeds) };
    return last.material;
  };
}

/**
 * Reads a recipe, given by its path or by the name of one that comes with Lethe.
 * @throws LetheError 'value' where there is none or it is wrong.
 */
export async function readRecipe(given: string, overrides: readonly string[] = []): Promise<Recipe> {
  const { text, source } = await recipeText(given);
  return parseRecipe(text, source, overrides);
}

function stopped(out: string) {
  return new LetheError('state', `stopped; the same command goes on from here (${printable(out)})`);
}
