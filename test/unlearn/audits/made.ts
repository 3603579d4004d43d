// Made-up models for the tests of attacks: a sample is two bytes that say which one it is, and a model's answer to it is how easy it
// is, more where the model was trained on it, and noise of the model's own.

import type { AuditInput, Reference, Sets } from '../../../unlearn/audits/record.ts';
import type { Subject } from '../../../unlearn/audits/subject.ts';
import { makeSplit, positionsWhere, takeSplit } from '../../../unlearn/data/split.ts';
import { Stream } from '../../../unlearn/random.ts';
import type { Split } from '../../../unlearn/types.ts';

export const K = 3;
/** Samples 0 .. TRAIN - 1 are training samples, the following ones test samples. */
export const [TRAIN, TEST] = [300, 180];

const samples = (from: number, count: number): Split =>
  makeSplit({
    shape: [1, 1, 2],
    images: Uint8Array.from({ length: 2 * count }, (_, i) => {
      const place = from + (i >> 1);
      return i % 2 === 0 ? place >> 8 : place & 255;
    }),
    labels: Int32Array.from({ length: count }, (_, i) => i % K),
  });

/** Which samples a split holds. */
export const placesIn = ({ size, images }: Split): number[] =>
  Array.from({ length: size }, (_, i) => 256 * images[2 * i] + images[2 * i + 1]);

/** Standard normal enough: the sum of twelve uniform numbers. */
const noise = (seed: number, place: number): number => {
  const stream = new Stream(seed, place);
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += stream.between(0, 1);
  return sum;
};

/** Confidence of a model in a sample's label, logit-scaled. */
export const answer = (seed: number, place: number, trained: number): number =>
  1.5 * noise(1, place) + trained + 0.7 * noise(1000 + seed, place);

/** A model that answers so; `trained` is what training on a sample, or unlearning it, adds. */
export const made = (name: string, seed: number, trained: (place: number) => number): Subject => ({
  name,
  network: null,
  hasFeatures: true,
  features: async () => ({ values: new Float32Array(0), width: 0, labels: new Int32Array(0) }),
  answers: async (split) => ({
    labels: split.labels,
    logits: Float32Array.from(
      placesIn(split).flatMap((place, i) =>
        Array.from({ length: K }, (_, k) =>
          // Two others with logit 0: ln 2 is what they weigh together.
          k === split.labels[i] ? answer(seed, place, trained(place)) + Math.log(2) : 0,
        ),
      ),
    ),
  }),
});

/** What training on a sample adds. */
export const GAIN = 2.5;

const train = samples(0, TRAIN);
const test = samples(TRAIN, TEST);
const part = (split: Split, keep: (label: number, position: number) => boolean) =>
  takeSplit(split, positionsWhere(split, keep));

/** Every fifth sample is forgotten. */
export const bySamples: Sets = {
  forget: part(train, (_, place) => place % 5 === 0),
  retain: part(train, (_, place) => place % 5 !== 0),
  test,
  kept: test,
  gone: null,
};
/** Class 1 is forgotten. */
export const byClass: Sets = {
  forget: part(train, (label) => label === 1),
  retain: part(train, (label) => label !== 1),
  test,
  kept: part(test, (label) => label !== 1),
  gone: part(test, (label) => label === 1),
};

/** In pairs on complementary halves. */
export const references = (count: number): Reference[] =>
  Array.from({ length: count }, (_, i) => {
    const stream = new Stream(77, i >> 1);
    const members = Uint8Array.from({ length: TRAIN + TEST }, () => Number(stream.chance(0.5)) ^ (i & 1));
    return { members, subject: made(`reference ${i}`, i, (place) => GAIN * members[place]) };
  });

/** Answers as the original, which was trained on all training samples. */
export const original = made('original', 500, (place) => (place < TRAIN ? GAIN : 0));
/** Answers as one that was trained on the retained ones alone. */
export const retrained = (sets: Sets, seed = 501): Subject => {
  const gone = new Set(placesIn(sets.forget));
  return made('retrain', seed, (place) => (place < TRAIN && !gone.has(place) ? GAIN : 0));
};

/** A method that leaves this share of what training on a forgotten sample added. */
export function leaving(share: number): {
  unlearn: NonNullable<AuditInput['unlearn']>;
  calls: { reference: Reference; forget: Split; retain: Split }[];
  released: () => number;
} {
  const calls: { reference: Reference; forget: Split; retain: Split }[] = [];
  let released = 0;
  return {
    calls,
    released: () => released,
    unlearn: async (reference, forget, retain) => {
      calls.push({ reference, forget, retain });
      const gone = new Set(placesIn(forget));
      const gain = (place: number) => GAIN * reference.members[place] * (gone.has(place) ? share : 1);
      const subject = made('unlearned', 200 + calls.length, gain);
      return { subject, release: () => void released++ };
    },
  };
}

export const input = (own: Subject, sets: Sets, rest: Partial<AuditInput> = {}): AuditInput => ({
  own,
  sets,
  classes: K,
  goneClasses: sets.gone ? [1] : [],
  seed: 3,
  ...rest,
});
