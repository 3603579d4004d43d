// Rules between the keys of a recipe, which no schema of a single key can hold. Each adds what it finds to the problems.

import type * as v from 'valibot';
import { beside, forgetKeys, mainKeys } from '../data/forget-spec.ts';
import { isMap, mapOf } from '../json.ts';
import { type MethodTable, recordOf } from '../methods/index.ts';
import type { Path, Problem } from '../options/problems.ts';
import { show } from '../text.ts';
import { checkRanges } from './ranges.ts';
import type { recipeSchema } from './schema.ts';
import { isDrawn, type SeedEntry, seedsOf } from './seeds.ts';

/** What one method says of its search. */
export function checkSearch(
  { name, search }: Record<string, unknown>,
  path: Path,
  problems: Problem[],
  table: MethodTable,
): void {
  const record = typeof name === 'string' ? recordOf(name, table) : undefined;
  if (!record || !isMap(search)) return;
  if (record.startsFrom === 'nothing')
    problems.push({
      path,
      message: `${name} trains anew, with options of its own; expected no search of it`,
    });
  else checkRanges(search, record.options, path, problems);
}

/** A search needs images to judge by and a seed that is not reported. */
export function checkSearched(
  {
    search,
    validation,
    forget,
  }: Pick<v.InferOutput<typeof recipeSchema>, 'search' | 'validation' | 'forget'>,
  seeds: readonly SeedEntry[],
  problems: Problem[],
): void {
  if (validation === 0)
    problems.push({
      path: ['search'],
      message: 'expected validation beside it: a share of the training images to judge by, such as 0.1',
    });
  const used = seedsOf({ seeds, forget }).flatMap(({ train, forget: drawn }) =>
    isDrawn(forget) ? [train, drawn] : [train],
  );
  if (search && used.includes(search.seed))
    problems.push({
      path: ['search', 'seed'],
      message: `expected a seed that is not reported, got ${search.seed}`,
    });
}

/** The rules between the keys of `forget`, and with the data. */
export function checkForget(forget: Record<string, unknown>, dataset: unknown, problems: Problem[]): void {
  const path = ['forget'];
  const wrong = (key: string, message: string) => problems.push({ path: ['forget', key], message });
  const given = Object.keys(forget).filter((key) => forget[key] !== undefined);
  const kinds = mainKeys(given);
  const details = ['seed', 'withinClass', 'take'];
  // Where another key stands instead, that one is told.
  if (kinds.length > 1 || (kinds.length === 0 && given.every((key) => details.includes(key))))
    problems.push({ path, message: `expected exactly one of ${forgetKeys.join(', ')}` });
  for (const key of details) {
    const fitting = forgetKeys.filter((kind) => beside(kind).includes(key));
    if (given.includes(key) && kinds.length === 1 && !fitting.includes(kinds[0]))
      problems.push({
        path,
        message: `${key} belongs to ${fitting.join(', ')}; expected it only beside them`,
      });
  }
  if (forget.ratio === 0 || forget.ratio === 1)
    wrong('ratio', `expected a number between 0 and 1, both excluded, got ${forget.ratio}`);
  if (kinds[0] === 'scores' && forget.ratio === undefined)
    wrong('scores', 'expected ratio beside it: the share of the training images to forget, such as 0.1');
  if (kinds[0] === 'mislabelled' && mapOf(dataset).mislabelled === undefined)
    wrong('mislabelled', 'expected dataset.mislabelled beside it: without it no label is known to be wrong');
}

export function checkLabels(methods: readonly Record<string, unknown>[], problems: Problem[]): void {
  const labels = new Set<unknown>(['original']);
  for (const [i, { name, label = name }] of methods.entries()) {
    const path = ['methods', i, 'label'];
    if (labels.has(label))
      problems.push({ path, message: `${show(label)} is taken; expected a label of its own for each entry` });
    if (typeof label === 'string') labels.add(label);
    if (label === 'retrain' && name !== 'retrain')
      problems.push({ path, message: 'the label "retrain" is kept for the method retrain' });
  }
}
