// What the audited method makes of reference models: each unlearns those of its members that lie in the target pool, F plus as
// many samples of T in its class mix. So for each target there are models that were trained on it and unlearned it, and models
// that were never trained on it, before and after they unlearned others. One unlearning for each reference serves every target
// and every audit that asks: worlds are computed once for an input. Where retraining itself is audited nothing is run: what it
// leaves of a reference is a model that never saw the sample, so retrained models stand on both sides, half of them on each.

import { joinSplits, makeSplit, takeSplit } from '../data/split.ts';
import { MARGIN_CLIP } from '../statistics/klom.ts';
import { logitConfidence, predictions } from '../statistics/outputs.ts';
import type { Split } from '../types.ts';
import { keptSample, membersAt, placesOf, targetsOf } from './candidates.ts';
import type { AuditInput, Reference } from './record.ts';
import type { Subject } from './subject.ts';

/** The sets that are asked about: F, T, and some of R (`keptSample`). */
export type Asked = 'forget' | 'test' | 'kept';
type Each<T> = Readonly<Record<Asked, T>>;

/** One model's answers on a set. */
export interface Seen {
  /** Logit-scaled confidences, clipped to -100 .. 100. */
  readonly margins: Float64Array;
  /** 1 where the prediction is the label. */
  readonly right: Uint8Array;
}

/** A reference. */
export interface World {
  /** 1 where it was trained on the sample. */
  readonly members: Each<Uint8Array>;
  /** As it was trained. */
  readonly before: Each<Seen>;
  /** After it unlearned its targets. */
  readonly after: Each<Seen>;
}

/** All references. */
export interface Worlds {
  /** Rows of T that are targets, ascending; all of F are. */
  readonly targets: Int32Array;
  /** The retained samples. */
  readonly kept: Split;
  /** One for each reference, pair by pair: of two every sample is in the training of one. Or of retrained models, so paired. */
  readonly models: readonly World[];
  /** What they are made of: what to take more of where they are few. */
  readonly from: 'references' | 'retrained models';
}

const known = new WeakMap<AuditInput, Promise<Worlds>>();

/** The worlds of an input, which has references and a method; the same object for the same input. */
export function worldsOf(input: AuditInput): Promise<Worlds> {
  const exact = input.own === input.retrain && !input.unlearn;
  const found = known.get(input) ?? (exact ? retrainedWorlds(input) : compute(input));
  known.set(input, found);
  found.catch(() => known.delete(input));
  return found;
}

/** What one model says of a set. */
export async function seenBy(subject: Subject, split: Split, { classes, signal }: AuditInput): Promise<Seen> {
  const outputs = await subject.answers(split, { signal });
  const clip = (margin: number) => Math.max(-MARGIN_CLIP, Math.min(MARGIN_CLIP, margin));
  const predicted = predictions(outputs, classes);
  return {
    margins: logitConfidence(outputs, classes).map(clip),
    right: Uint8Array.from(predicted, (label, i) => Number(label === outputs.labels[i])),
  };
}

async function compute(input: AuditInput): Promise<Worlds> {
  const { references = [], unlearn, sets, goneClasses, seed, signal, onProgress } = input;
  const targets = targetsOf(sets, goneClasses, seed);
  const kept = keptSample(sets, seed);
  const places = placesOf(sets);
  const asked = { forget: sets.forget, test: sets.test, kept };
  const at = { forget: places.trained(sets.forget), test: places.test, kept: places.trained(kept) };
  const isTarget = new Uint8Array(sets.test.size);
  for (const row of targets) isTarget[row] = 1;

  const models: World[] = [];
  for (const [i, reference] of references.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ phase: 'unlearn references', fraction: i / references.length });
    const of = (where: Int32Array) => membersAt(reference, places.size, where);
    const members = each((set) => of(at[set]));
    const look = (subject: Subject) => eachOf((set) => seenBy(subject, asked[set], input));
    const before = await look(reference.subject);
    const retained = of(places.trained(sets.retain));
    const forget = together(
      [sets.forget, places.trained(sets.forget), (row) => members.forget[row] === 1],
      [sets.test, places.test, (row) => members.test[row] === 1 && isTarget[row] === 1],
    );
    const retain = together(
      [sets.retain, places.trained(sets.retain), (row) => retained[row] === 1],
      [sets.test, places.test, (row) => members.test[row] === 1 && isTarget[row] === 0],
    );
    // A reference that saw no target has nothing to unlearn.
    const after =
      forget.size === 0 || !unlearn ? before : await unlearning({ unlearn, reference, forget, retain }, look);
    models.push({ members, before, after });
  }
  return { targets, kept, models, from: 'references' };
}

/**
 * Of two retrained models one stands for a reference that unlearned its targets, the other for one that never saw them; both never
 * saw them, as exact unlearning has it.
 */
async function retrainedWorlds(input: AuditInput): Promise<Worlds> {
  const { retrains = [], sets, goneClasses, seed, signal } = input;
  const targets = targetsOf(sets, goneClasses, seed);
  const kept = keptSample(sets, seed);
  const asked = { forget: sets.forget, test: sets.test, kept };
  const seen: Each<Seen>[] = [];
  for (const subject of retrains) {
    signal?.throwIfAborted();
    seen.push(await eachOf((set) => seenBy(subject, asked[set], input)));
  }
  const isTarget = new Uint8Array(sets.test.size);
  for (const row of targets) isTarget[row] = 1;
  const all = (of: Asked, value: number) => new Uint8Array(asked[of].size).fill(value);
  const saw = { forget: all('forget', 1), test: isTarget, kept: all('kept', 1) };
  const never = { forget: all('forget', 0), test: isTarget.map((one) => 1 - one), kept: all('kept', 0) };
  const models: World[] = [];
  for (let i = 0; i + 1 < seen.length; i += 2) {
    const [before, after] = [seen[i], seen[i + 1]];
    models.push({ members: saw, before, after }, { members: never, before, after: before });
  }
  return { targets, kept, models, from: 'retrained models' };
}

/** Unlearns, looks at the result and gives it back. */
async function unlearning<T>(
  {
    unlearn,
    reference,
    forget,
    retain,
  }: Required<Pick<AuditInput, 'unlearn'>> & { reference: Reference; forget: Split; retain: Split },
  look: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { subject, release } = await unlearn(reference, forget, retain);
  try {
    return await look(subject);
  } finally {
    release();
  }
}

type Part = readonly [split: Split, places: Int32Array, keep: (row: number) => boolean];

/** Samples of two splits as one, with their places among all as ids: ids of training and test samples are the same numbers. */
function together(...parts: readonly Part[]): Split {
  const rows = parts.map(([split, , keep]) => Int32Array.from(split.ids.keys()).filter((row) => keep(row)));
  const { shape, images, labels } = joinSplits(...parts.map(([split], i) => takeSplit(split, rows[i])));
  const ids = Int32Array.from(parts.flatMap(([, places], i) => Array.from(rows[i], (row) => places[row])));
  return makeSplit({ shape, images, labels, ids });
}

const each = <T>(make: (set: Asked) => T): Each<T> => ({
  forget: make('forget'),
  test: make('test'),
  kept: make('kept'),
});
const eachOf = async <T>(make: (set: Asked) => Promise<T>): Promise<Each<T>> => ({
  forget: await make('forget'),
  test: await make('test'),
  kept: await make('kept'),
});

/** Which models' margins are wanted. */
export interface Wanted {
  /** On this set. */
  readonly set: Asked;
  /** Before or after they unlearned. */
  readonly state: 'before' | 'after';
  /** Of models that were trained on the sample, or of those that were not. */
  readonly members: boolean;
}

/** Margins over models, [rows][models]; models are in the order of the references. */
export const marginsOf = (
  { models }: Worlds,
  { set, state, members }: Wanted,
  rows: ArrayLike<number>,
): number[][] =>
  Array.from(rows, (row) =>
    models.flatMap((model) =>
      (model.members[set][row] === 1) === members ? [model[state][set].margins[row]] : [],
    ),
  );

/** The fewest models of any row. */
export const fewest = (world: readonly ArrayLike<number>[]): number =>
  world.reduce((least, { length }) => Math.min(least, length), Infinity);

/** All rows of a split. */
export const allRows = ({ size }: Split): Int32Array => Int32Array.from({ length: size }, (_, row) => row);
