// What was measured, ready to be shown: one row a model, its gaps to the retrain of the same seed, in order. Pure data; page,
// terminal and exports read it. What it is worth is verdict.ts.

import { MEASURES } from '../metrics/gap.ts';
import { metrics } from '../metrics/index.ts';
import { againstRetrain } from '../metrics/measure.ts';
import { type AnyTable, distance } from '../metrics/record.ts';
import { type Interval, meanInterval } from '../statistics/interval.ts';
import { type MethodSummary, type Spread, spreadOf, summarise } from '../statistics/summarise.ts';
import type { Results, RunEntry } from '../types.ts';
import {
  type AuditCells,
  type AuditColumn,
  type AuditTable,
  auditCells,
  auditColumns,
  auditRecords,
} from './audits.ts';
import { duration } from './format.ts';
import { type Names, namesOf } from './names.ts';

export type MetricKey = keyof typeof metrics;
export type Measure = (typeof MEASURES)[number]['key'];
/** A record as the report reads it. */
export type Shown = (typeof metrics)[MetricKey];
/** Lethe's own records, and others beside them. */
export type ShownTable = typeof metrics & AnyTable;

export interface Cell {
  readonly spread: Spread | null;
  /** Mean signed distance from the retrain of the same seed; null without one, and of what is not compared with it. */
  readonly gap: number | null;
  /** 95 % interval of the distance over seeds; null for a single one. */
  readonly gapInterval: Interval | null;
  /** The distance is no larger than retrain's own spread over at least three seeds. */
  readonly within: boolean;
  /** False for an attack that is no better than chance here or under retrain: the number says nothing. */
  readonly measurable: boolean;
  /** Spread of an attack over the draws of its members, mean over seeds; null where there are no draws. */
  readonly draws: number | null;
}

export interface Row {
  readonly summary: MethodSummary;
  readonly name: string;
  /** control: a method once more with learning rate 0; it stands below its method and is never ranked. */
  readonly role: 'original' | 'retrain' | 'method' | 'control';
  readonly exact: boolean;
  /** Its weights were given in a file: what made them, and how long that took, is not known. */
  readonly given: boolean;
  readonly cells: Readonly<Record<MetricKey, Cell>>;
  /** The measures that the average gap is over: UA, RA, TA, and MIA where it is measurable. */
  readonly measures: readonly Measure[];
  readonly avgGap: Spread | null;
  /** 95 % interval of the average gap over seeds, cut at 0; null for a single one. */
  readonly avgInterval: Interval | null;
  /** The average gap is no larger than that between two retrained models: this one cannot be told from another retrain. */
  readonly alike: boolean;
  /** What audits found, by the audit's label in the results. */
  readonly audits: Readonly<Record<string, AuditCells>>;
  readonly tow: Spread | null;
  readonly seconds: Spread | null;
  /** Retrain's mean time over this one's. */
  readonly speedup: number | null;
}

export interface View {
  /** The original, retrain, then the methods by average gap, each followed by its control. */
  readonly rows: readonly Row[];
  /** The rows without the controls. */
  readonly models: readonly Row[];
  readonly original: Row | null;
  readonly retrain: Row | null;
  readonly seeds: readonly number[];
  /** Some method has fewer than three runs. */
  readonly few: boolean;
  /** The records of what was measured, and those of them that have a column. */
  readonly metrics: readonly Shown[];
  readonly columns: readonly Shown[];
  readonly audits: readonly AuditColumn[];
  /** The retrain of each seed. */
  readonly references: ReadonlyMap<number, RunEntry>;
  /** Mean average gap between two retrains of different seeds; null where there is one. */
  readonly between: number | null;
}

/** `table` and `records`: of what was measured and audited, where there are others beside Lethe's own. */
export function viewOf(
  results: Results,
  table: ShownTable = metrics,
  records: AuditTable = auditRecords,
): View {
  // Of other records nothing is asked but what ours have too.
  const shown = Object.values(table) as readonly Shown[];
  const references = new Map(
    results.runs.filter((run) => run.method === 'retrain').map((run) => [run.seed, run]),
  );
  const summaries = summarise(results.runs);
  const retrain = summaries.find((summary) => summary.method === 'retrain');
  const names = namesOf(results);
  const audits = auditColumns(summaries, records);
  const between = retrain ? betweenRetrains(retrain, shown) : null;
  const base = { names, shown, retrain, references, audits, between };
  const all = summaries.map((summary) => rowOf(summary, base));
  const place = { original: 0, retrain: 1, method: 2, control: 3 };
  const models = all
    .filter((row) => row.role !== 'control')
    .sort(
      (a, b) =>
        place[a.role] - place[b.role] || (a.avgGap?.mean ?? Infinity) - (b.avgGap?.mean ?? Infinity) || 0,
    );
  const controls = all.filter((row) => row.role === 'control');
  const below = (row: Row) => controls.filter((control) => controlOf(control) === row.summary.method);
  const stray = controls.filter((row) => !models.some((model) => controlOf(row) === model.summary.method));
  return {
    // Two settings under one label share their control: it stands below the first.
    rows: [...new Set([...models.flatMap((row) => [row, ...below(row)]), ...stray])],
    models,
    original: models.find((row) => row.role === 'original') ?? null,
    retrain: models.find((row) => row.role === 'retrain') ?? null,
    seeds: [...new Set(results.runs.map((run) => run.seed))].sort((a, b) => a - b),
    few: models.some((row) => row.summary.few),
    metrics: shown,
    columns: shown.filter(
      ({ key, column }) =>
        column === 'value' || (column === 'compared' && all.some((row) => row.cells[key].spread)),
    ),
    audits,
    references,
    between,
  };
}

/** The label of the method that a control row belongs to. */
export const controlOf = (row: Row): string | undefined => row.summary.runs[0]?.control;

interface Base extends Pick<View, 'references' | 'audits' | 'between'> {
  readonly names: Names;
  readonly shown: readonly Shown[];
  readonly retrain: MethodSummary | undefined;
}

function rowOf(summary: MethodSummary, base: Base): Row {
  const { names, shown, retrain, references, audits, between } = base;
  const { method, runs } = summary;
  const control = runs[0]?.control;
  const role = control !== undefined ? 'control' : reference(method) ? method : 'method';
  const cells = Object.fromEntries(
    shown.map((record) => [record.key, cellOf(summary, record, retrain, references)] as const),
  ) as Row['cells'];
  const measures = MEASURES.map(({ key }) => key).filter((key) => cells[key].measurable);
  const seconds = summary.metrics.rte_seconds ?? (summary.cost.seconds.n ? summary.cost.seconds : null);
  const whole = retrain?.metrics.rte_seconds?.mean ?? retrain?.cost.seconds.mean;
  const gaps = retrain ? averageGaps(summary, references, measures) : [];
  const avgGap = spreadOf(gaps);
  const interval = meanInterval(gaps);
  const timed = role === 'method' && seconds && seconds.mean > 0 && whole !== undefined && whole > 0;
  return {
    summary,
    name: control !== undefined ? `${names.title(control)} at rate 0` : names.title(summary.label),
    role,
    exact: names.exact(method),
    given: runs.some((run) => run.given),
    cells,
    measures,
    avgGap,
    avgInterval: interval && [Math.max(0, interval[0]), interval[1]],
    alike: role === 'method' && avgGap !== null && between !== null && avgGap.mean <= between,
    audits: Object.fromEntries(
      audits.map((column) => [column.label, auditCells(column, summary, references)]),
    ),
    tow: retrain ? spreadOf(runs.map((run) => towOf(run, references.get(run.seed)))) : null,
    seconds: role === 'original' && !seconds?.mean ? null : seconds,
    speedup: timed ? whole / seconds.mean : null,
  };
}

/** The time of a row in words. */
export const timeOf = ({ given, seconds }: Pick<Row, 'given' | 'seconds'>): string =>
  given && !seconds ? 'not known' : duration(seconds?.mean);

const reference = (method: string): method is 'original' | 'retrain' =>
  method === 'original' || method === 'retrain';

function cellOf(
  summary: MethodSummary,
  { key, column, measurable: tells, spread: draws }: Shown,
  retrain: MethodSummary | undefined,
  references: View['references'],
): Cell {
  const spread = summary.metrics[key] ?? null;
  const measurable = ![summary, retrain].some((one) =>
    one?.runs.some((run) => tells && run.metrics[tells] === 0),
  );
  const base = retrain?.metrics[key];
  const known = { spread, measurable, draws: (draws && summary.metrics[draws]?.mean) ?? null };
  if (column !== 'compared' || !spread || !base || summary.method === 'retrain')
    return { ...known, gap: null, gapInterval: null, within: false };
  const paired = summary.runs.map((run) =>
    distance(run.metrics[key], references.get(run.seed)?.metrics[key]),
  );
  const gap = spreadOf(paired)?.mean ?? spread.mean - base.mean;
  const within = base.std !== null && base.n >= 3 && Math.abs(gap) <= base.std;
  return { ...known, gap, gapInterval: meanInterval(paired), within };
}

/** Mean distance over the given measures, seed by seed; what the file says where the measures themselves are missing. */
function averageGaps(
  summary: MethodSummary,
  references: View['references'],
  measures: readonly Measure[],
): (number | undefined)[] {
  return summary.runs.map((run) => {
    const gaps = measures.map((key) => distance(run.metrics[key], references.get(run.seed)?.metrics[key]));
    if (!gaps.every(Number.isFinite)) return run.metrics.avg_gap;
    return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / gaps.length;
  });
}

/** The same over all seeds. */
export const averageGap = (...given: Parameters<typeof averageGaps>): Spread | null =>
  spreadOf(averageGaps(...given));

/** How far apart retrained models are among themselves: the mean over pairs of seeds, by the measures that count here. */
function betweenRetrains(retrain: MethodSummary, shown: readonly Shown[]): number | null {
  const measures = MEASURES.map(({ key }) => key).filter(
    (key) =>
      cellOf(retrain, shown.find((record) => record.key === key) as Shown, retrain, new Map()).measurable,
  );
  const { runs } = retrain;
  const pairs = runs.flatMap((run, i) =>
    runs.slice(0, i).map((other) => {
      const gaps = measures.map((key) => Math.abs(distance(run.metrics[key], other.metrics[key])));
      return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    }),
  );
  return spreadOf(pairs)?.mean ?? null;
}

function towOf(run: RunEntry, retrain: RunEntry | undefined): number | null {
  if (Number.isFinite(run.metrics.tow)) return run.metrics.tow ?? null;
  return retrain ? (againstRetrain(run.metrics, retrain.metrics).tow ?? null) : null;
}
