// Several runs for a terminal and for other programs: the average gap of each method in each run, and what each run says.

import { length, wrap } from '../../text.ts';
import type { VariedFigure, VariedResults } from '../../types.ts';
import { csvField } from '../exports.ts';
import { number, spread } from '../format.ts';
import { oneLine } from '../html.ts';
import type { TableOptions } from '../table.ts';
import { answerOf, MEASURED, rowsOf } from './digest.ts';

/** An average gap in words. */
function gapText(figure: VariedFigure | undefined, said: (figure: VariedFigure) => string): string {
  if (!figure) return '–';
  return figure.measurable === false ? 'not measurable' : said(figure);
}

/** Average gaps, a row for each method, a column for each run; below it what each run says. It ends in a line feed. */
export function variedTable(varied: VariedResults, { color = false, ...options }: TableOptions = {}): string {
  const width = options.wide ? Infinity : Math.max(20, options.width ?? 80);
  const rows = rowsOf(varied);
  const paint = (text: string, code: string) => (color && text ? `\u001b[${code}m${text}\u001b[0m` : text);
  const say = (text: string, code = '', indent = '') =>
    wrap(oneLine(text), width === Infinity ? 80 : width, indent).map((line) =>
      code ? paint(line, code) : line,
    );
  const { about, runs } = varied;
  const cellsOf = (said: (figure: VariedFigure) => string) =>
    rows.map(({ name, role, models }) => [
      oneLine(name),
      ...models.map((model) => (role === 'retrain' && model ? '0' : gapText(model?.figures.avg_gap, said))),
    ]);
  const head = ['Average gap', ...runs.map(({ label }) => label)];
  const lines =
    drawn([head, ...cellsOf((figure) => spread(figure))], width) ??
    drawn([head, ...cellsOf(({ mean }) => number(mean))], width) ??
    cellsOf(({ mean }) => number(mean)).flatMap(([name, ...cells]) =>
      say(`${name}: ${cells.map((cell, i) => `${runs[i].label} ${cell}`).join(', ')}`, '', '  '),
    );
  const said = runs.flatMap(({ label, verdict }) =>
    say(
      `${label}: ${verdict ? [verdict.headline, verdict.certainty].filter(Boolean).join(' ') : 'not made yet.'}`,
      '',
      '  ',
    ),
  );
  const legend = `Points from retraining, by ${about}; less is better.`;
  return `${[...lines, '', ...say(legend, '2'), '', ...say(answerOf(varied), '1'), ...said].join('\n')}\n`;
}

/** Rows with their cells to the right; null where that is wider than `width`. */
function drawn(rows: readonly (readonly string[])[], width: number): string[] | null {
  const sizes = rows[0].map((_, c) => Math.max(...rows.map((row) => length(row[c]))));
  if (sizes.reduce((sum, size) => sum + size + 2, -2) > width) return null;
  const space = (text: string, size: number) => ' '.repeat(size - length(text));
  return rows.map((row) =>
    row
      .map((text, c) => (c === 0 ? text + space(text, sizes[c]) : space(text, sizes[c]) + text))
      .join('  ')
      .trimEnd(),
  );
}

/** Each number of each model of each run, a line each, full precision, RFC 4180. */
export function variedCsv({ runs }: VariedResults): string {
  const lines = runs.flatMap(({ label, at, models }) =>
    models.flatMap((model) =>
      MEASURED.flatMap((key) => {
        const figure = model.figures[key];
        if (!figure) return [];
        const { mean, std, n, measurable = true } = figure;
        return [[label, at, model.label, model.role, key, mean, std, n, measurable]];
      }),
    ),
  );
  const header = ['run', 'at', 'method', 'role', 'metric', 'mean', 'std', 'seeds', 'measurable'];
  return [header, ...lines].map((line) => line.map(csvField).join(',') + '\r\n').join('');
}
