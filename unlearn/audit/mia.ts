// Two membership-inference audits on one model's outputs: SalUn's MIA-efficacy and our stand-in for Boundary Unlearning's
// attack success rate. Both fit the same support-vector classifier on a scalar; they differ in the scalar, in the samples
// and - mind this - in the direction. Population attacks like these are weak: passing them does not show that single
// samples are forgotten (Hayes et al. 2024). docs/metrics.md sets them side by side.

import { entropy, type Outputs, trueConfidence } from './outputs.ts';
import { fitSvc, type Svc } from './svc.ts';

export interface Attack {
  /** The headline number, percent. */
  readonly value: number;
  /** Share of its own training samples the classifier gets right, percent: near 50 (balanced) it has learned nothing. */
  readonly trainAccuracy: number;
  readonly members: number;
  readonly nonMembers: number;
  readonly converged: boolean;
}

export interface MiaInput {
  /** Samples to be forgotten, training split. */
  readonly forget: Outputs;
  /** Remaining training samples, in the data set's own order, augmentation off. */
  readonly retain: Outputs;
  readonly test: Outputs;
  readonly K: number;
}

/**
 * SalUn's "MIA-efficacy": percent of the forgotten samples called NON-members, 100 (1 - mean prediction on D_f).
 * Target: the retrained model's value, not 100.
 *
 * Members are the first |test| samples of retain in dataset order (all of them when there are fewer), non-members the
 * test set; for class-wise forgetting pass test without the forgotten class. Feature: softmax probability of the true
 * label. Classifier: RBF SVC, C = 3, gamma = 1, label 1 = member. Source: SalUn's released code
 * (OPTML-Group/Unlearn-Saliency, "confidence").
 */
export function miaEfficacy({ forget, retain, test, K }: MiaInput): Attack {
  const members = trueConfidence(retain, K).subarray(0, test.labels.length);
  return attack(members, trueConfidence(test, K), trueConfidence(forget, K), (share) => 100 * (1 - share));
}

/** Most samples a side that the ASR stand-in fits on. */
export const ASR_LIMIT = 10_000;

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
export function attackSuccessRate({ forget, retain, test, K }: MiaInput): Attack {
  const size = Math.min(ASR_LIMIT, retain.labels.length, test.labels.length);
  const members = evenly(entropy(retain, K), size);
  const nonMembers = evenly(entropy(test, K), size);
  return attack(members, nonMembers, entropy(forget, K), (share) => 100 * share);
}

/** `size` of the values, evenly spaced: positions floor((i + 1/2) n / size). */
export function evenly(values: Float64Array, size: number): Float64Array {
  const n = values.length;
  return Float64Array.from({ length: size }, (_, i) => values[Math.floor(((i + 0.5) * n) / size)]);
}

function attack(
  members: Float64Array,
  nonMembers: Float64Array,
  forget: Float64Array,
  score: (memberShare: number) => number,
): Attack {
  const x = new Float64Array(members.length + nonMembers.length);
  x.set(members);
  x.set(nonMembers, members.length);
  const labels = new Uint8Array(x.length).fill(1, 0, members.length);
  const svc: Svc = fitSvc(x, labels);
  const own = svc.predict(x);
  let right = 0;
  for (let t = 0; t < own.length; t++) if (own[t] === labels[t]) right++;
  let called = 0;
  for (const member of svc.predict(forget)) called += member;
  return {
    value: score(called / forget.length),
    trainAccuracy: (100 * right) / own.length,
    members: members.length,
    nonMembers: nonMembers.length,
    converged: svc.converged,
  };
}
