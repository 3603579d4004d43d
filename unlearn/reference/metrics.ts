// The tables of docs/metrics.md, made from the records, so that the page says what is measured and shown.

import { metrics } from '../metrics/index.ts';
import { type AnyTable, type Metric, type Need, withUnit } from '../metrics/record.ts';
import { KINDS } from '../report/flags.ts';
import { code, table } from './markdown.ts';

/** Markdown tables by the name that the page gives them. */
export function metricTables(
  records: AnyTable = metrics,
): Record<'card' | 'fools' | 'numbers' | 'traces', string> {
  const all = Object.values(records);
  return {
    card: table(
      ['Key', 'Column', 'Name', 'Formula', 'Values', 'Good', 'Source'],
      all.map((r) => [
        code(r.key),
        r.column ? r.label : '',
        r.title,
        r.formula,
        values(r),
        GOOD[r.target],
        r.source,
      ]),
    ),
    fools: table(
      ['Key', 'What fools it', 'Measured on', 'Time'],
      all.map((r) => [code(r.key), r.fools, measuredOn(r), r.cost]),
    ),
    numbers: table(
      ['Number', 'Of', 'What it is'],
      all.flatMap((r) =>
        Object.entries(r.gives).map(([name, { about }]) => [code(name), code(r.key), about]),
      ),
    ),
    traces: table(
      ['On D_f', 'Far beyond', 'Far above retrain’s', 'Far below', 'Why from there'],
      all.flatMap(({ key, trace, unit }) =>
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

const GOOD: Record<Metric['target'], string> = {
  retrain: 'retrain’s value',
  lower: 'lower',
  higher: 'higher',
};

const SETS: Record<Need, string> = {
  forget: 'D_f',
  retain: 'D_r',
  test: 'T',
  kept: 'T (T_r when classes are forgotten)',
  gone: 'T_f',
  right: 'D_f with right labels',
  seconds: 'the clock',
};

function measuredOn({ needs, compare }: Metric): string {
  return [...needs.map((need) => SETS[need]), ...(compare ? ['the paired retrain'] : [])].join(', ');
}

function values({ range: [from, to], unit }: Metric): string {
  if (unit === '0 to 1') return unit;
  return to === Number.POSITIVE_INFINITY ? `from ${from} ${unit}` : `${from} to ${to} ${unit}`;
}
