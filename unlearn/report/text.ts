// The comparison as text: a table for the terminal, CSV of every run, LaTeX of the means. No files are written here.

import type { Results } from '../types.ts';
import { COMPARED, definitionOf } from './definitions.ts';
import { duration, number, signed, spread, times } from './format.ts';
import { visible } from './html.ts';
import { type Cell, type Row, viewOf } from './view.ts';

export interface TableOptions {
  /** ANSI colours: the caller decides (terminal, NO_COLOR). Default false. */
  readonly color?: boolean;
  /** Columns of the terminal: what does not fit is left out, distances in brackets last. Default: no limit. */
  readonly width?: number;
}

interface Column {
  readonly title: string;
  /** 0 stays; the higher, the sooner it is left out. */
  readonly rank: number;
  readonly text: (row: Row) => string;
  readonly code?: (row: Row) => string;
}

/** `bare` leaves out the distances in brackets. */
const columnsOf = (bare: boolean): readonly Column[] => [
  {
    title: 'Method',
    rank: 0,
    text: (row) => oneLine(row.name) + (row.flags.length ? ' !' : ''),
    code: (row) => (row.role === 'retrain' ? '1' : ''),
  },
  ...COMPARED.map((key) => ({
    title: definitionOf(key).label,
    rank: key === 'asr' ? 3 : 0,
    text: (row: Row) => cellText(row.cells[key], bare),
    code: (row: Row) => shade(row.cells[key].gap),
  })),
  {
    title: 'Avg. gap',
    rank: 0,
    text: (row) => (row.role === 'retrain' ? '0' : spread(row.avgGap)),
    code: (row) => (row.role === 'method' ? shade(row.avgGap?.mean) : ''),
  },
  { title: 'ToW', rank: 4, text: (row) => (row.role === 'retrain' ? '1' : number(row.tow?.mean, 3)) },
  { title: 'Time', rank: 0, text: (row) => duration(row.seconds?.mean) },
  { title: 'Speed', rank: 2, text: (row) => (row.speedup ? times(row.speedup) : '') },
];

/** The comparison with retraining, one line a method, ending in a line feed. Names cannot move the cursor or set colours. */
export function renderTable(
  results: Results,
  { color = false, width = Infinity }: TableOptions = {},
): string {
  const view = viewOf(results);
  if (!view.rows.length) return 'No runs.\n';
  const paint = (text: string, code: string) => (color && code ? `\u001b[${code}m${text}\u001b[0m` : text);
  const wide = (column: Column) =>
    Math.max(column.title.length, ...view.rows.map((row) => length(column.text(row))));
  const total = (columns: readonly Column[]) => columns.reduce((sum, column) => sum + wide(column) + 2, -2);
  let columns = columnsOf(false);
  let bare = false;
  for (bare of [false, true]) {
    columns = columnsOf(bare);
    for (let rank = 4; rank > 1 && total(columns) > width; rank--) {
      columns = columns.filter((column) => column.rank !== rank);
    }
    if (total(columns) <= width) break;
  }
  const line = (text: (column: Column) => string, code: (column: Column) => string) =>
    columns
      .map((column, c) => {
        const space = ' '.repeat(wide(column) - length(text(column)));
        return paint(c === 0 ? text(column) + space : space + text(column), code(column));
      })
      .join('  ')
      .trimEnd();
  const flags = view.rows.flatMap((row) => row.flags.map((flag) => `! ${oneLine(row.name)}: ${flag.text}.`));
  const out = [
    line(
      (column) => column.title,
      () => '2',
    ),
    ...view.rows.map((row) =>
      line(
        (column) => column.text(row),
        (column) => column.code?.(row) ?? '',
      ),
    ),
    '',
    view.retrain
      ? `In %${bare ? '' : '; in brackets the distance from retrain'}. Closer to retrain is better, larger is not.`
      : 'In %. No retrained model among the runs: nothing to compare with.',
    ...flags,
    ...(view.few ? ['Fewer than three seeds in some rows: their spread is not known.'] : []),
  ];
  return out.join('\n') + '\n';
}

const length = (text: string) => [...text].length;

function cellText({ spread: s, gap }: Cell, bare: boolean): string {
  return gap === null || bare ? number(s?.mean) : `${number(s?.mean)} (${signed(gap)})`;
}

/** Cyan is close, plain in between, yellow is far: the same thresholds as the page. */
function shade(gap: number | null | undefined): string {
  if (gap === null || gap === undefined) return '';
  return Math.abs(gap) <= 1 ? '36' : Math.abs(gap) <= 10 ? '' : '33';
}

const oneLine = (text: string) => visible(text).replace(/\s+/g, ' ');

/** Every run, one line each, full precision, RFC 4180. Columns: seed, method, each metric, each cost, options as JSON. */
export function toCsv(results: Results): string {
  const metrics = [...new Set(results.runs.flatMap((run) => Object.keys(run.metrics)))];
  const cost = ['seconds', 'gradientSteps', 'samplesVisited'] as const;
  const lines = results.runs.map((run) => [
    run.seed,
    run.method,
    ...metrics.map((key) => run.metrics[key]),
    ...cost.map((key) => run.cost?.[key]),
    JSON.stringify(run.options ?? {}),
  ]);
  const header = ['seed', 'method', ...metrics, ...cost.map((key) => `cost_${key}`), 'options'];
  return [header, ...lines].map((line) => line.map(csvField).join(',') + '\r\n').join('');
}

/** Text that a spreadsheet would run as a formula gets a leading apostrophe. */
function csvField(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A booktabs table of means, spreads and (in brackets) distances from retrain. Needs \usepackage{booktabs}. */
export function toLatex(results: Results): string {
  const view = viewOf(results);
  const columns = [...COMPARED.filter((key) => view.rows.some((row) => row.cells[key].spread))];
  const line = (row: Row) => {
    const cells = columns.map((key) => latexCell(row.cells[key]));
    const gap = row.role === 'retrain' ? '$0$' : latexSpread(row.avgGap);
    return [latexText(row.name), ...cells, gap, latexText(duration(row.seconds?.mean))].join(' & ') + ' \\\\';
  };
  return [
    '% Percentages. In brackets: distance from the retrained model of the same seed (closer is better).',
    `\\begin{tabular}{l${'r'.repeat(columns.length + 2)}}`,
    '\\toprule',
    ['Method', ...columns.map((key) => definitionOf(key).label), 'Avg.\\ gap', 'Time'].join(' & ') + ' \\\\',
    '\\midrule',
    ...view.rows.map(line),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n');
}

function latexSpread(s: Cell['spread']): string {
  if (!s) return '--';
  return s.std === null ? `$${s.mean.toFixed(2)}$` : `$${s.mean.toFixed(2)} \\pm ${s.std.toFixed(2)}$`;
}

function latexCell({ spread: s, gap }: Cell): string {
  return gap === null ? latexSpread(s) : `${latexSpread(s)} ($${gap >= 0 ? '+' : ''}${gap.toFixed(2)}$)`;
}

const LATEX: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '–': '--',
  ℓ: '$\\ell$',
};

function latexText(text: string): string {
  return oneLine(text).replace(/[\\{}$&#_%~^–ℓ]/g, (sign) => LATEX[sign] ?? `\\${sign}`);
}
