// Profiles of neighbouring classes on answers from a table, so that each distance is known.

import { beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { audits } from '../../../unlearn/audits/index.ts';
import { draws } from '../statistics/samples.ts';
import { blobs, input, labelled, speaker } from './kit.ts';

beforeAll(() => lt.init({ device: 'reference' }));

const centres = [
  [60, 60, 200],
  [200, 60, 60],
  [60, 200, 60],
];

describe('neighbouring classes', () => {
  const sets = {
    forget: blobs(labelled(5, 2), centres),
    gone: blobs(labelled(40, 2), centres, { firstId: 100 }),
    kept: blobs(labelled(40, 0, 1), centres, { firstId: 500 }),
  };
  const goneClasses = [2];
  /** Softmax over classes 0 and 1: `share` to class 0 on the class that is gone, sure answers elsewhere. */
  const giving = (name: string, share: number) =>
    speaker(name, (split) =>
      Array.from(split.labels).flatMap((label) => {
        if (label === 2) return [Math.log(share / (1 - share)), 0, 5];
        return label === 0 ? [6, -6, 0] : [-6, 6, 0];
      }),
    );
  const retrains = [giving('b', 0.8)];
  const given = { goneClasses, retrain: giving('a', 0.7), retrains };

  it('compares the profile with the mean of the retrained ones', async () => {
    const found = await audits.neighbours().run(input(giving('own', 0.25), sets, given));
    expect(found.values.neighbours).toBeCloseTo(100 * (0.75 - 0.25), 4);
    for (const bound of found.intervals?.neighbours ?? []) expect(bound).toBeCloseTo(50, 4);
    // Logits differ by -1.1 on the one, by 12 on class 0: told apart without fail.
    expect(found.values.neighbours_accuracy).toBe(100);
    const floor = await audits.neighbours().run(input(given.retrain, sets, given));
    expect(floor.values.neighbours).toBeCloseTo(10, 4);
  });

  it('is at chance where the class answers as its neighbour does, and null where nothing can be said', async () => {
    const same = speaker('same', (split) => {
      const { normal } = draws(3 + split.size);
      return Array.from(split.labels).flatMap((label) =>
        label === 1 ? [-9, 9, 0] : [4 + normal(), normal(), 0],
      );
    });
    const found = await audits.neighbours().run(input(same, sets, given));
    expect(Math.abs((found.values.neighbours_accuracy as number) - 50)).toBeLessThan(15);
    expect(found.intervals?.neighbours_accuracy?.[0]).toBeLessThan(50);
    expect(found.intervals?.neighbours_accuracy?.[1]).toBeGreaterThan(50);
    const broken = speaker('broken', (split) => new Float32Array(3 * split.size).fill(Number.NaN));
    const nothing = await audits.neighbours().run(input(broken, sets, given));
    expect(nothing.values.neighbours_accuracy).toBeNull();
    expect(nothing.notes).toEqual(['Fewer than 20 usable answers on class 2 or its neighbour, class 0.']);
    const few = { ...sets, gone: blobs(labelled(3, 2), centres) };
    expect((await audits.neighbours().run(input(same, few, given))).values.neighbours).toBeNull();
  });
});
