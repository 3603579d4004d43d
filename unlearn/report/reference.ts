// The tables of docs/metrics.md, made from the records, so that the page says what is measured and shown.
// test/unlearn/metrics/docs.test.ts compares the page with them, and rewrites it when UPDATE_DOCS is set.

import { metrics } from '../metrics/index.ts';
import { type AnyTable, type Metric, type Need, withUnit } from '../metrics/record.ts';
import { KINDS } from './flags.ts';

/** Markdown tables by the name that the page gives them. */
export function metricTables(
  table: AnyTable = metrics,
): Record<'card' | 'fools' | 'numbers' | 'traces', string> {
  const records = Object.values(table);
  return {
    card: markdown(
      ['Key', 'Column', 'Name', 'Formula', 'Values', 'Good', 'Source'],
      records.map((r) => [
        code(r.key),
        r.column ? r.label : '',
        r.title,
        r.formula,
        values(r),
        GOOD[r.target],
        r.source,
      ]),
    ),
    fools: markdown(
      ['Key', 'What fools it', 'Measured on', 'Time'],
      records.map((r) => [code(r.key), r.fools, measuredOn(r), r.cost]),
    ),
    numbers: markdown(
      ['Number', 'Of', 'What it is'],
      records.flatMap((r) =>
        Object.entries(r.gives).map(([name, { about }]) => [code(name), code(r.key), about]),
      ),
    ),
    traces: markdown(
      ['On D_f', 'Far beyond', 'Far above retrain’s', 'Far below', 'Why from there'],
      records.flatMap(({ key, trace, unit }) =>
        trace
          ? [
              [
                code(key),
                withUnit(trace.far, unit),
                KINDS[trace.above.kind].label,
                KINDS[trace.below.kind].label,
                trace.why,
              ],
            ]
          : [],
      ),
    ),
  };
}

/**
 * The page with its tables made anew: each stands between `<!-- table: NAME -->` and `<!-- end -->`.
 * @throws Error where the page lacks one of them.
 */
export function withMetricTables(page: string, table?: AnyTable): string {
  return Object.entries(metricTables(table)).reduce((text, [name, made]) => {
    const [begin, end] = [`<!-- table: ${name} -->\n\n`, '\n\n<!-- end -->'];
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0)
      throw new Error(`the page has no table between "${begin.trim()}" and "${end.trim()}"`);
    return `${text.slice(0, from)}${made}${text.slice(to)}`;
  }, page);
}

const GOOD: Record<Metric['target'], string> = {
  retrain: 'retrain’s value',
  lower: 'lower',
  higher: 'higher',
};

const SETS: Record<Need, string> = {
  forget: 'D_f',
  retain: 'D_r',
  test: 'T',
  kept: 'T (T_r when a class is forgotten)',
  gone: 'T_f',
  seconds: 'the clock',
};

function measuredOn({ needs, compare }: Metric): string {
  return [...needs.map((need) => SETS[need]), ...(compare ? ['the paired retrain'] : [])].join(', ');
}

function values({ range: [from, to], unit }: Metric): string {
  if (unit === '0 to 1') return unit;
  return to === Number.POSITIVE_INFINITY ? `from ${from} ${unit}` : `${from} to ${to} ${unit}`;
}

const code = (name: string) => `\`${name}\``;

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
