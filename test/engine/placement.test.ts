// Temporaries that are needed at the same time share no byte, in an arena and in buffers; and no more memory is taken than it
// takes to keep all of them apart, nor less than are alive at once.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inArena, inBuffers, livesOf } from '../../engine/graph/placement.ts';

const lives = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 262144 }), a: fc.nat(12), b: fc.nat(12) }), {
    maxLength: 14,
  })
  .map(
    (list) =>
      new Map(
        list.map(({ bytes, a, b }, n) => [n, { bytes, from: Math.min(a, b), to: Math.max(a, b) }] as const),
      ),
  );
type Lives = ReturnType<typeof livesOf>;

/** Bytes that are alive at once, at most. */
const peakOf = (all: Lives): number =>
  Math.max(
    0,
    ...Array.from({ length: 13 }, (_, step) =>
      [...all.values()].reduce((sum, t) => sum + (t.from <= step && step <= t.to ? t.bytes : 0), 0),
    ),
  );
const totalOf = (all: Lives): number => [...all.values()].reduce((sum, t) => sum + t.bytes, 0);
const pairsAlive = (all: Lives): [number, number][] =>
  [...all].flatMap(([a, x]) =>
    [...all].flatMap(([b, y]): [number, number][] =>
      a < b && x.from <= y.to && y.from <= x.to ? [[a, b]] : [],
    ),
  );

test('a life is from the first step that touches a temporary to the last', () => {
  const found = livesOf([[3], [3, 5], [], [5]], (n) => n * 10);
  expect([...found]).toEqual([
    [3, { bytes: 30, from: 0, to: 1 }],
    [5, { bytes: 50, from: 1, to: 3 }],
  ]);
});

test('in an arena', () => {
  fc.assert(
    fc.property(lives, (all) => {
      const { offsets, bytes } = inArena(all, 65536);
      const end = (n: number): number => (offsets.get(n) as number) + (all.get(n)?.bytes as number);
      for (const [a, b] of pairsAlive(all))
        expect(end(a) <= (offsets.get(b) as number) || end(b) <= (offsets.get(a) as number)).toBe(true);
      for (const n of all.keys()) expect(end(n)).toBeLessThanOrEqual(bytes);
      expect(bytes).toBeGreaterThanOrEqual(peakOf(all));
      expect(bytes).toBeLessThanOrEqual(totalOf(all));
    }),
    { numRuns: 300, seed: 5 },
  );
});

test('the memory of a small one in an arena is used again only after a while', () => {
  const two = (bytes: number, from: number) =>
    inArena(
      new Map([
        [0, { bytes, from: 0, to: 1 }],
        [1, { bytes, from, to: from }],
      ]),
      1024,
    ).bytes;
  expect([two(1024, 2), two(1024, 33), two(1024, 34)]).toEqual([2048, 2048, 1024]);
  expect(two(1025, 2)).toBe(1025);
});

test('in buffers', () => {
  fc.assert(
    fc.property(lives, (all) => {
      const { of, buffers } = inBuffers(all);
      for (const [a, b] of pairsAlive(all)) expect(of.get(a)).not.toBe(of.get(b));
      for (const [n, t] of all) expect(buffers[of.get(n) as number]).toBeGreaterThanOrEqual(t.bytes);
      const sum = buffers.reduce((x, y) => x + y, 0);
      expect(sum).toBeGreaterThanOrEqual(peakOf(all));
      expect(sum).toBeLessThanOrEqual(totalOf(all));
    }),
    { numRuns: 300, seed: 6 },
  );
});

test('three in a chain take two places', () => {
  const chain = livesOf([[0], [0, 1], [1, 2], [2]], () => 16);
  expect(inArena(chain).bytes).toBe(32);
  expect(inBuffers(chain)).toEqual({
    of: new Map([
      [0, 0],
      [1, 1],
      [2, 0],
    ]),
    buffers: [16, 16],
  });
});
