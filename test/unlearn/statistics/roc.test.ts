// ROC and intervals beside pair counting, closed forms and tables.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../../unlearn/random.ts';
import { incompleteBeta, logGamma } from '../../../unlearn/statistics/gamma.ts';
import { meanInterval, quantileOf, studentQuantile } from '../../../unlearn/statistics/interval.ts';
import { leastRate, nestedRocIntervals, rocIntervals, rocOf } from '../../../unlearn/statistics/roc.ts';

const scores = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 });

describe('rocOf', () => {
  it('counts pairs, ties half, and finds the largest rate of any threshold', () => {
    fc.assert(
      fc.property(scores, scores, fc.double({ min: 0, max: 1, noNaN: true }), (members, others, rate) => {
        const roc = rocOf(members, others, [rate]);
        let wins = 0;
        for (const a of members) for (const b of others) wins += a > b ? 1 : a === b ? 0.5 : 0;
        expect(roc.auc).toBeCloseTo(wins / members.length / others.length, 12);
        const share = (of: number[], t: number) => of.filter((s) => s >= t).length;
        const allowed = Math.floor(rate * others.length + 1e-9);
        const hits = [0, 1, 2, 3, 4, 5, 6, 7]
          .filter((t) => share(others, t) <= allowed)
          .map((t) => share(members, t) / members.length);
        if (allowed < 1) expect(roc.tpr[0]).toBeNull();
        else expect(roc.tpr[0]).toBeCloseTo(Math.max(...hits), 12);
      }),
    );
  });

  it('takes equal scores together: none is called before the other', () => {
    // Ten others; two share the members' score, so a tenth of them cannot be called without the other tenth.
    const others = [...new Array(8).fill(0), 1, 1];
    expect(rocOf([1, 1], others, [0.1, 0.2]).tpr).toEqual([0, 1]);
    expect(leastRate(10)).toBe(0.1);
    expect(rocOf([1], [0, 0, 0], [0.3, 1 / 3]).tpr).toEqual([null, 1]);
  });

  it('takes infinities as they are, and refuses what has no order or no sides', () => {
    expect(rocOf([Infinity, 1], [-Infinity, 1]).auc).toBe(0.875);
    expect(() => rocOf([Number.NaN], [1])).toThrow(/NaN/);
    expect(() => rocOf([], [1])).toThrow(/0 members/);
  });
});

describe('rocIntervals', () => {
  const stream = new Stream(5);
  const drawn = (count: number, shift: number) =>
    Array.from({ length: count }, () => shift + stream.between(0, 1) + stream.between(0, 1));

  it('holds the value, is about as wide as theory says, and is the same for the same seed', () => {
    const [members, others] = [drawn(200, 0.3), drawn(300, 0)];
    const { auc, tpr } = rocOf(members, others, [0.1, 0.001]);
    const intervals = rocIntervals(members, others, { rates: [0.1, 0.001], seed: 1 });
    const [low, high] = intervals.auc;
    expect(low).toBeLessThan(auc);
    expect(high).toBeGreaterThan(auc);
    // Hanley and McNeil 1982, for the standard error of an area.
    const q1 = auc / (2 - auc);
    const q2 = (2 * auc ** 2) / (1 + auc);
    const variance = (auc * (1 - auc) + 199 * (q1 - auc ** 2) + 299 * (q2 - auc ** 2)) / (200 * 300);
    const width = 2 * 1.96 * Math.sqrt(variance);
    expect(Math.abs(high - low - width)).toBeLessThan(0.2 * width);
    const [rateLow, rateHigh] = intervals.tpr[0] as readonly [number, number];
    expect(rateLow).toBeLessThanOrEqual(tpr[0] as number);
    expect(rateHigh).toBeGreaterThanOrEqual(tpr[0] as number);
    expect(intervals.tpr[1]).toBeNull();
    expect(rocIntervals(members, others, { rates: [0.1, 0.001], seed: 1 })).toEqual(intervals);
    expect(rocIntervals(members, others, { seed: 2 }).auc).not.toEqual(intervals.auc);
  });

  it('over models and samples is that over samples where models agree, and wider where they do not', () => {
    const [members, others] = [drawn(100, 0.3), drawn(100, 0)];
    const how = { rates: [0.1], seed: 1 };
    const one = { members, others };
    expect(nestedRocIntervals([one], { ...how, each: 1000 })).toEqual(rocIntervals(members, others, how));
    // Each draw of models shifts the members by what they all share.
    const models = Array.from({ length: 200 }, () => {
      const shift = stream.between(-0.4, 0.4);
      return { members: members.map((score) => score + shift), others };
    });
    const width = ([low, high]: readonly [number, number]) => high - low;
    const [alone, both] = [rocIntervals(members, others, how), nestedRocIntervals(models, how)];
    expect(width(both.auc)).toBeGreaterThan(1.8 * width(alone.auc));
    expect(() => nestedRocIntervals([], how)).toThrow(/no draw of models/);
  });

  it('is a point where nothing overlaps', () => {
    expect(rocIntervals([2, 3], [0, 1], { seed: 1, draws: 50 }).auc).toEqual([1, 1]);
  });
});

describe('intervals of means', () => {
  const oracle = new URL('../../oracles/membership.json', import.meta.url);
  const { student } = JSON.parse(readFileSync(oracle, 'utf8')).answers as {
    student: [share: number, freedom: number, t: number][];
  };

  it('has the quantiles of Student’s t', () => {
    for (const [share, freedom, t] of student) {
      expect(studentQuantile(share, freedom)).toBeCloseTo(t, 7);
      expect(studentQuantile(1 - share, freedom)).toBeCloseTo(-t, 7);
    }
    // One degree of freedom is Cauchy, two have a closed form.
    expect(studentQuantile(0.975, 1)).toBeCloseTo(Math.tan(Math.PI * 0.475), 8);
    expect(studentQuantile(0.975, 2)).toBeCloseTo(0.95 / Math.sqrt(2 * 0.975 * 0.025), 10);
    expect(studentQuantile(0.5, 7)).toBeCloseTo(0, 10);
    expect(() => studentQuantile(1, 3)).toThrow(/between 0 and 1/);
  });

  it('is mean plus and minus t s / sqrt n; null for one value', () => {
    // 1, 2, 3: s = 1, t(0.975, 2) = 4.302653.
    const [low, high] = meanInterval([1, 2, null, 3]) as readonly [number, number];
    expect(high - 2).toBeCloseTo(4.302652729749464 / Math.sqrt(3), 9);
    expect(2 - low).toBeCloseTo(high - 2, 12);
    expect(meanInterval([4, Number.NaN])).toBeNull();
  });

  it('takes quantiles as numpy does', () => {
    expect([0, 0.25, 0.5, 0.875, 1].map((q) => quantileOf([4, 1, 3, 2], q))).toEqual([
      1, 1.75, 2.5, 3.625, 4,
    ]);
    expect(quantileOf([Infinity, Infinity, 1], 0.9)).toBe(Infinity);
    expect(() => quantileOf([], 0.5)).toThrow(/no values/);
  });

  it('has gamma and beta right where they are known', () => {
    for (let n = 1, factorial = 1; n < 20; factorial *= n++)
      expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 11);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13);
    expect(() => logGamma(0)).toThrow(/above 0/);
    // Of whole numbers it is a sum of binomials: here P(at least 3 of 7 at 0.3).
    const choose = [35, 35, 21, 7, 1];
    const tail = choose.reduce((sum, c, i) => sum + c * 0.3 ** (3 + i) * 0.7 ** (4 - i), 0);
    expect(incompleteBeta(0.3, 3, 5)).toBeCloseTo(tail, 13);
    expect(incompleteBeta(0.99, 3, 5)).toBeCloseTo(1 - incompleteBeta(0.01, 5, 3), 13);
  });
});
