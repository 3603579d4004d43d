import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BatchOptions, batchCount, batches } from '../../../unlearn/data/batches.ts';
import { drawGlyphs } from '../../../unlearn/data/glyphs.ts';
import { makeSplit } from '../../../unlearn/data/split.ts';
import { refuses } from './helpers.ts';

const split = drawGlyphs({ seed: 0, split: 'train', size: 37 });

describe('batches', () => {
  it('give every sample once, as bytes / 255, in the order of the split or shuffled', () => {
    for (const shuffle of [false, true]) {
      const all = [...batches(split, { batchSize: 10, shuffle, seed: 3 })];
      expect(all.map((b) => b.labels.length)).toEqual([10, 10, 10, 7]);
      const indices = all.flatMap((b) => [...b.indices]);
      expect([...indices].sort((a, b) => a - b)).toEqual([...Array(37).keys()]);
      expect(indices[0] === 0 && indices[1] === 1).toBe(!shuffle);
      const { images, indices: at, labels } = all[2];
      for (let i = 0; i < 10; i++) {
        expect(labels[i]).toBe(split.labels[at[i]]);
        for (const j of [0, 1500, 3071])
          expect(images[i * 3072 + j]).toBe(Math.fround(split.images[at[i] * 3072 + j] / 255));
      }
    }
  });

  it('dropLast leaves out what is not full; batchCount agrees', () => {
    for (const dropLast of [false, true]) {
      expect([...batches(split, { batchSize: 10, dropLast })].length).toBe(dropLast ? 3 : 4);
      expect(batchCount(split, { batchSize: 10, dropLast })).toBe(dropLast ? 3 : 4);
    }
  });

  it('started at batch k are those of a run from the start', () => {
    fc.assert(
      fc.property(
        fc.record({
          batchSize: fc.integer({ min: 1, max: 40 }),
          seed: fc.nat(),
          epoch: fc.nat(100),
          shuffle: fc.boolean(),
          dropLast: fc.boolean(),
          augment: fc.record({ crop: fc.nat(5), flip: fc.boolean() }),
        }),
        fc.nat(40),
        (options: BatchOptions, k) => {
          const all = [...batches(split, options)];
          expect([...batches(split, { ...options, startBatch: k })]).toEqual(all.slice(k));
        },
      ),
      { numRuns: 15 },
    );
  });

  it('hand out buffers of their own', () => {
    const [a, b] = [...batches(split, { batchSize: 10 })];
    const before = b.images[0];
    a.images.fill(9);
    expect(b.images[0]).toBe(before);
    expect(new Set([a, b].flatMap((x) => [x.images.buffer, x.labels.buffer, x.indices.buffer])).size).toBe(6);
  });

  it('differ by epoch and by seed', () => {
    const first = (options: Partial<BatchOptions>) =>
      [...[...batches(split, { batchSize: 37, shuffle: true, ...options })][0].indices].join();
    expect(new Set([first({}), first({ epoch: 1 }), first({ seed: 1 })]).size).toBe(3);
  });

  it('crop moves with zeros coming in, flip mirrors: each image is one of the few it can be', () => {
    const [h, w, crop] = [3, 4, 1];
    const one = makeSplit({
      shape: [h, w, 2],
      images: Uint8Array.from({ length: 24 }, (_, i) => i + 1),
      labels: Int32Array.of(0),
    });
    const wanted = new Map<string, number>();
    for (let dy = -crop; dy <= crop; dy++) {
      for (let dx = -crop; dx <= crop; dx++) {
        for (const flip of [false, true]) {
          const out: number[] = [];
          for (let y = 0; y < h; y++) {
            for (let x = 0; x < w; x++) {
              for (let c = 0; c < 2; c++) {
                const sy = y - dy;
                const moved = x - dx;
                const sx = flip ? w - 1 - moved : moved;
                const inside = sy >= 0 && sy < h && moved >= 0 && moved < w;
                out.push(inside ? one.images[(sy * w + sx) * 2 + c] : 0);
              }
            }
          }
          wanted.set(out.join(), 0);
        }
      }
    }
    expect(wanted.size).toBe(18);
    for (let epoch = 0; epoch < 400; epoch++) {
      const [{ images }] = [...batches(one, { batchSize: 1, epoch, augment: { crop, flip: true } })];
      const key = Array.from(images, (v) => Math.round(v * 255)).join();
      expect(wanted.has(key)).toBe(true);
      wanted.set(key, wanted.get(key)! + 1);
    }
    // 400 draws of 18: a given one is missed with probability 1e-10.
    expect([...wanted.values()].every((n) => n > 0)).toBe(true);
  });

  it('refuse impossible options at once', async () => {
    await refuses(
      () => batches(split, { batchSize: 0 }),
      'value',
      /^batchSize: expected an integer from 1, got 0$/,
    );
    await refuses(() => batches(split, { batchSize: 1, epoch: 0.5 }), 'value', /^epoch/);
    await refuses(
      () => batches(split, { batchSize: 1, augment: { crop: 33 } }),
      'value',
      /crop: 33 pixels on images of 32 x 32/,
    );
  });
});
