// The rewinding of SCRUB+R (Kurmanji et al., NeurIPS 2023): a network that has forgotten too well gives itself away. So the
// weights of all epochs are kept, and the result is those whose error on the forget set is nearest to the error of the last
// ones on held-out samples of the same classes. That it is the last ones is recalled from the paper.

import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import { positionsWhere, takeSplit } from '../data/split.ts';
import { type Hook, measured, nearestEpoch, rewound } from '../train/hooks.ts';
import type { EpochRecord } from '../train/loop.ts';
import type { Split, UnlearnInput } from '../types.ts';
import { correctness } from './correctness.ts';

const FACT = 'forgetError';

interface Rewinding {
  /** For the loop. */
  readonly hooks: readonly Hook[];
  /** Samples looked at, over this many epochs. */
  visited(epochs: number): number;
  /** What there is to report, once the loop has ended. */
  details(history: readonly EpochRecord[]): Readonly<Record<string, number>>;
  /** Releases the compiled program. */
  dispose(): void;
}

/** @throws LetheError 'value' without held-out samples of each forgotten class. */
export function rewinding(name: string, input: UnlearnInput): Rewinding {
  const { model, forget, signal } = input;
  const { held, weights } = heldOut(name, forget, input.validation);
  const known = correctness(model);
  const wrong = async (variables: Variables, split: Split, weight: (position: number) => number) => {
    const right = await known.of(variables, split, signal);
    return right.reduce((sum, each, i) => sum + weight(i) * (100 - each), 0);
  };
  let reference = Number.NaN;
  return {
    hooks: [
      measured(async (variables) => ({ [FACT]: await wrong(variables, forget, () => 1 / forget.size) })),
      rewound(FACT, async (last) => {
        reference = await wrong(last, held, (i) => weights[i]);
        return reference;
      }),
    ],
    visited: (epochs) => epochs * forget.size + held.size,
    details: (history) => ({ reference, rewoundTo: nearestEpoch(history, FACT, reference) + 1 }),
    dispose: () => known.dispose(),
  };
}

/**
 * As many held-out samples of a class as are forgotten of it, or as there are, and a weight for each so that every class
 * counts as much as in the forget set.
 */
function heldOut(name: string, forget: Split, validation: Split | undefined) {
  check(
    validation,
    'value',
    () => `${name}: rewind needs validation, held-out samples of the forgotten classes`,
  );
  const counts = new Map<number, number>();
  for (const label of forget.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const taken = [...counts].map(([label, count]) => {
    const positions = positionsWhere(validation, (of) => of === label).subarray(0, count);
    check(
      positions.length > 0,
      'value',
      () =>
        `${name}: rewind needs held-out samples of the forgotten classes, validation has none of class ${label}`,
    );
    return { positions, weight: count / forget.size / positions.length };
  });
  return {
    held: takeSplit(
      validation,
      taken.flatMap(({ positions }) => [...positions]),
    ),
    weights: taken.flatMap(({ positions, weight }) => Array.from(positions, () => weight)),
  };
}
