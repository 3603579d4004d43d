import { describe, expect, it } from 'vitest';
import { forgetSet } from '../../../unlearn/data/forget.ts';
import { mislabel, rightLabels } from '../../../unlearn/data/mislabelled.ts';
import { datasetHash, finishDataset, makeSplit, takeSplit } from '../../../unlearn/data/split.ts';
import type { Dataset } from '../../../unlearn/types.ts';
import { refuses } from './helpers.ts';

/** Samples of one byte, ten classes in turn. */
const dots = (size: number) =>
  makeSplit({
    shape: [1, 1, 1],
    images: Uint8Array.from({ length: size }, (_, i) => i),
    labels: Int32Array.from({ length: size }, (_, i) => i % 10),
  });
const classes = Array.from({ length: 10 }, (_, k) => `class ${k}`);
const loaded = { classes, train: dots(4000), test: dots(500), notes: ['dots'], files: [], root: null };
const data = finishDataset('dots', loaded);

/** Ids of the training samples whose label is not that of the clean data. */
const flipped = ({ train }: Dataset) => [...train.ids].filter((id, at) => train.labels[at] !== id % 10);

describe('wrong labels', () => {
  const wrong = mislabel(data, { share: 0.1, seed: 7 });

  it('are on about the share of the training samples, evenly over the other classes; all else stays', () => {
    const ids = flipped(wrong);
    // Binomial: 400 with a deviation of 19.
    expect(Math.abs(ids.length - 400)).toBeLessThan(4 * 19);
    const steps = new Array(10).fill(0);
    for (const id of ids) steps[(wrong.train.labels[id] - (id % 10) + 10) % 10]++;
    expect(steps[0]).toBe(0);
    const even = ids.length / 9;
    const chi2 = steps.slice(1).reduce((sum, count) => sum + (count - even) ** 2 / even, 0);
    // 99.9 % of chi-squared with 8 degrees of freedom.
    expect(chi2).toBeLessThan(26.1);
    expect(wrong.train.images).toBe(data.train.images);
    expect(wrong.test).toBe(data.test);
    expect([wrong.mean, wrong.std]).toEqual([data.mean, data.std]);
    expect(flipped(data)).toEqual([]);
  });

  it('are told: which, what is right, in a note and by another hash', () => {
    expect([...(wrong.mislabelled ?? [])]).toEqual(flipped(wrong).map((id) => [id, id % 10]));
    expect(rightLabels(wrong, wrong.train)).toEqual(data.train.labels);
    const some = takeSplit(wrong.train, [...flipped(wrong).slice(0, 3), 0]);
    expect([...rightLabels(wrong, some)]).toEqual([...some.ids].map((id) => id % 10));
    expect(rightLabels(data, data.train)).toEqual(data.train.labels);
    expect(wrong.hash).toBe(datasetHash(wrong.train, data.test));
    expect(wrong.hash).not.toBe(data.hash);
    expect(wrong.notes).toEqual([
      'dots',
      `${flipped(wrong).length} of 4000 training samples have a wrong label, given on purpose (share 0.1, seed 7)`,
    ]);
  });

  it('are a matter of seed and id alone: not of place, count, or other labels', () => {
    const some = Array.from({ length: 1500 }, (_, i) => 3999 - 2 * i);
    const part = mislabel({ ...data, train: takeSplit(data.train, some) }, { share: 0.1, seed: 7 });
    const all = new Map(flipped(wrong).map((id) => [id, wrong.train.labels[id]]));
    part.train.ids.forEach((id, at) => {
      expect(part.train.labels[at]).toBe(all.get(id) ?? id % 10);
    });
    // More of them hold the fewer ones.
    const more = new Set(flipped(mislabel(data, { share: 0.2, seed: 7 })));
    expect(flipped(wrong).every((id) => more.has(id))).toBe(true);
    expect(flipped(mislabel(data, { share: 0.1 }))).not.toEqual(flipped(wrong));
    // The same on every machine.
    expect(flipped(mislabel(data, { share: 0.01 })).slice(0, 5)).toEqual([222, 267, 381, 462, 465]);
  });

  it('with two classes are of the other one', () => {
    const labels = data.train.labels.map((label) => label % 2);
    const two = { ...data, classes: ['a', 'b'], train: makeSplit({ ...data.train, labels }) };
    const { train, mislabelled } = mislabel(two, { share: 0.5 });
    expect(mislabelled?.size).toBeGreaterThan(1800);
    for (const [id, right] of mislabelled ?? []) expect(train.labels[id]).toBe(1 - right);
  });

  it('are refused where they cannot be', async () => {
    for (const share of [0, 1, -1, Number.NaN, '0.1' as never])
      await refuses(
        () => mislabel(data, { share }),
        'value',
        /^mislabelled: expected a share between 0 and 1/,
      );
    await refuses(() => mislabel(data, { share: 0.1, seed: -1 }), 'value', /^seed: expected/);
    await refuses(() => mislabel({ ...data, classes: ['a'] }, { share: 0.1 }), 'value', /one class/);
    await refuses(() => mislabel(wrong, { share: 0.1 }), 'value', /has wrong labels already$/);
  });
});

describe('forgetting them', () => {
  const wrong = mislabel(data, { share: 0.1 });

  it('takes all, or a share drawn by the seed', async () => {
    const { forget, manifest } = forgetSet(wrong, { mislabelled: true });
    expect([...forget.ids]).toEqual(flipped(wrong));
    expect(manifest).toMatchObject({ kind: 'samples', spec: { mislabelled: true }, count: forget.size });
    const half = forgetSet(wrong, { mislabelled: true, ratio: 0.5, seed: 3 }).manifest.ids;
    expect(half.length).toBe(Math.floor(forget.size / 2 + 0.5));
    expect(half.every((id) => wrong.mislabelled?.has(id))).toBe(true);
    expect(forgetSet(wrong, { mislabelled: true, ratio: 0.5, seed: 4 }).manifest.ids).not.toEqual(half);
  });

  it('is refused where none are known, and with keys that do not belong to it', async () => {
    const none = /no training sample of dots is known to have a wrong label$/;
    await refuses(() => forgetSet(data, { mislabelled: true }), 'value', none);
    await refuses(
      () => forgetSet(wrong, { mislabelled: false } as never),
      'value',
      /expected true, got false/,
    );
    await refuses(
      () => forgetSet(wrong, { mislabelled: true, withinClass: 1 } as never),
      'value',
      /'withinClass' does not go with 'mislabelled'; expected mislabelled, ratio, seed$/,
    );
  });
});
