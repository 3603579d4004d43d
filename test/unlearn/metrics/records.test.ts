// The records: what each promises holds, what is missing does not compile, and one of your own goes wherever ours go.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Metrics, metrics } from '../../../unlearn/metrics/index.ts';
import { againstRetrain, metricsOf } from '../../../unlearn/metrics/measure.ts';
import { distance, metric, type NumbersOf } from '../../../unlearn/metrics/record.ts';
import { metricTables } from '../../../unlearn/reference/metrics.ts';
import { renderReport, renderTable, toCsv, toLatex } from '../../../unlearn/report/index.ts';
import { trueConfidence } from '../../../unlearn/statistics/index.ts';
import type { Results } from '../../../unlearn/types.ts';
import { fixture } from '../report/fixture.ts';
import { cases, classwise, samplewise } from './cases.ts';

const records = Object.values(metrics);

describe('every record', () => {
  it('gives numbers of its own, itself among them, and companions it names', () => {
    expect(records.map(({ key }) => key)).toEqual(Object.keys(metrics));
    const given = records.flatMap(({ gives }) => Object.keys(gives));
    expect(new Set(given).size).toBe(given.length);
    for (const { key, gives, measurable, spread } of records)
      for (const name of [key, measurable, spread]) if (name) expect(gives).toHaveProperty(name);
  });

  it('gives what it says, in its range', () => {
    const found = Object.values(cases).map((measure) => measure());
    expect(Object.keys(found[0])).toEqual(records.flatMap(({ gives }) => Object.keys(gives)));
    for (const { key, range } of records)
      for (const numbers of found) {
        const value = numbers[key];
        if (typeof value !== 'number' || Number.isNaN(value)) continue;
        expect(value, key).toBeGreaterThanOrEqual(range[0]);
        expect(value, key).toBeLessThanOrEqual(range[1] === 'ln K' ? Math.log(classwise.K) : range[1]);
      }
  });

  it('has retrain for its target where tables compare it with retrain, and only then shows traces', () => {
    for (const { key, column, target, trace } of records) {
      expect([key, column === 'compared']).toEqual([key, target === 'retrain']);
      if (trace) expect([key, column, trace.above.kind]).not.toEqual([key, 'compared', trace.below.kind]);
    }
  });
});

describe('what is missing does not compile', () => {
  it('a field, a number, evidence, a key', () => {
    const { fools: _, ...careless } = metrics.ra;
    // @ts-expect-error: it says nothing of what fools it.
    metric(careless);
    // @ts-expect-error: it does not give `acc_retain`.
    metric({ ...metrics.ra, measure: () => ({ ra: 1 }) });
    const { nonfinite } = metrics;
    // @ts-expect-error: it does not say that it needs the test set.
    metric({ ...nonfinite, needs: ['forget'], measure: ({ test }) => ({ nonfinite: test.labels.length }) });
    const numbers = metricsOf(classwise);
    // @ts-expect-error: a misprint.
    expect(numbers.entropy_forgot).toBeUndefined();
    // @ts-expect-error: what every version of results has is not there.
    const some: Metrics = { ua: 1, ra: 2 };
    expect(some.mia).toBeUndefined();
  });

  it('a table that does not give what it compares, or gives it under another name', () => {
    // @ts-expect-error: the tug of war needs ua, ra and ta.
    expect(againstRetrain({ tow: 1 }, { tow: 1 }, { tow: metrics.tow })).toEqual({ tow: Number.NaN });
    // @ts-expect-error: its name is ua.
    expect(metricsOf(classwise, { forgotten: metrics.ua })).toEqual({ ua: 20, acc_forget: 80 });
  });
});

/** Mean probability of the true label on D_f, and how far it is from retrain's. */
const own = metric({
  key: 'own',
  label: 'Conf.',
  title: 'Confidence on the forgotten data',
  definition: 'Mean probability of the true label on the forgotten samples.',
  formula: 'mean p_y on D_f',
  unit: '0 to 1',
  range: [0, 1],
  target: 'retrain',
  aim: 'Aim: the retrained model’s value.',
  source: 'made up',
  fools: 'One sample in two certain looks like all half certain.',
  needs: ['forget'],
  cost: 'One pass over the logits.',
  digits: 3,
  column: 'compared',
  steps: [0.01, 0.05, 0.1],
  trace: {
    far: 0.2,
    why: 'a guess',
    above: { kind: 'underforgotten', text: (by) => `confidence ${by} above` },
    below: { kind: 'overforgotten', text: (by) => `confidence ${by} below` },
  },
  gives: { own: { about: 'Mean p_y on D_f.' }, own_gap: { about: 'Minus retrain’s.', sometimes: 'absent' } },
  measure: ({ forget, K }) => ({
    own: trueConfidence(forget, K).reduce((sum, p) => sum + p, 0) / forget.labels.length,
    own_gap: Number.NaN,
  }),
  compare: (mine: { own: number }, retrain: { own: number }) => ({
    own_gap: distance(mine.own, retrain.own),
  }),
});

describe('a metric of your own', () => {
  const table = { ...metrics, own };
  type Numbers = NumbersOf<(typeof table)[keyof typeof table]>;

  it('is measured with the others, and compared', () => {
    const retrain: Numbers = metricsOf({ ...samplewise, forget: samplewise.test }, table);
    const found = metricsOf({ ...samplewise, reference: retrain }, table);
    const p = trueConfidence(samplewise.forget, 10);
    expect(found.own).toBeCloseTo(p.reduce((sum, one) => sum + one, 0) / p.length, 12);
    expect(found.own_gap).toBeCloseTo(found.own - retrain.own, 12);
    const { own: _, own_gap, ...rest } = found;
    expect(rest).toEqual(metricsOf({ ...samplewise, reference: retrain }));
  });

  it('alone is measured alone', () => {
    expect(metricsOf({ ...samplewise, reference: 'self' }, { own })).toEqual({
      own: expect.any(Number),
      own_gap: 0,
    });
  });

  it('has its column, its flags and its definition on terminal, page and in exports', () => {
    const results: Results = fixture();
    const value = (method: string) => (method === 'retrain' ? 0.125 : method === 'scrub' ? 0.5 : 0.13);
    for (const run of results.runs) Object.assign(run.metrics, { own: value(run.method) });
    const terminal = renderTable(results, { wide: true, metrics: table });
    expect(terminal.split('\n')[0]).toMatch(/ToW +Time +Conf\. +Speed$/);
    expect(terminal).toMatch(/^SCRUB ! .* 0\.500 \(\+0\.375\)/m);
    expect(terminal.replace(/\s+/g, ' ')).toContain('under-forgets (confidence 0.38 above)');
    const page = renderReport(results, { metrics: table });
    expect(page).toContain('id="def-own" role="tooltip"><b>Confidence on the forgotten data, 0 to 1</b>');
    expect(page).toContain('<dt>Conf. <small>Confidence on the forgotten data, 0 to 1</small></dt>');
    expect(page).toContain('0.2 (Conf.) is flagged');
    expect(page).toMatch(/class="num g3" data-label="Conf\."[^>]*>0\.500/);
    expect(toLatex(results, table)).toContain('& Conf. \\\\');
    expect(toCsv(results).split('\r\n')[0]).toContain(',own,');
    // Results that hold numbers without a record are read all the same.
    expect(renderTable(results, { wide: true })).not.toContain('Conf.');
  });

  it('is described in docs/metrics.md', () => {
    const { card, fools, numbers, traces } = metricTables(table);
    expect(card).toContain('| `own` | Conf. | Confidence on the forgotten data | mean p_y on D_f | 0 to 1 |');
    expect(fools).toContain(
      '| `own` | One sample in two certain looks like all half certain. | D_f, the paired retrain |',
    );
    expect(numbers).toContain('| `own_gap` | `own` | Minus retrain’s. |');
    expect(traces).toContain('| `own` | 0.2 | Under-forgets | Over-forgets | a guess |');
  });
});

it('what is missing in one of two models leaves its distance out, not at 0', () => {
  const numbers = metricsOf(samplewise);
  const without = JSON.parse(JSON.stringify({ ...numbers, ua: null, entropy_forget: null }));
  const { tow, avg_gap, entropy_gap, mia_measurable } = againstRetrain(without, numbers);
  expect([tow, avg_gap, entropy_gap, mia_measurable]).toEqual([Number.NaN, Number.NaN, Number.NaN, 1]);
});

it('nothing that measures needs Node', () => {
  const seen = new Set<string>();
  const look = (at: URL) => {
    if (seen.has(at.href)) return;
    seen.add(at.href);
    for (const [, from] of readFileSync(at, 'utf8').matchAll(
      /^(?:import|export) (?!type\b)[^;]*?from '([^']+)'/gm,
    )) {
      expect([at.pathname, from]).toEqual([at.pathname, expect.stringMatching(/^\.\.?\//)]);
      look(new URL(from, at));
    }
  };
  look(new URL('../../../unlearn/metrics/measure.ts', import.meta.url));
  expect(seen.size).toBeGreaterThan(12);
});
