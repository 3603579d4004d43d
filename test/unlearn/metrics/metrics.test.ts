// Metrics from logits: what each is when a class goes and when samples go, against retrain and alone.

import { describe, expect, it } from 'vitest';
import { againstRetrain, metricsOf } from '../../../unlearn/metrics/measure.ts';
import { accuracy, type Outputs, predictions } from '../../../unlearn/statistics/index.ts';
import type { Metrics } from '../../../unlearn/types.ts';
import { madeLogits } from '../statistics/samples.ts';

const K = 10;

describe('metricsOf', () => {
  const forget = madeLogits(100, K, 3, 4, () => 4);
  const retain = madeLogits(300, K, 10, 5, (t) => (t % 9 < 4 ? t % 9 : (t % 9) + 1));
  const test = madeLogits(200, K, 4, 6);
  const input = { forget, retain, test, K, kind: 'class' as const, classIndex: 4, seconds: 12 };

  it('class-wise: TA leaves the forgotten class out, acc_test_forget is that class alone', () => {
    const m = metricsOf({ ...input, reference: 'self' });
    const hits = (keep: (label: number) => boolean) => {
      const rows = [...test.labels.keys()].filter((i) => keep(test.labels[i]));
      const predicted = predictions(test, K);
      return (100 * rows.filter((i) => predicted[i] === test.labels[i]).length) / rows.length;
    };
    expect(m.ta).toBeCloseTo(
      hits((label) => label !== 4),
      10,
    );
    expect(m.acc_test_forget).toBeCloseTo(
      hits((label) => label === 4),
      10,
    );
    expect(m.acc_test_retain).toBe(m.ta);
    expect(m.ua).toBe(100 - m.acc_forget);
    expect(m.ra).toBe(m.acc_retain);
    expect([m.avg_gap, m.tow, m.rte_seconds, m.nonfinite]).toEqual([0, 1, 12, 0]);
  });

  it('several classes: TA leaves all of them out, acc_test_forget is all of them', () => {
    const m = metricsOf({ ...input, classIndex: [4, 7] });
    const predicted = predictions(test, K);
    const rows = [...test.labels.keys()];
    const share = (some: number[]) =>
      (100 * some.filter((i) => predicted[i] === test.labels[i]).length) / some.length;
    const goes = (i: number) => [4, 7].includes(test.labels[i]);
    expect(m.acc_test_forget).toBeCloseTo(share(rows.filter(goes)), 10);
    expect(m.ta).toBeCloseTo(share(rows.filter((i) => !goes(i))), 10);
    expect(metricsOf({ ...input, classIndex: [4] })).toEqual(metricsOf(input));
  });

  it('samples: TA is the whole test set and acc_test_forget is null', () => {
    const m = metricsOf({ ...input, kind: 'samples', classIndex: null });
    expect(m.ta).toBeCloseTo(accuracy(test, K), 10);
    expect(m.acc_test_forget).toBeNull();
    expect(m.avg_gap).toBeNaN();
  });

  it('average gap reproduces a row of SalUn Table 1 (10 %: 1.15), and ToW its product', () => {
    const base = metricsOf(input);
    const row = (ua: number, ra: number, ta: number, mia: number): Metrics => ({ ...base, ua, ra, ta, mia });
    const m = againstRetrain(row(2.85, 99.62, 93.93, 14.39), row(5.24, 100, 94.26, 12.88));
    expect(m.avg_gap).toBeCloseTo(1.1525, 10);
    expect(m.tow).toBeCloseTo((1 - 0.0239) * (1 - 0.0038) * (1 - 0.0033), 10);
  });

  it('against retrain: the attack counts only where it works in both, entropy with its sign', () => {
    const base = metricsOf(input);
    const row = (mia_measurable: number, asr_measurable: number, entropy_forget: number): Metrics => ({
      ...base,
      mia_measurable,
      asr_measurable,
      entropy_forget,
    });
    const flags = (a: Metrics, b: Metrics) => {
      const m = againstRetrain(a, b);
      return [m.mia_measurable, m.asr_measurable, m.entropy_gap];
    };
    expect(flags(row(1, 1, 0.5), row(1, 1, 0.75))).toEqual([1, 1, -0.25]);
    expect(flags(row(1, 0, 0.5), row(1, 1, 0.5))).toEqual([1, 0, 0]);
    expect(flags(row(1, 1, 0.5), row(0, 1, 0.5))).toEqual([0, 1, 0]);
    expect(againstRetrain(row(1, 1, 0), base).avg_gap).toBe(againstRetrain(row(1, 1, 0), base).avg_gap_all);
  });

  it('survives a model that has diverged, and says so', () => {
    const nan = (set: Outputs) => ({
      logits: new Float32Array(set.logits.length).fill(Number.NaN),
      labels: set.labels,
    });
    const m = metricsOf({ ...input, forget: nan(forget), retain: nan(retain), test: nan(test) });
    expect([m.ua, m.ra, m.ta, m.nonfinite]).toEqual([100, 0, 0, 100]);
    expect(Number.isFinite(m.mia) && Number.isFinite(m.asr)).toBe(true);
  });

  it('refuses shapes that disagree, empty sets and a missing class', () => {
    expect(() => metricsOf({ ...input, K: 9 })).toThrow(/forget: expected 100 x 9 = 900 logits, got 1000/);
    for (const classIndex of [null, [], [4, 10]])
      expect(() => metricsOf({ ...input, classIndex })).toThrow(/needs its index/);
    const all = Array.from({ length: K }, (_, k) => k);
    expect(() => metricsOf({ ...input, classIndex: all })).toThrow(/holds only forgotten classes/);
    expect(() => metricsOf({ ...input, retain: { logits: new Float32Array(0), labels: [] } })).toThrow(
      /retain set is empty/,
    );
  });
});
