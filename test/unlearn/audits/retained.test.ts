// The attack on retained samples, on made-up models whose separation is known in closed form.

import { expect, it } from 'vitest';
import { audits } from '../../../unlearn/audits/index.ts';
import type { Sets } from '../../../unlearn/audits/record.ts';
import { normalCdf } from '../../../unlearn/statistics/distributions.ts';
import { attackRetained } from '../../../unlearn/statistics/retained.ts';
import {
  byClass,
  bySamples,
  GAIN,
  input,
  leaving,
  made,
  original,
  placesIn,
  references,
  retrained,
  TRAIN,
} from './made.ts';

/** A method that makes the retained samples surer by as much as training did. */
const exposing = () => {
  const calm = leaving(0);
  const unlearn: typeof calm.unlearn = async (reference, forget, retain) => {
    const stays = new Set(placesIn(retain));
    const subject = made('unlearned', 900, (place) => (stays.has(place) ? 2 * GAIN : 0));
    return { ...(await calm.unlearn(reference, forget, retain)), subject };
  };
  return { unlearn, released: calm.released, calls: calm.calls };
};
const exposed = (sets: Sets) => {
  const stays = new Set(placesIn(sets.retain));
  return made('exposed', 901, (place) => (place < TRAIN && stays.has(place) ? 2 * GAIN : 0));
};

it.each([bySamples, byClass])(
  'finds what the method adds to the exposure of those who stay',
  async (sets) => {
    const { unlearn, released, calls } = exposing();
    const given = { original, references: references(4), unlearn, retrain: retrained(sets) };
    const found = await audits.retained().run(input(exposed(sets), sets, given));
    // Confidences of a sample before and after are normal with variances 1.5^2 + 0.7^2, covariance 1.5^2, and means (2.5, 5) if
    // it stays, (0, 0) if it was not seen: the best linear rule has AUC Phi(D / sqrt 2), D the Mahalanobis distance.
    const [v, c] = [1.5 ** 2 + 0.7 ** 2, 1.5 ** 2];
    const D = Math.sqrt((v * GAIN ** 2 - 2 * c * GAIN * 2 * GAIN + v * (2 * GAIN) ** 2) / (v * v - c * c));
    const { retained, retained_auc, retained_before, retained_accuracy, retained_control } = found.values;
    expect(Math.abs((retained_auc as number) - normalCdf(D / Math.SQRT2))).toBeLessThan(0.02);
    expect(Math.abs((retained_before as number) - normalCdf(GAIN / Math.sqrt(2 * v)))).toBeLessThan(0.08);
    expect(retained).toBeCloseTo((retained_auc as number) - (retained_before as number), 12);
    expect(found.intervals?.retained?.[0]).toBeGreaterThan(0);
    expect(retained_accuracy).toBeGreaterThan(60);
    expect(retained_control).toBeLessThan(retained as number);
    expect(calls.length).toBe(4);
    expect(released()).toBe(4);
  },
);

it('finds next to nothing where unlearning leaves the others alone', async () => {
  const { unlearn } = leaving(0);
  const given = { original, references: references(4), unlearn };
  const found = await audits.retained().run(input(retrained(bySamples), bySamples, given));
  // Two looks at the same sample: AUC rises from Phi(1.07) to Phi(1.12).
  expect(Math.abs(found.values.retained as number)).toBeLessThan(0.05);
  expect(found.values.retained_control).toBeNull();
});

it('needs samples of each fate', () => {
  const some = { before: [1, 2, 3], after: [1, 2, 3] };
  const none = { before: [], after: [] };
  const all = { unseen: some, retained: some, forgotten: some };
  expect(() => attackRetained(all, { ...all, retained: none })).toThrow('there are none retained');
});
