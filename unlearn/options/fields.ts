// Building blocks of the recipe's schema: a leaf states once what it expects, and that one phrase is both the error
// message and the documentation. Not the schema itself: that is recipe/schema.ts and recipe/options.ts.

import * as v from 'valibot';

/** What a field says of itself. */
export type Doc = {
  /** What it is for. */
  readonly about: string;
  /** What it takes, in words. */
  readonly expected: string;
};

/** What a field says of itself, for docs/recipes.md. */
export function docOf(schema: v.GenericSchema): Doc {
  const meta = v.getMetadata(schema) as Partial<Doc>;
  return { about: meta.about ?? '', expected: meta.expected ?? '' };
}

const described = <S extends v.GenericSchema>(schema: S, about: string, expected: string) => {
  const doc: Doc = { about, expected };
  return v.pipe(schema, v.metadata(doc));
};

const span = (min: number, max: number) => {
  if (max === Number.MAX_VALUE || max === Number.MAX_SAFE_INTEGER)
    return min === 0 ? ', 0 or more' : ` of at least ${min}`;
  return ` from ${min} to ${max}`;
};

/** A whole number in [min, max]. */
export function int(about: string, min = 0, max = Number.MAX_SAFE_INTEGER) {
  const expected = `a whole number${span(min, max)}`;
  const message = `expected ${expected}`;
  return described(
    v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message)),
    about,
    expected,
  );
}

/** A finite number in [min, max]. */
export function num(about: string, min = 0, max = Number.MAX_VALUE) {
  const expected = `a number${span(min, max)}`;
  const message = `expected ${expected}`;
  return described(
    v.pipe(v.number(message), v.finite(message), v.minValue(min, message), v.maxValue(max, message)),
    about,
    expected,
  );
}

/** True or false. */
export function bool(about: string) {
  return described(v.boolean('expected true or false'), about, 'true or false');
}

/** Text that is not empty. */
export function text(about: string, expected = 'text') {
  return described(
    v.pipe(v.string(`expected ${expected}`), v.nonEmpty(`expected ${expected}`)),
    about,
    expected,
  );
}

/** Text that may be empty. */
export function prose(about: string) {
  return described(v.string('expected text'), about, 'text');
}

/** One of the listed words. */
export function choice<const T extends readonly string[]>(about: string, values: T) {
  const expected = `one of ${values.join(', ')}`;
  return described(v.picklist(values, `expected ${expected}`), about, expected);
}

/** This one word: what others of its kind could be is not possible here, for a reason that the error gives. */
export function only<const T extends string>(word: T, about: string, why: string) {
  const expected = `${word}: ${why}`;
  return described(v.literal(word, `expected ${expected}`), about, expected);
}

/** A list of at least one item, or of `least`. */
export function list<S extends v.GenericSchema>(item: S, about: string, expected: string, least = 1) {
  const message = `expected ${expected}`;
  return described(v.pipe(v.array(item, message), v.minLength(least, message)), about, expected);
}

/** A list of two items. */
export function pair<T>(item: v.GenericSchema<T>, about: string, expected: string) {
  const message = `expected ${expected}`;
  const two = v.pipe(v.array(item, message), v.length(2, message));
  return described(two as v.GenericSchema<unknown> as v.GenericSchema<[T, T]>, about, expected);
}

/** A class by name or by index. */
export function className(about: string) {
  const expected = 'a class name or a class index (a whole number, 0 or more)';
  const message = `expected ${expected}`;
  const index = v.pipe(v.number(message), v.integer(message), v.minValue(0, message));
  return described(
    v.union([v.pipe(v.string(message), v.nonEmpty(message)), index], message),
    about,
    expected,
  );
}

/** A class by name or by index, or a list of such that differ. */
export function classNames(about: string) {
  const expected = 'a class name or a class index (a whole number, 0 or more), or a list of them';
  const message = `expected ${expected}`;
  const one = className(about);
  const several = v.pipe(
    v.array(one, message),
    v.minLength(1, message),
    v.check((all) => new Set(all).size === all.length, 'expected classes that differ from each other'),
  );
  return described(v.union([one, several], message), about, expected);
}

/** The options of a record, as `section` makes them: a map with these keys and no others. */
export type OptionsSection = v.GenericSchema & {
  /** The schema of each key. */
  readonly entries: v.ObjectEntries;
};

/** Options once they are checked and their defaults filled in. */
export type OptionsOf<S extends OptionsSection> = Readonly<v.InferOutput<S> & object>;

/** A map with these keys and no others. */
export function section<const E extends v.ObjectEntries>(about: string, entries: E) {
  return described(v.strictObject(entries, 'expected a map of keys to values'), about, 'a map');
}

/** A map whose keys depend on a name beside it; checked in a second pass. */
export function options(about: string) {
  const map = v.custom<Record<string, unknown>>(
    (x) => typeof x === 'object' && x !== null && !Array.isArray(x),
    'expected a map of option names to values',
  );
  return described(map, about, 'a map');
}
