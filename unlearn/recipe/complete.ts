// Options given to a function instead of in a recipe: checked and completed by the same schema, with the same words.

import type * as v from 'valibot';
import { LetheError } from '../../engine/error.ts';
import { check, type Problem } from './check.ts';

/** @throws LetheError 'value': the function's name, the key, what was found and what was expected. */
export function completeOptions<T extends object>(
  name: string,
  schema: v.GenericSchema,
  given: object = {},
): Readonly<T> {
  const problems: Problem[] = [];
  // A key that is present but undefined counts as left out.
  const stated = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined));
  const options = check(schema, stated, [], problems);
  const [first] = problems;
  if (first) {
    const where = first.path.length > 0 ? `${first.path.join('.')}: ` : '';
    throw new LetheError('value', `${name}: ${where}${first.message}`);
  }
  return Object.freeze(options) as Readonly<T>;
}
