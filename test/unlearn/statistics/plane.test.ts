// Planes through three images against points worked out by hand, and against the combination of the three images.
import { describe, expect, it } from 'vitest';
import { Stream } from '../../../unlearn/random.ts';
import { correlation } from '../../../unlearn/statistics/correlation.ts';
import {
  agreement,
  fromRuns,
  nearestOfTwoClasses,
  planeThrough,
  runsOf,
} from '../../../unlearn/statistics/plane.ts';

describe('the plane through three images', () => {
  it('has points where the released code has them: a tenth beyond, axes at right angles', () => {
    // v = (100, 0, 0), w = (50, 80, 0): a = (1, 0, 0), b = (0, 1, 0); s from -10 to 110, t from -8 to 88.
    const plane = planeThrough(
      [
        [20, 20, 7],
        [120, 20, 7],
        [70, 100, 7],
      ],
      5,
    )!;
    const at = (row: number, column: number) => [
      ...plane.images.subarray(3 * (5 * row + column)).slice(0, 3),
    ];
    expect(at(4, 0)).toEqual([10, 12, 7]);
    expect(at(4, 4)).toEqual([130, 12, 7]);
    expect(at(0, 0)).toEqual([10, 108, 7]);
    expect(at(2, 2)).toEqual([70, 60, 7]);
    const expected = [
      [10 / 120, 1 - 8 / 96],
      [110 / 120, 1 - 8 / 96],
      [0.5, 8 / 96],
    ];
    plane.places.forEach((place, i) =>
      place.forEach((value, k) => expect(value).toBeCloseTo(expected[i][k], 12)),
    );
  });

  it('is x1 + u (x2 - x1) + v (x3 - x1) at every point, rounded and cut at 0 and 255', () => {
    const stream = new Stream(3, 1);
    const d = 40;
    const [p, q, r] = [0, 1, 2].map(() => Float64Array.from({ length: d }, () => stream.below(256)));
    const side = 9;
    const { images, places } = planeThrough([p, q, r], side)!;
    const [[ax, ay], [bx, by], [cx, cy]] = places;
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++) {
        // Barycentric coordinates of the point in the triangle of the places.
        const [x, y] = [column / (side - 1) - ax, row / (side - 1) - ay];
        const u = (x * (cy - ay) - y * (cx - ax)) / area;
        const v = ((bx - ax) * y - (by - ay) * x) / area;
        for (let k = 0; k < d; k++) {
          const value = Math.max(0, Math.min(255, p[k] + u * (q[k] - p[k]) + v * (r[k] - p[k])));
          expect(Math.abs(images[(row * side + column) * d + k] - value)).toBeLessThan(0.5 + 1e-6);
        }
      }
  });

  it('is none for images on a line, and for the same image twice', () => {
    const image = [1, 2, 3];
    expect(planeThrough([image, [2, 4, 6], [3, 6, 9]], 4)).toBeNull();
    expect(planeThrough([image, image, [9, 9, 0]], 4)).toBeNull();
    expect(planeThrough([image, [9, 9, 0], image], 4)).toBeNull();
  });

  it('goes through the nearest images of the two nearest other classes', () => {
    const images = [5, 5, 9, 9, 0, 0, 6, 6, 8, 8, 5, 6];
    //              own   1     2     1     3     own
    const labels = [0, 1, 2, 1, 3, 0];
    expect(nearestOfTwoClasses([5, 5], 0, images, labels)).toEqual([3, 4]);
    // Of equals the first.
    expect(nearestOfTwoClasses([7, 7], 0, images, labels)).toEqual([3, 4]);
    expect(nearestOfTwoClasses([5, 5], 0, images.slice(0, 4), [0, 1])).toBeNull();
  });
});

it('runs, and back', () => {
  expect(runsOf([7, 7, 7, 2, -1, -1])).toEqual([7, 3, 2, 1, -1, 2]);
  expect([...fromRuns([7, 3, 2, 1, -1, 2])]).toEqual([7, 7, 7, 2, -1, -1]);
  expect(runsOf([])).toEqual([]);
  expect(agreement([1, 2, 3, 4], [1, 0, 3, 4])).toBe(0.75);
});

it('correlation: by hand, and null for what has none', () => {
  expect(correlation([1, 2, 3], [5, 7, 9])).toBeCloseTo(1, 12);
  expect(correlation([1, 2, 3], [9, 7, 5])).toBeCloseTo(-1, 12);
  // Covariance 1 over (2 * 2 / 3 * ...): sums xy = 1, xx = 2, yy = 2.
  expect(correlation([1, 2, 3], [1, 3, 2])).toBeCloseTo(0.5, 12);
  expect(correlation([1, 1, 1], [1, 3, 2])).toBeNull();
  expect(correlation([1, Number.NaN, 1], [1, 3, 2])).toBeNull();
});
