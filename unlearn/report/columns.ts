// The columns of the comparison, in their order, and all of it as plain data: what the page sorts by and copies, and what the
// exports write.

import type { AuditColumn, AuditFigure } from './audits.ts';
import type { Verdict } from './verdict.ts';
import type { MetricKey, Row, Shown, View } from './view.ts';

/** What stands before the audits: the measures of the average gap. */
const FIRST: ReadonlySet<MetricKey> = new Set(['ua', 'ra', 'ta', 'mia']);
/** What stands right behind them. */
const SUMS: ReadonlySet<MetricKey> = new Set(['avg_gap', 'rte_seconds']);

/** A column of the table: of a metric, or the first figure of an audit. */
export type Column = MetricColumn | AuditedColumn;
interface MetricColumn {
  /** The metric's. */
  readonly key: string;
  /** Its head. */
  readonly label: string;
  /** The record. */
  readonly metric: Shown;
}
export interface AuditedColumn {
  /** `audit.` and the audit's label in the results. */
  readonly key: string;
  /** Its head. */
  readonly label: string;
  readonly audit: AuditColumn;
  readonly figure: AuditFigure;
}

/** The columns in their order: as the metrics' records stand, with the audits behind UA, RA, TA and MIA. */
export function columnsOf({ columns, audits }: View): Column[] {
  const metric = (record: Shown): Column => ({ key: record.key, label: record.label, metric: record });
  const audited = audits.flatMap((audit): Column[] => {
    const [figure] = audit.figures;
    return figure ? [{ key: `audit.${audit.label}`, label: figure.label, audit, figure }] : [];
  });
  if (!audited.length) return columns.map(metric);
  const first = columns.filter(({ key }) => FIRST.has(key));
  const sums = columns.filter(({ key }) => SUMS.has(key));
  const rest = columns.filter(({ key }) => !FIRST.has(key) && !SUMS.has(key));
  return [...first.map(metric), ...audited, ...sums.map(metric), ...rest.map(metric)];
}

/** A number of a row, with what tells how sure it is; what is not known is left out. */
export interface TableCell {
  /** Mean over seeds. */
  readonly mean: number;
  /** Standard deviation over seeds. */
  readonly std?: number;
  /** Distance from retrain, mean over seeds; of the average gap there is none. */
  readonly gap?: number;
  /** 95 % interval of the distance over seeds; of the average gap that of its mean. */
  readonly low?: number;
  readonly high?: number;
  /** Of an audit: 0 like retrain, 1 like the original. */
  readonly score?: number;
  /** False: the number says nothing here. */
  readonly measurable?: false;
}

/** The comparison as plain data. */
export interface Table {
  readonly columns: readonly { readonly key: string; readonly label: string; readonly unit: string }[];
  readonly rows: readonly {
    readonly method: string;
    readonly role: Row['role'];
    readonly seeds: number;
    readonly flags: readonly string[];
    /** By the columns' keys. */
    readonly cells: Readonly<Record<string, TableCell>>;
  }[];
}

/** The comparison as plain data, rows as the page has them. */
export function tableOf(view: View, { flags }: Verdict): Table {
  const columns = columnsOf(view);
  return {
    columns: columns.map((column) => ({
      key: column.key,
      label: column.label,
      unit: 'metric' in column ? column.metric.unit : column.figure.unit,
    })),
    rows: view.rows.map((row) => ({
      method: row.name,
      role: row.role,
      seeds: row.summary.n,
      flags: (row.role === 'control' ? [] : (flags[row.summary.label] ?? [])).map(({ kind }) => kind),
      cells: Object.fromEntries(
        columns.flatMap((column) => {
          const cell = cellOf(column, row);
          return cell ? [[column.key, cell]] : [];
        }),
      ),
    })),
  };
}

function cellOf(column: Column, row: Row): TableCell | null {
  const { spread, gap, bounds, score, measurable } = partsOf(column, row);
  if (!spread) return null;
  return {
    mean: spread.mean,
    ...(spread.std !== null && { std: spread.std }),
    ...(typeof gap === 'number' && { gap }),
    ...(bounds && { low: bounds[0], high: bounds[1] }),
    ...(typeof score === 'number' && { score }),
    ...(measurable === false && { measurable }),
  };
}

function partsOf(column: Column, row: Row) {
  const plain = { gap: null, bounds: null, score: null, measurable: true };
  if ('audit' in column) {
    const { spread, gap, gapInterval, score } = row.audits[column.audit.label][column.figure.key];
    return { ...plain, spread, gap, bounds: gapInterval, score };
  }
  const { key } = column.metric;
  if (key === 'avg_gap') return { ...plain, spread: row.avgGap, bounds: row.avgInterval };
  if (key === 'tow') return { ...plain, spread: row.tow };
  if (key === 'rte_seconds') return { ...plain, spread: row.seconds };
  const { spread, gap, gapInterval, measurable } = row.cells[key];
  return { ...plain, spread, gap, bounds: gapInterval, measurable };
}
