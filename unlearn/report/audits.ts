// What audits found, ready to be shown: of each audit and row the numbers over seeds, their distance from retrain, and where
// they lie between retrain and the original. An audit that cannot tell these two apart is not measurable here. Pure data.

import { audits as known } from '../audits/index.ts';
import type { AuditRecord, Figure } from '../audits/record.ts';
import { distance } from '../metrics/record.ts';
import { type Interval, meanInterval } from '../statistics/interval.ts';
import { type MethodSummary, type Spread, spreadOf } from '../statistics/summarise.ts';
import type { AuditFinding, RunEntry } from '../types.ts';
import { number } from './format.ts';
import { SPREADS } from './rules.ts';

/** A number of an audit, as its record describes it; of one that no record describes its key alone is known. */
export interface AuditFigure extends Omit<Figure, 'unit'> {
  readonly key: string;
  readonly unit: Figure['unit'] | '';
}

/** Whether the figure can tell the original from retrained models, which is what makes it say anything here. */
interface Tells {
  readonly holds: boolean;
  /** Where it does not hold: why. */
  readonly why: string | null;
  readonly original: Spread | null;
  readonly retrain: Spread | null;
}

export interface AuditColumn {
  /** Of the audit in the results. */
  readonly label: string;
  readonly name: string;
  readonly title: string;
  readonly record: AuditRecord | null;
  /** The first is the one that tables show. */
  readonly figures: readonly AuditFigure[];
  /** By the figure's key. */
  readonly tells: Readonly<Record<string, Tells>>;
}

export interface AuditCell {
  /** Over seeds. */
  readonly spread: Spread | null;
  /** Mean distance from the retrain of the same seed; null without one. */
  readonly gap: number | null;
  /** 95 % interval of the gap over seeds; null for a single one. */
  readonly gapInterval: Interval | null;
  /** What the audit says of the value of a single model, where there is one seed. */
  readonly interval: Interval | null;
  /** The gap is no larger than retrain's own spread. */
  readonly within: boolean;
  /** 0 like retrain, 1 like the original; null where the audit cannot tell these two apart. */
  readonly score: number | null;
}

/** Of an audit, by the keys of its figures. */
export type AuditCells = Readonly<Record<string, AuditCell>>;

/** The records of audits by name. */
export type AuditTable = Readonly<Record<string, AuditRecord>>;

/** Lethe's own. */
export const auditRecords: AuditTable = Object.fromEntries(
  Object.entries(known as unknown as Record<string, { record: AuditRecord }>).map(([name, { record }]) => [
    name,
    record,
  ]),
);

/** The audits of a run's models, in the order in which they first appear. */
export function auditColumns(summaries: readonly MethodSummary[], table: AuditTable): AuditColumn[] {
  const entries = new Map<string, AuditFinding[]>();
  for (const { runs } of summaries)
    for (const run of runs)
      for (const [label, entry] of Object.entries(run.audits ?? {}))
        entries.set(label, [...(entries.get(label) ?? []), entry]);
  const [original, retrain] = ['original', 'retrain'].map((name) =>
    summaries.find(({ method }) => method === name),
  );
  const columns = [...entries].map(([label, all]): AuditColumn => {
    const { name, title } = all[0];
    const record = Object.hasOwn(table, name) ? table[name] : null;
    const figures = figuresOf(record, all);
    const shown = title ?? record?.title ?? label;
    return {
      label,
      name,
      title: label === name || title ? shown : `${shown} (${label})`,
      record,
      figures,
      tells: Object.fromEntries(figures.map(({ key }) => [key, tellsOf(label, key, original, retrain)])),
    };
  });
  return distinct(columns);
}

/** The record's figures that were measured, then what it does not know. */
function figuresOf(record: AuditRecord | null, entries: readonly AuditFinding[]): AuditFigure[] {
  const keys = new Set(entries.flatMap(({ values }) => Object.keys(values)));
  const gives = record?.gives ?? {};
  const described = Object.entries(gives).map(([key, figure]) => ({ key, ...figure }));
  const others = [...keys].filter((key) => !Object.hasOwn(gives, key));
  return [
    ...described.filter(({ key }) => keys.has(key)),
    ...others.map((key) => ({ key, label: key, about: '', unit: '' as const, target: null, digits: 3 })),
  ];
}

/** Two audits whose first figures have the same head are told apart by their titles. */
function distinct(columns: readonly AuditColumn[]): AuditColumn[] {
  const heads = columns.map(({ figures }) => figures[0]?.label);
  return columns.map((column, i) => {
    const [first, ...rest] = column.figures;
    if (first === undefined || heads.indexOf(heads[i]) === heads.lastIndexOf(heads[i])) return column;
    return { ...column, figures: [{ ...first, label: column.title }, ...rest] };
  });
}

const numberOf = (run: RunEntry | undefined, label: string, key: string) =>
  run?.audits?.[label]?.values?.[key];

/** Of retrain over its seeds; of a single seed together with further retrained models that were audited in its place. */
function retrained(label: string, key: string, retrain: MethodSummary | undefined) {
  const runs = retrain?.runs ?? [];
  const further = runs.length === 1 ? (runs[0].audits?.[label]?.again ?? []) : [];
  return [...runs.map((run) => numberOf(run, label, key)), ...further.map((values) => values[key])];
}

function tellsOf(
  label: string,
  key: string,
  original: MethodSummary | undefined,
  retrain: MethodSummary | undefined,
): Tells {
  const over = (summary: MethodSummary | undefined) =>
    spreadOf((summary?.runs ?? []).map((run) => numberOf(run, label, key)));
  const found = { original: over(original), retrain: spreadOf(retrained(label, key, retrain)) };
  const not = (why: string): Tells => ({ holds: false, why, ...found });
  if (!found.retrain) return not('it has no value on retrain to compare with');
  if (!found.original) return not('it has no value on the original to compare with');
  if (found.retrain.std === null) return not('one retrain: its spread is not known');
  const apart = Math.abs(found.original.mean - found.retrain.mean);
  const asked = SPREADS * found.retrain.std;
  if (!(apart > 0 && apart >= asked))
    return not(
      `the original lies ${number(apart, 3)} from retrain, within ${SPREADS} standard deviations of retrain over its seeds (${number(asked, 3)})`,
    );
  return { holds: true, why: null, ...found };
}

/** What an audit found on a row. */
export function auditCells(
  { label, figures, tells }: AuditColumn,
  { method, runs }: MethodSummary,
  references: ReadonlyMap<number, RunEntry>,
): AuditCells {
  const cells = figures.map(({ key }): [string, AuditCell] => {
    const of = (run: RunEntry | undefined) => numberOf(run, label, key);
    const spread = spreadOf(runs.map(of));
    const { holds, original, retrain } = tells[key];
    const distances =
      method === 'retrain' ? [] : runs.map((run) => distance(of(run), of(references.get(run.seed))));
    const gap =
      spreadOf(distances)?.mean ??
      (spread && retrain && method !== 'retrain' ? spread.mean - retrain.mean : null);
    const own = runs.length === 1 ? runs[0].audits?.[label]?.intervals?.[key] : undefined;
    return [
      key,
      {
        spread,
        gap,
        gapInterval: meanInterval(distances),
        interval: own?.every(Number.isFinite) ? own : null,
        within: gap !== null && retrain?.std != null && Math.abs(gap) <= retrain.std,
        score:
          holds && spread && original && retrain
            ? (spread.mean - retrain.mean) / (original.mean - retrain.mean)
            : null,
      },
    ];
  });
  return Object.fromEntries(cells);
}
