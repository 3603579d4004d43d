// What the audited model and the references say of the true labels of F, of T and of retained samples: what RMIA and IAM work on.

import { trueConfidence } from '../statistics/outputs.ts';
import type { Signals } from '../statistics/rmia.ts';
import type { Split } from '../types.ts';
import { keptSample, membersAt, placesOf } from './candidates.ts';
import type { AuditInput, SampleScores } from './record.ts';

/** Softmax of the true label under the audited model and under each reference, and which references saw the sample. */
interface Asked extends Signals {
  /** The samples, in this order. */
  readonly split: Split;
}

/** On all of F and T, and on some of R (`keptSample`). */
export async function askAll(
  input: AuditInput,
): Promise<{ readonly forget: Asked; readonly kept: Asked; readonly test: Asked }> {
  const { own, references = [], sets, classes, seed, signal } = input;
  const places = placesOf(sets);
  const ask = async (split: Split, at: Int32Array): Promise<Asked> => {
    const answers = [];
    for (const { subject } of [{ subject: own }, ...references]) {
      signal?.throwIfAborted();
      answers.push(trueConfidence(await subject.answers(split, { signal }), classes));
    }
    const [mine, ...theirs] = answers;
    const members = references.map((reference) => membersAt(reference, places.size, at));
    return { split, own: mine, references: theirs, members };
  };
  const kept = keptSample(sets, seed);
  return {
    forget: await ask(sets.forget, places.trained(sets.forget)),
    kept: await ask(kept, places.trained(kept)),
    test: await ask(sets.test, places.test),
  };
}

/** Some of the samples. */
export const take = ({ own, references, members }: Signals, rows: Int32Array): Signals => ({
  own: pick(own, rows),
  references: references.map((row) => pick(row, rows)),
  members: members.map((row) => pick(row, rows)),
});

const pick = (values: ArrayLike<number>, rows: Int32Array): Float64Array =>
  Float64Array.from(rows, (row) => values[row]);

/** Scores of samples, for the report. */
export const scoresOf = (
  set: SampleScores['set'],
  about: string,
  ids: Int32Array,
  scores: ArrayLike<number>,
): SampleScores => ({ set, about, ids: [...ids], scores: Array.from(scores) });
