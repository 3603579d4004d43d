// Where a sample lies among the parts of a data set: a function of the key, the sample's id and how likely it is to be
// removed, and of no other sample. So a removal moves nobody else. A dealing that balances the parts by what is in them, as
// the greedy merge in the code of SISA's authors does, moves others and is not exact.

import * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { int, list, num } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { philox } from '../random.ts';
import { seedOf } from '../train/tune.ts';

/** Options that tell which samples are likely to be removed. */
export const likelihood = {
  likelihood: v.optional(
    list(
      num('Likelihood.', 0),
      'How likely each sample is to be removed, by its id, in any unit; samples beyond the list have 0.',
      'a list of numbers, 0 or more',
    ),
  ),
  likely: opt(num('With `likelihood`: from which value on a sample counts as likely to be removed.', 0), 0.5),
};

/** Parts that are kept for the likely samples. */
export const likelyParts = (about: string) => opt(int(about, 1, 10_000), 1);

interface Dealt {
  /** Whether it is likely to be removed. */
  readonly likely: boolean;
  /** Two numbers in [0, 1), uniform and independent. */
  readonly uniform: readonly [number, number];
}

/** What is drawn for a sample, by its id. @param stream tells the draws of one method from those of another. */
export async function dealer(
  options: { readonly likelihood?: readonly number[]; readonly likely: number },
  key: Tensor,
  stream: number,
): Promise<(id: number) => Dealt> {
  const seed = await seedOf(key);
  const words = new Uint32Array(4);
  return (id) => {
    philox(id, 0, stream, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    return {
      likely: (options.likelihood?.[id] ?? 0) >= options.likely,
      uniform: [words[0] / 2 ** 32, words[1] / 2 ** 32],
    };
  };
}

/**
 * Part of a sample, 0 .. parts - 1. Where likelihoods are given the likely samples share the first parts, or the last,
 * among themselves, and the others the rest.
 */
export function partOf(
  uniform: number,
  parts: number,
  apart: { readonly likely: boolean; readonly count: number; readonly at: 'first' | 'last' } | null,
): number {
  if (apart === null) return Math.floor(uniform * parts);
  const { likely, count, at } = apart;
  const own = likely ? count : parts - count;
  const first = likely === (at === 'first') ? 0 : parts - own;
  return first + Math.floor(uniform * own);
}

/** @throws LetheError 'value' where no part is left for the samples that are not likely. */
export function checkLikely(name: string, what: string, parts: number, likely: number): void {
  check(
    likely < parts,
    'value',
    () =>
      `${name}: likely${what[0].toUpperCase()}${what.slice(1)}: expected fewer than the ${parts} ${what}, got ${likely}`,
  );
}
