// What a model is trained on when it is made to learn again what it forgot, and what it is then asked: the protocols of
// relearn.ts.

import { positionsWhere, takeSplit } from '../data/split.ts';
import { permutation, stratified } from '../random.ts';
import type { Split } from '../types.ts';
import type { AuditInput } from './record.ts';

/** What a model can be trained on again. */
export const PROTOCOLS = ['all', 'kShot', 'retainOnly', 'half'] as const;
/** One of them. */
export type Protocol = (typeof PROTOCOLS)[number];

/** Names of streams of random numbers. */
const HALF = 0x68616c66;
const SHOTS = 0x73686f74;
const SHOWN = 0x73686f77;

/** What a model is trained on, and asked. */
export interface RelearnData {
  /** What is trained on. */
  readonly train: Split;
  /** What each step sees beside that; null: nothing. */
  readonly beside: Split | null;
  /** What tells that it came back: T_f, or those of F that are not trained on (all of F where none are held out). */
  readonly asked: Split;
  /** T_r. */
  readonly kept: Split;
}

/**
 * Decided by the seed and the sets alone, so that all models are given the same.
 * @returns in place of the material, why there is none.
 */
export function relearnDataOf(
  protocol: Protocol,
  {
    shots,
    evaluated,
    beside,
  }: { readonly shots: number; readonly evaluated: number; readonly beside: 'retain' | 'nothing' },
  { sets, goneClasses, seed }: AuditInput,
): RelearnData | string {
  const { forget, retain, kept, gone } = sets;
  const { train, rest } = chosen();
  const asked = goneClasses.length > 0 ? gone : rest;
  if (asked === null || asked.size === 0)
    return goneClasses.length > 0
      ? 'There are no test samples of forgotten classes.'
      : `Of ${forget.size} forgotten samples none is left to be asked.`;
  if (train.size === 0) return 'There is nothing to train on.';
  if (kept.size === 0) return 'There are no test samples of kept classes.';
  return {
    train,
    beside: beside === 'retain' && protocol !== 'retainOnly' ? retain : null,
    asked: atMost(asked, evaluated, seed),
    kept: atMost(kept, evaluated, seed),
  };

  function chosen(): { train: Split; rest: Split } {
    if (protocol === 'all') return { train: forget, rest: forget };
    if (protocol === 'retainOnly') return { train: retain, rest: forget };
    if (protocol === 'half')
      return forget.size < 2
        ? { train: forget, rest: takeSplit(forget, []) }
        : parted(forget, stratified(forget.labels, Math.ceil(forget.size / 2), seed, HALF));
    const classes = [...new Set(forget.labels)].sort((a, b) => a - b);
    const taken = classes.flatMap((label) => {
      const own = positionsWhere(forget, (of) => of === label);
      return Array.from(permutation(own.length, seed, SHOTS, label).subarray(0, shots), (i) => own[i]);
    });
    return parted(forget, taken);
  }
}

/** The samples at these positions, and the others. */
function parted(split: Split, positions: ArrayLike<number>): { train: Split; rest: Split } {
  const taken = new Set(Array.from(positions));
  return {
    train: takeSplit(
      split,
      [...taken].sort((a, b) => a - b),
    ),
    rest: takeSplit(
      split,
      positionsWhere(split, (_, position) => !taken.has(position)),
    ),
  };
}

/** All samples, or so many of them, each class with its share. */
const atMost = (split: Split, most: number, seed: number): Split =>
  split.size <= most ? split : takeSplit(split, stratified(split.labels, most, seed, SHOWN));
