// From logits to the numbers of one run, and from those and retrain's to the distances between them. What is computed the
// records say; here their sets are made ready, and what they give is put together.

import { checkOutputs, type Outputs, rowsByClass, selectRows } from '../statistics/outputs.ts';
import { type Metrics, metrics } from './index.ts';
import {
  type AnyTable,
  isMeasurable,
  type MetricTable,
  type Numbers,
  type NumbersOf,
  type Setting,
} from './record.ts';

/** What metricsOf works on. */
export interface MetricsInput<Numbers = Metrics> extends Setting {
  /** Logits on the forgotten training samples. */
  readonly forget: Outputs;
  /** Logits on the remaining training samples, in dataset order, augmentation off. */
  readonly retain: Outputs;
  /** Logits on the whole test set. */
  readonly test: Outputs;
  /** 'class' when whole classes go: test metrics are then split by class. */
  readonly kind: 'class' | 'samples';
  /** The forgotten class, or classes, when kind is 'class'. */
  readonly classIndex: number | readonly number[] | null;
  /** Right labels of the forgotten samples, where they are known; `corrected` is measured where some differ. */
  readonly rightLabels?: ArrayLike<number>;
  /** Run time of the unlearning, seconds. */
  readonly seconds: number;
  /** Metrics of the paired retrain (same split, same seed), or 'self' when this run is the retrain. */
  readonly reference?: Numbers | 'self';
}

/**
 * All metrics of one run, or those of another table. What compares with retrain (avg_gap, avg_gap_all, tow, entropy_gap) is
 * NaN without a reference.
 * @throws RangeError on shapes that disagree, empty sets, or a missing class index.
 */
export function metricsOf(input: MetricsInput): Metrics;
export function metricsOf<T extends MetricTable<T>>(
  input: MetricsInput<NumbersOf<T[keyof T]>>,
  table: T,
): NumbersOf<T[keyof T]>;
export function metricsOf(input: MetricsInput<object>, table: AnyTable = metrics): unknown {
  const { forget, retain, test, K, kind, classIndex, seconds, mia, miaDraws, reference } = input;
  const right = corrected(forget, input.rightLabels);
  for (const [name, set] of Object.entries({ forget, retain, test })) {
    checkOutputs(name, set, K);
    if (set.labels.length === 0) throw new RangeError(`metrics: the ${name} set is empty`);
  }
  if (right) checkOutputs('forget with right labels', right, K);
  const evidence = { forget, retain, test, ...splitTest(test, K, kind, classIndex), right, seconds };
  const measured = Object.values(table).map((record) => record.measure({ ...evidence, K, mia, miaDraws }));
  const own = Object.assign({}, ...measured);
  if (!reference) return own;
  return compareAll(own, (reference === 'self' ? own : reference) as Numbers, table);
}

/** The same metrics against those of the paired retrain: what the records compare, and whether attacks work in both. */
export function againstRetrain(own: Metrics, retrain: Metrics): Metrics;
export function againstRetrain<T extends MetricTable<T>>(
  own: NumbersOf<T[keyof T]>,
  retrain: NumbersOf<T[keyof T]>,
  table: T,
): NumbersOf<T[keyof T]>;
export function againstRetrain(own: Numbers, retrain: Numbers, table: AnyTable = metrics): unknown {
  return compareAll(own, retrain, table);
}

function compareAll(own: Numbers, retrain: Numbers, table: AnyTable): Numbers {
  const compared = Object.values(table).map((record) => {
    // That the table gives what its records compare is seen to by its type.
    const compare = record.compare as ((own: Numbers, retrain: Numbers) => Numbers) | undefined;
    return {
      ...(record.measurable && { [record.measurable]: Number(isMeasurable(record, own, retrain)) }),
      ...compare?.(own, retrain),
    };
  });
  return Object.assign({}, own, ...compared);
}

/** The answers beside the right labels; null where none is known to be wrong. */
function corrected({ logits, labels }: Outputs, right: MetricsInput['rightLabels']): Outputs | null {
  const some = right && Array.from(right).some((label, row) => label !== labels[row]);
  return some ? { logits, labels: right } : null;
}

/** The test set without the forgotten classes, and these alone. */
function splitTest(
  test: Outputs,
  K: number,
  kind: string,
  classIndex: MetricsInput['classIndex'],
): { kept: Outputs; gone: Outputs | null } {
  if (kind !== 'class') return { kept: test, gone: null };
  const classes = [classIndex ?? []].flat();
  if (classes.length === 0 || !classes.every((k) => k >= 0 && k < K)) {
    throw new RangeError(`metrics: forgetting a class needs its index in 0..${K - 1}, got ${classIndex}`);
  }
  const { kept, gone } = rowsByClass(test.labels, classes);
  if (kept.length === 0) throw new RangeError('metrics: the test set holds only forgotten classes');
  return { kept: selectRows(test, K, kept), gone: gone.length > 0 ? selectRows(test, K, gone) : null };
}
