// Reading a recipe: YAML or JSON text in, a complete and checked Recipe out, or one error that says where, what was
// found and what was expected. The keys themselves are described in recipe/schema.ts and recipe/options.ts.

import type * as v from 'valibot';
import { type Document, isMap, LineCounter, parseDocument, parse as parseYaml } from 'yaml';
import { LetheError } from '../engine/error.ts';
import { check, type Path, type Problem, show } from './recipe/check.ts';
import { datasetOptions, methodOptions, modelOptions } from './recipe/options.ts';
import { type MethodEntry, type Recipe, recipeSchema, type TrainOptions } from './recipe/schema.ts';
import { hint } from './recipe/suggest.ts';

export type { MethodEntry, Recipe, TrainOptions } from './recipe/schema.ts';

/** Largest recipe read, in characters: a recipe is a page, not a data file. */
const MAX_CHARACTERS = 1 << 20;

/**
 * Parses, overrides, validates and completes a recipe.
 * @param text YAML or JSON.
 * @param source name used in messages, such as the file's path.
 * @param overrides `path=value` strings, values as YAML scalars: `train.epochs=3`, `methods.0.options.epsilon=0.2`.
 * @throws LetheError 'value' with the place, what was found and what was expected.
 */
export function parseRecipe(text: string, source = 'recipe', overrides: readonly string[] = []): Recipe {
  if (text.length > MAX_CHARACTERS)
    throw wrong(`${source}: a recipe of ${text.length} characters; expected at most ${MAX_CHARACTERS}`);
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const [fault] = doc.errors;
  if (fault) throw wrong(`${source}:${lines.linePos(fault.pos[0]).line}: ${fault.message.split('\n')[0]}`);
  if (!isMap(doc.contents))
    throw wrong(`${source}: expected a map of keys to values, such as \`name: my-run\``);
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw wrong(`${source}: ${(cause as Error).message}`);
  }
  const set = overrides.map((text) => override(value as object, text));
  const problems: Problem[] = [];
  const recipe = complete(value, problems);
  if (recipe) return recipe;
  const [first, ...more] = problems;
  const rest =
    more.length === 0 ? '' : ` (and ${more.length} more ${more.length === 1 ? 'problem' : 'problems'})`;
  const from = set.find((o) => o.path.every((key, i) => String((first.at ?? first.path)[i]) === key));
  const place = from ? `--set ${from.text}` : `${source}${lineOf(doc, lines, first.at ?? first.path)}`;
  throw wrong(`${place}: ${told(first)}${rest}`);
}

/** Checks a recipe given as a plain object, such as one read back from results.json. Same errors as parseRecipe. */
export function checkRecipe(value: unknown, source = 'recipe'): Recipe {
  const problems: Problem[] = [];
  const recipe = complete(structuredClone(value), problems);
  if (recipe) return recipe;
  throw wrong(`${source}: ${told(problems[0])}`);
}

const told = ({ path, message }: Problem): string =>
  path.length > 0 ? `${path.join('.')}: ${message}` : message;

/** A method named and configured outside a recipe, completed and checked the same way. */
export function methodEntry(
  name: string,
  options: Record<string, unknown>,
  train: TrainOptions,
): MethodEntry {
  if (!Object.hasOwn(methodOptions, name))
    throw wrong(`method: no method "${name}"${hint(name, Object.keys(methodOptions))}`);
  const problems: Problem[] = [];
  const entry = completeMethod({ name, options }, train, ['options'], problems);
  if (problems.length > 0) throw wrong(told(problems[0]));
  return entry;
}

function wrong(message: string) {
  return new LetheError('value', message);
}

function complete(value: unknown, problems: Problem[]): Recipe | null {
  const top = check(recipeSchema, value, [], problems) as v.InferOutput<typeof recipeSchema> | null;
  if (!top) return null;
  const dataset = {
    ...top.dataset,
    options: check(datasetOptions[top.dataset.name], top.dataset.options, ['dataset', 'options'], problems),
  };
  const model = {
    ...top.model,
    options: check(modelOptions[top.model.name], top.model.options, ['model', 'options'], problems),
  };
  const { class: name, ratio, ids, files, person, seed, withinClass } = top.forget;
  if ([name, ratio, ids, files, person].filter((x) => x !== undefined).length !== 1) {
    problems.push({ path: ['forget'], message: 'expected exactly one of class, ratio, ids, files, person' });
  }
  if (ratio === undefined && (seed !== undefined || withinClass !== undefined)) {
    problems.push({
      path: ['forget'],
      message: 'seed and withinClass belong to ratio; expected them only beside it',
    });
  }
  if (ratio === 0 || ratio === 1)
    problems.push({
      path: ['forget', 'ratio'],
      message: `expected a number between 0 and 1, both excluded, got ${ratio}`,
    });
  if (top.train.schedule === 'step' && !top.train.milestones) {
    problems.push({
      path: ['train'],
      message: 'expected milestones (a list of epochs) beside schedule: step',
    });
  }
  const methods = top.methods.map((m, i) =>
    completeMethod(m, top.train, ['methods', i, 'options'], problems),
  );
  const labels = new Set<string>(['original']);
  for (const [i, m] of methods.entries()) {
    if (labels.has(m.label))
      problems.push({
        path: ['methods', i, 'label'],
        message: `"${m.label}" is taken; expected a label of its own for each entry`,
      });
    labels.add(m.label);
    if (m.label === 'retrain' && m.name !== 'retrain')
      problems.push({
        path: ['methods', i, 'label'],
        message: 'the label "retrain" is kept for the method retrain',
      });
  }
  if (new Set(top.seeds).size !== top.seeds.length)
    problems.push({ path: ['seeds'], message: 'expected seeds that differ from each other' });
  if (problems.length > 0) return null;
  const target = methods.filter((m) => m.name === 'retrain');
  if (!target.some((m) => m.label === 'retrain'))
    target.unshift(completeMethod({ name: 'retrain', options: {} }, top.train, [], []));
  target.sort((a, b) => Number(b.label === 'retrain') - Number(a.label === 'retrain'));
  return {
    ...top,
    description: top.description.trim(),
    dataset,
    model,
    methods: [...target, ...methods.filter((m) => m.name !== 'retrain')],
  } as Recipe;
}

function completeMethod(
  entry: { name: string; label?: string; options: Record<string, unknown> },
  train: TrainOptions,
  path: Path,
  problems: Problem[],
): MethodEntry {
  const schema = methodOptions[entry.name];
  const options = {
    ...((check(schema, entry.options, path, problems) as Record<string, unknown> | null) ?? {}),
  };
  if (entry.name === 'retrain')
    return { name: entry.name, label: entry.label ?? entry.name, options: { ...train, ...options } };
  if ('augment' in (schema as unknown as { entries: object }).entries) options.augment ??= train.augment;
  return { name: entry.name, label: entry.label ?? entry.name, options };
}

/** `:12` for the line that holds the path, or the nearest part of it that exists. */
function lineOf(doc: Document, lines: LineCounter, path: Path): string {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? doc.contents : doc.getIn(path.slice(0, depth), true);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    if (range) return `:${lines.linePos(range[0]).line}`;
  }
  return '';
}

/** Applies `a.b=c` to the plain recipe. Maps are made where missing; lists only take existing positions or the next. */
function override(root: object, text: string): { text: string; path: string[] } {
  const cut = text.indexOf('=');
  if (cut <= 0) throw wrong(`--set ${text}: expected path=value, such as train.epochs=3`);
  const path = text.slice(0, cut).split('.');
  let value: unknown;
  try {
    value = parseYaml(text.slice(cut + 1));
  } catch {
    throw wrong(`--set ${text}: the value is not valid YAML`);
  }
  let at = root as Record<string, unknown>;
  path.forEach((key, i) => {
    const here = path.slice(0, i).join('.') || 'the recipe';
    if (Array.isArray(at)) {
      const index = /^\d{1,6}$/.test(key) ? Number(key) : -1;
      if (index < 0 || index > at.length)
        throw wrong(
          `--set ${text}: ${here} is a list of ${at.length}; expected a position from 0 to ${at.length}, got "${key}"`,
        );
    }
    if (i === path.length - 1) {
      Object.defineProperty(at, key, { value, enumerable: true, writable: true, configurable: true });
      return;
    }
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    if (next !== undefined && next !== null && typeof next !== 'object')
      throw wrong(
        `--set ${text}: ${path.slice(0, i + 1).join('.')} is ${show(next)}; expected a map or a list`,
      );
    if (next === undefined || next === null)
      Object.defineProperty(at, key, { value: {}, enumerable: true, writable: true, configurable: true });
    at = at[key] as Record<string, unknown>;
  });
  return { text, path };
}
