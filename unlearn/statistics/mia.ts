// Two membership-inference audits on one model's outputs: SalUn's MIA-efficacy and our stand-in for Boundary Unlearning's
// attack success rate. Both fit the same support-vector classifier on a scalar; they differ in the scalar, in the samples
// and - mind this - in the direction. Population attacks like these are weak: passing them does not show that single
// samples are forgotten (Hayes et al. 2024). docs/metrics.md sets them side by side.

import { stratified } from '../random.ts';
import { entropy, type Outputs, trueConfidence } from './outputs.ts';
import { spreadOf } from './spread.ts';
import { fitSvc } from './svc.ts';

interface Attack {
  /** The headline number, percent; the mean over the draws of members. */
  readonly value: number;
  /** Sample standard deviation of the value over the draws; NaN for one draw. */
  readonly sd: number;
  /** Share of its own training samples the classifier gets right, percent; the mean over the draws. */
  readonly trainAccuracy: number;
  /** Whether that is more than chance would give (`chanceBound`): else the value says nothing about D_f. */
  readonly measurable: boolean;
  /** Of each draw. */
  readonly members: number;
  readonly nonMembers: number;
  /** Classifiers fitted. */
  readonly draws: number;
  /** All of them reached the solver's tolerance. */
  readonly converged: boolean;
}

interface AttackInput {
  /** Samples to be forgotten, training split. */
  readonly forget: Outputs;
  /** Remaining training samples, in the data set's own order, augmentation off. */
  readonly retain: Outputs;
  readonly test: Outputs;
  readonly K: number;
}

/** How the members of the MIA are chosen among the remaining training samples. */
export interface MiaOptions {
  /** `even` (the default): drawn at random, evenly over the classes; `released`: the first ones, as SalUn's code takes them. */
  readonly mia?: 'even' | 'released';
  /** Draws with `even`, 5 by default: the attack is fitted on each. */
  readonly miaDraws?: number;
}

/** Least attack accuracy that counts, percent, however many samples there are: an advantage of 6 in 100. */
const MIN_ACCURACY = 53;
/** The two-sample Kolmogorov-Smirnov statistic of m and k equally distributed samples exceeds this times sqrt(1/m + 1/k) in 1 of 100 cases. */
const KOLMOGOROV = 1.63;
/** Of the draws: the same members on every machine. */
const SEED = 0;

/**
 * Accuracy on its own training samples, percent, up to which an attack is taken to know nothing. The best threshold between
 * m members and m others gets 50 + 50 D percent of them right, D being their Kolmogorov-Smirnov statistic. Where both
 * have the same distribution D exceeds 1.63 sqrt(2 / m) in one case of a hundred, which makes 50 + 163 / sqrt(n) percent
 * for n samples in all; with sides of unequal sizes the larger side's share takes the place of 50. At least 53.
 */
export function chanceBound(members: number, nonMembers: number): number {
  const n = members + nonMembers;
  return Math.max(
    MIN_ACCURACY,
    (100 * Math.max(members, nonMembers)) / n + (100 * KOLMOGOROV) / Math.sqrt(n),
  );
}

/**
 * SalUn's "MIA-efficacy": percent of the forgotten samples called NON-members, 100 (1 - mean prediction on D_f).
 * Target: the retrained model's value, not 100.
 *
 * Members are |test| samples of retain (all of them when there are no more), non-members the test set; for class-wise
 * forgetting pass test without the forgotten class. Feature: softmax probability of the true label. Classifier: RBF SVC,
 * C = 3, gamma = 1, label 1 = member. Source: SalUn's released code (OPTML-Group/Unlearn-Saliency, "confidence"), which
 * takes the first |test| samples once. In data sorted by class these are the first classes alone, and where retain and
 * test look alike the answer depends on which samples were taken: so several draws, and their spread.
 * @throws RangeError where miaDraws is not a whole number of at least 1.
 */
export function miaEfficacy({
  forget,
  retain,
  test,
  K,
  mia = 'even',
  miaDraws = 5,
}: AttackInput & MiaOptions): Attack {
  if (!Number.isInteger(miaDraws) || miaDraws < 1)
    throw new RangeError(`miaDraws: expected a whole number of at least 1, got ${miaDraws}`);
  const size = Math.min(retain.labels.length, test.labels.length);
  const confidence = trueConfidence(retain, K);
  const single = mia === 'released' || size === retain.labels.length;
  const members = single
    ? [confidence.subarray(0, size)]
    : Array.from({ length: miaDraws }, (_, draw) =>
        Float64Array.from(stratified(retain.labels, size, SEED, draw), (i) => confidence[i]),
      );
  const score = (memberShare: number) => 100 * (1 - memberShare);
  return attack(members, trueConfidence(test, K), trueConfidence(forget, K), score);
}

/** Most samples a side that the ASR stand-in fits on. */
const ASR_LIMIT = 10_000;

/**
 * Attack success rate: percent of the forgotten samples called MEMBERS. Lower is more private, and the retrained model's
 * value is what is reachable.
 *
 * A stand-in of ours: the attack of Boundary Unlearning is not in its released code. It is the entropy
 * attack of `AdityaGolatkar/SelectiveForgetting`: RBF SVC, C = 3, gamma = 1, on the softmax entropy, members = retain,
 * non-members = the whole test set. Where we differ: both sides are cut to the smaller one's size, at most 10,000, because an
 * unweighted classifier on 45,000 against 10,000 calls everything a member. The cut takes evenly spaced samples in
 * dataset order (`evenly`), so it needs no seed.
 */
export function attackSuccessRate({ forget, retain, test, K }: AttackInput): Attack {
  const size = Math.min(ASR_LIMIT, retain.labels.length, test.labels.length);
  const members = evenly(entropy(retain, K), size);
  const nonMembers = evenly(entropy(test, K), size);
  return attack([members], nonMembers, entropy(forget, K), (share) => 100 * share);
}

/** `size` of the values, evenly spaced: positions floor((i + 1/2) n / size). */
export function evenly(values: Float64Array, size: number): Float64Array {
  const n = values.length;
  return Float64Array.from({ length: size }, (_, i) => values[Math.floor(((i + 0.5) * n) / size)]);
}

/** Fits the classifier on each draw of members against the same others, and asks it about the forgotten samples. */
function attack(
  draws: readonly Float64Array[],
  nonMembers: Float64Array,
  forget: Float64Array,
  score: (memberShare: number) => number,
): Attack {
  const fits = draws.map((members) => {
    const x = new Float64Array(members.length + nonMembers.length);
    x.set(members);
    x.set(nonMembers, members.length);
    const labels = new Uint8Array(x.length).fill(1, 0, members.length);
    const svc = fitSvc(x, labels);
    const right = svc.predict(x).reduce((sum, said, t) => sum + Number(said === labels[t]), 0);
    const called = svc.predict(forget).reduce((sum, said) => sum + said, 0);
    return {
      value: score(called / forget.length),
      accuracy: (100 * right) / x.length,
      converged: svc.converged,
    };
  });
  const members = draws[0].length;
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const trainAccuracy = mean(fits.map((fit) => fit.accuracy));
  return {
    value: mean(fits.map((fit) => fit.value)),
    sd: spreadOf(fits.map((fit) => fit.value))?.std ?? Number.NaN,
    trainAccuracy,
    measurable: trainAccuracy >= chanceBound(members, nonMembers.length),
    members,
    nonMembers: nonMembers.length,
    draws: fits.length,
    converged: fits.every((fit) => fit.converged),
  };
}
