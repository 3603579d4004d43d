// Attacks on single samples, beside an independent computation in Python on the same logits (test/oracles/membership.py) and
// beside what can be worked out by hand.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { finalScore, pointsOf, sampleEpsilon } from '../../../unlearn/statistics/forgettingScore.ts';
import { iamScores, iamSignal } from '../../../unlearn/statistics/iam.ts';
import { gaussianKlom, halves, klom, klomBins, sharedKlom } from '../../../unlearn/statistics/klom.ts';
import { liraScores } from '../../../unlearn/statistics/lira.ts';
import { logitConfidence, trueConfidence } from '../../../unlearn/statistics/outputs.ts';
import { rmiaScores, tunedA } from '../../../unlearn/statistics/rmia.ts';
import { rocOf } from '../../../unlearn/statistics/roc.ts';
import { draws } from './samples.ts';

type Logits = number[][];
interface Fixture {
  classes: number;
  samples: number;
  labels: number[];
  members: number[][];
  own: Logits;
  before: Logits[];
  after: Logits[];
  many: { own: number[]; unlearned: number[][]; retrained: number[][] };
  answers: {
    rmia: {
      scores: number[];
      gamma2: number[];
      one: number[];
      certain: number[];
      tuned4: number;
      tuned2: number;
      tuned8: number;
    };
    roc: { auc: number; tpr: (number | null)[] };
    iam: { fit: number; scores: number[]; scores16: number[]; excess: number[] };
    lira: Record<'privacy' | 'efficacy' | 'gaussian' | 'kernel' | 'narrow', number[]>;
    klom: Record<'bins20' | 'bins10' | 'gaussian' | 'shared' | 'sharedFar', number[]>;
    forgetting: Record<'epsilon' | 'released' | 'paperPoints' | 'releasedPoints', number[]>;
    student: [number, number, number][];
  };
}
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('../../oracles/membership.json', import.meta.url), 'utf8'),
);
const { classes: K, samples: N, labels, members, many, answers } = fixture;

/** To 1e-6 of the value, and of 1 where the value is small. */
function same(got: ArrayLike<number>, wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries())
    expect(Math.abs(got[i] - value), `${i}: ${got[i]} for ${value}`).toBeLessThan(
      1e-6 * Math.max(1, Math.abs(value)),
    );
}
const outputs = (logits: Logits) => ({ logits: Float32Array.from(logits.flat()), labels });
const confidence = (logits: Logits) => trueConfidence(outputs(logits), K);
const margins = (logits: Logits) => logitConfidence(outputs(logits), K);
const samples = <T>(row: ArrayLike<T>): T[] => Array.from(row).slice(0, N);
const population = <T>(row: ArrayLike<T>): T[] => Array.from(row).slice(N);

describe('RMIA', () => {
  const own = confidence(fixture.own);
  const references = fixture.before.map(confidence);
  const part = (of: typeof samples, count: number) => ({
    own: of(own),
    references: references.slice(0, count).map((row) => of(row)),
    members: members.slice(0, count).map((row) => of(row)),
  });
  const scores = (count: number, a: number, gamma?: number) =>
    rmiaScores(part(samples, count), part(population, count), { a, gamma });

  it('scores as the independent computation does, with one reference and with four', () => {
    same(scores(4, 0.3), answers.rmia.scores);
    same(scores(4, 0.6, 2), answers.rmia.gamma2);
    same(scores(1, 0.6), answers.rmia.one);
    same(scores(1, 0), answers.rmia.certain);
  });

  it('finds the same a by attacking references, and none where there is one reference', () => {
    const tuned = (count: number) => tunedA(part(samples, count), part(population, count));
    expect([tuned(2), tuned(4), tuned(8), tuned(1)]).toEqual([
      answers.rmia.tuned2,
      answers.rmia.tuned4,
      answers.rmia.tuned8,
      null,
    ]);
  });

  it('averages over the references there are, without zeros for those that saw the sample', () => {
    // Out: 0.2 and 0.6 for x, 0.4 for z: p(x) = p(z), so the ratios are those of the own probabilities.
    const x = { own: [0.5], references: [[0.2], [0.6], [0.9]], members: [[0], [0], [1]] };
    const z = { own: [0.4], references: [[0.4], [0.9], [0.9]], members: [[0], [1], [1]] };
    expect([...rmiaScores(x, z, { a: 0.3 })]).toEqual([1]);
    expect([...rmiaScores({ ...x, own: [0.4] }, z, { a: 0.3 })]).toEqual([0]);
    expect([...rmiaScores(x, z, { a: 0.3, gamma: 1.3 })]).toEqual([0]);
  });

  it('stays finite where probabilities vanish, and refuses what it cannot score', () => {
    const zero = { own: [0, 1], references: [[0, 0]], members: [[0, 0]] };
    for (const a of [0, 0.5, 1]) {
      const found = rmiaScores(zero, zero, { a });
      expect([...found]).toEqual([0, 0.5]);
    }
    const seen = { own: [0.5], references: [[0.5]], members: [[1]] };
    expect(() => rmiaScores(seen, { ...zero, own: [] }, { a: 0.3 })).toThrow(/no population/);
    expect(() => rmiaScores({ own: [0.5], references: [], members: [] }, zero, { a: 0.3 })).toThrow(
      /no references/,
    );
  });

  it('has the area and rates of the independent computation', () => {
    const found = scores(4, 0.3);
    const roc = rocOf(found.subarray(0, N / 2), found.subarray(N / 2), [0.05, 0.1, 0.25, 0.5]);
    expect(roc.auc).toBeCloseTo(answers.roc.auc, 9);
    expect(roc.tpr[0]).toBeNull();
    same(roc.tpr.slice(1) as number[], answers.roc.tpr.slice(1) as number[]);
  });
});

describe('IAM', () => {
  const signals = (logits: Logits) => Array.from(confidence(logits), iamSignal);
  const own = samples(signals(fixture.own));
  const references = fixture.before.slice(0, 4).map(signals);
  const out = own.map((_, i) => references.filter((_, r) => members[r][i] === 0).map((row) => row[i]));

  it('is the independent computation, with 100 points and with 16', () => {
    const { fit } = answers.iam;
    const fine = iamScores({ own, out, fit });
    same(fine.membership, answers.iam.scores);
    same(fine.excess, answers.iam.excess);
    same(iamScores({ own, out, fit, grid: 16 }).membership, answers.iam.scores16);
  });

  it('has a signal from 0 to 1, and rises with the own confidence between both ends', () => {
    expect([0, 1].map(iamSignal)).toEqual([0, 1]);
    const at = (signal: number) =>
      iamScores({ own: [signal], out: [[0.3, 0.5, 0.4]], fit: 0.95 }).membership[0];
    const rising = [0, 0.3, 0.5, 0.7, 0.9, 1].map(at);
    expect(rising).toEqual([...rising].sort((a, b) => a - b));
    expect(rising[0]).toBeLessThan(0.01);
    expect(rising[5]).toBeGreaterThan(0.99);
  });

  it('counts all or nothing where references agree to the bit, and refuses samples without a reference', () => {
    // All at 0.5, fitted at 1: the signal 0.75 has passed the points 0.5 + alpha / 2 up to alpha = 1/2.
    const { membership } = iamScores({ own: [0.75], out: [[0.5, 0.5]], fit: 1, grid: 5 });
    expect(membership[0]).toBeCloseTo((0.25 + 0.5 + 0.75) / (0.25 + 0.5 + 0.75 + 1), 12);
    expect(() => iamScores({ own: [0.5], out: [[]], fit: 1 })).toThrow(/no reference without sample 0/);
  });
});

describe('U-LiRA', () => {
  const own = samples(margins(fixture.own));
  const [before, after] = [fixture.before, fixture.after].map((models) => models.map(margins));
  const world = (models: Float64Array[], flag: number) =>
    own.map((_, i) => models.filter((_, r) => members[r][i] === flag).map((row) => row[i]));

  it('is the independent computation with few models', () => {
    const unlearned = world(after, 1);
    same(liraScores({ own, unlearned, out: world(after, 0) }), answers.lira.privacy);
    same(liraScores({ own, unlearned, out: world(before, 0) }), answers.lira.efficacy);
  });

  it('takes the Gaussian from 32 models on, and kernels where asked', () => {
    const some = (count: number) => ({
      own: many.own.slice(0, count),
      unlearned: many.unlearned.slice(0, count),
      out: many.retrained.slice(0, count),
    });
    same(liraScores(some(5)), answers.lira.gaussian);
    same(liraScores({ ...some(4), density: 'kernel' }), answers.lira.kernel);
    same(liraScores({ ...some(4), density: 'kernel', bandwidth: 0.4 }), answers.lira.narrow);
  });

  it('is 1/2 where the worlds are one, finite where answers never change, and refuses empty worlds', () => {
    const world = [[1, 2, 3, 4]];
    for (const density of ['student', 'gaussian', 'kernel'] as const)
      expect(liraScores({ own: [2.2], unlearned: world, out: world, density })[0]).toBeCloseTo(0.5, 12);
    const stuck = liraScores({
      own: [1, 9],
      unlearned: [
        [1, 1],
        [1, 1],
      ],
      out: [
        [5, 5],
        [5, 5],
      ],
    });
    expect(stuck[0]).toBeGreaterThan(0.99);
    expect(stuck.every(Number.isFinite)).toBe(true);
    expect(() => liraScores({ own: [1], unlearned: [[1]], out: [[]] })).toThrow(/0 models in a world/);
  });
});

describe('KLoM', () => {
  const pairs = many.unlearned.map((u, i) => [u, many.retrained[i]] as const);

  it('is the independent computation, by histograms and by Gaussians', () => {
    same(
      pairs.map(([u, r]) => klom(u, r, 20)),
      answers.klom.bins20,
    );
    same(
      pairs.map(([u, r]) => klom(u, r)),
      answers.klom.bins10,
    );
    same(
      pairs.map(([u, r]) => gaussianKlom(u, r)),
      answers.klom.gaussian,
    );
    expect([4, 49, 50, 100].map(klomBins)).toEqual([10, 10, 20, 20]);
  });

  it('of one model and a few oracles is the independent computation, and 0 in the mean for one more oracle', () => {
    const byModel = (count: number) =>
      Array.from({ length: count }, (_, model) => many.retrained.map((values) => values[model]));
    same(sharedKlom(many.own, byModel(3)), answers.klom.shared);
    same(
      sharedKlom(
        many.unlearned.map(([value]) => value),
        byModel(2),
      ),
      answers.klom.sharedFar,
    );
    const { normal } = draws(8);
    const models = (shift: number) => Float64Array.from({ length: 4000 }, () => 2 * normal() + shift);
    const oracles = [models(0), models(0), models(0)];
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Standard error: (1 + 1/3) / sqrt(2 * 4000) = 0.015; and the exact divergence of Gaussians 3 apart, deviation 2, is 9/8.
    expect(Math.abs(mean(sharedKlom(models(0), oracles)))).toBeLessThan(0.05);
    expect(Math.abs(mean(sharedKlom(models(3), oracles)) - 9 / 8)).toBeLessThan(0.12);
    expect([
      ...sharedKlom(
        [1, 1],
        [
          [1, 1],
          [1, 1],
        ],
      ),
    ]).toEqual([-0.75, -0.75]);
    expect(() => sharedKlom([1], [[1]])).toThrow(/two oracles or more on 1 samples/);
  });

  it('keeps margins equal to the largest, clips, and is largest where nothing is shared', () => {
    // The released bins would lose all of these and divide by nothing.
    expect(klom([3, 3, 3], [1, 2, 3], 2)).toBeCloseTo(Math.log(3 / 2), 12);
    expect(klom([3, 3], [3, 3])).toBe(0);
    expect(klom([Infinity], [1e9])).toBe(0);
    expect(klom([-Infinity, -Infinity], [100, 100])).toBeCloseTo(Math.log(1e5), 4);
    expect(() => klom([], [1])).toThrow(/0 unlearned/);
    expect(() => gaussianKlom([1], [1, 2])).toThrow(/expected 2 or more/);
  });

  it('halves without sharing', () => {
    expect(halves([1, 2, 3, 4, 5]).map((half) => [...half])).toEqual([
      [1, 3, 5],
      [2, 4],
    ]);
  });
});

describe('the forgetting score', () => {
  const { unlearned, retrained } = many;
  const epsilons = (convention: 'paper' | 'released') =>
    unlearned.map((u, i) => sampleEpsilon(u, retrained[i], convention));

  it('is the independent computation with the released thresholds, under both conventions', () => {
    same(epsilons('paper'), answers.forgetting.epsilon);
    same(epsilons('released'), answers.forgetting.released);
    const points = (convention: 'paper' | 'released') =>
      epsilons(convention).map((epsilon) => pointsOf(epsilon, unlearned[0].length, convention));
    same(points('paper'), answers.forgetting.paperPoints);
    same(points('released'), answers.forgetting.releasedPoints);
  });

  it('worked out by hand', () => {
    // At 2: a half below on one side, a quarter at or above on the other; both logarithms are tried.
    const epsilon = sampleEpsilon([1, 1, 2, 3], [0, 0, 1, 2]);
    const [fnr, fpr, delta] = [0.5, 0.25, 1e-5];
    expect(epsilon).toBeGreaterThanOrEqual(Math.log(1 - delta - fnr) - Math.log(fpr) - 1e-12);
    expect(sampleEpsilon([0, 1], [5, 6])).toBe(50);
    expect(sampleEpsilon([1, 1], [1, 1])).toBe(0);
    // A spike inside a wide side: no threshold parts them, a band does.
    expect(sampleEpsilon([5, 5, 5, 5], [0, 1, 9, 10])).toBe(50);
    expect([0, 0.49, 0.5, 1.2, 50].map((e) => pointsOf(e, 10))).toEqual([1, 1, 0.5, 0.25, 2 ** -100]);
    // ln 9 = 2.2: nothing from 3 on.
    expect([2.9, 3].map((e) => pointsOf(e, 10, 'released'))).toEqual([2 ** -5, 0]);
    expect(() => sampleEpsilon([Number.NaN], [1])).toThrow(/not finite/);
    expect(() => sampleEpsilon([], [1])).toThrow(/0 unlearned/);
  });

  it('multiplies quality with both ratios of accuracy', () => {
    const score = finalScore({
      quality: 0.5,
      retain: { unlearned: 90, retrained: 100 },
      test: { unlearned: 72, retrained: 80 },
    });
    expect(score).toBeCloseTo(0.405, 12);
  });
});
