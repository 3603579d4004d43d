// From logits to the numbers and pictures of one run (Metrics, Exhibits). Every definition, direction and source stands in
// docs/metrics.md. Percentages are 0..100. Models are compared with the retrained model of the same split and seed.

import type { Exhibits, Metrics } from '../types.ts';
import { attackSuccessRate, type MiaOptions, miaEfficacy } from './mia.ts';
import {
  accuracy,
  checkOutputs,
  entropy,
  nonFinite,
  type Outputs,
  predictions,
  rowsWhere,
  selectRows,
  softmaxRow,
} from './outputs.ts';

export interface MetricsInput extends MiaOptions {
  /** Logits on the forgotten training samples. */
  readonly forget: Outputs;
  /** Logits on the remaining training samples, in dataset order, augmentation off. */
  readonly retain: Outputs;
  /** Logits on the whole test set. */
  readonly test: Outputs;
  readonly K: number;
  /** 'class' when a whole class goes: test metrics are then split by class. */
  readonly kind: 'class' | 'samples';
  /** The forgotten class when kind is 'class'. */
  readonly classIndex: number | null;
  /** Run time of the unlearning, seconds. */
  readonly seconds: number;
  /** Metrics of the paired retrain (same split, same seed), or 'self' when this run is the retrain. */
  readonly reference?: Metrics | 'self';
}

/** The four measures whose distances to retrain make the average gap (SalUn, Table 1). */
export const GAP_METRICS = ['ua', 'ra', 'ta', 'mia'] as const;

/**
 * All metrics of one run. What compares with retrain (avg_gap, avg_gap_all, tow, entropy_gap) is NaN without a reference.
 * Beyond the named ones: entropy_forget, entropy_retain, entropy_test (mean, nats), nonfinite (percent of all rows for
 * which the model gives no usable answer; such rows count as wrong and as uniform).
 * @throws RangeError on shapes that disagree, empty sets, or a missing class index.
 */
export function metricsOf(input: MetricsInput): Metrics {
  const { forget, retain, test, K, kind, classIndex } = input;
  for (const [name, set] of Object.entries({ forget, retain, test })) {
    checkOutputs(name, set, K);
    if (set.labels.length === 0) throw new RangeError(`metrics: the ${name} set is empty`);
  }
  const { kept, gone } = splitTest(test, K, kind, classIndex);
  const mia = miaEfficacy({ forget, retain, test: kept, K, mia: input.mia, miaDraws: input.miaDraws });
  const asr = attackSuccessRate({ forget, retain, test, K });
  const accForget = accuracy(forget, K);
  const accRetain = accuracy(retain, K);
  const accTest = accuracy(kept, K);
  const rows = forget.labels.length + retain.labels.length + test.labels.length;
  const silent = nonFinite(forget, K) + nonFinite(retain, K) + nonFinite(test, K);
  const metrics: Metrics = {
    ua: 100 - accForget,
    ra: accRetain,
    ta: accTest,
    mia: mia.value,
    mia_sd: mia.sd,
    mia_attack_acc: mia.trainAccuracy,
    mia_measurable: Number(mia.measurable),
    rte_seconds: input.seconds,
    avg_gap: Number.NaN,
    avg_gap_all: Number.NaN,
    acc_retain: accRetain,
    acc_forget: accForget,
    acc_test_retain: accTest,
    acc_test_forget: gone ? accuracy(gone, K) : null,
    asr: asr.value,
    asr_attack_acc: asr.trainAccuracy,
    asr_measurable: Number(asr.measurable),
    tow: Number.NaN,
    entropy_forget: mean(entropy(forget, K)),
    entropy_retain: mean(entropy(retain, K)),
    entropy_test: mean(entropy(test, K)),
    entropy_gap: Number.NaN,
    nonfinite: (100 * silent) / rows,
  };
  if (!input.reference) return metrics;
  return againstRetrain(metrics, input.reference === 'self' ? metrics : input.reference);
}

/**
 * The same metrics against `retrain`: avg_gap = mean |delta| over UA, RA, TA, MIA (SalUn, Table 1), or over the first three
 * where the attack is at chance in this model or in retrain, which makes mia_measurable 0; avg_gap_all over all four
 * always; tow = (1 - |delta FA|)(1 - |delta RA|)(1 - |delta TA|), accuracies in 0..1 (Zhao et al., NeurIPS 2024);
 * entropy_gap = entropy_forget minus retrain's, nats. Metrics without mia_measurable count as measurable.
 */
export function againstRetrain(metrics: Metrics, retrain: Metrics): Metrics {
  const gap = (name: string) => Math.abs((metrics[name] as number) - (retrain[name] as number));
  const kept = (name: string) => 1 - gap(name) / 100;
  const mean = (names: readonly string[]) => names.reduce((sum, name) => sum + gap(name), 0) / names.length;
  const measurable = (name: string) => Number(metrics[name] !== 0 && retrain[name] !== 0);
  const mia = measurable('mia_measurable');
  return {
    ...metrics,
    mia_measurable: mia,
    asr_measurable: measurable('asr_measurable'),
    avg_gap: mean(GAP_METRICS.filter((name) => mia === 1 || name !== 'mia')),
    avg_gap_all: mean(GAP_METRICS),
    tow: kept('ua') * kept('ra') * kept('ta'),
    entropy_gap: (metrics.entropy_forget as number) - (retrain.entropy_forget as number),
  };
}

function splitTest(
  test: Outputs,
  K: number,
  kind: string,
  classIndex: number | null,
): { kept: Outputs; gone?: Outputs } {
  if (kind !== 'class') return { kept: test };
  if (classIndex === null || !(classIndex >= 0 && classIndex < K)) {
    throw new RangeError(`metrics: forgetting a class needs its index in 0..${K - 1}, got ${classIndex}`);
  }
  const kept = selectRows(
    test,
    K,
    rowsWhere(test.labels, (label) => label !== classIndex),
  );
  const gone = selectRows(
    test,
    K,
    rowsWhere(test.labels, (label) => label === classIndex),
  );
  if (kept.labels.length === 0) throw new RangeError('metrics: the test set holds only the forgotten class');
  return gone.labels.length ? { kept, gone } : { kept };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface SampleToShow {
  readonly set: 'forget' | 'retain';
  /** Row in that set's logits. */
  readonly index: number;
  /** The sample's id in the data set. */
  readonly id: number;
  /** PNG as data URI. */
  readonly png: string;
}

export interface ExhibitsInput extends Pick<MetricsInput, 'forget' | 'retain' | 'test' | 'K'> {
  readonly samples?: readonly SampleToShow[];
  /** Histogram bins over [0, ln K]. Default 30. */
  readonly bins?: number;
}

/** What the report draws: entropy histograms, where forgotten samples go, and the samples shown. */
export function exhibitsOf({ forget, retain, test, K, samples = [], bins = 30 }: ExhibitsInput): Exhibits {
  for (const [name, set] of Object.entries({ forget, retain, test })) checkOutputs(name, set, K);
  const shares = (set: Outputs) => histogram(entropy(set, K), bins, Math.log(K));
  return {
    entropy: {
      edges: Array.from({ length: bins + 1 }, (_, b) => (Math.log(K) * b) / bins),
      forget: shares(forget),
      retain: shares(retain),
      test: shares(test),
    },
    forgetPredictions: predictionMatrix(forget, K),
    samples: samples.map(({ set, index, id, png }) => {
      const from = set === 'forget' ? forget : retain;
      if (!(index >= 0 && index < from.labels.length)) {
        throw new RangeError(`exhibits: sample ${id} names row ${index} of ${from.labels.length} in ${set}`);
      }
      const predicted = predictions(selectRows(from, K, [index]), K)[0];
      const confidence = predicted < 0 ? 0 : softmaxRow(from.logits, K, index)[predicted];
      return { id, set, label: from.labels[index], predicted, confidence, png };
    }),
  };
}

/** Shares of values in equal bins over [0, max], summing to 1 (all zero when there are no values); max falls in the last. */
export function histogram(values: Float64Array, bins: number, max: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.max(0, Math.floor((value / max) * bins)))]++;
  return counts.map((count) => count / (values.length || 1));
}

/** [K][K]: share of the samples of each true class (row) predicted as each class; rows sum to 1, or to 0 without samples. */
export function predictionMatrix(set: Outputs, K: number): number[][] {
  const matrix = Array.from({ length: K }, () => new Array<number>(K).fill(0));
  const totals = new Array<number>(K).fill(0);
  const predicted = predictions(set, K);
  for (let i = 0; i < predicted.length; i++) {
    if (predicted[i] < 0) continue;
    matrix[set.labels[i]][predicted[i]]++;
    totals[set.labels[i]]++;
  }
  return matrix.map((row, label) => row.map((count) => (totals[label] ? count / totals[label] : 0)));
}
