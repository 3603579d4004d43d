// Random recipes, made from the schema that checks them (unlearn/recipe/schema.ts) and the options that records state
// (unlearn/recipe/options.ts): good ones, and ones with a single fault of which it is known what the error has to name.

import fc from 'fast-check';
import * as v from 'valibot';
import { beside, forgetKeys } from '../../../unlearn/data/forget-spec.ts';
import { recordOf } from '../../../unlearn/methods/index.ts';
import { datasetOptions, methodOptions, modelOptions } from '../../../unlearn/recipe/options.ts';
import { recipeSchema } from '../../../unlearn/recipe/schema.ts';
import { flawOfSeeds, type SeedEntry, seedsOf } from '../../../unlearn/recipe/seeds.ts';
import { show } from '../../../unlearn/text.ts';
import { type Inside, inside, oddWords, sectionOf, type Taste, unwrapped, valuesOf } from './values.ts';

export type Plain = Record<string, unknown>;
type Schemas = Readonly<Record<string, v.GenericSchema>>;

/** The options that go with a name, by the key of `name` and `options`. */
const byName: Readonly<Record<string, Schemas>> = {
  dataset: datasetOptions,
  model: modelOptions,
  methods: methodOptions,
};
const entriesOf = (schema: unknown): Readonly<Record<string, Inside>> =>
  unwrapped(inside(schema)).entries ?? {};
const top = entriesOf(recipeSchema);

/** A map with a name and the options that go with it. */
function named(schema: Inside, key: string, taste: Taste, more: (name: string) => Plain = () => ({})) {
  const one = (name: string) =>
    sectionOf(entriesOf(schema), taste, {
      name: fc.constant(name),
      options: fc.option(valuesOf(inside(byName[key][name]), taste), { nil: undefined, freq: 4 }),
      ...(more(name) as Record<string, fc.Arbitrary<unknown>>),
    });
  return fc.constantFrom(...Object.keys(byName[key])).chain(one);
}

/** What a method says of its search: ranges of some of its options, as lists or, of numbers, with bounds. */
function rangesFor(name: string, taste: Taste): fc.Arbitrary<unknown> {
  const each = Object.entries(entriesOf(methodOptions[name])).map(([key, schema]) => {
    const value = valuesOf(unwrapped(schema), taste);
    const list = fc.array(value, { minLength: 1, maxLength: 3 });
    const isNumber = unwrapped(schema).type === 'number';
    const bounds = fc.tuple(value, value, fc.boolean()).map(([a, b, log]) => {
      const [from, to] = [a as number, b as number].sort((x, y) => x - y);
      return from < to ? { from, to, ...(log && from > 0 && { log }) } : [a];
    });
    return [key, fc.option(isNumber ? fc.oneof(list, bounds) : list, { nil: undefined, freq: 1 })];
  });
  const record = recordOf(name);
  const none = fc.constant(undefined);
  if (record?.startsFrom === 'nothing') return fc.constantFrom(undefined, false);
  const ranges = fc
    .record(Object.fromEntries(each) as Record<string, fc.Arbitrary<unknown>>)
    .map((map) => Object.fromEntries(Object.entries(map).filter(([, range]) => range !== undefined)));
  return fc.oneof(none, fc.constant(false), ranges);
}

const forgets = (taste: Taste): fc.Arbitrary<Plain> => {
  const all = entriesOf(top.forget);
  const between = fc.double({ min: 0.05, max: 0.95, noNaN: true });
  return fc.constantFrom(...forgetKeys).chain((kind) => {
    const keys = [kind, ...beside(kind)];
    const ratio = kind === 'mislabelled' ? fc.option(between, { nil: undefined }) : between;
    return sectionOf(Object.fromEntries(keys.map((key) => [key, all[key]])), taste, {
      [kind]: valuesOf(unwrapped(all[kind]), taste),
      ratio,
    });
  });
};

/** Runs of a recipe: epochs of their own tell them apart, and some forget something else. */
function varies(taste: Taste): fc.Arbitrary<unknown> {
  const forget = forgets(taste).map(({ seed: _, ...others }) => others);
  const run = fc.record({
    label: fc.stringMatching(/^[a-z0-9][a-z0-9._+-]{0,9}$/),
    own: fc.option(forget, { nil: null }),
    inPoints: fc.boolean(),
  });
  const each = fc.uniqueArray(run, { minLength: 2, maxLength: 3, selector: ({ label }) => label });
  return fc
    .tuple(valuesOf(unwrapped(entriesOf(top.vary).about), taste), each, fc.boolean())
    .map(([about, runs, placed]) => ({
      about,
      runs: runs.map(({ label, own, inPoints }, i) => ({
        label,
        ...(placed && { at: i / 4 }),
        set: {
          ...(own && { forget: own }),
          ...(inPoints ? { 'train.epochs': i + 1 } : { train: { epochs: i + 1 } }),
        },
      })),
    }));
}

/** Recipes that are right by themselves; whether there is such data is another matter. */
export function goodRecipes(taste: Taste): fc.Arbitrary<Plain> {
  const { item: method } = unwrapped(top.methods);
  const none = fc.constant(undefined);
  const one = named(method as Inside, 'methods', taste, (name) => ({
    file: none,
    sha256: none,
    search: rangesFor(name, taste),
  }));
  return sectionOf(top, taste, {
    dataset: named(top.dataset, 'dataset', taste),
    model: named(top.model, 'model', taste),
    forget: forgets(taste),
    vary: fc.oneof({ weight: 3, arbitrary: none }, { weight: 1, arbitrary: varies(taste) }),
    methods: fc.array(one, { minLength: 1, maxLength: 4 }),
  }).map(agreed);
}

/** The recipe with what no schema says of a key alone: the rules between keys. */
function agreed(recipe: Plain): Plain {
  const {
    train,
    seeds = [0],
    forget,
    validation,
    search,
    vary,
  } = recipe as {
    train?: Plain;
    seeds?: readonly SeedEntry[];
    forget: { ratio?: number; scores?: string; mislabelled?: true; seed?: number };
    validation?: number;
    search?: { seed?: number };
    vary?: { readonly runs: readonly { readonly set: { readonly forget?: Plain } }[] };
  };
  const asked = recipe.audits as readonly (string | { name: string; label?: string })[] | undefined;
  const calls = asked?.map((audit) => (typeof audit === 'string' ? audit : (audit.label ?? audit.name)));
  const audits = asked?.filter((_, i) => calls?.indexOf(calls[i]) === i);
  const taken = new Set(['original']);
  const methods = (recipe.methods as { name: string; label?: string }[]).map(({ label, ...entry }, i) => {
    const wanted = label ?? entry.name;
    const free = !taken.has(wanted) && (wanted !== 'retrain' || entry.name === 'retrain');
    const called = free ? wanted : `${entry.name}-${i}`;
    taken.add(called);
    return called === entry.name ? entry : { ...entry, label: called };
  });
  const whole = seeds.map((entry) =>
    typeof entry === 'number'
      ? entry
      : { ...entry, forget: entry.forget ?? entry.train, unlearn: entry.unlearn ?? entry.train },
  );
  // Which seeds may stand together depends on what is forgotten, which runs may change.
  const isPlain = vary === undefined || whole.every((entry) => typeof entry === 'number');
  const own = isPlain && flawOfSeeds({ seeds: whole, forget }) === null ? whole : [0];
  const used = new Set(seedsOf({ seeds: own, forget }).flatMap((entry) => [entry.train, entry.forget]));
  let free = search?.seed ?? 1000;
  for (let next = 0; used.has(free); next++) free = next;
  const dataset = recipe.dataset as Plain;
  const sets = [forget, ...(vary?.runs ?? []).map(({ set }) => set.forget)];
  return {
    ...recipe,
    ...(sets.some((set) => set?.mislabelled) && {
      dataset: { ...dataset, mislabelled: dataset.mislabelled ?? { share: 0.5 } },
    }),
    methods,
    ...(audits && { audits }),
    ...(recipe.seeds !== undefined && { seeds: own === whole ? seeds : own }),
    ...(train?.schedule === 'step' && { train: { milestones: [1], ...train } }),
    ...(search && { search: { ...search, seed: free }, validation: validation || 0.25 }),
  };
}

type Path = readonly (string | number)[];

/** A key of a recipe, there or not, and what may stand there. */
interface Place {
  readonly path: Path;
  readonly schema: Inside;
  readonly value: unknown;
}

/** All places of a recipe. Into what may be one thing or another nobody looks: an error names it as a whole. */
function placesOf(schema: Inside, value: unknown, path: Path = []): Place[] {
  const own = unwrapped(schema);
  const here: Place[] = path.length > 0 ? [{ path, schema, value }] : [];
  if (value === undefined) return here;
  if (own.type === 'array')
    return [
      ...here,
      ...(value as unknown[]).flatMap((item, i) => placesOf(own.item as Inside, item, [...path, i])),
    ];
  if (own.type !== 'strict_object') return here;
  const map = value as Plain;
  const table = byName[String(path[0])];
  const below = Object.entries(entriesOf(own)).map(([key, entry]) =>
    key === 'options' && table ? { ...entry, wrapped: inside(table[map.name as string]) } : entry,
  );
  const keys = Object.keys(entriesOf(own));
  return [...here, ...keys.flatMap((key, i) => placesOf(below[i], map[key], [...path, key]))];
}

/** The recipe with another value at a place, undefined for none. Nothing of it is shared. */
export function withValue(recipe: Plain, path: Path, value: unknown): Plain {
  const copy = structuredClone(recipe);
  let at = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const key = path.at(-1) as string | number;
  if (value === undefined) delete at[key];
  else Object.defineProperty(at, key, { value, enumerable: true, writable: true, configurable: true });
  return copy;
}

const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value;
};
const inProto = Object.defineProperty({}, '__proto__', { value: { polluted: 1 }, enumerable: true });
const circle: Plain = {};
circle.circle = circle;

/** What hardly any key takes. The second part no text can say. */
const junk: readonly unknown[] = [
  ...[null, true, Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 1e300, 2 ** 53, -Number.MAX_VALUE, 1e-320],
  ...[
    '',
    [],
    {},
    [[]],
    [null],
    { a: { b: {} } },
    inProto,
    { '\u001b[2J\n': 1 },
    { ['k'.repeat(9999)]: [] },
    ...oddWords,
  ],
  nested(50, (inner) => [inner]),
  nested(50, (inner) => ({ inner })),
  Array.from({ length: 5000 }, (_, i) => i),
  Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, i])),
];
const onlyObjects: readonly unknown[] = [
  ...[
    10n,
    Symbol('x'),
    () => 1,
    new Date(0),
    new Map([[1, 2]]),
    new Uint8Array(3),
    circle,
    Object.create(null),
  ],
  nested(20_000, (inner) => ({ inner })),
  new (class Own {
    readonly x = 1;
  })(),
];

export interface Fault {
  readonly recipe: Plain;
  /** What the error has to say. */
  readonly names: string;
  /** Whether a text can say it. */
  readonly isPlain: boolean;
}

/** Recipes with one fault. */
export function faultyRecipes(taste: Taste): fc.Arbitrary<Fault> {
  const value = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...junk) },
    { weight: 1, arbitrary: fc.constantFrom(...onlyObjects) },
    { weight: 2, arbitrary: fc.anything({ maxDepth: 3 }) },
  );
  const drawn = fc.record({
    recipe: goodRecipes(taste),
    kind: fc.constantFrom(...Object.keys(kinds)),
    at: fc.nat(10_000),
    word: fc.oneof(fc.constantFrom(...oddWords), fc.string({ minLength: 1, maxLength: 12 })),
    values: fc.array(value, { minLength: 6, maxLength: 6 }),
  });
  return drawn.map(({ kind, ...of }) => kinds[kind](of) ?? kinds.twice(of)).filter((fault) => fault !== null);
}

interface Drawn {
  readonly recipe: Plain;
  readonly at: number;
  readonly word: string;
  readonly values: readonly unknown[];
}
const isPlainData = (value: unknown) => junk.includes(value);
const told = (path: Path) => path.join('.');

const kinds: Readonly<Record<string, (drawn: Drawn) => Fault | null>> = {
  /** Something that the key does not take. */
  value({ recipe, at, values }) {
    const places = placesOf(inside(recipeSchema), recipe);
    const { path, schema } = places[at % places.length];
    const wrong = values.find((value) => !v.is(schema as unknown as v.GenericSchema, value));
    if (wrong === undefined) return null;
    return { recipe: withValue(recipe, path, wrong), names: told(path), isPlain: isPlainData(wrong) };
  },
  unknown({ recipe, at, word }) {
    const maps = placesOf(inside(recipeSchema), recipe).filter(
      ({ schema, value }) => unwrapped(schema).type === 'strict_object' && value !== undefined,
    );
    const { path, value } = maps[at % maps.length] ?? { path: [], value: recipe };
    if (Object.hasOwn(value as Plain, word)) return null;
    const names = `unknown key ${show(word)}`;
    return { recipe: withValue(recipe, [...path, word], 1), names, isPlain: true };
  },
  missing({ recipe, at }) {
    const places = placesOf(inside(recipeSchema), recipe).filter(
      ({ path, schema, value }) =>
        typeof path.at(-1) === 'string' && schema.type !== 'optional' && value !== undefined,
    );
    const { path } = places[at % places.length];
    return { recipe: withValue(recipe, path, undefined), names: told(path), isPlain: true };
  },
  misspelt({ recipe, at, word }) {
    const places = placesOf(inside(recipeSchema), recipe).filter(
      ({ schema, value }) => unwrapped(schema).type === 'picklist' && value !== undefined,
    );
    const { path, schema, value } = places[at % places.length];
    const name = at % 2 ? word : String(value).slice(1);
    if ((unwrapped(schema).options ?? []).includes(name)) return null;
    return { recipe: withValue(recipe, path, name), names: told(path), isPlain: true };
  },
  twice({ recipe }) {
    const other = Object.hasOwn(recipe.forget as Plain, 'ids') ? { files: ['a'] } : { ids: [1] };
    const forget = { ...(recipe.forget as Plain), ...other };
    return { recipe: { ...recipe, forget }, names: 'exactly one of', isPlain: true };
  },
  nothing: ({ recipe }) => ({ recipe: { ...recipe, forget: {} }, names: 'exactly one of', isPlain: true }),
};
