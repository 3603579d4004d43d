// Reading a recipe: YAML or JSON text in, a complete and checked Recipe out, or one error that says of everything that is
// wrong where it is, what was found and what was expected. The keys themselves are described in recipe/schema.ts and
// recipe/options.ts.

import * as v from 'valibot';
import { LetheError } from '../engine/error.ts';
import { isMap, mapOf } from './json.ts';
import { type MethodTable, methods, recordOf } from './methods/index.ts';
import { check } from './options/check.ts';
import { faulty, type Path, type Problem } from './options/problems.ts';
import { hint } from './options/suggest.ts';
import { readText, type Text } from './recipe/document.ts';
import { auditOptions, datasetOptions, modelOptions, optionsOf } from './recipe/options.ts';
import { type Override, override } from './recipe/overrides.ts';
import { type KnownMethods, LISTED } from './recipe/own.ts';
import { checkForget, checkLabels, checkSearch, checkSearched } from './recipe/rules.ts';
import {
  type AuditEntry,
  type MethodEntry,
  type Recipe,
  recipeSchema,
  type TrainOptions,
} from './recipe/schema.ts';
import { flawOfSeeds, type SeedEntry } from './recipe/seeds.ts';
import { completeRuns } from './recipe/vary.ts';
import { show } from './text.ts';

export type { AuditEntry, MethodEntry, Recipe, TrainOptions } from './recipe/schema.ts';

/** A recipe's text as a plain value with its overrides, not yet checked. */
interface Draft extends Pick<Text, 'value' | 'placeOf'> {
  readonly source: string;
  readonly problems: readonly Problem[];
  readonly set: readonly Override[];
}

/**
 * Parses a recipe and applies overrides.
 * @param text YAML or JSON, at most 262,144 characters.
 * @param source name used in messages, such as the file's path.
 * @param overrides `path=value` strings, values as YAML scalars: `train.epochs=3`, `methods.0.options.epsilon=0.2`, or
 * with a label instead of the position `methods.boundaryShrink.options.epsilon=0.2`.
 * @throws LetheError 'value' where the text is no YAML or no map.
 */
export function draftRecipe(text: string, source = 'recipe', overrides: readonly string[] = []): Draft {
  const { value, problems: repeated, placeOf } = readText(text, source);
  const problems = [...repeated];
  const set = overrides.flatMap((text) => override(value, text, problems) ?? []);
  return { value, placeOf, source, problems, set };
}

/**
 * Validates and completes a recipe.
 * @param known the methods it may name: where it names files, what knownMethods of recipe/own.ts found in them.
 * @throws LetheError 'value' that tells all problems, each with its place (`recipe.yaml:4:3`), what was found and what
 * was expected: one line for one problem, else a line each below their count.
 */
export function finishRecipe({ value, source, set, ...draft }: Draft, known: KnownMethods = LISTED): Recipe {
  const problems = [...draft.problems];
  const recipe = complete(value, problems, known);
  if (recipe) return recipe;
  const placed = problems.map((problem) => {
    const path = problem.at ?? problem.path;
    // An override is to blame for what lies below it, and for a key that is unknown and that it goes through.
    const from = set.findLast(
      (o) => startsWith(path, o.path) || (problem.kind === 'unknown' && startsWith(o.path, path)),
    );
    const place = problem.place ?? from?.place;
    if (place !== undefined) return { ...problem, place, line: 0, column: 0 };
    const { line, column } = draft.placeOf(path);
    return { ...problem, place: `${source}:${line}:${column}`, line, column };
  });
  throw faulty(
    source,
    placed.sort((a, b) => a.line - b.line || a.column - b.column),
  );
}

/** Both at once, for a recipe that names no files. */
export const parseRecipe = (text: string, source?: string, overrides?: readonly string[]): Recipe =>
  finishRecipe(draftRecipe(text, source, overrides));

const startsWith = (path: Path, start: Path): boolean =>
  start.every((key, i) => String(path[i]) === String(key));

/** Checks a recipe given as a plain object, such as one read back from results.json. Same errors as finishRecipe. */
export function checkRecipe(value: unknown, source = 'recipe', known: KnownMethods = LISTED): Recipe {
  const problems: Problem[] = [];
  const recipe = complete(value, problems, known);
  if (recipe) return recipe;
  throw faulty(source, problems);
}

/** A method named and configured outside a recipe, completed and checked the same way. */
export function methodEntry(
  name: string,
  options: Record<string, unknown>,
  train: TrainOptions,
  table: MethodTable = methods,
): MethodEntry {
  const known = Object.keys(table);
  if (!known.includes(name))
    throw new LetheError('value', `method: no method ${show(name)}${hint(name, known)}`);
  const problems: Problem[] = [];
  const checked = check(optionsOf(table)[name], options, ['options'], problems);
  if (problems.length > 0) throw faulty(`method ${name}`, problems);
  return filled({ name, label: name }, checked, train, table);
}

/** The recipe, and all runs that it asks for. Null, and at least one problem more, where the value is no recipe. */
function complete(value: unknown, problems: Problem[], known: KnownMethods): Recipe | null {
  const recipe = completeOne(value, problems, known);
  const asked = v.safeParse(recipeSchema.entries.vary, mapOf(value).vary);
  if (!asked.success || !asked.output) return recipe;
  const { about, runs: stated } = asked.output;
  const runs = completeRuns(mapOf(value), stated, recipe, problems, (plain, found, i) =>
    completeOne(plain, found, known.runs?.[i] ?? known),
  );
  return recipe && runs && { ...recipe, vary: { about, runs } };
}

/** The same without the runs. */
function completeOne(value: unknown, problems: Problem[], { table, entries }: KnownMethods): Recipe | null {
  // The rest is looked at also where something else is wrong, so that all is told at once.
  const raw = mapOf(value);
  const listed = (Array.isArray(raw.methods) ? raw.methods : []).map((entry, i) => {
    if (!isMap(entry) || entry.file === undefined) {
      if (isMap(entry) && entry.sha256 !== undefined)
        problems.push({
          path: ['methods', i, 'sha256'],
          message: 'belongs to file; expected it only beside it',
        });
      return entry;
    }
    const own = entries.get(i);
    if (own && 'make' in own) {
      const { file, sha256 } = own;
      return { ...entry, name: own.make.record.name, file, sha256 };
    }
    if (own) problems.push(own);
    else if (typeof entry.file === 'string')
      problems.push({
        path: ['methods', i, 'file'],
        message: 'the file was not loaded before the recipe was checked',
      });
    return { ...entry, name: undefined };
  });
  // The schema knows the names of Lethe's own methods: one of those stands for the method of a file.
  const standing = listed.map((entry) =>
    mapOf(entry).file === undefined ? entry : { ...entry, name: 'retrain' },
  );
  const plain = Array.isArray(raw.methods) ? { ...raw, methods: standing } : value;
  const top = check(recipeSchema, plain, [], problems) as v.InferOutput<typeof recipeSchema> | null;
  const dataset = checkOptions(datasetOptions, raw.dataset, ['dataset'], problems);
  const model = checkOptions(modelOptions, raw.model, ['model'], problems);
  const schemas = optionsOf(table);
  const options = listed.map((m, i) => checkOptions(schemas, m, ['methods', i], problems));
  const audits = auditsIn(raw, problems);
  if (isMap(raw.forget)) checkForget(raw.forget, raw.dataset, problems);
  if (mapOf(raw.train).schedule === 'step' && mapOf(raw.train).milestones === undefined) {
    problems.push({
      path: ['train'],
      message: 'expected milestones (a list of epochs) beside schedule: step',
    });
  }
  checkLabels(listed.map(mapOf), problems);
  const seeds = seedsIn(raw);
  const flaw = seeds && flawOfSeeds({ seeds, forget: mapOf(raw.forget) });
  if (flaw) problems.push({ path: ['seeds'], message: flaw });
  listed.forEach((m, i) => {
    checkSearch(mapOf(m), ['methods', i, 'search'], problems, table);
  });
  if (top?.search) checkSearched(top, seeds ?? [], problems);
  if (!top || problems.length > 0) return null;
  const named = listed as readonly { readonly name: string }[];
  const all = top.methods.map((m, i) => {
    const label = m.label ?? named[i].name;
    return filled({ ...m, name: named[i].name, label }, options[i], top.train, table);
  });
  const target = all.filter((m) => m.name === 'retrain');
  if (!target.some((m) => m.label === 'retrain')) target.unshift(methodEntry('retrain', {}, top.train));
  target.sort((a, b) => Number(b.label === 'retrain') - Number(a.label === 'retrain'));
  return {
    ...top,
    description: top.description.trim(),
    dataset: { ...top.dataset, options: dataset },
    model: { ...top.model, options: model },
    methods: [...target, ...all.filter((m) => m.name !== 'retrain')],
    seeds,
    audits,
  } as Recipe;
}

/** The entries of `seeds`, complete; null where they are wrong: the schema tells that. */
function seedsIn({ seeds }: Record<string, unknown>): SeedEntry[] | null {
  const read = v.safeParse(recipeSchema.entries.seeds, seeds);
  if (!read.success) return null;
  return read.output.map((entry) =>
    typeof entry === 'number' ? entry : { forget: entry.train, unlearn: entry.train, ...entry },
  );
}

/** The options beside a name; null where the name is not known: the schema tells that. */
function checkOptions(
  schemas: Readonly<Record<string, v.GenericSchema>>,
  section: unknown,
  path: Path,
  problems: Problem[],
): unknown {
  const { name, options = {} } = mapOf(section);
  if (typeof name !== 'string' || !Object.hasOwn(schemas, name) || !isMap(options)) return null;
  return check(schemas[name], options, [...path, 'options'], problems);
}

/** The audits, complete as far as they are right. */
function auditsIn({ audits }: Record<string, unknown>, problems: Problem[]): AuditEntry[] {
  const entries = (Array.isArray(audits) ? audits : []).map((one) =>
    typeof one === 'string' ? { name: one } : mapOf(one),
  );
  const labels = new Set<unknown>();
  return entries.map((entry, i): AuditEntry => {
    const { name, label = name } = entry;
    if (label !== undefined && labels.has(label))
      problems.push({
        path: ['audits', i],
        message: `${show(label)} is taken; expected a label of its own for each entry`,
      });
    labels.add(label);
    const options = checkOptions(auditOptions, entry, ['audits', i], problems);
    return { name, label, options } as AuditEntry;
  });
}

/** A method whose options were checked; those it inherits are taken from `train` where they are not stated. */
function filled(
  {
    name,
    label,
    file,
    sha256,
    search,
    truth,
  }: Omit<MethodEntry, 'options' | 'search'> & { search?: unknown },
  checked: unknown,
  train: TrainOptions,
  table: MethodTable,
): MethodEntry {
  const options = { ...(checked as Record<string, unknown>) };
  for (const path of recordOf(name, table)?.inherits ?? []) {
    const key = path.replace(/^train\./, '') as keyof TrainOptions;
    if (path === key) options[key] ??= train[key];
    else options.train = { [key]: train[key], ...mapOf(options.train) };
  }
  return {
    name,
    ...(file !== undefined && { file, sha256 }),
    label,
    options,
    ...(search !== undefined && { search: search as MethodEntry['search'] }),
    ...(truth !== undefined && { truth }),
  };
}
