// What a run keeps of a model for the report's pictures: attention maps and the plane, on tiny networks beside direct computation.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Classifier, Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { attentionMaps, resized } from '../../../unlearn/attention.ts';
import { networkSubject, votingSubject } from '../../../unlearn/audits/subject.ts';
import { problem } from '../../../unlearn/check/problem.ts';
import { channelStatistics, joinSplits, makeSplit, takeSplit } from '../../../unlearn/data/split.ts';
import { predict } from '../../../unlearn/predict.ts';
import { attentionOf } from '../../../unlearn/run/attention.ts';
import type { RunData } from '../../../unlearn/run/parts.ts';
import { planeOf } from '../../../unlearn/run/plane.ts';
import { predictions } from '../../../unlearn/statistics/outputs.ts';
import { fromRuns } from '../../../unlearn/statistics/plane.ts';
import type { Exhibits, Split } from '../../../unlearn/types.ts';
import { CLASSES, cut, disposeAll, stripes, tinyCnn, tinyMlp } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const runDataOf = (train: Split, forgotten = 1): RunData => {
  const dataset = {
    name: 'stripes',
    classes: ['left', 'middle', 'right'],
    shape: train.shape,
    train,
    test: train,
    ...channelStatistics(train),
    hash: '',
    notes: [],
  };
  const { forget, retain } = cut(train, forgotten);
  const manifest = { classes: [forgotten] } as unknown as RunData['manifest'];
  // The test images are the training images.
  return { dataset, manifest, forget, retain, kept: retain, gone: forget, validation: null };
};
const runData = runDataOf(stripes(30));
const { forget, retain } = runData;
/** Samples of both sets as the exhibits list them, by rows. */
const shown = (rows: Record<'forget' | 'retain', number[]>): Exhibits['samples'] =>
  (['retain', 'forget'] as const).flatMap((set) =>
    rows[set].map((row) => {
      const { ids, labels } = runData[set];
      return { id: ids[row], set, label: labels[row], predicted: 0, confidence: 1, png: '' };
    }),
  );
const bytesOf = (text: string) => Array.from(atob(text), (sign) => sign.charCodeAt(0));
const started = (model = tinyCnn()) => ({
  model,
  variables: model.init(lt.random.key(3), [1, ...forget.shape]),
});

describe('attention maps', () => {
  const samples = shown({ forget: [2, 0], retain: [5] });

  it('are those of attentionMaps as the layer has them, the forgotten samples first, in bytes', async () => {
    const network = started();
    const found = (await attentionOf(networkSubject('own', network), runData, samples))!;
    expect([found.layer, found.height, found.width]).toEqual(['pool', 3, 3]);
    expect(found.maps.map(({ set, id }) => [set, id])).toEqual([
      ['forget', forget.ids[2]],
      ['forget', forget.ids[0]],
      ['retain', retain.ids[5]],
    ]);
    const split = joinSplits(takeSplit(forget, [2, 0]), takeSplit(retain, [5]));
    const whole = await attentionMaps({ ...network, split });
    found.maps.forEach(({ map, peak }, i) => {
      expect(peak).toBeCloseTo(whole.peaks[i], 6);
      // Twice the size by interpolation is what attentionMaps gives for the image.
      const large = resized(bytesOf(map), [3, 3], [6, 6]);
      large.forEach((value, p) => expect(Math.abs(value / 255 - whole.maps[36 * i + p])).toBeLessThan(0.003));
    });
    expect(
      await lt.findLeaks(
        async () => void (await attentionOf(networkSubject('own', network), runData, samples)),
      ),
    ).toEqual([]);
    disposeAll(network.variables);
  });

  it('of a larger layer are brought to 14 a side', async () => {
    const stretched = (split: Split) => {
      const images = Uint8Array.from({ length: split.size * 20 * 16 }, (_, i) => (i * 37) % 251);
      return makeSplit({ ...split, shape: [20, 16, 1], images });
    };
    const wide = { ...runData, forget: stretched(forget), retain: stretched(retain) };
    const model = {
      ...lt.nn.sequential({
        conv: lt.nn.conv2d(2, { padding: 1 }),
        pool: lt.nn.globalAvgPool(),
        fc: lt.nn.dense(CLASSES),
      }),
      head: ['fc'],
    };
    const network = { model, variables: model.init(lt.random.key(3), [1, 20, 16, 1]) };
    const found = (await attentionOf(networkSubject('own', network), wide, samples))!;
    expect([found.layer, found.height, found.width]).toEqual(['conv', 14, 14]);
    const { maps } = await attentionMaps({ ...network, split: takeSplit(wide.forget, [2]) });
    const expected = resized(maps, [20, 16], [14, 14]);
    bytesOf(found.maps[0].map).forEach((byte, p) =>
      expect(Math.abs(byte / 255 - expected[p])).toBeLessThan(0.0025),
    );
    disposeAll(network.variables);
  });

  it('are none without samples, convolutions, or one network; a network that is not finite has maps of 0', async () => {
    const [network, plain] = [started(), started(tinyMlp())];
    const own = networkSubject('own', network);
    expect(await attentionOf(own, runData, [])).toBeUndefined();
    expect(await attentionOf(networkSubject('mlp', plain), runData, samples)).toBeUndefined();
    const votes = votingSubject('votes', async ({ size }) => new Float32Array(size * CLASSES));
    expect(await attentionOf(votes, runData, samples)).toBeUndefined();
    const { fc, ...rest } = network.variables.params as Record<string, Record<string, lt.Tensor>>;
    const bad = lt.full(fc.weight.shape, Number.NaN);
    const variables = { ...network.variables, params: { ...rest, fc: { ...fc, weight: bad } } } as Variables;
    const found = await attentionOf(networkSubject('broken', { ...network, variables }), runData, samples);
    expect(found?.maps.map(({ peak }) => peak)).toEqual([null, null, null]);
    expect(bytesOf(found!.maps[0].map).every((byte) => byte === 0)).toBe(true);
    bad.dispose();
    disposeAll(network.variables);
    disposeAll(plain.variables);
  });
});

describe('the plane', () => {
  it('goes through the first forgotten image shown and two kept ones, and has the answers at its points', async () => {
    const { model, variables, key } = await problem();
    const network = { model: model as Classifier, variables };
    key.dispose();
    const plane = (await planeOf(networkSubject('own', network), runData, true))!;
    const [a, b, c] = plane.images;
    expect(a).toMatchObject({ set: 'forget', id: forget.ids[0], label: 1 });
    expect([b.label, c.label].sort()).toEqual([0, 2]);
    expect([a, b, c].every(({ png }) => png?.startsWith('data:image/png;base64,'))).toBe(true);
    const classes = fromRuns(plane.classes);
    expect(classes).toHaveLength(1600);
    // Each kept image is the nearest of its class to the forgotten one.
    const pixels = (set: Split, row: number) => [...set.images.subarray(36 * row, 36 * row + 36)];
    const [first, rows] = [pixels(forget, 0), [b, c].map(({ id }) => retain.ids.indexOf(id))];
    const far = (row: number) => pixels(retain, row).reduce((sum, v, k) => sum + (v - first[k]) ** 2, 0);
    for (const row of rows)
      retain.labels.forEach((label, other) => {
        if (label === retain.labels[row]) expect(far(other)).toBeGreaterThanOrEqual(far(row));
      });
    // Combinations of the three images at the points, made here from the places alone.
    const [p, q, r] = [first, pixels(retain, rows[0]), pixels(retain, rows[1])];
    const area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    const images = classes.length;
    const all = new Uint8Array(images * 36);
    for (let i = 0; i < images; i++) {
      const [x, y] = [(i % 40) / 39 - a.x, Math.floor(i / 40) / 39 - a.y];
      const u = (x * (c.y - a.y) - y * (c.x - a.x)) / area;
      const v = ((b.x - a.x) * y - (b.y - a.y) * x) / area;
      for (let k = 0; k < 36; k++)
        all[36 * i + k] = Math.min(
          255,
          Math.max(0, Math.round(p[k] + u * (q[k] - p[k]) + v * (r[k] - p[k]))),
        );
    }
    const split = makeSplit({ shape: [6, 6, 1], images: all, labels: new Int32Array(images) });
    const logits = await predict(network.model, network.variables, split);
    const expected = predictions({ logits, labels: split.labels }, CLASSES);
    // Places are kept to four digits: a byte here and there is one off, at points beside a border.
    const same = classes.filter((k, i) => k === expected[i]).length;
    expect(same).toBeGreaterThanOrEqual(1580);
    expect(new Set(classes).size).toBeGreaterThan(1);
    disposeAll(network.variables);
  });

  it('is the same for all models, without pictures where none are shown, and -1 where nothing is answered', async () => {
    const votes = votingSubject('votes', async ({ size }) =>
      new Float32Array(size * CLASSES).fill(Number.NaN),
    );
    const plane = (await planeOf(votes, runData, false))!;
    expect(plane.classes).toEqual([-1, 1600]);
    expect(plane.images.some((one) => 'png' in one)).toBe(false);
    const others = votingSubject('other', async ({ size }) =>
      Float32Array.from({ length: size * CLASSES }, (_, i) => i % CLASSES),
    );
    expect(await planeOf(others, runData, false)).toEqual({ ...plane, classes: [2, 1600] });
  });

  it('is none where fewer than two other classes are kept', async () => {
    const votes = votingSubject('votes', async ({ size }) => new Float32Array(size * CLASSES));
    expect(await planeOf(votes, { ...runData, retain: cut(retain, 0).forget }, false)).toBeUndefined();
    expect(await planeOf(votes, { ...runData, forget: takeSplit(forget, []) }, false)).toBeUndefined();
  });
});
