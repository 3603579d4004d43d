// Options of public functions: which there are, and what holds where nothing was said. TypeScript callers hear of a misspelt
// option from the compiler; JavaScript callers would have it ignored in silence.

import { check, describe } from './error.ts';

/** A default for every option, or undefined. */
type Defaults<T extends object> = { readonly [K in keyof Required<T>]: T[K] | undefined };
/** What must be given has its own type; what may be left out has that of its default too. */
type Settled<T extends object, D extends Defaults<T>> = {
  [K in keyof Required<T>]: Record<never, never> extends Pick<T, K> ? Exclude<T[K], undefined> | D[K] : T[K];
};

/**
 * `given`, completed by `defaults`, which name every option there is; undefined stands for none.
 * @throws 'value' if `given` is no object of options, or has one that `defaults` do not name.
 */
export function settle<T extends object, const D extends Defaults<T>>(
  name: string,
  given: T | undefined,
  defaults: D,
): Settled<T, D> {
  const known = Object.keys(defaults);
  const shown = (): string => `{ ${known.join(', ')} }`;
  check(
    given === undefined || (typeof given === 'object' && given !== null && !Array.isArray(given)),
    'value',
    () => `${name}: options are ${describe(given)}, expected ${shown()}`,
  );
  const settled: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(given ?? {})) {
    check(
      Object.hasOwn(defaults, key),
      'value',
      () => `${name}: there is no option '${key}', expected ${shown()}`,
    );
    if (value !== undefined) settled[key] = value;
  }
  return settled as Settled<T, D>;
}

/** @throws 'value' unless all are finite and at least 0. */
export function notNegative(name: string, options: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(options))
    check(
      Number.isFinite(value) && value >= 0,
      'value',
      () => `${name}: ${key} must be a number of at least 0, got ${value}`,
    );
}
