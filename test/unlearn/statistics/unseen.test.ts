// How far forgotten samples are from unseen ones, beside the same number worked out by hand or in plain loops.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outputs } from '../../../unlearn/statistics/outputs.ts';
import { unseenDistance } from '../../../unlearn/statistics/unseen.ts';

/** Two classes; the logit-scaled confidence in the label is the number given. */
const sure = (rows: readonly (readonly [label: number, confidence: number])[]): Outputs => ({
  labels: rows.map(([label]) => label),
  logits: Float32Array.from(rows.flatMap(([label, c]) => (label === 0 ? [c, 0] : [0, c]))),
});
const distance = (forget: Outputs, unseen: Outputs, kept = [0, 1]) =>
  unseenDistance({ forget, unseen, kept, K: 2 });

describe('unseenDistance', () => {
  it('is 0 for the same confidences, 100 for those apart, and in between as far as the shares differ', () => {
    const some = sure([0, 1, 2, 3].map((c) => [0, c]));
    expect(distance(some, some)).toBeCloseTo(0, 9);
    expect(
      distance(
        some,
        sure([
          [0, 9],
          [0, 8],
        ]),
      ),
    ).toBeCloseTo(100, 9);
    // Below 1.5 lie two of four and one of four.
    expect(distance(some, sure([1, 2, 3, 3].map((c) => [0, c])))).toBeCloseTo(25, 9);
    // Ties count as one step: half of each lies at 0.
    expect(
      distance(
        sure([0, 0, 1, 1].map((c) => [0, c])),
        sure([
          [0, 0],
          [0, 1],
        ]),
      ),
    ).toBeCloseTo(0, 9);
  });

  it('weighs unseen samples to the classes of the forgotten, and leaves out classes that have none', () => {
    const forget = sure([
      [0, 5],
      [0, 5],
      [0, 5],
      [1, 1],
    ]);
    // As many of each class there: with equal weights half of them would lie at 5, not three quarters.
    expect(
      distance(
        forget,
        sure([
          [0, 5],
          [1, 1],
        ]),
      ),
    ).toBeCloseTo(0, 9);
    expect(
      distance(
        forget,
        sure([
          [0, 5],
          [0, 5],
        ]),
      ),
    ).toBeCloseTo(0, 9);
  });

  it('of a class that is gone it is the accuracy on it, forgotten and unseen alike', () => {
    const forget = sure([
      [1, 2],
      [1, 2],
      [1, 2],
      [1, -2],
    ]);
    const unseen = sure([
      [1, 2],
      [1, -2],
      [0, 2],
      [0, 2],
    ]);
    expect(distance(forget, unseen, [0, 0, 0])).toBeCloseTo((75 + 50) / 2, 9);
    expect(distance(forget, sure([[0, 2]]), [0])).toBeCloseTo(75, 9);
    // Both kinds at once, by their sizes: one forgotten sample of class 0, which is kept.
    const both = sure([[0, 7], ...[1, 1, 1].map((label) => [label, 2] as const)]);
    expect(
      distance(
        both,
        sure([
          [0, 7],
          [1, -2],
        ]),
        [0],
      ),
    ).toBeCloseTo((3 * 50 + 0) / 4, 9);
  });

  it('is the largest difference of the two distribution functions', () => {
    const values = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const share = (list: number[], at: number) => list.filter((c) => c <= at).length / list.length;
        const largest = Math.max(...[...a, ...b].map((at) => Math.abs(share(a, at) - share(b, at))));
        const of = (list: number[]) => sure(list.map((c) => [0, c]));
        expect(distance(of(a), of(b))).toBeCloseTo(100 * largest, 6);
      }),
    );
  });
});
