// The results for other programs: CSV of every run, LaTeX of the means. No files are written here.

import type { Metrics, Results } from '../types.ts';
import { duration } from './format.ts';
import { oneLine } from './html.ts';
import { type Cell, type Row, type Shown, type ShownTable, viewOf } from './view.ts';

/** Every run, one line each, full precision, RFC 4180. Columns: seed, method, each metric, each cost, options as JSON. */
export function toCsv(results: Results): string {
  const names = results.runs.flatMap((run) => Object.keys(run.metrics) as (keyof Metrics)[]);
  const metrics = [...new Set(names)];
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

/** Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers, negative ones too, stay numbers. */
function csvField(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * A booktabs table of means, spreads and (in brackets) distances from retrain. Needs \usepackage{booktabs}. `table`: the
 * records of what was measured, where there are others beside Lethe's own.
 */
export function toLatex(results: Results, table?: ShownTable): string {
  const { rows, columns: all } = viewOf(results, table);
  const columns = all.filter(({ unit }) => unit !== 'nats');
  const lineOf = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
  const heads = columns.map(({ label }) => latexText(label).replace('. ', '.\\ '));
  return [
    '% Percentages. In brackets: distance from the retrained model of the same seed (closer is better). n. m.: not measurable.',
    `\\begin{tabular}{l${'r'.repeat(columns.length)}}`,
    '\\toprule',
    lineOf(['Method', ...heads]),
    '\\midrule',
    ...rows.map((row) => lineOf([latexText(row.name), ...columns.map((record) => latexCell(record, row))])),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n');
}

function latexSpread(s: Cell['spread'], digits = 2): string {
  if (!s) return '--';
  const mean = s.mean.toFixed(digits);
  return s.std === null ? `$${mean}$` : `$${mean} \\pm ${s.std.toFixed(digits)}$`;
}

function latexCell({ key, digits }: Shown, row: Row): string {
  const target = row.role === 'retrain';
  if (key === 'avg_gap') return target ? '$0$' : latexSpread(row.avgGap);
  if (key === 'tow') return target ? '$1$' : row.tow ? `$${row.tow.mean.toFixed(digits)}$` : '--';
  if (key === 'rte_seconds') return latexText(duration(row.seconds?.mean));
  const { spread: s, gap, measurable } = row.cells[key];
  if (!measurable) return 'n.\\,m.';
  if (gap === null) return latexSpread(s, digits);
  return `${latexSpread(s, digits)} ($${gap >= 0 ? '+' : ''}${gap.toFixed(digits)}$)`;
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
