// Whom an attack on single samples asks about: members, samples that no model saw in the same class mix, and a population beside
// them; and who of them reference models were trained on.

import { check } from '../../engine/error.ts';
import { takeSplit } from '../data/split.ts';
import { permutation, stratified } from '../random.ts';
import type { Split } from '../types.ts';
import type { Reference, Sets } from './record.ts';

/** Of random draws: no two mean the same. */
const STREAMS = { population: 1, others: 2, kept: 3, targets: 4 } as const;

/** Where samples stand in `Reference.members`. */
interface Places {
  /** Of training samples, by their ids. */
  trained(split: Split): Int32Array;
  /** Of T. */
  readonly test: Int32Array;
  /** How many samples there are in all. */
  readonly size: number;
}

/**
 * Training samples stand in the order of their ids, then test samples in their own.
 * @throws LetheError 'value' where two training samples have one id.
 */
export function placesOf({ forget, retain, test }: Sets): Places {
  const ids = Int32Array.from([...forget.ids, ...retain.ids]).sort();
  const places = new Map(Array.from(ids, (id, place) => [id, place]));
  check(
    places.size === ids.length,
    'value',
    () => `audits: ${ids.length} training samples have ${places.size} ids, expected one each`,
  );
  return {
    trained: (split) => split.ids.map((id) => places.get(id) as number),
    test: Int32Array.from({ length: test.size }, (_, i) => ids.length + i),
    size: ids.length + test.size,
  };
}

/**
 * Whether a reference was trained on the samples at these places, 1 or 0.
 * @throws LetheError 'value' where it is of other samples.
 */
export function membersAt({ members, subject }: Reference, size: number, places: Int32Array): Uint8Array {
  check(
    members.length === size,
    'value',
    () => `audits: ${subject.name} says of ${members.length} samples whether it saw them, expected ${size}`,
  );
  return Uint8Array.from(places, (place) => members[place]);
}

/** Rows of their splits, ascending. */
interface Sides {
  /** Of the members' split: those whose class has samples among the others. */
  readonly members: Int32Array;
  /** Of T, in the class mix of the members. */
  readonly others: Int32Array;
  /** Of T: a half with an even share of each class; none of `others`. */
  readonly population: Int32Array;
}

/** The members of an attack, as many others as there are in their class mix, and a population. T is halved for the two. */
export function sidesOf(members: Split, test: Split, seed: number): Sides {
  const population = stratified(
    test.labels,
    Math.max(1, Math.floor(test.size / 2)),
    seed,
    STREAMS.population,
  );
  const apart = new Set(population);
  const rest = Array.from({ length: test.size }, (_, row) => row).filter((row) => !apart.has(row));
  const others = alike(members.labels, test.labels, rest, { seed, stream: STREAMS.others });
  return { members: sharing(members.labels, test.labels, others), others, population };
}

/**
 * The targets of reference models that unlearn: F, and rows of T in its class mix, as many as F has at most; where whole classes
 * were forgotten all of T in them, so that the classes go.
 */
export function targetsOf({ forget, test }: Sets, goneClasses: readonly number[], seed: number): Int32Array {
  const rows = Array.from({ length: test.size }, (_, row) => row);
  if (goneClasses.length > 0)
    return Int32Array.from(rows.filter((row) => goneClasses.includes(test.labels[row])));
  return alike(forget.labels, test.labels, rows, { seed, stream: STREAMS.targets, most: forget.size });
}

/** Rows whose class is that of one of the others. */
function sharing(labels: Int32Array, of: Int32Array, others: ArrayLike<number>): Int32Array {
  const classes = new Set(Array.from(others, (row) => of[row]));
  return Int32Array.from(labels.keys()).filter((row) => classes.has(labels[row]));
}

/** Most retained samples that are asked about. */
const MOST_KEPT = 1000;
const drawn = new WeakMap<Split, Map<string, Split>>();

/**
 * Retained samples to ask about: as many as were forgotten, at most 1,000, with an even share of each class. The same draw is
 * the same split, so that what models answer to it is computed once.
 */
export function keptSample({ forget, retain }: Sets, seed: number): Split {
  const count = Math.min(forget.size, retain.size, MOST_KEPT);
  const known = drawn.get(retain) ?? new Map<string, Split>();
  drawn.set(retain, known);
  const name = `${count} ${seed}`;
  const found =
    known.get(name) ??
    (count === 0 ? retain : takeSplit(retain, stratified(retain.labels, count, seed, STREAMS.kept)));
  known.set(name, found);
  return found;
}

/**
 * Of `rows` as many as can be had in the proportions that `like` has its classes in, each class within one of its share;
 * classes without rows are left out.
 */
function alike(
  like: Int32Array,
  labels: Int32Array,
  rows: readonly number[],
  { seed, stream, most = Infinity }: { seed: number; stream: number; most?: number },
): Int32Array {
  const wanted = new Map<number, number>();
  for (const label of like) wanted.set(label, (wanted.get(label) ?? 0) + 1);
  const place = permutation(labels.length, seed, stream);
  const there = new Map<number, number[]>();
  for (const row of [...rows].sort((a, b) => place[a] - place[b])) {
    const label = labels[row];
    if (!wanted.has(label)) continue;
    const those = there.get(label);
    if (those) those.push(row);
    else there.set(label, [row]);
  }
  const count = (label: number) => wanted.get(label) as number;
  const total = [...there.keys()].reduce((sum, label) => sum + count(label), 0);
  const scale = [...there].reduce(
    (least, [label, those]) => Math.min(least, those.length / count(label)),
    most / total,
  );
  return Int32Array.from(
    [...there].flatMap(([label, those]) => those.slice(0, Math.round(scale * count(label)))),
  ).sort();
}
