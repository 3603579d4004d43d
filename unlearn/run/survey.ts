// What a run has to do and what of it is there: the cells of its search, if it has one, and those of the run itself, with the
// options that the search chose or, as long as that is open, with those stated. Reads only.

import { LetheError } from '../../engine/error.ts';
import type { MethodTable } from '../methods/index.ts';
import { isDrawn, seedsOf } from '../recipe/seeds.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import { printable } from '../text.ts';
import type { SearchLog } from '../types.ts';
import { version } from './environment.ts';
import { type GivenFiles, planGiven } from './given.ts';
import { inspectCells } from './inspect.ts';
import { planJobs } from './jobs.ts';
import type { DeviceInfo, Parts, RunData } from './parts.ts';
import { type Cell, type PlannedCell, planCells, type RunDataOf } from './plan.ts';
import { openMethods, planSearch, type Search, searchLog, tuningRecipe, withChosen } from './search.ts';

export interface Survey {
  /** Cells of the search; none where there is no search. */
  readonly tried: readonly PlannedCell[];
  /** Cells of the run. */
  readonly cells: readonly PlannedCell[];
  /** Both, in order. */
  readonly plan: readonly PlannedCell[];
  /** What the search found, as far as it was made; null where there is none. */
  readonly log: SearchLog | null;
  /** Labels of the methods whose options are still to be found. */
  readonly open: readonly string[];
}

export class Surveyor {
  readonly runDataOf: RunDataOf;
  readonly search: Search | null;

  /** @param runData with the forget set of the first seeds. */
  constructor(
    readonly recipe: Recipe,
    readonly runData: RunData,
    readonly device: DeviceInfo,
    readonly parts: Parts,
    readonly methods: MethodTable,
    readonly given?: GivenFiles,
  ) {
    this.runDataOf = drawing(recipe, runData, parts);
    const tuning = tuningRecipe(recipe);
    this.search = tuning && planSearch(recipe, tuning, this.runDataOf(seedsOf(tuning)[0]), methods);
    // What cannot be planned is refused before anything is done.
    planJobs([...this.#tried(), ...this.#cellsOf(recipe)]);
  }

  /** @param without labels of methods to leave out. */
  async look(out: string, without: readonly string[] = []): Promise<Survey> {
    const { search, recipe } = this;
    const tried = await inspectCells(out, this.#tried());
    const log = search && searchLog(search, recipe, tried);
    const open = search ? openMethods(search, tried) : [];
    const chosen = log ? withChosen(recipe, log, open) : recipe;
    const methods = chosen.methods.filter(({ label }) => !without.includes(label));
    const cells = await inspectCells(out, this.#cellsOf({ ...chosen, methods }));
    return { tried, cells, plan: [...tried, ...cells], log, open };
  }

  #tried(): Cell[] {
    return this.search ? this.#cellsOf(this.search.recipe, 'validation') : [];
  }

  #cellsOf(recipe: Recipe, judge?: Cell['judge']): Cell[] {
    const { runData, device, given } = this;
    if (given) return planGiven(recipe, runData, device, version, given);
    const needsOf = (method: MethodEntry) => this.parts.needs(recipe, runData, method);
    return planCells(recipe, this.runDataOf, device, version, needsOf, judge);
  }
}

/** The data with the forget set of each seed: that of the first ones, and of the others that which was asked for last. */
function drawing(recipe: Recipe, first: RunData, parts: Parts): RunDataOf {
  const random = isDrawn(recipe.forget);
  const [{ forget }] = seedsOf(recipe);
  let last = { forget, runData: first };
  return (seeds) => {
    if (!random || seeds.forget === forget) return first;
    if (last.forget !== seeds.forget)
      last = { forget: seeds.forget, runData: parts.draw(recipe, first, seeds) };
    return last.runData;
  };
}

/** @throws LetheError 'value' where finished results of other settings would be replaced; those still open are not known. */
export function refuseOthers({ plan, open }: Pick<Survey, 'plan' | 'open'>, out: string): void {
  const replaced = plan.filter(
    ({ state, label, control, judge }) =>
      state === 'replace' && (judge === 'validation' || !open.includes(control ?? label)),
  );
  if (replaced.length > 0)
    throw new LetheError(
      'value',
      `--resume: ${printable(out)} holds results of other settings for ${replaced.map(({ id }) => id).join(', ')}; expected the settings they were made with, or another --out`,
    );
}
