// Logistic regression beside Newton's method in PyTorch, and what the problem's convexity promises.

import { describe, expect, it } from 'vitest';
import { fitLogistic } from '../../../unlearn/statistics/logistic.ts';
import { oracle, rowsOf } from './oracle.ts';
import { draws } from './samples.ts';

const { x: values, labels, d, classes } = oracle.logisticInput;
const x = rowsOf(values, d);

describe('logistic regression', () => {
  it.each(
    oracle.logistic as {
      l2: number;
      sampleWeights: number[];
      weights: number[];
      bias: number[];
      loss: number;
    }[],
  )(
    'has the solution of an independent Newton method, l2 = $l2',
    ({ l2, sampleWeights, weights, bias, loss }) => {
      const found = fitLogistic(x, labels, { classes, l2, sampleWeights, tolerance: 1e-9 });
      expect(found.converged).toBe(true);
      expect(found.loss).toBeCloseTo(loss, 12);
      for (const [i, value] of weights.entries()) expect(found.weights[i]).toBeCloseTo(value, 6);
      for (const [k, value] of bias.entries()) expect(found.bias[k]).toBeCloseTo(value, 6);
    },
  );

  it('does not depend on where it starts, nor on the scale of the sample weights; a weight of 2 is a sample twice', () => {
    const options = { classes, l2: 0.01, tolerance: 1e-9 };
    const plain = fitLogistic(x, labels, options);
    const far = fitLogistic(x, labels, { ...options, l2: 1 });
    const again = fitLogistic(x, labels, { ...options, start: far, sampleWeights: new Array(x.n).fill(7) });
    for (const [i, value] of plain.weights.entries()) expect(again.weights[i]).toBeCloseTo(value, 6);
    const twice = fitLogistic(rowsOf([...values, ...values.slice(0, d)], d), [...labels, labels[0]], options);
    const heavy = fitLogistic(x, labels, {
      ...options,
      sampleWeights: Array.from({ length: x.n }, (_, t) => (t === 0 ? 2 : 1)),
    });
    for (const [i, value] of twice.weights.entries()) expect(heavy.weights[i]).toBeCloseTo(value, 6);
  });

  it('converges where the classes can be separated, and names the classes of blobs that lie apart', () => {
    const { normal } = draws(5);
    const own = Int32Array.from({ length: 400 }, (_, t) => t % 4);
    const blobs = rowsOf(
      Array.from({ length: 400 * 6 }, (_, i) => 0.3 * normal() + (Math.floor(i / 6) % 4 === i % 6 ? 3 : 0)),
      6,
    );
    const fit = fitLogistic(blobs, own, { classes: 4, l2: 1e-6, tolerance: 1e-7 });
    expect(fit.converged).toBe(true);
    expect(fit.predict(blobs)).toEqual(own);
    expect(fit.bias.reduce((a, b) => a + b)).toBeCloseTo(0, 9);
  });

  it('gives even odds where features say nothing, and refuses what is no problem', () => {
    const none = fitLogistic(rowsOf([0, 0, 0, 0], 1), [0, 1, 1, 1], { classes: 2, l2: 1, tolerance: 1e-10 });
    expect(none.bias[1] - none.bias[0]).toBeCloseTo(Math.log(3), 8);
    const two = rowsOf([0, 1], 1);
    expect(() => fitLogistic(two, [0, 2], { classes: 2, l2: 1 })).toThrow(
      'label 1 is 2, expected an integer in 0..1',
    );
    expect(() => fitLogistic(two, [0, 1], { classes: 2, l2: 0 })).toThrow('l2 must be positive, got 0');
    expect(() => fitLogistic(rowsOf([0, Number.NaN], 1), [0, 1], { classes: 2, l2: 1 })).toThrow(
      'feature value 1 is NaN',
    );
    expect(() => fitLogistic(two, [0], { classes: 2, l2: 1 })).toThrow('expected 2 labels');
  });
});
