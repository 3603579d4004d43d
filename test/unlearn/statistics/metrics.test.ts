import { describe, expect, it } from 'vitest';
import { againstRetrain, metricsOf } from '../../../unlearn/metrics/measure.ts';
import {
  accuracy,
  attackSuccessRate,
  chanceBound,
  entropy,
  evenly,
  exhibitsOf,
  logitConfidence,
  miaEfficacy,
  nonFinite,
  type Outputs,
  predictions,
  selectRows,
  softmaxRow,
  spreadOf,
  summarise,
  trueConfidence,
} from '../../../unlearn/statistics/index.ts';
import type { Metrics, RunEntry } from '../../../unlearn/types.ts';
import { madeLogits, overlapping } from './samples.ts';

const K = 10;
const one = (row: number[], label = 0): Outputs => ({ logits: Float32Array.from(row), labels: [label] });

describe('outputs', () => {
  it('softmax, entropy and confidence are exact where exp would overflow', () => {
    expect([...softmaxRow(Float32Array.of(1000, 1000, -1000), 3, 0)]).toEqual([0.5, 0.5, 0]);
    expect(entropy(one([1e4, 1e4]), 2)[0]).toBeCloseTo(Math.LN2, 12);
    expect(entropy(one([1e4, 0, 0]), 3)[0]).toBe(0);
    expect(trueConfidence(one([0, 0, 0, 0], 3), 4)[0]).toBe(0.25);
  });

  it('logit-scaled confidence keeps what the probability rounds away', () => {
    expect(logitConfidence(one([80, 0, 0]), 3)[0]).toBeCloseTo(80 - Math.LN2, 12);
    expect(trueConfidence(one([80, 0, 0]), 3)[0]).toBe(1);
    const p = trueConfidence(one([0.3, -1, 2], 2), 3)[0];
    expect(logitConfidence(one([0.3, -1, 2], 2), 3)[0]).toBeCloseTo(Math.log(p / (1 - p)), 6);
  });

  it('a diverged row counts as wrong, as uniform, and is counted', () => {
    const bad = { logits: Float32Array.of(Number.NaN, 1, 2, 0, Infinity, 0), labels: [2, 1] };
    expect(nonFinite(bad, 3)).toBe(2);
    expect([...predictions(bad, 3)]).toEqual([-1, -1]);
    expect(accuracy(bad, 3)).toBe(0);
    expect(entropy(bad, 3)[0]).toBeCloseTo(Math.log(3), 12);
    expect(logitConfidence(bad, 3)[1]).toBeCloseTo(-Math.LN2, 12);
  });
});

describe('membership inference', () => {
  const retain = madeLogits(900, K, 12, 1);
  const test = madeLogits(400, K, 4, 2);

  it('SalUn: forgotten samples that look like test are non-members, those that look like training are members', () => {
    const like = (margin: number) =>
      miaEfficacy({ forget: madeLogits(300, K, margin, 3), retain, test, K }).value;
    expect(like(4)).toBeGreaterThan(60);
    expect(like(12)).toBeLessThan(10);
  });

  it('SalUn: members are the first |test| of retain, in order, as released', () => {
    const released = (forget: Outputs, from: Outputs) =>
      miaEfficacy({ forget, retain: from, test, K, mia: 'released' });
    const attack = released(retain, retain);
    expect([attack.members, attack.nonMembers, attack.draws, attack.sd]).toEqual([400, 400, 1, Number.NaN]);
    const changed = { logits: retain.logits.slice(), labels: retain.labels };
    changed.logits.fill(0, 400 * K);
    expect(released(test, changed)).toEqual(released(test, retain));
  });

  it('members are drawn evenly over the classes: data sorted by class give what shuffled data give', () => {
    // Two classes are learned by heart, the others are as uncertain as test.
    const by = (label: number) => madeLogits(90, K, label < 2 ? 14 : 4, 40 + label, () => label);
    const classes = Array.from({ length: K }, (_, label) => by(label));
    const sorted = {
      logits: Float32Array.from(classes.flatMap((c) => [...c.logits])),
      labels: Int32Array.from(classes.flatMap((c) => [...c.labels])),
    };
    const shuffled = selectRows(
      sorted,
      K,
      Int32Array.from({ length: 900 }, (_, i) => (i * 389) % 900),
    );
    const attack = (from: Outputs, mia: 'even' | 'released') =>
      miaEfficacy({ forget: test, retain: from, test, K, mia }).trainAccuracy;
    expect(Math.abs(attack(sorted, 'even') - attack(shuffled, 'even'))).toBeLessThan(2);
    expect(attack(sorted, 'released') - attack(shuffled, 'released')).toBeGreaterThan(5);
    expect(miaEfficacy({ forget: test, retain: sorted, test, K })).toMatchObject({ draws: 5, members: 400 });
  });

  describe('where kept and test samples look alike', () => {
    const input = {
      forget: overlapping(400, K, 22),
      retain: overlapping(3600, K, 2),
      test: overlapping(1000, K, 12),
      K,
    };
    const window = (from: number) =>
      miaEfficacy({
        ...input,
        retain: selectRows(
          input.retain,
          K,
          Int32Array.from({ length: 1000 }, (_, i) => from + i),
        ),
        mia: 'released',
      });

    it('the answer is a coin, in scikit-learn as here', () => {
      // SVC(C=3, gamma='auto', kernel='rbf') of scikit-learn 1.9.1 on the same numbers.
      for (const [from, value, accuracy] of [
        [0, 6.25, 50.9],
        [2500, 83.5, 50.45],
      ]) {
        expect(Math.abs(window(from).value - value)).toBeLessThanOrEqual(0.5);
        expect(Math.abs(window(from).trainAccuracy - accuracy)).toBeLessThanOrEqual(0.1);
      }
    });

    it('it is not measurable, its spread over the draws says why, and it does not enter avg_gap', () => {
      const attack = miaEfficacy(input);
      expect([attack.measurable, attack.draws]).toEqual([false, 5]);
      expect(attack.sd).toBeGreaterThan(15);
      expect(attack).toEqual(miaEfficacy(input));
      const retrained = metricsOf({
        ...input,
        kind: 'samples',
        classIndex: null,
        seconds: 1,
        reference: 'self',
      });
      expect([retrained.mia_measurable, retrained.asr_measurable]).toEqual([0, 0]);
      const m = againstRetrain({ ...retrained, mia: retrained.mia + 40, ua: retrained.ua + 3 }, retrained);
      expect(m.avg_gap).toBeCloseTo(1, 10);
      expect(m.avg_gap_all).toBeCloseTo(43 / 4, 10);
    });

    it('an attack counts above what chance gives in 99 of 100 cases, and above 53', () => {
      expect(chanceBound(10_000, 10_000)).toBe(53);
      expect(chanceBound(1000, 1000)).toBeCloseTo(50 + 163 / Math.sqrt(2000), 10);
      expect(chanceBound(300, 100)).toBeCloseTo(75 + 163 / 20, 10);
      const accuracies = Array.from({ length: 100 }, (_, i) => {
        const [retain, test] = [overlapping(100, K, 100 + i), overlapping(100, K, 300 + i)];
        return miaEfficacy({ forget: test, retain, test, K }).trainAccuracy;
      });
      expect(accuracies.filter((a) => a >= chanceBound(100, 100))).toHaveLength(0);
    });
  });

  it('an attack that tells the sides apart is measurable, in every draw alike', () => {
    const attack = miaEfficacy({ forget: test, retain, test, K });
    expect(attack.measurable).toBe(true);
    expect(attack.sd).toBeLessThan(5);
    expect(() => miaEfficacy({ forget: test, retain, test, K, miaDraws: 0 })).toThrow(/miaDraws: expected/);
  });

  it('ASR points the other way: members are counted', () => {
    const like = (margin: number) =>
      attackSuccessRate({ forget: madeLogits(300, K, margin, 3), retain, test, K });
    expect(like(12).value).toBeGreaterThan(90);
    expect(like(4).value).toBeLessThan(40);
    expect([like(4).members, like(4).nonMembers]).toEqual([400, 400]);
  });

  it('a classifier that learns nothing says so: accuracy near 50', () => {
    const same = madeLogits(400, K, 4, 9);
    expect(attackSuccessRate({ forget: test, retain: same, test, K }).trainAccuracy).toBeLessThan(57);
  });

  it('takes evenly spaced samples without a seed', () => {
    expect([...evenly(Float64Array.of(0, 1, 2, 3, 4, 5), 3)]).toEqual([1, 3, 5]);
    expect([...evenly(Float64Array.of(7, 8), 2)]).toEqual([7, 8]);
  });
});

describe('exhibitsOf', () => {
  it('histograms sum to 1, the matrix rows to 1 or 0, samples carry their prediction', () => {
    const forget = madeLogits(60, 3, 3, 1, () => 1);
    const test = madeLogits(60, 3, 3, 2);
    const samples = [{ set: 'forget' as const, index: 5, id: 77, png: 'data:image/png;base64,AA' }];
    const e = exhibitsOf({ forget, retain: test, test, K: 3, samples, bins: 12 });
    for (const name of ['forget', 'retain', 'test'] as const) {
      expect(e.entropy[name]).toHaveLength(12);
      expect(e.entropy[name].reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
    expect(e.entropy.edges).toHaveLength(13);
    expect(e.entropy.edges[12]).toBeCloseTo(Math.log(3), 12);
    expect(e.forgetPredictions.map((row) => row.reduce((a, b) => a + b))).toEqual([
      0,
      expect.closeTo(1, 12),
      0,
    ]);
    expect(e.samples[0]).toMatchObject({
      id: 77,
      set: 'forget',
      label: 1,
      predicted: predictions(forget, 3)[5],
    });
    expect(e.samples[0].confidence).toBeGreaterThan(1 / 3);
  });

  it('accuracy by class is a share of those of the class; what is not a number is wrong, and a class may be missing', () => {
    const set = (rows: number[][], labels: number[]) => ({ logits: Float32Array.from(rows.flat()), labels });
    const forget = set(
      [
        [1, 0, 0],
        [0, 1, 0],
        [2, 1, 0],
        [Number.NaN, 0, 0],
      ],
      [0, 0, 0, 0],
    );
    const test = set(
      [
        [0, 1, 0],
        [1, 0, 0],
      ],
      [1, 1],
    );
    const { accuracyByClass } = exhibitsOf({ forget, retain: test, test, K: 3 });
    expect(accuracyByClass).toEqual({ forget: [50, null, null], test: [null, 50, null] });
  });
});

describe('summarise', () => {
  const run = (method: string, seed: number, ua: number, options = {}): RunEntry => ({
    seed,
    method,
    options,
    metrics: { ua, acc_test_forget: null } as unknown as Metrics,
    cost: { seconds: seed + 1, gradientSteps: 10, samplesVisited: 100 },
    details: {},
  });

  it('mean, sample standard deviation and count, flagged below three', () => {
    const [salun, bs] = summarise([
      run('salun', 0, 1),
      run('bs', 0, 9),
      run('salun', 1, 2),
      run('salun', 2, 6),
    ]);
    expect(salun.metrics.ua).toEqual({ mean: 3, std: Math.sqrt(7), n: 3 });
    expect([salun.n, salun.few, salun.seeds]).toEqual([3, false, [0, 1, 2]]);
    expect(bs.metrics.ua).toEqual({ mean: 9, std: null, n: 1 });
    expect([bs.few, salun.metrics.acc_test_forget, salun.cost.seconds.mean]).toEqual([true, undefined, 2]);
  });

  it('tells settings of one method apart, whatever the order of their keys, and ignores the seed among them', () => {
    const rows = summarise([
      run('salun', 0, 1, { a: 1, b: { c: 2, d: 3 }, seed: 0 }),
      run('salun', 1, 1, { b: { d: 3, c: 2 }, a: 1, seed: 1 }),
      run('salun', 0, 1, { a: 2 }),
    ]);
    expect(rows.map((row) => [row.label, row.n])).toEqual([
      ['salun (1)', 2],
      ['salun (2)', 1],
    ]);
  });

  it('leaves out values that are not finite', () => {
    expect(spreadOf([1, null, Number.NaN, 3])).toEqual({ mean: 2, std: Math.SQRT2, n: 2 });
    expect(spreadOf([null])).toBeNull();
  });
});
