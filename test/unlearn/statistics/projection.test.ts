// Principal components against a cloud whose axes are known.
import { expect, it } from 'vitest';
import { Stream } from '../../../unlearn/random.ts';
import { principalPlane } from '../../../unlearn/statistics/projection.ts';

it('the axes of a cloud that was made along two of them, and the share they hold', () => {
  const stream = new Stream(4, 1);
  const [n, d] = [200, 6];
  // Orthogonal: (1, 1, 0, ..) and (0, 0, 1, -1, ..), with noise in the rest.
  const [a, b] = [0, 1].map(() => Float64Array.from({ length: n }, () => stream.between(-1, 1)));
  const values = Float64Array.from({ length: n * d }, (_, at) => {
    const [i, k] = [Math.floor(at / d), at % d];
    const along = k < 2 ? 3 * a[i] : k === 2 ? b[i] : k === 3 ? -b[i] : 0;
    return 7 + along + 0.01 * stream.between(-1, 1);
  });
  const found = principalPlane(values, n, d)!;
  const mean = (list: Float64Array) => list.reduce((sum, v) => sum + v / n, 0);
  const close = (got: Float64Array, made: Float64Array, scale: number) => {
    const middle = mean(made);
    // Components of a finite sample turn a little towards each other.
    got.forEach((v, i) => expect(Math.abs(v - scale * (made[i] - middle))).toBeLessThan(0.2));
  };
  close(found.x, a, 3 * Math.SQRT2);
  // The largest loading is positive: of (1, -1) either may be, and it is the first of equals up to noise.
  const sign = Math.sign(found.y.reduce((sum, v, i) => sum + v * b[i], 0));
  close(found.y, b, sign * Math.SQRT2);
  expect(found.share).toBeGreaterThan(0.999);
  expect(principalPlane(values, n, d)).toEqual(found);
});

it('says nothing of points that are too few, the same, or not finite', () => {
  expect(principalPlane([1, 2, 3, 4], 2, 2)).toBeNull();
  expect(principalPlane([1, 2, 1, 2, 1, 2], 3, 2)).toBeNull();
  expect(principalPlane([1, 2, Number.NaN, 2, 1, 5], 3, 2)).toBeNull();
  const line = principalPlane([0, 0, 1, 1, 2, 2], 3, 2)!;
  expect(line.share).toBeCloseTo(1, 12);
  [-Math.SQRT2, 0, Math.SQRT2].forEach((v, i) => expect(line.x[i]).toBeCloseTo(v, 9));
});
