// Weights that make up for a removal, against closed forms and conditions of optimality.
import { describe, expect, test } from 'vitest';
import { l1, minimumNorm, type Removal, ridge, sgd } from '../../../unlearn/methods/reweight.ts';
import { Stream } from '../../../unlearn/random.ts';

const numbers = (n: number, seed: number) => {
  const stream = new Stream(seed);
  return Float64Array.from({ length: n }, () => stream.between(-1, 1));
};
const inner = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, v, i) => sum + v * b[i], 0);
const norm1 = (a: ArrayLike<number>) => Array.from(a).reduce((sum, v) => sum + Math.abs(v), 0);
/** Phi lambda + a. */
const left = ({ influences, removal }: Removal, lambda: ArrayLike<number>) =>
  influences.map((row, c) => inner(row, lambda) + removal[c]);
const close = (got: ArrayLike<number>, expected: ArrayLike<number>, within: number) => {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < got.length; i++) expect(Math.abs(got[i] - expected[i])).toBeLessThan(within);
};

const phi = numbers(40, 1);
const a = 0.7;
const one: Removal = { influences: [phi], removal: [a] };
const three: Removal = { influences: [1, 2, 3].map((seed) => numbers(40, seed)), removal: [0.4, -0.9, 0.1] };
const square = inner(phi, phi);

describe('one criterion: closed forms', () => {
  test('ridge: -phi a / (mu + |phi|^2), which leaves a mu / (mu + |phi|^2)', () => {
    const mu = 0.3;
    const lambda = ridge(one, mu);
    close(
      lambda,
      phi.map((v) => (-v * a) / (mu + square)),
      1e-15,
    );
    close(left(one, lambda), [(a * mu) / (mu + square)], 1e-15);
  });

  test('minimum norm: -phi a / |phi|^2, which leaves nothing', () => {
    const lambda = minimumNorm(one);
    close(
      lambda,
      phi.map((v) => (-v * a) / square),
      1e-15,
    );
    close(left(one, lambda), [0], 1e-15);
  });

  test('l1 without a bound: all on the largest |phi|', () => {
    const at = phi.reduce((best, v, i) => (Math.abs(v) > Math.abs(phi[best]) ? i : best), 0);
    const lambda = l1(one);
    close(
      lambda,
      phi.map((v, i) => (i === at ? -a / v : 0)),
      1e-12,
    );
  });

  test.each([0.5, 0.1, 0.04])('l1 with |lambda| <= %d: filled in order of |phi|', (bound) => {
    const expected = new Float64Array(40);
    let rest = -a;
    for (const i of [...phi.keys()].sort((x, y) => Math.abs(phi[y]) - Math.abs(phi[x]))) {
      expected[i] = Math.sign(phi[i]) * Math.max(-bound, Math.min(bound, rest / Math.abs(phi[i])));
      rest -= expected[i] * phi[i];
    }
    close(l1(one, bound), expected, 1e-12);
  });

  test('weights that cannot do it are an error that says how much is left', () => {
    // All at the bound of 0.01 make up for 0.01 |phi|_1.
    const percent = (100 * (1 - (0.01 * norm1(phi)) / a)).toPrecision(3);
    expect(() => l1(one, 0.01)).toThrow(`leave ${percent}% of the removal`);
    expect(() => minimumNorm({ influences: [new Float64Array(4)], removal: [1] })).toThrow(
      /no point that stays/,
    );
    expect(() => minimumNorm({ influences: [phi, phi], removal: [1, 2] })).toThrow(/follow from/);
    expect(() => ridge({ influences: [phi, [1]], removal: [1, 2] }, 1)).toThrow(/expected the same/);
    expect(() => ridge({ influences: [[Number.NaN]], removal: [1] }, 1)).toThrow(/not a finite/);
    expect(() => ridge({ influences: [phi], removal: [] }, 1)).toThrow(/expected one each/);
  });

  test('nothing to make up for: no weights', () => {
    const none = { influences: [phi], removal: [0] };
    for (const lambda of [minimumNorm(none), l1(none, 1)]) expect(norm1(lambda)).toBe(0);
  });
});

describe('several criteria', () => {
  test('ridge: the normal equations (Phi^T Phi + mu I) lambda = -Phi^T a, of n unknowns', () => {
    const mu = 0.05;
    const lambda = ridge(three, mu);
    const rest = left(three, lambda);
    close(
      Array.from(
        lambda,
        (v, i) => mu * v + three.influences.reduce((sum, row, c) => sum + row[i] * rest[c], 0),
      ),
      new Float64Array(40),
      1e-14,
    );
  });

  test('minimum norm: no change, and nothing of it outside of the span of the influences', () => {
    const lambda = minimumNorm(three);
    close(left(three, lambda), [0, 0, 0], 1e-14);
    // As ridge for mu to 0.
    close(lambda, ridge(three, 1e-9), 1e-8);
  });

  test.each([Number.POSITIVE_INFINITY, 0.2, 0.05])(
    'l1 with |lambda| <= %d: feasible, and no less than its dual',
    (bound) => {
      const lambda = l1(three, bound);
      close(left(three, lambda), [0, 0, 0], 1e-12);
      for (const v of lambda) expect(Math.abs(v)).toBeLessThanOrEqual(bound * (1 + 1e-12));
      // Weak duality: for any y, -a y - bound sum max(0, |phi y| - 1) is a lower bound. The y of the points strictly
      // between attains it: phi_i y = sign(lambda_i) there.
      const between = [...lambda.keys()].filter(
        (i) => lambda[i] !== 0 && Math.abs(lambda[i]) < bound * (1 - 1e-9),
      );
      expect(between).toHaveLength(3);
      const y = cramer(
        between.map((i) => three.influences.map((row) => row[i])),
        between.map((i) => Math.sign(lambda[i])),
      );
      let dual = -inner(three.removal, y);
      for (let i = 0; i < 40; i++) {
        const over =
          Math.abs(
            inner(
              three.influences.map((row) => row[i]),
              y,
            ),
          ) - 1;
        if (over > 1e-9) dual -= bound * over;
      }
      expect(norm1(lambda)).toBeCloseTo(dual, 10);
    },
  );

  test('l1 with criteria that follow from each other', () => {
    const twice = { influences: [phi, phi.map((v) => 2 * v)], removal: [a, 2 * a] };
    close(l1(twice), l1(one), 1e-12);
    expect(() => l1({ ...twice, removal: [a, a] })).toThrow(/leave \d/);
  });
});

describe('stochastic steps come to the closed forms', () => {
  test.each([one, three])('l2: those of ridge', (problem) => {
    const mu = 0.2;
    const lambda = sgd(problem, { penalty: 'l2', mu, seed: 3, tolerance: 1e-12 });
    close(lambda, ridge(problem, mu), 1e-9);
  });

  test.each([0.5, 0.1])('l1 with |lambda| <= %d: least, by its conditions', (bound) => {
    const mu = 0.02;
    const lambda = sgd(three, { penalty: 'l1', mu, bound, seed: 3, epochs: 20_000, tolerance: 1e-12 });
    const rest = left(three, lambda);
    for (let i = 0; i < 40; i++) {
      const slope =
        -2 *
        inner(
          three.influences.map((row) => row[i]),
          rest,
        );
      if (lambda[i] === 0) expect(Math.abs(slope)).toBeLessThanOrEqual(mu + 1e-8);
      else if (Math.abs(lambda[i]) === bound)
        expect(slope * Math.sign(lambda[i])).toBeGreaterThanOrEqual(mu - 1e-8);
      else expect(slope).toBeCloseTo(mu * Math.sign(lambda[i]), 7);
    }
  });

  test('l1 for mu to 0: the linear programme', () => {
    const bound = 0.1;
    const lambda = sgd(one, { penalty: 'l1', mu: 1e-3, bound, epochs: 20_000, tolerance: 1e-12 });
    const exact = l1(one, bound);
    // The change that is left is mu / (2 |phi|) of the point filled last, which holds so much less.
    const last = [...exact.keys()].find((i) => exact[i] !== 0 && Math.abs(exact[i]) < bound * (1 - 1e-9))!;
    const rest = 1e-3 / (2 * Math.abs(phi[last]));
    expect(Math.abs(left(one, lambda)[0])).toBeCloseTo(rest, 8);
    close(lambda, exact, 1e-6 + rest / Math.abs(phi[last]));
  });

  test('the same seed gives the same bits', () => {
    const options = { penalty: 'l1', mu: 0.1, seed: 5, epochs: 3 } as const;
    expect(sgd(three, options)).toEqual(sgd(three, options));
  });
});

/** 3 x 3. */
function cramer(m: number[][], right: number[]): number[] {
  const det = (r: number[][]) =>
    r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
    r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
    r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
  return [0, 1, 2].map((k) => det(m.map((row, i) => row.map((v, j) => (j === k ? right[i] : v)))) / det(m));
}
