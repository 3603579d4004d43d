// The divergence that over-unlearning is made of: by hand, and at its edges.
import { expect, test } from 'vitest';
import { overUnlearning } from '../../../unlearn/statistics/overUnlearning.ts';

const logs = (...p: number[]) => Float32Array.from(p, Math.log);
const of = (
  original: Float32Array,
  own: Float32Array,
  masked: 'original' | 'both' = 'original',
  goneClasses = [2],
) => [...overUnlearning({ original, own, K: 3, goneClasses, masked })];

test('the forgotten class is taken out of the original, or of both', () => {
  // (0.2, 0.3, 0.5) without class 2 is (0.4, 0.6).
  expect(of(logs(0.2, 0.3, 0.5), logs(0.4, 0.6, 0))[0]).toBeCloseTo(0, 7);
  expect(of(logs(0.2, 0.3, 0.5), logs(0.1, 0.15, 0.75), 'both')[0]).toBeCloseTo(0, 7);
  // (1, 0, 0) and (0.5, 0, 0.5), their middle (0.75, 0, 0.25).
  const byHand = 0.5 * Math.log(1 / 0.75) + 0.25 * Math.log(0.5 / 0.75) + 0.25 * Math.log(0.5 / 0.25);
  expect(of(logs(0.5, 0, 0.5), logs(0.5, 0, 0.5))[0]).toBeCloseTo(byHand, 7);
  // Nothing in common.
  expect(of(logs(1, 0, 0), logs(0, 1, 0))[0]).toBeCloseTo(Math.LN2, 12);
});

test('an original that is certain of the forgotten class still says something of the others', () => {
  // exp(-1000) is 0, and 0 / 0 would be nothing; the rest is (1/2, 1/2).
  expect(of(Float32Array.of(-1000, -1000, 0), Float32Array.of(0, 0, -1000))[0]).toBeCloseTo(0, 12);
});

test('rows that are not finite count as even odds', () => {
  expect(of(Float32Array.of(0, 0, 9), Float32Array.of(0, Number.NaN, 0), 'both')[0]).toBeCloseTo(0, 12);
  expect(of(Float32Array.of(0, 0, 9), Float32Array.of(0, Infinity, 0))[0]).toBeGreaterThan(0);
});

test('shapes that disagree, and no class left, are refused', () => {
  expect(() => of(logs(1, 0, 0), logs(1, 0))).toThrow(
    'overUnlearning: expected two times n x 3 logits, got 3 and 2',
  );
  expect(() => of(logs(1, 0, 0), logs(1, 0, 0), 'both', [0, 1, 2])).toThrow('all 3 classes went');
});
