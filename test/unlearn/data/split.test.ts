import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  channelStatistics,
  classCounts,
  datasetHash,
  excludeClass,
  holdOut,
  holdOutById,
  imageAt,
  makeSplit,
  onlyClass,
  stratifiedPositions,
  takeSplit,
} from '../../../unlearn/data/split.ts';
import type { Split } from '../../../unlearn/types.ts';
import { refuses } from './helpers.ts';

function tiny(labels: number[]): Split {
  return makeSplit({
    shape: [1, 2, 1],
    images: Uint8Array.from({ length: labels.length * 2 }, (_, i) => i & 255),
    labels: Int32Array.from(labels),
    files: labels.map((_, i) => `f${i}`),
  });
}

describe('takeSplit', () => {
  it('is a view where positions are neighbours, a copy elsewhere; ids and files travel along', () => {
    const split = tiny([0, 1, 0, 2, 1]);
    const view = takeSplit(split, [1, 2, 3]);
    expect(view.images.buffer).toBe(split.images.buffer);
    const copy = takeSplit(view, [2, 0]);
    expect([...copy.images]).toEqual([6, 7, 2, 3]);
    expect([...copy.ids]).toEqual([3, 1]);
    expect(copy.files).toEqual(['f3', 'f1']);
    expect([...copy.labels]).toEqual([2, 1]);
    expect(takeSplit(split, []).size).toBe(0);
  });

  it('refuses positions outside', () =>
    refuses(() => takeSplit(tiny([0, 1]), [2]), 'value', /position 2: expected 0 to 1/));

  it('excludeClass and onlyClass part a split without loss', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 30 }), (labels) => {
        const split = tiny(labels);
        const ids = [...onlyClass(split, 2).ids, ...excludeClass(split, 2).ids].sort((a, b) => a - b);
        expect(ids).toEqual([...split.ids]);
        expect([...onlyClass(split, 2).labels].every((l) => l === 2)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

it('stratified choices keep each class within one sample of its share', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 60 }),
      fc.nat(),
      (labels, n) => {
        const split = tiny(labels);
        const count = 1 + (n % labels.length);
        const chosen = stratifiedPositions(split, count, 3);
        expect(chosen.length).toBe(count);
        expect(new Set(chosen).size).toBe(count);
        const all = classCounts(split, 5);
        classCounts(takeSplit(split, chosen), 5).forEach((have, k) => {
          expect(Math.abs(have - (all[k] * count) / labels.length)).toBeLessThanOrEqual(1.5);
        });
      },
    ),
    { numRuns: 100 },
  );
});

it('holdOut parts a split and needs something to keep', async () => {
  const split = tiny([0, 0, 1, 1, 1, 1]);
  const { kept, held } = holdOut(split, 3, 1);
  expect(classCounts(held, 2)).toEqual([1, 2]);
  expect([...kept.ids, ...held.ids].sort()).toEqual([...split.ids]);
  await refuses(() => holdOut(split, 6), 'value', /expected fewer than all/);
});

it('statistics are those of the pixels in [0, 1]; a constant channel has deviation 1/255', () => {
  const split = makeSplit({
    shape: [1, 2, 2],
    images: Uint8Array.of(0, 9, 255, 9),
    labels: Int32Array.of(0),
  });
  const { mean, std } = channelStatistics(split);
  expect(mean).toEqual([0.5, 9 / 255]);
  expect(std).toEqual([0.5, 1 / 255]);
});

it('the hash depends on pixels, labels, sizes and which split they are in', () => {
  const a = tiny([0, 1]);
  const b = tiny([0, 2]);
  const hashes = [datasetHash(a, a), datasetHash(a, b), datasetHash(b, a), datasetHash(takeSplit(a, [0]), a)];
  expect(new Set(hashes).size).toBe(4);
  expect(datasetHash(tiny([0, 1]), tiny([0, 1]))).toBe(hashes[0]);
});

it('imageAt is a view of one image', () => expect([...imageAt(tiny([0, 1]), 1)]).toEqual([2, 3]));

it('holdOutById takes each sample by its id alone, about the share of each class', () => {
  const split = tiny(Array.from({ length: 4000 }, (_, i) => i % 4));
  const { kept, held } = holdOutById(split, 0.1, 3);
  expect([...kept.ids, ...held.ids].sort((a, b) => a - b)).toEqual([...split.ids]);
  // 1000 draws of 0.1 in each class: four standard deviations are 38.
  for (const count of classCounts(held, 4)) expect(Math.abs(count - 100)).toBeLessThan(38);
  const half = takeSplit(
    split,
    Int32Array.from({ length: 2000 }, (_, i) => 2 * i),
  );
  const among = new Set(half.ids);
  expect([...holdOutById(half, 0.1, 3).held.ids]).toEqual([...held.ids].filter((id) => among.has(id)));
  // A larger share holds out the same samples and more; another seed others.
  const more = new Set(holdOutById(split, 0.2, 3).held.ids);
  expect([...held.ids].every((id) => more.has(id))).toBe(true);
  expect([...holdOutById(split, 0.1, 4).held.ids]).not.toEqual([...held.ids]);
  expect(holdOutById(split, 0).held.size).toBe(0);
});
