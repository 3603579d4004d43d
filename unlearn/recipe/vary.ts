// `vary`: several runs of one recipe that differ in one thing. Each is the recipe with a few values of its own, put there as by
// `--set` before anything is completed, and has to be a good recipe by itself.

import { check } from '../../engine/error.ts';
import { canonicalJson, mapOf } from '../json.ts';
import { type Path, type Problem, told } from '../options/problems.ts';
import { show } from '../text.ts';
import { assign } from './overrides.ts';
import type { Recipe, VaryRun } from './schema.ts';

type Plain = Readonly<Record<string, unknown>>;
type Complete = (plain: Plain, problems: Problem[], i: number) => Recipe | null;

/** Names in the folder of all runs that none of them can have. */
const TAKEN =
  /^(results\.json|report\.html|lethe\.lock.*|cells|checkpoints|unfinished|forget-manifest(-\d+)?\.json)$/i;

/** The recipe with a run's own values, not checked; `tell` is told where each went, or why it does not fit. */
function plainRun(
  recipe: Plain,
  set: Plain,
  tell: (key: string, went: Path | string) => void = () => {},
): Plain {
  const plain: Record<string, unknown> = { ...recipe };
  for (const [key, value] of Object.entries(set)) tell(key, assign(plain, key, value));
  delete plain.vary;
  return plain;
}

/** The runs of a recipe that is not checked yet, as far as they can be told. */
export function plainRuns(recipe: unknown): Plain[] {
  const { vary } = mapOf(recipe);
  const { runs } = mapOf(vary);
  const sets = (Array.isArray(runs) ? runs : []).map((run) => mapOf(mapOf(run).set));
  return sets.map((set) => plainRun(recipe as Plain, set));
}

/**
 * The runs with what each has of its own complete; what is wrong with one is told as a fault of it.
 * @param base the recipe without them; null where that is wrong, which has been told.
 */
export function completeRuns(
  recipe: Plain,
  runs: readonly VaryRun[],
  base: Recipe | null,
  problems: Problem[],
  complete: Complete,
): VaryRun[] | null {
  const before = new Set(problems.map((problem) => told(problem)));
  const found = runs.map(({ label, set }, i) => {
    const faults = problems.length;
    const path = ['vary', 'runs', i, 'set'];
    const went: { readonly key: string; readonly to: Path }[] = [];
    const refuse = (message: string, key?: string) =>
      problems.push({
        path: [],
        at: key === undefined ? path : [...path, key],
        message: `run ${show(label)} of vary: ${message}`,
      });
    const plain = plainRun(recipe, set, (key, to) => {
      if (typeof to === 'string') refuse(`${show(key)}: ${to}`, key);
      else if (to[0] === 'vary')
        refuse(`${show(key)}: a run cannot vary by itself; expected other keys`, key);
      else went.push({ key, to });
    });
    const own: Problem[] = [];
    const whole = complete(plain, own, i);
    for (const problem of own) {
      if (before.has(told(problem))) continue;
      const at = problem.at ?? problem.path;
      const from = went.find(({ to }) => startsWith(at, to)) ?? went.find(({ to }) => startsWith(to, at));
      refuse(told(problem), from?.key);
    }
    return problems.length > faults ? null : whole;
  });
  checkRuns(runs, found, problems);
  if (!base || problems.length > 0) return null;
  return runs.map((run, i) => ({ ...run, set: differences(base, found[i] as Recipe) }));
}

/** What has to hold between runs. */
function checkRuns(runs: readonly VaryRun[], found: readonly (Recipe | null)[], problems: Problem[]): void {
  const refuse = (i: number, key: string, message: string) =>
    problems.push({ path: ['vary', 'runs', i, key], message });
  const labels = new Set<string>();
  const places = new Set<number>();
  const meant = new Map<string, string>();
  for (const [i, { label, at }] of runs.entries()) {
    // The case of letters makes no other folder on some disks.
    const name = label.toLowerCase();
    if (TAKEN.test(label))
      refuse(i, 'label', `${show(label)} is kept for files of runs; expected another label`);
    if (labels.has(name))
      refuse(i, 'label', `${show(label)} is taken; expected a label of its own for each run`);
    labels.add(name);
    if ((at === undefined) !== (runs[0].at === undefined))
      refuse(i, 'at', 'expected a number for each of the runs, or for none');
    if (at !== undefined && places.has(at))
      refuse(i, 'at', `${at} is taken; expected a number of its own for each run`);
    if (at !== undefined) places.add(at);
    if (!found[i]) continue;
    const { name: _, description: __, ...settings } = found[i];
    const same = canonicalJson(settings);
    const other = meant.get(same);
    if (other !== undefined)
      refuse(i, 'set', `this is the run ${show(other)} again; expected runs that differ`);
    meant.set(same, label);
  }
}

/** The keys of a complete recipe in which another differs from it. */
function differences(base: Recipe, other: Recipe): Plain {
  const before = base as Plain;
  return Object.fromEntries(
    Object.entries(other).filter(
      ([key, value]) => canonicalJson(value) !== canonicalJson(before[key] ?? null),
    ),
  );
}

const startsWith = (path: Path, start: Path): boolean =>
  start.every((key, i) => String(path[i]) === String(key));

/** A run of a complete recipe as a recipe of its own. */
export interface Variant {
  readonly label: string;
  /** Null where the runs have no places on an axis of numbers. */
  readonly at: number | null;
  readonly recipe: Recipe;
}

/** The runs of a complete recipe. @throws LetheError 'value' where it has no `vary`. */
export function variantsOf(recipe: Recipe): Variant[] {
  const { vary, ...base } = recipe;
  check(
    vary,
    'value',
    () => `recipe ${recipe.name}: it has no vary, so it is one run; expected run in place of runVaried`,
  );
  return vary.runs.map(({ label, at = null, set }) => ({ label, at, recipe: { ...base, ...set } as Recipe }));
}

/** One run of a complete recipe, by its label. @throws LetheError 'value' where there is none of it. */
export function variantOf(recipe: Recipe, label: string): Recipe {
  const all = variantsOf(recipe);
  const found = all.find((one) => one.label === label);
  check(
    found,
    'value',
    () =>
      `recipe ${recipe.name}: vary has no run ${show(label)}; expected one of ${all.map((one) => one.label).join(', ')}`,
  );
  return found.recipe;
}

/** @throws LetheError 'value' for a recipe, checked or not, that asks for several runs, where one is worked on. */
export function checkSingle(recipe: object): void {
  const { name, vary } = recipe as { name?: unknown; vary?: unknown };
  check(
    vary === undefined,
    'value',
    () =>
      `recipe ${show(name)}: vary asks for several runs, and this works on one; expected runVaried, which lethe run is then, or one of the runs (--vary LABEL)`,
  );
}
