// Heights of curves over log(1 + step), and steps to the original: by hand.
import { describe, expect, test } from 'vitest';
import { heightOver, logWeights, stepsBack } from '../../../unlearn/statistics/relearn.ts';

describe('weights', () => {
  test('are those of trapezoids over ln(1 + step), and sum to 1', () => {
    // At 0, ln 2, ln 4, ln 8: equal widths.
    [...logWeights([0, 1, 3, 7])].forEach((w, i) =>
      expect(w).toBeCloseTo([1 / 6, 1 / 3, 1 / 3, 1 / 6][i], 12),
    );
    expect([...logWeights([5])]).toEqual([1]);
    const sum = logWeights([0, 1, 2, 5, 10, 200]).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 12);
  });
  test('need steps that ascend', () => {
    for (const steps of [[], [1, 1], [2, 1], [-1, 0], [Number.NaN]])
      expect(() => logWeights(steps)).toThrow(RangeError);
  });
});

test('the height is the mean over samples of their own heights, with its standard error', () => {
  // Three samples right from step 0, 1 and 3 on (weights 1/4, 1/2, 1/4): 100, 75 and 25.
  const values = [
    [100, 0, 0],
    [100, 100, 0],
    [100, 100, 100],
  ];
  const { mean, error } = heightOver([0, 1, 3], values);
  expect(mean).toBeCloseTo(200 / 3, 12);
  const squares = [100, 75, 25].reduce((sum, v) => sum + (v - 200 / 3) ** 2, 0);
  expect(error).toBeCloseTo(Math.sqrt(squares / 2 / 3), 12);
  expect(heightOver([0, 1], [[100], [100]]).error).toBeNaN();
});

test.each<[string, number[], number, number | null]>([
  // The goal is 80 - 0.1 (80 - 10) = 73.
  ['at the first step that reaches the goal', [10, 50, 73, 90], 80, 2],
  ['null where none does', [10, 50, 72.9, 72], 80, null],
  ['at once where nothing is missing', [80, 0, 0, 0], 80, 0],
  ['at once above the original', [85, 0, 0, 0], 80, 0],
])('back %s', (_, measured, original, expected) => {
  expect(stepsBack([0, 1, 2, 5], measured, original)).toBe(expected);
});
