// The comparison for a terminal: a table that fits its width, the verdict below it, words wrapped. What does not fit beside a
// value goes below it, and on very narrow terminals each row becomes a few lines.

import { MEASURES } from '../metrics/gap.ts';
import { length, wrap } from '../text.ts';
import type { Results } from '../types.ts';
import type { AuditColumn } from './audits.ts';
import { factsOf } from './facts.ts';
import { number, signed, spread, times } from './format.ts';
import { oneLine } from './html.ts';
import { STEPS } from './rules.ts';
import { judge } from './verdict.ts';
import {
  type Cell,
  type MetricKey,
  type Row,
  type Shown,
  type ShownTable,
  timeOf,
  type View,
  viewOf,
} from './view.ts';

export interface TableOptions {
  /** ANSI colours: the caller decides (terminal, NO_COLOR). Default false. */
  readonly color?: boolean;
  /** Columns of the terminal. Default 80. */
  readonly width?: number;
  /** All columns, a line a row, however wide that is. Default false. */
  readonly wide?: boolean;
  /** The records of what was measured, where there are others beside Lethe's own. */
  readonly metrics?: ShownTable;
}

/** What of a row stands in one column: a value, and its distance from retrain where that is shown. */
interface Entry {
  readonly value: string;
  readonly gap?: string;
  readonly code?: string;
}

interface Column {
  readonly title: string;
  readonly of: (row: Row) => Entry;
}

const COMPACT: ReadonlySet<MetricKey> = new Set([
  ...MEASURES.map(({ key }) => key),
  'avg_gap',
  'rte_seconds',
]);
const DIM = '2';
const BOLD = '1';

/** The comparison with retraining, ending in a line feed. Names cannot move the cursor or set colours. */
export function renderTable(results: Results, options: TableOptions = {}): string {
  const { color = false, wide = false } = options;
  const width = Math.max(20, options.width ?? 80);
  const view = viewOf(results, options.metrics);
  if (!view.rows.length) return 'No runs.\n';
  const verdict = judge(view, factsOf(results));
  const flagged = (row: Row) => row.summary.label in verdict.flags;
  const paint = (text: string, code = '') => (color && code ? `\u001b[${code}m${text}\u001b[0m` : text);
  // No colour may praise where nothing can be concluded.
  const columns = columnsOf(view, wide, verdict.grade !== 'void');
  const named = { columns, rows: view.rows, title: (row: Row) => titleOf(row, flagged(row)), paint };
  const beside = wide ? Infinity : width;
  const { lines, gaps } =
    drawn({ ...named, below: false }, beside) ??
    drawn({ ...named, below: true }, width) ??
    stacked(named, width);
  const say = (text: string, code = '', indent = '') =>
    wrap(oneLine(text), width, indent).map((line) => paint(line, code));
  const raw = view.models.filter((row) => !row.cells.mia.measurable && row.cells.mia.spread);
  const others = view.models.filter((row) => flagged(row) && row.summary.label !== verdict.best);
  const out = [
    ...lines,
    '',
    ...say(legend(view.retrain !== null, gaps), DIM),
    '',
    ...say(verdict.headline, BOLD),
    ...(verdict.certainty ? say(verdict.certainty) : []),
    ...verdict.remarks.flatMap((text) => say(text)),
    ...others.flatMap((row) => {
      const texts = verdict.flags[row.summary.label].map((flag) => flag.text);
      return say(`! ${row.name} ${texts.join(', and ')}.`, '', '  ');
    }),
    ...(raw.length
      ? say(`MIA as measured: ${raw.map((row) => `${row.name} ${rawText(row.cells.mia)}`).join(', ')}.`, DIM)
      : []),
    ...(view.few ? say('Fewer than three seeds in some rows: their spread is not known.') : []),
  ];
  return `${out.join('\n')}\n`;
}

/** A mean that says nothing, with the spread that says so: over the draws of the attack, else over seeds. */
const rawText = ({ spread: s, draws }: Cell) => spread(s && { ...s, std: draws ?? s.std });

function legend(retrain: boolean, gaps: string): string {
  if (!retrain) return 'In %. No retrained model among the runs: nothing to compare with.';
  return `In %; ${gaps} the distance from retrain. Closer to retrain is better, larger is not.`;
}

function titleOf(row: Row, flagged: boolean): string {
  if (row.role === 'control') return '  at rate 0';
  return oneLine(row.name) + (flagged ? ' !' : '');
}

function columnsOf({ columns, audits }: View, wide: boolean, shaded: boolean): Column[] {
  const shade = (gap: number | null | undefined, steps?: readonly number[]) =>
    shaded && typeof gap === 'number' ? shadeOf(gap, steps) : '';
  return [
    ...columns.filter(({ key }) => wide || COMPACT.has(key)).map((record) => columnOf(record, wide, shade)),
    ...(wide ? audits.flatMap(auditColumn) : []),
    ...(wide
      ? [{ title: 'Speed', of: (row: Row) => ({ value: row.speedup ? times(row.speedup) : '' }) }]
      : []),
  ];
}

/** The first figure of an audit. */
function auditColumn({ label, figures: [figure] }: AuditColumn): Column[] {
  if (!figure) return [];
  const { key, digits } = figure;
  const of = ({ audits }: Row): Entry => {
    const { spread: s, gap } = audits[label][key];
    const value = number(s?.mean, digits);
    return gap === null ? { value } : { value, gap: signed(gap, digits) };
  };
  return [{ title: oneLine(figure.label), of }];
}

type Shade = (gap: number | null | undefined, steps?: readonly number[]) => string;

function columnOf({ key, label, digits, steps }: Shown, wide: boolean, shade: Shade): Column {
  const target = (row: Row) => row.role === 'retrain';
  if (key === 'avg_gap')
    return {
      title: 'Gap',
      of: (row) => {
        if (target(row)) return { value: '0' };
        const value = wide ? spread(row.avgGap) : number(row.avgGap?.mean);
        return { value, code: row.role === 'method' ? shade(row.avgGap?.mean) : '' };
      },
    };
  if (key === 'tow')
    return { title: label, of: (row) => ({ value: target(row) ? '1' : number(row.tow?.mean, digits) }) };
  if (key === 'rte_seconds') return { title: label, of: (row) => ({ value: timeOf(row) }) };
  return {
    title: label,
    of: ({ cells: { [key]: cell } }) => {
      if (!cell.measurable) return { value: 'not measurable' };
      const value = number(cell.spread?.mean, digits);
      if (cell.gap === null) return { value };
      return { value, gap: signed(cell.gap, digits), code: shade(cell.gap, steps) };
    },
  };
}

/** Cyan is close, plain in between, yellow is far: the same thresholds as the page. */
function shadeOf(gap: number, steps: readonly number[] = STEPS): string {
  return Math.abs(gap) <= steps[0] ? '36' : Math.abs(gap) <= steps[2] ? '' : '33';
}

interface Plan {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly title: (row: Row) => string;
  readonly paint: (text: string, code?: string) => string;
  /** Distances stand on a line of their own, below the values of methods. */
  readonly below: boolean;
}

type Drawn = { readonly lines: string[]; readonly gaps: string };

/** A line a row, or two; null where that is wider than `width`. */
function drawn({ columns, rows, title, paint, below }: Plan, width: number): Drawn | null {
  const cell = ({ value, gap }: Entry) => (gap !== undefined && !below ? `${value} (${gap})` : value);
  const first = Math.max('Method'.length, ...rows.map((row) => length(title(row))));
  const sizes = columns.map(({ title, of }) =>
    Math.max(
      length(title),
      ...rows.map((row) => Math.max(length(cell(of(row))), below ? length(of(row).gap ?? '') : 0)),
    ),
  );
  if (first + sizes.reduce((sum, size) => sum + size + 2, 0) > width) return null;
  const line = (name: string, texts: readonly string[], codes: readonly string[], code = '') =>
    [paint(name.padEnd(first), code), ...texts.map((text, c) => paint(text.padStart(sizes[c]), codes[c]))]
      .join('  ')
      .trimEnd();
  const lines = [
    line(
      'Method',
      columns.map((column) => column.title),
      columns.map(() => DIM),
      DIM,
    ),
  ];
  for (const row of rows) {
    const shown = columns.map((column) => column.of(row));
    const muted = row.role === 'control' ? DIM : '';
    const texts = shown.map(cell);
    lines.push(
      line(
        title(row),
        texts,
        shown.map((one) => muted || (one.code ?? '')),
        muted || (row.role === 'retrain' ? BOLD : ''),
      ),
    );
    if (below && row.role === 'method')
      lines.push(
        line(
          '',
          shown.map((one) => one.gap ?? ''),
          shown.map(() => DIM),
        ),
      );
  }
  return { lines, gaps: below ? 'below each value' : 'in brackets' };
}

/** Each row as its name and its values, as many to a line as fit. */
function stacked({ columns, rows, title, paint }: Omit<Plan, 'below'>, width: number): Drawn {
  const lines = rows.flatMap((row) => {
    const items = columns.map((column) => {
      const { value, gap } = column.of(row);
      return `${column.title} ${value}${gap !== undefined ? ` (${gap})` : ''}`;
    });
    return [
      ...wrap(title(row), width, '  ').map((text) => paint(text, BOLD)),
      ...packed(items, width - 2).map((text) => `  ${text}`),
    ];
  });
  return { lines, gaps: 'in brackets' };
}

/** Items side by side, two spaces apart, on as few lines as hold them. */
function packed(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && length(last) + 2 + length(item) <= width)
      lines[lines.length - 1] = `${last}  ${item}`;
    else lines.push(item);
  }
  return lines;
}
