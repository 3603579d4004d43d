// Student's t: quantiles as tables print them, and an interval by hand.

import { describe, expect, it } from 'vitest';
import { tInterval, tQuantile } from '../../../unlearn/statistics/interval.ts';
import { spreadOf } from '../../../unlearn/statistics/spread.ts';

describe('quantiles', () => {
  // As in any printed table of t.
  it.each([
    [0.975, 1, 12.7062],
    [0.975, 2, 4.30265],
    [0.975, 3, 3.18245],
    [0.975, 4, 2.77645],
    [0.975, 9, 2.26216],
    [0.95, 10, 1.81246],
    [0.995, 30, 2.75],
    [0.975, 1000, 1.96234],
  ])('p %f, %i degrees of freedom', (p, df, expected) => {
    expect(tQuantile(p, df)).toBeCloseTo(expected, 4);
    expect(tQuantile(1 - p, df)).toBeCloseTo(-expected, 4);
  });

  it('of one and two degrees of freedom have closed forms', () => {
    for (const p of [0.6, 0.9, 0.99]) {
      expect(tQuantile(p, 1)).toBeCloseTo(Math.tan(Math.PI * (p - 0.5)), 9);
      const a = 2 * p - 1;
      expect(tQuantile(p, 2)).toBeCloseTo(a * Math.sqrt(2 / (1 - a * a)), 9);
    }
    expect(tQuantile(0.5, 7)).toBeCloseTo(0, 12);
  });

  it('are refused where there are none', () => {
    expect(() => tQuantile(1, 3)).toThrow('tQuantile: p is 1, expected more than 0 and less than 1');
    expect(() => tQuantile(0.9, 1.5)).toThrow('df is 1.5, expected a whole number of at least 1');
  });
});

it('the interval of a mean of three', () => {
  const [low, high] = tInterval(spreadOf([1, 2, 3])!)!;
  expect(low).toBeCloseTo(2 - 4.302653 / Math.sqrt(3), 5);
  expect(high).toBeCloseTo(2 + 4.302653 / Math.sqrt(3), 5);
  expect(tInterval(spreadOf([5])!)).toBeNull();
});
