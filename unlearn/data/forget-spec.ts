// What a forget spec means: from its one key (a class, a share, ids, files, a person, wrong labels, scores) to positions in the
// training split. The cut itself is forget.ts.

import { check, LetheError } from '../../engine/error.ts';
import { byMemorisation } from '../memorisation.ts';
import { checkSeed, permutation } from '../random.ts';
import { printable } from '../text.ts';
import type { Dataset, ForgetSpec } from '../types.ts';
import type { Scores } from './readers/scores.ts';
import { refuse, unknownName } from './refuse.ts';
import { positionsWhere } from './split.ts';

/** The index of a class given by name or index; an unknown one is a 'value' error with the nearest name. */
export function classIndexOf(dataset: Pick<Dataset, 'classes'>, which: string | number): number {
  const { classes } = dataset;
  if (typeof which === 'string') {
    const at = classes.indexOf(which);
    return at >= 0 ? at : unknownName('class', which, classes);
  }
  check(
    Number.isInteger(which) && which >= 0 && which < classes.length,
    'value',
    () => `class ${which}: expected an index from 0 to ${classes.length - 1}`,
  );
  return which;
}

/** What may stand beside each key that says what goes. */
const BESIDE = {
  class: [],
  ratio: ['seed', 'withinClass'],
  ids: [],
  files: [],
  person: [],
  mislabelled: ['ratio', 'seed'],
  scores: ['take', 'ratio', 'seed'],
} as const;
type Key = keyof typeof BESIDE;

/** The keys that say what goes: a spec has one of them. */
export const forgetKeys = Object.keys(BESIDE) as readonly Key[];

/** What may stand beside a key. */
export const beside = (key: Key): readonly string[] => BESIDE[key];

/** Of the keys of a spec those that say what goes, without those that say how much of it. */
export function mainKeys(given: readonly string[]): Key[] {
  const keys = forgetKeys.filter((key) => given.includes(key));
  return keys.filter((key) => !keys.some((other) => beside(other).includes(key)));
}

/** The one key of a spec. None, several, or one out of place is a 'value' error. */
export function keyOf(spec: ForgetSpec): Key {
  const given = Object.keys(spec);
  const [key, ...others] = mainKeys(given);
  check(
    key !== undefined && others.length === 0,
    'value',
    () =>
      `forget: expected exactly one of ${forgetKeys.join(', ')}, got ${given.map(printable).join(', ') || 'none'}`,
  );
  const allowed = [key, ...beside(key)];
  const stray = given.find((one) => !allowed.includes(one));
  check(
    stray === undefined,
    'value',
    () => `forget: '${printable(stray!)}' does not go with '${key}'; expected ${allowed.join(', ')}`,
  );
  return key;
}

/** Positions of samples whose key is among the wanted; the first wanted without a sample is a 'value' error. */
export function lookUp<T>(wanted: readonly T[], keys: Iterable<T>, missing: (key: T) => never): Int32Array {
  const at = new Map<T, number>();
  let position = 0;
  for (const key of keys) at.set(key, position++);
  return Int32Array.from(new Set(wanted), (key) => at.get(key) ?? missing(key)).sort();
}

type Spec<K extends Key> = Extract<ForgetSpec, { readonly [key in K]: unknown }>;

/** How many samples a share of so many is: at least one. */
function countOf(size: number, ratio: number): number {
  check(
    typeof ratio === 'number' && ratio > 0 && ratio <= 1,
    'value',
    () => `forget ratio: expected a number above 0 and at most 1, got ${String(ratio)}`,
  );
  return Math.min(size, Math.max(1, Math.floor(size * ratio + 0.5)));
}

/** A share of the positions, drawn at random, ascending. */
function drawn(pool: Int32Array, ratio: number, seed = 0): Int32Array {
  checkSeed(seed);
  const order = permutation(pool.length, seed, 0, 0, 0x666f7267);
  return Int32Array.from(order.subarray(0, countOf(pool.length, ratio)), (i) => pool[i]).sort();
}

function randomShare(dataset: Dataset, spec: Exclude<Spec<'ratio'>, Spec<'scores'>>): Int32Array {
  const { ratio, seed, withinClass } = spec;
  const within = withinClass === undefined ? null : classIndexOf(dataset, withinClass);
  return drawn(
    positionsWhere(dataset.train, (label) => within === null || label === within),
    ratio,
    seed,
  );
}

/** Samples whose label is known to be wrong, or a share of them. */
function wrongOnes({ name, train, mislabelled }: Dataset, spec: Spec<'mislabelled'>): Int32Array {
  const { ratio, seed } = spec;
  check(
    spec.mislabelled === true,
    'value',
    () => `forget mislabelled: expected true, got ${printable(String(spec.mislabelled))}`,
  );
  check(
    mislabelled,
    'value',
    () => `forget mislabelled: no training sample of ${name} is known to have a wrong label`,
  );
  const pool = positionsWhere(train, (_, i) => mislabelled.has(train.ids[i]));
  return ratio === undefined ? pool : drawn(pool, ratio, seed);
}

/** The share of the samples with the highest or lowest scores; equals by a hash of seed and id. */
function byScores({ name, train }: Dataset, spec: Spec<'scores'>, table: Scores | undefined): Int32Array {
  const { take = 'highest', ratio, seed } = spec;
  check(
    table,
    'value',
    () =>
      `forget scores: ${printable(spec.scores)} was not read; expected what loadScores gives beside the spec`,
  );
  check(
    take === 'highest' || take === 'lowest',
    'value',
    () => `forget take: expected highest or lowest, got ${printable(String(take))}`,
  );
  const { file, ids, scores, lines } = table;
  const positions = new Map(Array.from(train.ids, (id, position) => [id, position] as const));
  const sign = take === 'lowest' ? -1 : 1;
  const values = new Float64Array(train.size).fill(Number.NaN);
  ids.forEach((id, row) => {
    const at =
      positions.get(id) ??
      refuse(
        file,
        `line ${lines[row]}`,
        `id ${id} is of no training sample of ${name}; expected theirs alone`,
      );
    values[at] = sign * scores[row];
  });
  const without = positionsWhere(train, (_, position) => Number.isNaN(values[position]));
  if (without.length > 0)
    refuse(
      file,
      '',
      `no score of ${without.length} of the ${train.size} training samples of ${name}, the first with id ${train.ids[without[0]]}; expected one of each`,
    );
  return byMemorisation(values, train.ids, seed).subarray(0, countOf(train.size, ratio)).sort();
}

/** Samples of a person: a class of that name, or the files below a folder of that name. */
function personPositions(dataset: Dataset, person: string): Int32Array {
  check(
    typeof person === 'string' && person !== '',
    'value',
    () => 'forget person: expected the name of a class or folder',
  );
  const { train, classes } = dataset;
  const label = classes.indexOf(person);
  if (label >= 0) return positionsWhere(train, (l) => l === label);
  const prefix = `${person.replace(/\/+$/, '')}/`;
  const positions = positionsWhere(train, (_, i) => train.files?.[i].startsWith(prefix) ?? false);
  return positions.length > 0 ? positions : unknownName('person', person, classes);
}

/** Positions, ascending, in the training split of what the spec names. */
export function forgetPositions(dataset: Dataset, spec: ForgetSpec, scores?: Scores): Int32Array {
  const { train } = dataset;
  const key = keyOf(spec);
  if ('class' in spec) {
    const classes = new Set(
      (Array.isArray(spec.class) ? spec.class : [spec.class]).map((which) => classIndexOf(dataset, which)),
    );
    return positionsWhere(train, (label) => classes.has(label));
  }
  if ('mislabelled' in spec) return wrongOnes(dataset, spec);
  if ('scores' in spec) return byScores(dataset, spec, scores);
  if ('ratio' in spec) return randomShare(dataset, spec);
  if ('person' in spec) return personPositions(dataset, spec.person);
  const wanted: readonly unknown[] = 'ids' in spec ? spec.ids : spec.files;
  check(Array.isArray(wanted), 'value', () => `forget ${key}: expected a list`);
  if ('ids' in spec) {
    return lookUp(spec.ids, train.ids, (id) => {
      throw new LetheError(
        'value',
        `forget ids: no training sample of ${dataset.name} has id ${printable(String(id))}`,
      );
    });
  }
  const { files } = train;
  if (files === undefined)
    throw new LetheError('value', `forget files: the samples of ${dataset.name} are not files; use ids`);
  return lookUp(spec.files, files, (file) => unknownName('training file', String(file), files));
}
