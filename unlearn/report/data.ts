// The data of the page: the table, which its script sorts and copies, and what it draws.

import type { Spread } from '../statistics/summarise.ts';
import type { Metrics, Results } from '../types.ts';
import { type Looks, lookData } from './attention.ts';
import { type Table, tableOf } from './columns.ts';
import { type Cloud, cloudsOf, curvesOf, lossesOf } from './drawings.ts';
import { duration } from './format.ts';
import { type Slices, sliceData } from './planes.ts';
import { type SweepChart, sweepsOf } from './sweeps.ts';
import type { Verdict } from './verdict.ts';
import type { View } from './view.ts';

/** What the page's script gets. */
export type PageData = ReturnType<typeof dataOf>;
/** What of it client/ draws. */
export type Drawings = Omit<PageData, 'table'>;

/** What is drawn of the models themselves; null where there is none. */
export interface Pictures {
  readonly looks: Looks | null;
  readonly slices: Slices | null;
}

/** What client/ sorts, copies and draws. Numbers are means over seeds; null leaves a gap; `m` is a row of the table. */
export function dataOf(
  results: Results,
  view: View,
  verdict: Verdict,
  { looks, slices }: Pictures = { looks: null, slices: null },
) {
  const set = (key: keyof Metrics, label: string, colour: string) => {
    const spreads = view.models.map((row): Spread | undefined => row.summary.metrics[key]);
    return {
      label,
      colour,
      values: spreads.map((s) => s?.mean ?? null),
      spread: spreads.map((s) => s?.std ?? null),
    };
  };
  const sets = [
    set('acc_retain', 'kept, train', '--retain'),
    set('acc_test_retain', 'kept, test', '--retain-2'),
    set('acc_forget', 'forgotten, train', '--forget'),
    set('acc_test_forget', 'forgotten, test', '--forget-2'),
  ].filter(({ values }) => values.some((value) => value !== null));
  const sweeps: readonly SweepChart[] = sweepsOf(results, view);
  const clouds: readonly Cloud[] = cloudsOf(view);
  return {
    table: packed(tableOf(view, verdict)),
    accuracy: { rows: view.models.map((row) => view.rows.indexOf(row)), sets },
    cost: costData(view),
    sweeps,
    curves: curvesOf(view),
    losses: lossesOf(view),
    clouds,
    looks: looks && lookData(looks),
    planes: slices && sliceData(slices),
  };
}

/** Bars from 0 on a linear axis: their lengths are the times. The texts say what is too short to be seen. */
function costData(view: View) {
  const rows = view.models.filter((row) => row.seconds && row.seconds.mean > 0);
  if (!rows.length) return null;
  const seconds = rows.map((row) => row.seconds?.mean ?? 0);
  const longest = Math.max(...seconds);
  const [unit, name] = longest >= 7200 ? [3600, 'h'] : longest >= 120 ? [60, 'min'] : [1, 's'];
  return {
    rows: rows.map((row) => view.rows.indexOf(row)),
    values: seconds.map((value) => value / unit),
    unit: name,
    texts: seconds.map(duration),
    reference: rows.map((row) => row.role === 'retrain'),
    target: view.retrain?.seconds ? view.retrain.seconds.mean / unit : null,
    max: (1.1 * longest) / unit,
  };
}

/** The table with its cells as lists, in the order of CELL, of six digits: more is not known. */
export function packed({ columns, rows }: Table) {
  const six = (value: number | undefined) => (value === undefined ? null : Number(value.toPrecision(6)));
  return {
    columns,
    rows: rows.map(({ cells, ...row }) => ({
      ...row,
      cells: columns.map(({ key }) => {
        const cell = cells[key];
        if (!cell) return null;
        const numbers = CELL.map((name) => six(cell[name]));
        while (numbers.at(-1) === null) numbers.pop();
        return cell.measurable === false ? { raw: numbers } : numbers;
      }),
    })),
  };
}

/** The numbers of a cell in the page's data; client/state.ts knows this order. */
const CELL = ['mean', 'std', 'gap', 'low', 'high', 'score'] as const;
