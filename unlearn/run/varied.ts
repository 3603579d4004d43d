// The runs of a recipe with `vary`: each is an ordinary run in OUT/LABEL, and what two of them have in common is made once
// (neighbours.ts). Beside them OUT/results.json and OUT/report.html say what all of them gave, in short.

import { join } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { isIo, makeFolder, writeFileAtomic } from '../files.ts';
import { canonicalJson } from '../json.ts';
import { knownMethods } from '../recipe/own.ts';
import { type Variant, variantsOf } from '../recipe/vary.ts';
import { checkRecipe, type Recipe } from '../recipe.ts';
import { type RunOptions, type RunOutcome, readRecipe, run, stopped } from '../run.ts';
import { reasonOf } from '../text.ts';
import type { VariedResults, VariedRun } from '../types.ts';
import type { Failure } from './collect.ts';
import { checkFolderOfRuns, sweepFolderOfRuns } from './folder.ts';
import { lockFolder } from './lock.ts';
import { type RunEvent, tidy } from './log.ts';
import type { Parts, StepCost } from './parts.ts';
import { refuseOthers } from './survey.ts';
import { inRun, type SharedCell, withoutTwice } from './together.ts';

/** Options of runVaried: those of run. */
export type VariedOptions = Omit<RunOptions, 'given' | 'neighbours'>;

/** What runVaried gives. */
export interface VariedOutcome {
  /** The recipe, defaults filled in, with its runs. */
  readonly recipe: Recipe;
  /** Each of the runs, in their order; those that failed as a whole are left out. */
  readonly runs: readonly {
    /** Its name. */
    readonly label: string;
    /** What run gave for it. */
    readonly outcome: RunOutcome;
  }[];
  /** The cells of all, in order, as they were found; each is there once as work to be done. */
  readonly plan: readonly SharedCell[];
  /** What all of them gave; null after a dry run. */
  readonly results: VariedResults | null;
  /** What one training step was measured to cost, in the first run; null unless it was a dry run. */
  readonly step: StepCost | null;
  /** Methods that failed, and runs that failed as a whole. */
  readonly failures: readonly {
    /** `LABEL/CELL`, or the label of a run. */
    readonly cell: string;
    /** In one line. */
    readonly reason: string;
  }[];
}

/**
 * Runs a recipe with `vary`, given as for run: each of its runs into the folder OUT/LABEL, as run does, and a summary of all
 * into OUT. What was finished for one is not made again for another. Names of cells in events begin with `LABEL/`.
 * @throws LetheError as run does, and 'value' for a recipe without `vary`. What keeps one run from its original or retrain ends
 * that run alone, unless `failFast` is set, or the disk, the device or another process is the cause.
 */
export async function runVaried(source: string | object, options: VariedOptions): Promise<VariedOutcome> {
  const { out, signal, onEvent } = options;
  const recipe =
    typeof source === 'string'
      ? await readRecipe(source)
      : checkRecipe(source, 'recipe', await knownMethods(source));
  const variants = variantsOf(recipe);
  const folderOf = ({ label }: Variant) => join(out, label);
  await checkFolderOfRuns(
    out,
    variants.map(({ label }) => label),
  );
  const measured = new Map<string, StepCost>();
  /** Looks at each before anything is done: what cannot be run is refused now, and how long all takes is known. */
  const looks: RunOutcome[] = [];
  const parts: Parts[] = [];
  for (const one of variants) {
    if (signal?.aborted) throw stopped(out);
    parts.push(await partsFor(one.recipe, options.parts, measured));
    looks.push(await look(one, { ...options, out: folderOf(one), parts: parts.at(-1) }));
  }
  const plans = looks.map(({ plan }) => plan);
  const labels = variants.map(({ label }) => label);
  const plan = withoutTwice(labels, plans);
  if (options.dryRun) {
    const runs = labels.map((label, i) => ({ label, outcome: looks[i] }));
    return { recipe, runs, plan, results: null, step: looks[0].step, failures: [] };
  }
  if (options.resume) for (const [i, one] of variants.entries()) refuseOthers(looks[i], folderOf(one));
  await makeFolder(out);
  const tell = (event: RunEvent) => onEvent?.(event);
  const unlock = await lockFolder(out, (message) => tell({ type: 'note', level: 'warning', message }));
  const { digestOf, notMade, renderVaried } = await import('../report/varied/index.ts');
  const made: VariedRun[] = variants.map(notMade);
  const results = (): VariedResults => ({
    version: 1,
    kind: 'varied',
    recipe: recipe as unknown as Record<string, unknown>,
    about: recipe.vary?.about ?? '',
    runs: made,
  });
  const save = () => writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(results(), null, 1)}\n`);
  const failures: Failure[] = [];
  const runs: { label: string; outcome: RunOutcome }[] = [];
  try {
    await sweepFolderOfRuns(out);
    await save();
    for (const [i, variant] of variants.entries()) {
      const { label, at } = variant;
      const neighbours = variants.filter((other) => other !== variant).map(folderOf);
      const watch = onEvent && inRun(labels, plans, i, onEvent);
      try {
        const own = { ...options, out: folderOf(variant), parts: parts[i], neighbours, onEvent: watch };
        const outcome = await run(variant.recipe, own);
        runs.push({ label, outcome });
        failures.push(...outcome.failures.map(({ cell, reason }) => ({ cell: `${label}/${cell}`, reason })));
        if (outcome.results) made[i] = digestOf(label, at, outcome.results);
      } catch (cause) {
        if (isOfAll(cause) || options.failFast || signal?.aborted) throw cause;
        failures.push({ cell: label, reason: reasonOf(cause) });
        tell({ type: 'note', level: 'error', message: `${label} failed: ${reasonOf(cause)}` });
      }
      plans[i] = plans[i].map((cell) => ({ ...cell, state: 'done' }));
      await save();
    }
    await writeFileAtomic(join(out, 'report.html'), renderVaried(results()));
    return { recipe, runs, plan, results: results(), step: null, failures };
  } catch (cause) {
    throw signal?.aborted && !isIo(cause) ? stopped(out) : cause;
  } finally {
    await tidy(tell, unlock);
  }
}

/** What one run has to do; nothing is written. */
async function look(one: Variant, options: RunOptions): Promise<RunOutcome> {
  try {
    return await run(one.recipe, { ...options, dryRun: true, onEvent: undefined });
  } catch (cause) {
    if (!(cause instanceof LetheError)) throw cause;
    throw new LetheError(cause.kind, `run ${one.label} of vary: ${cause.message}`, { cause });
  }
}

/** What would keep the other runs from their work too. */
const isOfAll = (cause: unknown): boolean =>
  cause instanceof LetheError && (cause.kind === 'io' || cause.kind === 'state' || cause.kind === 'device');

/** The parts of a run, in which a training step is measured once for all runs of the same network and data. */
async function partsFor(
  recipe: Recipe,
  given: Parts | undefined,
  measured: Map<string, StepCost>,
): Promise<Parts> {
  const parts =
    given ??
    (await import('./default-parts.ts')).defaultParts({ methods: (await knownMethods(recipe)).table });
  return {
    ...parts,
    async measure(recipe, runData) {
      const { model, train, device } = recipe;
      const { hash, shape, classes } = runData.dataset;
      const key = canonicalJson({ model, train, device, hash, shape, classes: classes.length });
      const known = measured.get(key) ?? (await parts.measure(recipe, runData));
      measured.set(key, known);
      return known;
    },
  };
}
