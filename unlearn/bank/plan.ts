// Which models a bank trains: the plan. A model is a seed and the samples that it is trained on.

import { check } from '../../engine/error.ts';
import { checkSeed, philox } from '../random.ts';
import type { Split } from '../types.ts';

/** A model to be trained. */
export interface PlannedModel {
  /** Decides first weights, order and augmentation, as a run's seed does: 0 .. 2^53 - 1. */
  readonly seed: number;
  /** 1 for each of the bank's samples that it is trained on, 0 for the others. */
  readonly members: Uint8Array;
}

/** Samples that a model is trained on. */
export const sizeOf = ({ members }: PlannedModel): number => members.reduce((sum, one) => sum + one, 0);

/** @throws LetheError 'value' for a plan that does not fit the data. */
export function checkPlan(plan: readonly PlannedModel[], { size }: Split): void {
  check(plan.length > 0, 'value', () => 'bank: the plan has no models');
  plan.forEach(({ seed, members }, place) => {
    checkSeed(seed);
    const about = `bank: model ${place + 1} of ${plan.length}`;
    check(
      members.length === size && members.every((one) => one <= 1),
      'value',
      () => `${about}: ${members.length} members; expected 0 or 1 for each of ${size} samples`,
    );
    check(members.includes(1), 'value', () => `${about}: it is trained on no sample`);
  });
}

const HALVES = 0x68616c66;
const SEEDS = 0x72656673;

/**
 * Models on random halves, in complementary pairs: of each two, every sample is in the training of exactly one. Whether a
 * sample is in follows from a hash of seed, pair, part and its id, so that it depends on no other sample; a longer plan begins
 * with the shorter one. The models' own seeds follow from seed and place alone, and are not the seed of any run.
 * @param parts whose samples the bank's data are, in order: training samples, then test samples. Ids tell samples of a part apart.
 * @param count how many; even, 2 or more.
 * @param seed 0 .. 2^53 - 1.
 * @throws LetheError 'value' for another count or seed.
 */
export function referencePlan(
  parts: readonly { readonly ids: Int32Array }[],
  count: number,
  seed: number,
): PlannedModel[] {
  checkSeed(seed);
  check(
    Number.isInteger(count) && count >= 2 && count % 2 === 0,
    'value',
    () => `referencePlan: ${count} models; expected an even number from 2, as they come in pairs`,
  );
  const words = new Uint32Array(4);
  const draw = (counter: number, b: number, c: number, d: number) =>
    philox(counter, b, c, d, seed >>> 0, Math.floor(seed / 2 ** 32), words);
  return Array.from({ length: count }, (_, place): PlannedModel => {
    draw(place, 0, SEEDS, 0);
    const own = words[0] + (words[1] % 2 ** 21) * 2 ** 32;
    const [pair, second] = [place >> 1, place & 1];
    const members = parts.flatMap(({ ids }, part) =>
      Array.from(ids, (id) => {
        draw(id, pair, HALVES, part);
        return (words[0] & 1) ^ second;
      }),
    );
    return { seed: own, members: Uint8Array.from(members) };
  });
}
