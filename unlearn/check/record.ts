// What a record must hold, for methods that no compiler has seen.

import type { Problem } from '../options/problems.ts';
import { nearest } from '../options/suggest.ts';
import { trainKeys } from '../options/training.ts';
import { printable, show } from '../text.ts';

type Bag = Readonly<Record<string, unknown>>;

const isText = (value: unknown) => typeof value === 'string' && value.length > 0;
const isFunction = (value: unknown) => typeof value === 'function';
const isMap = (value: unknown): value is Bag =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf = (...words: readonly string[]) =>
  [`one of ${words.join(', ')}`, (value: unknown) => words.includes(value as string)] as const;

type Rule = readonly [expected: string, holds: (value: unknown, record: Bag) => boolean];

const ofOption = ({ options }: Bag, key: string) =>
  isMap(options) && isMap(options.entries) && key in options.entries;

/** Whether a path of `inherits` leads somewhere: `epochs`, or `train.epochs` where `train` is an option of its own. */
function inherited(record: Bag, path: string): boolean {
  const key = path.replace(/^train\./, '');
  return (trainKeys as readonly string[]).includes(key) && ofOption(record, path === key ? key : 'train');
}

const RULES: Readonly<Record<string, Rule>> = {
  name: [
    'a name of letters, digits and . _ + -',
    (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(value),
  ],
  title: ['text', isText],
  paper: ['text: where it comes from', isText],
  kind: oneOf('exact', 'certified', 'approximate'),
  tasks: [
    "'any' or a list of names of tasks",
    (value) => value === 'any' || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  ],
  startsFrom: oneOf('original', 'nothing'),
  options: ['what section(...) gives', (value) => isMap(value) && isMap(value.entries)],
  inherits: [
    'a list of keys of train that are options of the method, or train.KEY where train is one; empty for none',
    (value, record) => Array.isArray(value) && value.every((path) => inherited(record, String(path))),
  ],
  search: [
    'a map from options to the values that a search tries; empty for none',
    (value, record) => isMap(value) && Object.keys(value).every((key) => ofOption(record, key)),
  ],
  cost: ['a function of sizes and options', isFunction],
  forgetStatistics: ['a function of options', isFunction],
  forget: ['a function of options and input', isFunction],
  updates: ['a function of options, or nothing', (value) => value === undefined || isFunction(value)],
  prepare: ['a function, or nothing', (value) => value === undefined || isFunction(value)],
  predict: [
    'a function beside prepare, and nothing without it',
    (value, { prepare }) => (prepare === undefined ? value === undefined : isFunction(value)),
  ],
};

/** What is wrong with a record; empty where nothing is. */
export function recordProblems(record: Bag): Problem[] {
  return Object.entries(RULES).flatMap(([key, [expected, holds]]) => {
    const value = record[key];
    if (holds(value, record)) return [];
    if (value !== undefined) return [{ path: [key], message: `expected ${expected}, got ${show(value)}` }];
    const meant = nearest(
      key,
      Object.keys(record).filter((other) => !(other in RULES)),
    );
    const instead = meant === null ? '' : `; there is "${printable(meant)}"`;
    return [{ path: [key], message: `missing; expected ${expected}${instead}` }];
  });
}
