// Random values that a schema takes, for any schema made of the parts in unlearn/options/fields.ts: what a record says of its
// options is enough, so that a new record is covered as it is.

import fc from 'fast-check';
import * as v from 'valibot';

/** What valibot keeps of a schema, or of a step in a pipe. */
export interface Inside {
  readonly type: string;
  readonly pipe?: readonly Inside[];
  readonly requirement?: unknown;
  readonly wrapped?: Inside;
  readonly entries?: Readonly<Record<string, Inside>>;
  readonly item?: Inside;
  readonly items?: readonly Inside[];
  /** Of a union schemas, of a picklist words. */
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly key?: Inside;
  readonly value?: Inside;
}

export const inside = (schema: unknown): Inside => schema as Inside;

/** The schema below `optional`. */
export const unwrapped = (schema: Inside): Inside => (schema.wrapped ? unwrapped(schema.wrapped) : schema);

/** The steps that follow a schema in its pipes. */
const stepsOf = ({ pipe: [first, ...rest] = [] }: Inside): readonly Inside[] =>
  first ? [...stepsOf(first), ...rest] : [];

/** What the steps require, by their kind: `min_value`, `regex`. */
const requirementsOf = (schema: Inside) => {
  const steps = stepsOf(schema);
  return {
    has: (type: string) => steps.some((step) => step.type === type),
    get: <T>(type: string, otherwise: T): T =>
      (steps.find((step) => step.type === type)?.requirement as T | undefined) ?? otherwise,
  };
};

export interface Taste {
  /** Numbers above are drawn only where the least is larger: recipes that ask for little work. Infinity for all there are. */
  readonly largest: number;
}

/** Words that a file system, a terminal or JavaScript itself may take for something else; none leads to another folder. */
export const oddWords = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'null',
    'NaN',
    'true',
    '~',
    '0',
    '1e3',
    '.nan',
  ],
  ...[
    'a b',
    ' ',
    'ä',
    '\u{1f600}',
    '\ud800',
    '\u202ex',
    '\u001b[2J',
    'x\r\ny',
    '\0',
    '%s',
    '$(x)',
    "'",
    '"',
    '-',
    '#',
  ],
  'long '.repeat(2000),
];
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }).filter((word) => !/[./\\]/.test(word)),
  fc.constantFrom(...oddWords),
);

/** Values that the schema takes. Maps whose keys depend on a name beside them are not known here: they stay empty. */
export function valuesOf(schema: Inside, taste: Taste): fc.Arbitrary<unknown> {
  const all = plainly(schema, taste);
  // What the other steps of a pipe ask for is left to the schema itself; a map is made of parts that were asked.
  if (schema.wrapped || schema.entries) return all;
  return all.filter((value) => v.is(schema as unknown as v.GenericSchema, value));
}

function plainly(schema: Inside, taste: Taste): fc.Arbitrary<unknown> {
  const { type, wrapped, entries = {}, item, items = [], options = [], literal, value } = schema;
  const need = requirementsOf(schema);
  const below = (inner: Inside | undefined) => valuesOf(inner as Inside, taste);
  switch (type) {
    case 'optional':
      return fc.option(below(wrapped), { nil: undefined, freq: 2 });
    case 'number': {
      const min = need.get('min_value', -Number.MAX_SAFE_INTEGER);
      const max = Math.max(Math.min(need.get('max_value', Number.MAX_SAFE_INTEGER), taste.largest), min);
      const within = need.has('integer') ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true });
      return fc.oneof(within, fc.constantFrom(min, max));
    }
    case 'string': {
      const regex = need.get<RegExp | null>('regex', null);
      return regex ? fc.stringMatching(regex) : text;
    }
    case 'boolean':
      return fc.boolean();
    case 'picklist':
      return fc.constantFrom(...options);
    case 'literal':
      return fc.constant(literal);
    case 'array': {
      const minLength = need.get('length', need.get('min_length', 0));
      return fc.array(below(item), { minLength, maxLength: need.get('length', minLength + 2) });
    }
    case 'tuple':
      return fc.tuple(...items.map(below));
    case 'union':
      return fc.oneof(...options.map((option) => below(inside(option))));
    case 'record':
      return fc.dictionary(text, below(value), { maxKeys: 2 });
    case 'strict_object':
      return sectionOf(entries, taste);
    case 'custom':
    case 'unknown':
      return fc.constant({});
    default:
      throw new Error(`no values for a schema of type ${type}: add them here`);
  }
}

/** A map of these keys, those left out being left out; some of them drawn otherwise. */
export function sectionOf(
  entries: Readonly<Record<string, Inside>>,
  taste: Taste,
  otherwise: Readonly<Record<string, fc.Arbitrary<unknown>>> = {},
): fc.Arbitrary<Record<string, unknown>> {
  const each = Object.entries(entries).map(([key, schema]) => [
    key,
    otherwise[key] ?? valuesOf(schema, taste),
  ]);
  return fc
    .record(Object.fromEntries(each) as Record<string, fc.Arbitrary<unknown>>)
    .map((map) => Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined)));
}
