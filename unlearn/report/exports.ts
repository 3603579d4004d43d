// The results for other programs: CSV of every run, LaTeX and JSON of the means. No files are written here.

import type { Metrics, Results } from '../types.ts';
import { tableOf } from './columns.ts';
import { factsOf } from './facts.ts';
import { judgedOf } from './judging.ts';
import { latexOf } from './latex.ts';
import { judge } from './verdict.ts';
import { type ShownTable, viewOf } from './view.ts';

/**
 * Every run, one line each, full precision, RFC 4180. Columns: seed, method, each metric, each number of each audit
 * (`audit.LABEL.NUMBER`), each cost, options as JSON.
 */
export function toCsv(results: Results): string {
  const names = results.runs.flatMap((run) => Object.keys(run.metrics) as (keyof Metrics)[]);
  const metrics = [...new Set(names)];
  const cost = ['seconds', 'gradientSteps', 'samplesVisited'] as const;
  const audited = results.runs.flatMap((run) =>
    Object.entries(run.audits ?? {}).flatMap(([label, { values }]) =>
      Object.keys(values).map((key) => [label, key] as const),
    ),
  );
  const audits = [...new Map(audited.map((pair) => [`audit.${pair.join('.')}`, pair]))];
  const lines = results.runs.map((run) => [
    run.seed,
    run.method,
    ...metrics.map((key) => run.metrics[key]),
    ...audits.map(([, [label, key]]) => run.audits?.[label]?.values[key]),
    ...cost.map((key) => run.cost?.[key]),
    JSON.stringify(run.options ?? {}),
  ]);
  const heads = [...metrics, ...audits.map(([head]) => head)];
  const header = ['seed', 'method', ...heads, ...cost.map((key) => `cost_${key}`), 'options'];
  return [header, ...lines].map((line) => line.map(csvField).join(',') + '\r\n').join('');
}

/** Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers, negative ones too, stay numbers. */
export function csvField(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The comparison as JSON: means, spreads, distances from retrain with their intervals, scores, and the verdict. */
export function toJson(results: Results, metrics?: ShownTable): string {
  const view = viewOf(results, metrics);
  const verdict = judge(view, factsOf(results));
  const judged = judgedOf(results, view);
  const all = { verdict, ...tableOf(view, verdict), ...(judged.length > 0 && { judged }) };
  return `${JSON.stringify(all, null, 2)}\n`;
}

/**
 * A booktabs table of means, spreads and (in brackets) distances from retrain. Needs \usepackage{booktabs}. `table`: the
 * records of what was measured, where there are others beside Lethe's own.
 */
export const toLatex = (results: Results, table?: ShownTable): string => latexOf(viewOf(results, table));
