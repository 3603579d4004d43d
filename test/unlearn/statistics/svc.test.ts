import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernelSum } from '../../../unlearn/statistics/rbf.ts';
import { solveDual } from '../../../unlearn/statistics/smo.ts';
import { fitSvc, type Svc } from '../../../unlearn/statistics/svc.ts';
import { membershipScalars } from './samples.ts';

/** Largest violation of the optimality conditions, from the definition: O(n^2), no shared code with the solver. */
function violation(
  svc: Svc,
  x: Float64Array,
  labels: ArrayLike<number>,
  d: number,
  C: number,
  gamma: number,
): number {
  const n = labels.length;
  const y = Array.from(labels, (label) => (label === 1 ? 1 : -1));
  let rise = -Infinity;
  let fall = Infinity;
  for (let t = 0; t < n; t++) {
    let E = y[t];
    for (let s = 0; s < n; s++) E -= svc.alpha[s] * y[s] * kernel(x, t, s, d, gamma);
    const mayRise = y[t] > 0 ? svc.alpha[t] < C : svc.alpha[t] > 0;
    const mayFall = y[t] > 0 ? svc.alpha[t] > 0 : svc.alpha[t] < C;
    if (mayRise) rise = Math.max(rise, E);
    if (mayFall) fall = Math.min(fall, E);
  }
  return rise - fall;
}

function kernel(x: Float64Array, a: number, b: number, d: number, gamma: number): number {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += (x[a * d + k] - x[b * d + k]) ** 2;
  return Math.exp(-gamma * sum);
}

/** Projected gradient ascent on the dual in alpha, slow and plain; returns the objective. */
function slowDual(x: Float64Array, labels: number[], d: number, C: number, gamma: number): number {
  const n = labels.length;
  const y = labels.map((label) => (label === 1 ? 1 : -1));
  const Q = y.map((yt, t) => y.map((ys, s) => yt * ys * kernel(x, t, s, d, gamma)));
  const clip = (v: number) => Math.min(C, Math.max(0, v));
  const project = (v: number[]) => {
    let lo = -1e3;
    let hi = 1e3;
    for (let k = 0; k < 100; k++) {
      const mid = (lo + hi) / 2;
      const sum = v.reduce((total, value, t) => total + y[t] * clip(value - mid * y[t]), 0);
      if (sum > 0) lo = mid;
      else hi = mid;
    }
    return v.map((value, t) => clip(value - ((lo + hi) / 2) * y[t]));
  };
  let alpha = new Array<number>(n).fill(0);
  for (let step = 0; step < 3000; step++) {
    const slope = Q.map((row) => 1 - row.reduce((sum, q, s) => sum + q * alpha[s], 0));
    alpha = project(alpha.map((a, t) => a + slope[t] / n));
  }
  const quadratic = Q.reduce(
    (sum, row, t) => sum + alpha[t] * row.reduce((s, q, k) => s + q * alpha[k], 0),
    0,
  );
  return alpha.reduce((sum, a) => sum + a, 0) - quadratic / 2;
}

describe('C-SVC', () => {
  it('solves two points by hand: alpha = 1 / (1 - k), boundary half way', () => {
    const svc = fitSvc(Float64Array.of(0, 2), [1, 0]);
    const alpha = 1 / (1 - Math.exp(-4));
    expect(svc.alpha[0]).toBeCloseTo(alpha, 10);
    expect(svc.alpha[1]).toBeCloseTo(alpha, 10);
    expect(svc.offset).toBeCloseTo(0, 10);
    expect(svc.objective).toBeCloseTo(alpha, 10);
    expect([...svc.predict(Float64Array.of(-1, 0.99, 1.01, 3))]).toEqual([1, 1, 0, 0]);
    expect(svc.decision(Float64Array.of(0))[0]).toBeCloseTo(1, 10);
  });

  it('puts both on the bound when they nearly coincide', () => {
    const svc = fitSvc(Float64Array.of(0, 0.1), [1, 0]);
    expect([...svc.alpha]).toEqual([3, 3]);
    expect(svc.offset).toBeCloseTo(0, 10);
  });

  it('one against five duplicates: the duplicates share what balances the one', () => {
    const svc = fitSvc(Float64Array.of(0, 2, 2, 2, 2, 2), [1, 0, 0, 0, 0, 0]);
    const alpha = 1 / (1 - Math.exp(-4));
    expect(svc.alpha[0]).toBeCloseTo(alpha, 10);
    for (const t of [1, 2, 3, 4, 5]) expect(svc.alpha[t]).toBeCloseTo(alpha / 5, 10);
  });

  it('gives identical samples of both labels the majority label', () => {
    const labels = [1, 1, 1, 0, 0, 0, 0, 0];
    const svc = fitSvc(new Float64Array(8).fill(0.7), labels);
    expect([...svc.predict(Float64Array.of(0.7))]).toEqual([0]);
    expect(svc.converged).toBe(true);
  });

  it('satisfies the optimality conditions and the constraints on random problems (property)', () => {
    const problem = fc
      .record({
        d: fc.integer({ min: 1, max: 3 }),
        n: fc.integer({ min: 2, max: 40 }),
        C: fc.constantFrom(0.1, 3, 50),
      })
      .chain(({ d, n, C }) =>
        fc.record({
          d: fc.constant(d),
          C: fc.constant(C),
          gamma: fc.constantFrom(1 / d, 0.05, 20),
          x: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: n * d, maxLength: n * d }),
          labels: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: n, maxLength: n }),
        }),
      )
      .filter(({ labels }) => labels.includes(0) && labels.includes(1));
    fc.assert(
      fc.property(problem, ({ d, C, gamma, x, labels }) => {
        const values = Float64Array.from(x, (value) => value / 20);
        const svc = fitSvc(values, labels, d, { C, gamma });
        expect(svc.converged).toBe(true);
        expect(violation(svc, values, labels, d, C, gamma)).toBeLessThanOrEqual(1e-3 + 1e-9);
        const balance = svc.alpha.reduce((sum, a, t) => sum + (labels[t] === 1 ? a : -a), 0);
        expect(Math.abs(balance)).toBeLessThan(1e-9 * C * labels.length);
        for (const a of svc.alpha) expect(a >= 0 && a <= C).toBe(true);
      }),
      { numRuns: 150, seed: 3 },
    );
  });

  it('reaches the dual objective of a slow projected solver', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        (raw, skewed) => {
          const x = Float64Array.from(raw, (value) => value / 50);
          const labels = raw.map((_, t) => (skewed ? +(t === 0) : t % 2));
          const svc = fitSvc(x, labels, 1, { tolerance: 1e-6 });
          expect(svc.objective).toBeGreaterThanOrEqual(slowDual(x, labels, 1, 3, 1) - 1e-4);
          expect(svc.objective).toBeLessThanOrEqual(slowDual(x, labels, 1, 3, 1) + 2e-2);
        },
      ),
      { numRuns: 12, seed: 5 },
    );
  });

  it('starting from pooled cells changes neither the objective nor the optimality (1,500 scalars)', () => {
    const tolerance = 1e-4;
    for (const shape of ['confidence', 'entropy', 'same', 'wide'] as const) {
      const { x, labels } = membershipScalars(shape, 1500, 7);
      const svc = fitSvc(x, labels, 1, { tolerance });
      expect(violation(svc, x, labels, 1, 3, 1)).toBeLessThanOrEqual(tolerance + 1e-8);
      const y = Float64Array.from(labels, (label) => (label === 1 ? 1 : -1));
      const cold = solveDual({
        points: { x, n: x.length, d: 1 },
        y,
        low: y.map((sign) => (sign > 0 ? 0 : -3)),
        high: y.map((sign) => (sign > 0 ? 3 : 0)),
        gamma: 1,
        tolerance,
        maxIterations: 1e7,
        cacheBytes: 1 << 24,
      });
      const coldObjective = cold.beta.reduce((sum, b, t) => sum + 0.5 * b * (y[t] + cold.gradient[t]), 0);
      // Two solutions that violate by the tolerance differ in objective by at most that times the total weight.
      expect(Math.abs(svc.objective - coldObjective)).toBeLessThan(tolerance * 3 * x.length);
    }
  });

  it('stays in bounded memory and time at 20,000 scalars', () => {
    const { x, labels } = membershipScalars('confidence', 20_000, 1);
    const started = process.cpuUsage();
    const svc = fitSvc(x, labels);
    expect(svc.converged).toBe(true);
    // Time of the processor, in microseconds.
    expect(process.cpuUsage(started).user).toBeLessThan(10e6);
  });

  it('calls the minority nothing when classes overlap and one is 20 times larger', () => {
    const { x } = membershipScalars('same', 2100, 11);
    const labels = Uint8Array.from({ length: 2100 }, (_, t) => (t < 2000 ? 1 : 0));
    const svc = fitSvc(x, labels);
    const members = svc.predict(x).reduce((sum, value) => sum + value, 0);
    expect(members).toBeGreaterThan(2090);
  });

  it('is deterministic to the bit', () => {
    const { x, labels } = membershipScalars('entropy', 3000, 2);
    expect(fitSvc(x, labels).alpha).toEqual(fitSvc(x, labels).alpha);
  });

  it('interpolated kernel sums agree with direct ones', () => {
    const { x } = membershipScalars('wide', 400, 4);
    const weights = x.map((_, t) => Math.sin(t));
    const many = Float64Array.from({ length: 4000 }, (_, t) => x[0] + (t % 50) / 20);
    const sums = kernelSum({ x: many, n: 4000, d: 1 }, { x, n: 400, d: 1 }, weights, 1);
    for (let t = 0; t < 4000; t += 97) {
      let direct = 0;
      for (let s = 0; s < 400; s++) direct += weights[s] * Math.exp(-((many[t] - x[s]) ** 2));
      expect(Math.abs(sums[t] - direct)).toBeLessThan(1e-11);
    }
  });

  it('refuses bad input in one clear line', () => {
    expect(() => fitSvc(Float64Array.of(1, 2), [1, 1])).toThrow(/both classes/);
    expect(() => fitSvc(Float64Array.of(1, Number.NaN), [1, 0])).toThrow(/feature value 1 is NaN/);
    expect(() => fitSvc(Float64Array.of(1), [1, 0])).toThrow(/expected 2 x 1 = 2/);
    expect(() => fitSvc(Float64Array.of(1, 2), [1, 2])).toThrow(/label 1 is 2/);
    expect(() => fitSvc(Float64Array.of(1, 2), [1, 0], 1, { C: 0 })).toThrow(/C must be positive/);
  });
});
