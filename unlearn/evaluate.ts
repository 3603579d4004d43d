// From a model to its metrics: logits over the three splits in batches, then the metrics. What the numbers mean is
// metrics/; this file only computes the logits and picks the samples to show.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import { metricsOf } from './metrics/measure.ts';
import { type PredictOptions, predictor } from './predict.ts';
import { exhibitsOf, type MiaOptions, type Outputs, type SampleToShow } from './statistics/index.ts';
import type { Exhibits, Metrics, Progress, Split } from './types.ts';

/** What a model is measured on. A Dataset with a ForgetSet has all of it. */
export interface EvaluationData {
  /** Forgotten training samples. */
  readonly forget: Split;
  /** Training samples that were kept. */
  readonly retain: Split;
  /** The whole test split. */
  readonly test: Split;
  /** Number of classes. */
  readonly classes: number;
  /** The class, or the classes, forgotten as a whole (`classes` of a manifest); null or none when single samples were. */
  readonly classIndex: number | readonly number[] | null;
  /** Right labels of the forgotten samples, where some of them were given wrong ones (`rightLabels`). */
  readonly rightLabels?: Int32Array;
}

/** Options of evaluate. */
export interface EvaluateOptions extends MiaOptions {
  /** Samples per forward pass, 500 by default. */
  readonly batchSize?: number;
  /** Seconds the unlearning took, for rte_seconds; NaN by default. */
  readonly seconds?: number;
  /** Metrics of the paired retrain, or 'self' for the retrain; without them avg_gap is NaN. */
  readonly reference?: Metrics | 'self';
  /** Also gather what the report draws. */
  readonly exhibits?: boolean;
  /** Sample images among the exhibits; true by default. */
  readonly images?: boolean;
  /** Stops the work when it aborts: it then throws what the signal was aborted with. */
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Samples shown of each set. */
export const SHOWN = 8;

const empty: Outputs = { logits: new Float32Array(0), labels: [] };

/** What evaluate gives. */
export interface Evaluation {
  /** The metrics; definitions in docs/metrics.md. */
  readonly metrics: Metrics;
  /** What the report draws, where it was asked for. */
  readonly exhibits?: Exhibits;
}

/**
 * Measures a model in evaluation mode. `variables` stay the caller's.
 * @throws what the signal was aborted with; LetheError 'shape' where the model does not fit the data.
 */
export async function evaluate(
  model: Model,
  variables: Variables,
  data: EvaluationData,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const answers = predictor(model);
  try {
    return await evaluateAnswers((split, how) => answers.logits(variables, split, how), data, options);
  } finally {
    answers.dispose();
  }
}

/** Logits, or logarithms of probabilities, of a split, [size, classes]. */
export type Answer = (split: Split, options: PredictOptions) => Promise<Float32Array>;

/** As `evaluate`, of whatever answers: several networks that vote, say. */
export async function evaluateAnswers(
  answer: Answer,
  data: EvaluationData,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { batchSize = 500, onProgress, signal } = options;
  const total = data.forget.size + data.retain.size + data.test.size;
  let before = 0;
  const outputs = async (split: Split): Promise<Outputs> => {
    const onBatch = (done: number) => onProgress?.({ phase: 'evaluate', fraction: (before + done) / total });
    const logits = await answer(split, { batchSize, signal, onBatch });
    check(
      logits.length === split.size * data.classes,
      'shape',
      () =>
        `evaluate: the model answers ${logits.length / split.size} logits a sample, expected ${data.classes}`,
    );
    before += split.size;
    return { logits, labels: split.labels };
  };
  const sets = { forget: empty, retain: empty, test: empty, K: data.classes };
  for (const name of ['forget', 'retain', 'test'] as const) sets[name] = await outputs(data[name]);
  const kind = [data.classIndex ?? []].flat().length === 0 ? 'samples' : 'class';
  const { seconds = Number.NaN, reference, mia, miaDraws } = options;
  const { classIndex, rightLabels } = data;
  const metrics = metricsOf({ ...sets, kind, classIndex, rightLabels, seconds, reference, mia, miaDraws });
  if (!options.exhibits) return { metrics };
  const samples = options.images === false ? [] : await samplesOf(data);
  return { metrics, exhibits: exhibitsOf({ ...sets, samples }) };
}

/** A few samples of each set: the same ones for every method. */
async function samplesOf(data: EvaluationData): Promise<SampleToShow[]> {
  const { pngDataUri } = await import('./data/png.ts');
  return (['forget', 'retain'] as const).flatMap((set) => {
    const split = data[set];
    return spreadOver(split.labels, SHOWN).map((index) => {
      return { set, index, id: split.ids[index], png: pngDataUri(split, index) };
    });
  });
}

/** Rows of at most `count` samples, evenly over the classes and evenly within each, in the order of the classes. */
export function spreadOver(labels: Int32Array, count: number): number[] {
  const byClass = new Map<number, number[]>();
  for (const [row, label] of labels.entries()) {
    const rows = byClass.get(label);
    if (rows) rows.push(row);
    else byClass.set(label, [row]);
  }
  const classes = [...byClass].sort(([a], [b]) => a - b).map(([, rows]) => rows);
  const shown = evenly(classes, count);
  return shown.flatMap((rows, i) => evenly(rows, Math.ceil((count - i) / shown.length)));
}

/** `count` of the items, evenly spaced from the first on; all where there are fewer. */
function evenly<T>(items: readonly T[], count: number): T[] {
  const some = Math.min(count, items.length);
  return Array.from({ length: some }, (_, i) => items[Math.floor((i * items.length) / some)]);
}
