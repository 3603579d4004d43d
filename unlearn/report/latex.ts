// The comparison as a LaTeX table of the package booktabs.

import { type Column, columnsOf } from './columns.ts';
import { oneLine } from './html.ts';
import { type Cell, type Row, timeOf, type View } from './view.ts';

/** The table of what has been read already: means, spreads and (in brackets) distances from retrain. */
export function latexOf(view: View): string {
  const { rows } = view;
  const columns = columnsOf(view).filter((column) => !('metric' in column) || column.metric.unit !== 'nats');
  const lineOf = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
  const heads = columns.map(({ label }) => latexText(label).replace('. ', '.\\ '));
  return [
    '% Percentages. In brackets: distance from the retrained model of the same seed (closer is better). n. m.: not measurable.',
    `\\begin{tabular}{l${'r'.repeat(columns.length)}}`,
    '\\toprule',
    lineOf(['Method', ...heads]),
    '\\midrule',
    ...rows.map((row) => lineOf([latexText(row.name), ...columns.map((column) => latexCell(column, row))])),
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

function latexCell(column: Column, row: Row): string {
  if ('audit' in column) {
    const { spread, gap } = row.audits[column.audit.label][column.figure.key];
    return latexValue(spread, gap, column.figure.digits);
  }
  const { key, digits } = column.metric;
  const target = row.role === 'retrain';
  if (key === 'avg_gap') return target ? '$0$' : latexSpread(row.avgGap);
  if (key === 'tow') return target ? '$1$' : row.tow ? `$${row.tow.mean.toFixed(digits)}$` : '--';
  if (key === 'rte_seconds') return latexText(timeOf(row));
  const { spread, gap, measurable } = row.cells[key];
  return measurable ? latexValue(spread, gap, digits) : 'n.\\,m.';
}

const latexValue = (spread: Cell['spread'], gap: number | null, digits: number) =>
  gap === null
    ? latexSpread(spread, digits)
    : `${latexSpread(spread, digits)} ($${gap >= 0 ? '+' : ''}${gap.toFixed(digits)}$)`;

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
