// What an option does: which entries of a recipe become a chart, and what is drawn.
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../unlearn/report/index.ts';
import { sweepsOf } from '../../../unlearn/report/sweeps.ts';
import { viewOf } from '../../../unlearn/report/view.ts';
import type { Results } from '../../../unlearn/types.ts';
import { fixture } from './fixture.ts';

/** The runs of a method once for each setting, with a UA of its own. */
function swept(name: string, settings: readonly Record<string, unknown>[]): Results {
  const results = fixture();
  const base = results.runs.filter(({ method }) => method === 'original' || method === 'retrain');
  const model = results.runs.filter(({ method }) => method === 'scrub');
  const entries = settings.map((options, i) => ({ name, label: `${name}-${i}`, options }));
  const rows = entries.flatMap(({ label, options }, i) =>
    model.map((run) => ({
      ...run,
      method: label,
      options,
      metrics: { ...run.metrics, ua: 50 + i + run.seed, rte_seconds: 10 * (i + 1) },
      cost: { ...run.cost, samplesVisited: 1000 * (i + 1) },
    })),
  );
  return { ...results, recipe: { ...results.recipe, methods: entries }, runs: [...base, ...rows] };
}
const charts = (results: Results) => sweepsOf(results, viewOf(results));

describe('sweeps', () => {
  it('a number in which three entries differ, in its order, means over seeds', () => {
    const found = charts(swept('salun', [{ density: 0.5 }, { density: 0.1 }, { density: 0.9 }]));
    expect(found.map(({ title, x, y }) => [title, x, y])).toEqual([
      ['SalUn', 'density', 'UA, %'],
      ['SalUn', 'density', 'RA, %'],
      ['SalUn', 'density', 'TA, %'],
      ['SalUn', 'density', 'MIA, %'],
      ['SalUn', 'density', 'Time, s'],
      ['SalUn', 'density', 'Samples visited'],
    ]);
    const pointsOf = (y: string) => found.find((chart) => chart.y === y)?.lines[0].points;
    expect(pointsOf('Time, s')).toEqual([
      [0.1, 20],
      [0.5, 10],
      [0.9, 30],
    ]);
    expect(pointsOf('Samples visited')).toEqual([
      [0.1, 2000],
      [0.5, 1000],
      [0.9, 3000],
    ]);
    // Forgetting does not train the original.
    for (const { original } of found.slice(4)) expect(original).toBeNull();
    expect(found[5].retrain).toBeGreaterThan(0);
    expect(found[0].lines).toEqual([
      {
        label: 'density',
        points: [
          [0.1, 52],
          [0.5, 51],
          [0.9, 53],
        ],
      },
    ]);
    expect(found[0].retrain).toBeCloseTo(100, 6);
  });

  it('entries that differ in something else too are lines of their own', () => {
    const scales = [0.1, 1, 10, 100];
    const settings = ['none', 'saliency'].flatMap((mask) => scales.map((scale) => ({ scale, mask })));
    const [ua] = charts(swept('influence', settings));
    expect(ua.lines.map(({ label }) => label)).toEqual(['mask "none"', 'mask "saliency"']);
    expect(ua.lines[1].points.map(([x]) => x)).toEqual(scales);
    const page = renderReport(swept('influence', settings));
    expect(page).toContain('id="sweeps"');
    expect(page).toContain('Influence: UA, % over scale');
  });

  it('two values make no line, nor do entries that differ in two numbers at once', () => {
    expect(charts(swept('salun', [{ density: 0.5 }, { density: 0.1 }]))).toEqual([]);
    const both = [1, 2, 3].map((n) => ({ density: n / 10, epochs: n }));
    expect(charts(swept('salun', both))).toEqual([]);
    expect(renderReport(fixture())).not.toContain('id="sweeps"');
  });
});
