// Made-up models to measure: what a whole class and what single samples leave behind, attacks that work and that do not, a
// network that diverged. recorded.json holds what each case measured when it was recorded.

import { againstRetrain, type MetricsInput, metricsOf } from '../../../unlearn/metrics/measure.ts';
import type { Outputs } from '../../../unlearn/statistics/index.ts';
import type { Metrics } from '../../../unlearn/types.ts';
import { madeLogits, overlapping } from '../statistics/samples.ts';

const K = 10;
const nan = ({ logits, labels }: Outputs): Outputs => ({
  logits: new Float32Array(logits.length).fill(Number.NaN),
  labels,
});

const kept = (t: number) => (t % 9 < 4 ? t % 9 : (t % 9) + 1);
export const classwise = {
  forget: madeLogits(100, K, 3, 4, () => 4),
  retain: madeLogits(300, K, 10, 5, kept),
  test: madeLogits(200, K, 4, 6),
  K,
  kind: 'class' as const,
  classIndex: 4,
  seconds: 12.5,
} satisfies MetricsInput;
export const samplewise = {
  forget: madeLogits(90, K, 5, 7),
  retain: madeLogits(500, K, 9, 8),
  test: madeLogits(150, K, 4, 9),
  K,
  kind: 'samples' as const,
  classIndex: null,
  seconds: 3.25,
} satisfies MetricsInput;
const blind = {
  ...samplewise,
  forget: overlapping(80, K, 22),
  retain: overlapping(400, K, 2),
  test: overlapping(200, K, 12),
};
const retrained = { ...classwise, forget: madeLogits(100, K, 0, 14, () => 4), seconds: 100 };
const resampled = { ...samplewise, forget: madeLogits(90, K, 4, 17), seconds: 90 };
const broken = { ...classwise, forget: nan(classwise.forget), retain: nan(classwise.retain) };

/** Metrics as the first results had them. */
export function older({ ua, ra, ta, mia, rte_seconds, avg_gap, asr, ...rest }: Metrics): Metrics {
  const { acc_retain, acc_forget, acc_test_retain, acc_test_forget } = rest;
  const accuracies = { acc_retain, acc_forget, acc_test_retain, acc_test_forget };
  return { ua, ra, ta, mia, rte_seconds, avg_gap, ...accuracies, asr };
}

export const cases: Readonly<Record<string, () => Metrics>> = {
  'a class, nothing to compare with': () => metricsOf(classwise),
  'a class, retrain itself': () => metricsOf({ ...retrained, reference: 'self' }),
  'a class, against retrain': () => metricsOf({ ...classwise, reference: metricsOf(retrained) }),
  'samples, against retrain': () => metricsOf({ ...samplewise, reference: metricsOf(resampled) }),
  'samples, members as released': () => metricsOf({ ...samplewise, mia: 'released', reference: 'self' }),
  'samples, two draws': () => metricsOf({ ...samplewise, miaDraws: 2, reference: metricsOf(resampled) }),
  'samples, attacks that know nothing': () =>
    metricsOf({ ...blind, reference: metricsOf({ ...blind, forget: blind.test }) }),
  'a class, diverged': () => metricsOf({ ...broken, reference: metricsOf(retrained) }),
  'a class, older results': () => againstRetrain(older(metricsOf(classwise)), older(metricsOf(retrained))),
};
