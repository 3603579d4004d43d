// Options given to a function instead of in a recipe: checked and completed by the same schema, with the same words.

import type * as v from 'valibot';
import { check } from './check.ts';
import { faulty, type Problem } from './problems.ts';

/** @throws LetheError 'value': the function's name and, for each problem, the key, what was found and what was expected. */
export function completeOptions<T extends object>(
  name: string,
  schema: v.GenericSchema,
  given: object = {},
): Readonly<T> {
  const problems: Problem[] = [];
  // A key that is present but undefined counts as left out.
  const stated = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined));
  const options = check(schema, stated, [], problems);
  if (problems.length > 0) throw faulty(name, problems);
  return Object.freeze(options) as Readonly<T>;
}
