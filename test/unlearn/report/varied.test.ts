// The page of several runs: what it says of each, what its charts show, and what stands in its tables.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verdictOf } from '../../../unlearn/report/index.ts';
import { chartsOf } from '../../../unlearn/report/varied/charts.ts';
import { answerOf, digestOf, notMade, rowsOf } from '../../../unlearn/report/varied/digest.ts';
import { renderVaried, variedCsv, variedTable } from '../../../unlearn/report/varied/index.ts';
import { viewOf } from '../../../unlearn/report/view.ts';
import type { VariedResults } from '../../../unlearn/types.ts';
import { fixture, unpacked } from './fixture.ts';
import { several } from './several.ts';

const varied = several([10, 30, 50]);
const named = several([null, null, null]);

describe('the digest of a run', () => {
  it('has the verdict of its own report, and means over seeds', () => {
    const results = fixture();
    const { verdict, models, title, forgotten } = digestOf('10', 10, results);
    const { grade, badge, best, headline, certainty } = verdictOf(results);
    expect(verdict).toEqual({ grade, badge, best, headline, certainty });
    expect([title, forgotten]).toEqual(['Forgetting class “deer” in cifar10', 4500]);
    const scrub = models.find(({ label }) => label === 'scrub');
    const own = results.runs.filter(({ method }) => method === 'scrub').map(({ metrics }) => metrics.ua);
    const mean = own.reduce((sum, value) => sum + value, 0) / 3;
    const std = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
    expect(scrub?.figures.ua.mean).toBeCloseTo(mean, 10);
    expect(scrub?.figures.ua.std).toBeCloseTo(std, 10);
    const row = viewOf(results).rows.find(({ summary }) => summary.label === 'scrub');
    expect(scrub?.figures.avg_gap).toEqual(row?.avgGap);
    expect(models.find(({ role }) => role === 'retrain')?.figures).not.toHaveProperty('avg_gap');
  });

  it('where nothing can be concluded a gap says nothing', () => {
    // The original answers on the forgotten data as retrain does.
    const { verdict, models } = varied.runs[2];
    expect(verdict?.grade).toBe('void');
    expect(models.find(({ label }) => label === 'scrub')?.figures.avg_gap.measurable).toBe(false);
  });
});

describe('several runs', () => {
  it('one answer for all of them', () => {
    expect(answerOf(varied)).toBe(
      'Nearest to retraining comes SCRUB in 10 and 30. Nothing can be concluded in 50.',
    );
    const open: VariedResults = { ...varied, runs: [varied.runs[2], notMade({ label: 'x', at: 1 })] };
    expect(answerOf(open)).toBe(
      'In none of the runs a method can be named. Nothing can be concluded in 50. Not made yet: x.',
    );
    expect(answerOf({ ...varied, runs: [notMade({ label: 'x', at: 1 })] })).toBe(
      'None of the runs was made yet.',
    );
  });

  it('a chart a metric: means at the places of the runs, retrain and the original among the lines', () => {
    const rows = rowsOf(varied);
    const charts = chartsOf(varied, rows);
    expect(charts.map(({ y }) => y)).toEqual([
      'UA, %',
      'RA, %',
      'TA, %',
      'MIA, %',
      'Avg. gap, points',
      'Time, min',
    ]);
    const [ua] = charts;
    const m = rows.findIndex(({ label }) => label === 'scrub');
    const line = ua.lines.find((one) => one.m === m);
    expect(line?.points.map(([x]) => x)).toEqual([10, 30, 50]);
    const figure = varied.runs[1].models.find(({ label }) => label === 'scrub')?.figures.ua;
    expect(line?.points[1][1]).toBe(figure?.mean);
    expect(line?.spread?.[1]).toBe(figure?.std);
    expect(ua.ticks).toEqual([
      [10, '10'],
      [30, '30'],
      [50, '50'],
    ]);
    expect(ua.lines.slice(0, 2).map((one) => rows[one.m].role)).toEqual(['original', 'retrain']);
    // Where nothing is measurable there is no gap.
    expect(charts[4].lines.find((one) => one.m === m)?.points.map(([x]) => x)).toEqual([10, 30]);
    const seconds = varied.runs[0].models.find(({ label }) => label === 'retrain')?.figures.rte_seconds
      .mean as number;
    expect(charts[5].lines.find((one) => rows[one.m].role === 'retrain')?.points[0][1]).toBeCloseTo(
      seconds / 60,
      9,
    );
  });

  it('places over a wide range stand as logarithms, names side by side', () => {
    const wide = several([0.001, 0.01, 0.1]);
    const [chart] = chartsOf(wide, rowsOf(wide));
    expect(chart.x).toBe('share, logarithmic');
    expect(chart.ticks?.map(([place, name]) => [place.toFixed(6), name])).toEqual([
      ['-3.000000', '0.001'],
      ['-2.000000', '0.01'],
      ['-1.000000', '0.1'],
    ]);
    const [own] = chartsOf(named, rowsOf(named));
    expect(own.apart).toBe(true);
    expect(own.ticks).toEqual([
      [0, 'run-0'],
      [1, 'run-1'],
      [2, 'run-2'],
    ]);
    const aside = own.lines.slice(2).map(({ points }) => points[1][0] - 1);
    expect(new Set(aside.map((x) => x.toFixed(3))).size).toBe(8);
    expect(Math.max(...aside.map(Math.abs))).toBeLessThan(0.3);
  });
});

describe('the page', () => {
  const page = renderVaried(varied);

  it('says of each run what its report says, and leads to it', () => {
    for (const { label, verdict } of varied.runs) {
      expect(page).toContain(`<a href="${label}/report.html">${label}</a>`);
      expect(page).toContain(verdict?.badge);
    }
    expect(page).toContain('<h1>shares: share</h1>');
    for (const id of ['runs', 'figures', 'gaps', 'numbers', 'reproduce', 'definitions']) {
      expect(page).toContain(`<section id="${id}"`);
      expect(page).toContain(`<a href="#${id}">`);
    }
    expect(page.match(/<canvas id="c-curve-\d"/g)).toHaveLength(6);
    expect(page.match(/>not measurable<\/abbr>/g)).toHaveLength(9);
  });

  it('is one small file that allows exactly its own scripts', () => {
    expect(page.length).toBeLessThan(400_000);
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1].replaceAll('&#39;', "'");
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
    expect(scripts).toHaveLength(1);
    // The second one stands packed.
    for (const script of [unpacked(page).charts, ...scripts])
      expect(policy).toContain(`'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    expect(page).not.toMatch(/\s(src|srcset)=|@import|url\(/);
  });

  it('shows names as text, whatever they are, and a page of nothing', () => {
    const evil = '<img src=x onerror=alert(1)>';
    const odd = renderVaried({ ...varied, about: evil, recipe: { name: evil, methods: [null, 3] } });
    expect(odd).not.toContain(evil);
    const none = renderVaried({ ...varied, runs: [notMade({ label: 'a', at: null })] });
    expect(none).toContain('Not made yet.');
    expect(none).not.toContain('id="figures"');
  });

  it('equal results give equal bytes', () => {
    expect(renderVaried(JSON.parse(JSON.stringify(varied)))).toBe(page);
  });
});

describe('other forms', () => {
  it('a table for any width', () => {
    const wide = variedTable(varied, { width: 120 }).split('\n');
    expect(wide[0]).toMatch(/^Average gap +10 +30 +50$/);
    expect(wide.find((line) => line.startsWith('SCRUB'))).toMatch(
      /^SCRUB +\d+\.\d\d ± \d+\.\d\d +\d+\.\d\d ± .* not measurable$/,
    );
    expect(wide.find((line) => line.startsWith('Retrain'))).toMatch(/ 0 +0 +0$/);
    for (const width of [30, 60]) {
      const lines = variedTable(varied, { width }).split('\n');
      expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width);
    }
  });

  it('CSV has a line for each number', () => {
    const lines = variedCsv(varied).trim().split('\r\n');
    expect(lines[0]).toBe('run,at,method,role,metric,mean,std,seeds,measurable');
    // Ten models of three runs with six numbers, but no gap of retrain and no time of the original.
    expect(lines).toHaveLength(1 + 3 * (10 * 6 - 2));
    expect(lines.find((line) => line.startsWith('50,50,scrub,method,avg_gap,'))).toMatch(/,3,false$/);
  });
});
