// The three-sample test on answers that are retrain's, the original's, or broken.

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

/** Logits of a trained model: the query's own part, that of the training by its seed, and what it gives each class. */
const trained = (name: string, seed: number, shift: readonly number[]) =>
  speaker(name, (split) => {
    const { normal } = draws(seed);
    return Array.from(split.ids).flatMap((id) => {
      const query = draws(1000 + id);
      return shift.map((value) => value + 0.5 * query.normal() + 0.3 * normal());
    });
  });

describe('nearer to retrain or to the original', () => {
  const sets = { forget: blobs(labelled(80, 2), centres, { firstId: 7 }) };
  const [R, O] = [
    [1, 2, -3],
    [-1, 0, 4],
  ];
  const retrain = trained('retrain', 1, R);
  const original = trained('original', 2, O);
  const retrains = [3, 4].map((seed) => trained(`retrain ${seed}`, seed, R));
  const given = { original, retrain, retrains };
  const run = (own: typeof retrain, more = given) =>
    audits.relative({ queries: 60 }).run(input(own, sets, more));

  it('passes what answers as retrain does, and fails what answers as the original', async () => {
    const good = await run(trained('forgot', 5, R));
    expect(good.notes?.[0]).toBe('60 queries: nearer to retrain than to the original.');
    expect(good.values).toMatchObject({ relative_rejected: 0, relative_control: 0, relative_p: 1 });
    expect(good.values.relative_mirrored).toBeLessThan(0.001);
    expect(good.values.relative_share).toBeLessThan(5);
    expect(good.values.relative_delta).toBe(0);
    const bad = await run(trained('remembers', 6, O));
    expect(bad.notes?.[0]).toBe('60 queries: nearer to the original than to retrain.');
    expect(bad.values).toMatchObject({ relative_rejected: 100, relative_mirrored: 1 });
    expect(bad.values.relative_share).toBeGreaterThan(95);
    // Beside three retrained models no rank is rarer than one in four.
    expect(bad.values.relative_permutation).toBe(0.25);
    // Sides that never meet, 30 queries judged on each: both bounds are missed at 0.0125.
    expect(bad.values.relative_delta).toBeGreaterThan(0.7);
    expect(bad.values.relative_delta).toBeLessThan(1);
  });

  it('ranks what is one more retrained model anywhere among them', async () => {
    const ranks = new Map<number, number>();
    for (let seed = 0; seed < 40; seed++) {
      const models = [0, 1, 2, 3].map((i) => trained(`r ${i}`, 100 + 4 * seed + i, R));
      const [own, retrain, ...retrains] = models;
      const { values } = await audits
        .relative({ queries: 20 })
        .run(input(own, sets, { original, retrain, retrains }));
      const p = values.relative_permutation as number;
      ranks.set(p, (ranks.get(p) ?? 0) + 1);
    }
    expect([...ranks.keys()].sort()).toEqual([0.25, 0.5, 0.75, 1]);
    // 40 draws of 1/4 each: 10, 4 to 17 in 98 of 100 cases.
    for (const count of ranks.values()) {
      expect(count).toBeGreaterThanOrEqual(4);
      expect(count).toBeLessThanOrEqual(17);
    }
  });

  it('retrain is judged beside the others, and alone not at all; broken answers are answers', async () => {
    const found = await run(retrain);
    expect(found.values.relative_mirrored).toBeLessThan(0.001);
    expect(found.values.relative_rejected).toBe(0);
    const alone = await run(retrain, { ...given, retrains: [] });
    expect(alone.values.relative_p).toBeNull();
    expect(alone.notes?.[0]).toMatch(/^Retrain is compared with retrained models of other seeds/);
    const broken = await run(speaker('broken', (split) => new Float32Array(3 * split.size).fill(Number.NaN)));
    expect(broken.values.relative_p).not.toBeNull();
    // The other view, of confidences.
    const other = await audits
      .relative({ view: 'confidence' })
      .run(input(trained('forgot', 5, R), sets, given));
    expect(other.notes?.[0]).toBe('80 queries: nearer to retrain than to the original.');
  });
});
