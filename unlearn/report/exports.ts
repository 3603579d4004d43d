// The results for other programs: CSV of every run, LaTeX of the means. No files are written here.

import type { Results } from '../types.ts';
import { COMPARED, definitionOf } from './definitions.ts';
import { duration } from './format.ts';
import { oneLine } from './html.ts';
import { type Cell, type Row, viewOf } from './view.ts';

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

/** Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers, negative ones too, stay numbers. */
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
  const columns = COMPARED.filter(
    (key) => key !== 'entropy_forget' && view.rows.some((row) => row.cells[key].spread),
  );
  const line = (row: Row) => {
    const cells = columns.map((key) => latexCell(row.cells[key]));
    const target = row.role === 'retrain';
    const gap = target ? '$0$' : latexSpread(row.avgGap);
    const tow = target ? '$1$' : row.tow ? `$${row.tow.mean.toFixed(3)}$` : '--';
    const time = latexText(duration(row.seconds?.mean));
    return [latexText(row.name), ...cells, gap, tow, time].join(' & ') + ' \\\\';
  };
  return [
    '% Percentages. In brackets: distance from the retrained model of the same seed (closer is better). n. m.: not measurable.',
    `\\begin{tabular}{l${'r'.repeat(columns.length + 3)}}`,
    '\\toprule',
    ['Method', ...columns.map((key) => latexText(definitionOf(key).label)), 'Avg.\\ gap', 'ToW', 'Time'].join(
      ' & ',
    ) + ' \\\\',
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

function latexCell({ spread: s, gap, measurable }: Cell): string {
  if (!measurable) return 'n.\\,m.';
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
