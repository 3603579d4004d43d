// The prototype attack on numbers small enough to work out by hand.

import { expect, it } from 'vitest';
import {
  ALPHAS,
  answeredBy,
  attackedAccuracies,
  centredAccuracies,
  centreOf,
  FORMS,
  plainAccuracy,
  prototypeOf,
  rowLength,
} from '../../../unlearn/statistics/prototypes.ts';
import { rowsOf } from './oracle.ts';

// Rows (classes) are (3, 0), (0, 4) and (0, 0); the last is forgotten and shut by its bias.
const layer = { weight: Float64Array.of(3, 0, 0, 0, 4, 0), bias: Float64Array.of(0, 0, -2) };

it('mixes rows and biases as stated', () => {
  expect(rowLength(layer)).toBeCloseTo(7 / 3, 12);
  const points = rowsOf([1, 0, 0.6, 0.8, 0, 1], 2);
  expect(Array.from(prototypeOf(points, [1]))).toEqual([0.6, 0.8]);
  expect(Array.from(prototypeOf(rowsOf([3, 4, 3, 4], 2), [0, 1]))).toEqual([0.6, 0.8]);
  expect(Array.from(prototypeOf(rowsOf([0, 0], 2), [0]))).toEqual([0, 0]);

  const set = answeredBy(layer, points, [0, 2, 1]);
  expect(Array.from(set.logits)).toEqual([3, 0, -2, 1.7999999999999998, 3.2, -2, 0, 4, -2]);
  expect(plainAccuracy(set)).toBeCloseTo(200 / 3, 9);
  const [p, length] = [[0.6, 0.8], 4];
  const wanted = FORMS.flatMap((form) =>
    ALPHAS.map((alpha) => {
      const hits = [0, 1, 2].filter((t) => {
        const [x, y] = [points.x[2 * t], points.x[2 * t + 1]];
        const factor = { cosine: 1, scaled: length, l2: 2 }[form];
        const row = p.map((value) => alpha * factor * value);
        const bias = alpha * (form === 'l2' ? -1 : 0) + (1 - alpha) * -2;
        const z = [3 * x, 4 * y, row[0] * x + row[1] * y + bias];
        return z.indexOf(Math.max(...z)) === set.labels[t];
      });
      return (100 * hits.length) / 3;
    }),
  );
  expect(attackedAccuracies(set, new Map([[2, Float64Array.from(p)]]), length)).toEqual(wanted);
  expect(new Set(wanted).size).toBeGreaterThan(1);
});

it('centred rows get the largest bias that costs R no more than is allowed', () => {
  const points = rowsOf([9, 1, 9, 3, 9, 5, 9, 7], 2);
  expect(Array.from(centreOf(points))).toEqual([9, 4]);
  expect(Array.from(prototypeOf(points, [3], Float64Array.of(9, 4)))).toEqual([0, 1]);
  // Class 0 always wins by its bias; the second coordinate is all that tells class 1.
  const plain = { weight: Float64Array.of(0, 0, 0, 0), bias: Float64Array.of(10, -99) };
  const retain = answeredBy(plain, points, [0, 0, 0, 0]);
  const gone = answeredBy(plain, rowsOf([9, 2, 9, 4, 9, 6, 9, 8], 2), [1, 1, 1, 1]);
  const rows = new Map([[1, Float64Array.of(0, 1)]]);
  // None of R may go: the row wins above the largest second coordinate of R, 7. One of four: above 5. Two: above 3.
  expect(centredAccuracies(retain, [retain, gone], rows, 2, 1)).toEqual([100, 25]);
  expect(centredAccuracies(retain, [retain, gone], rows, 2, 25)).toEqual([75, 50]);
  expect(centredAccuracies(retain, [retain, gone], rows, 2, 50)).toEqual([50, 75]);
});
