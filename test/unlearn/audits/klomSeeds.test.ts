// Margins beside those of retrained models: made-up models whose divergence is known.

import { describe, expect, it } from 'vitest';
import { audits } from '../../../unlearn/audits/index.ts';
import type { AuditInput } from '../../../unlearn/audits/record.ts';
import type { Subject } from '../../../unlearn/audits/subject.ts';
import { byClass, bySamples, GAIN, input, K, made, placesIn, retrained, TRAIN } from './made.ts';

const originals = (seed: number) => made('original', seed, (place) => (place < TRAIN ? GAIN : 0));
const some = (count: number, make: (seed: number) => Subject, from: number) =>
  Array.from({ length: count }, (_, i) => make(from + i));
const retrain = (seed: number) => retrained(byClass, seed);
const first = retrain(501);
const run = (own: Subject, rest: Partial<AuditInput> = {}) =>
  audits.klomSeeds().run(input(own, byClass, { retrain: first, retrains: some(4, retrain, 600), ...rest }));
/** Of two normal distributions GAIN apart, deviation 0.7. */
const EXACT = (GAIN / 0.7) ** 2 / 2;

describe('klomSeeds', () => {
  it('of a forgotten class: the exact divergence on the original, 0 in the mean on retrain', async () => {
    const kept = await run(originals(500));
    // 100 samples: standard error about GAIN / 0.7 / 10 = 0.4 nats, and that of the variance.
    expect(Math.abs((kept.values.klom_shared as number) - EXACT)).toBeLessThan(1.2);
    const gone = await run(first);
    expect(Math.abs(gone.values.klom_shared as number)).toBeLessThan(0.25);
    expect(Math.abs(gone.values.klom_shared_kept as number)).toBeLessThan(0.25);
    expect(gone.values.klom_shared_floor).toBeLessThan(0.4);
    expect(gone.values.klom_shared_floor).toBeGreaterThan(-0.4);
    expect(kept.values).toMatchObject({ klom_seeds: null, klom_seeds_p: null, forgetting_seeds: null });
    expect(kept.notes?.join(' ')).toContain('1 trainings of this row against 5 retrained ones');
    expect(gone.notes?.[0]).toBe('Beside 4 retrained models.');
    expect(kept.samples?.[0].scores).toHaveLength(byClass.forget.size);
  });

  it('over seeds: both distributions, with a floor, a test and the score', async () => {
    const repeats = (own: readonly Subject[]) => ({ repeats: { own, retrain: some(7, retrain, 700) } });
    const none = { retrains: some(2, retrain, 600) };
    const bad = await run(originals(500), { ...none, ...repeats(some(9, originals, 800)) });
    const good = await run(retrain(900), { ...none, ...repeats(some(9, retrain, 901)) });
    expect(bad.notes?.[1]).toBe('10 trainings of this row against 10 retrained ones.');
    expect(bad.values.klom_seeds_p).toBe(1 / 1000);
    expect(good.values.klom_seeds_p).toBeGreaterThan(0.05);
    expect(bad.values.klom_seeds).toBeGreaterThan((good.values.klom_seeds as number) + 3);
    // Half as many models show at least as much by chance.
    expect(good.values.klom_seeds).toBeLessThan((good.values.klom_seeds_floor as number) + 0.4);
    expect(good.values.forgetting_seeds).toBeGreaterThan(5 * (bad.values.forgetting_seeds as number));
    // Retrain's own seeds stand on the one side, further models on the other.
    const own = await run(first, { retrains: some(3, retrain, 600), ...repeats(some(7, retrain, 700)) });
    expect(own.notes?.[1]).toBe(
      '8 trainings of this row against 3 retrained ones: a histogram needs 8 of each.',
    );
  });

  it('is for samples, too, and says what it lacks', async () => {
    const samples = audits.klomSeeds().run(
      input(originals(500), bySamples, {
        retrain: retrained(bySamples),
        retrains: some(3, (seed) => retrained(bySamples, seed), 600),
      }),
    );
    expect(Math.abs(((await samples).values.klom_shared as number) - EXACT)).toBeLessThan(1.5);
    const alone = await run(first, { retrains: some(1, retrain, 600) });
    expect(Object.values(alone.values).every((value) => value === null)).toBe(true);
    await expect(run(first, { retrains: [] })).rejects.toThrow(
      'klomSeeds: needs retrained models of other seeds',
    );
    const silent: Subject = {
      ...first,
      answers: async (split) => ({
        logits: new Float32Array(placesIn(split).length * K).fill(Number.NaN),
        labels: split.labels,
      }),
    };
    expect(Number.isFinite((await run(silent)).values.klom_shared)).toBe(true);
  });
});
