// What the report draws of one run beyond its numbers: entropy histograms, where the forgotten samples go, accuracy by class,
// samples shown.

import type { Exhibits } from '../types.ts';
import { checkOutputs, entropy, type Outputs, predictions, selectRows, softmaxRow } from './outputs.ts';

export interface SampleToShow {
  readonly set: 'forget' | 'retain';
  /** Row in that set's logits. */
  readonly index: number;
  /** The sample's id in the data set. */
  readonly id: number;
  /** PNG as data URI. */
  readonly png: string;
}

interface ExhibitsInput {
  readonly forget: Outputs;
  readonly retain: Outputs;
  readonly test: Outputs;
  readonly K: number;
  readonly samples?: readonly SampleToShow[];
  /** Histogram bins over [0, ln K]. Default 30. */
  readonly bins?: number;
}

/** What the report draws: entropy histograms, where forgotten samples go, accuracy by class, and the samples shown. */
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
    accuracyByClass: { forget: accuracyByClass(forget, K), test: accuracyByClass(test, K) },
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
function histogram(values: Float64Array, bins: number, max: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.max(0, Math.floor((value / max) * bins)))]++;
  return counts.map((count) => count / (values.length || 1));
}

/** [K][K]: share of the samples of each true class (row) predicted as each class; rows sum to 1, or to 0 without samples. */
function predictionMatrix(set: Outputs, K: number): number[][] {
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

/** Percentage of the samples of each class that are answered rightly, [K]; null where there are none. NaN answers are wrong. */
function accuracyByClass(set: Outputs, K: number): (number | null)[] {
  const right = new Array<number>(K).fill(0);
  const totals = new Array<number>(K).fill(0);
  for (const [i, predicted] of predictions(set, K).entries()) {
    totals[set.labels[i]]++;
    if (predicted === set.labels[i]) right[set.labels[i]]++;
  }
  return totals.map((total, k) => (total ? (100 * right[k]) / total : null));
}
