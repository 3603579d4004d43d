// Where a method's spread comes from: variance components against numbers made with known ones, and when the page shows them.
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../unlearn/report/index.ts';
import { oneOriginal, partsOf } from '../../../unlearn/report/seeds.ts';
import { viewOf } from '../../../unlearn/report/view.ts';
import { components } from '../../../unlearn/statistics/nested.ts';
import type { Results } from '../../../unlearn/types.ts';
import { fixture } from './fixture.ts';

/** SCRUB on `originals` originals with two seeds of its own each, whose UA is 10 a original and 1 a seed apart. */
function nested(originals: number): Results {
  const results = fixture('class', [0, 1, 2].slice(0, originals));
  const runs = results.runs.flatMap((run) =>
    run.method !== 'scrub'
      ? [run]
      : [0, 1].map((unlearn) => ({
          ...run,
          seed: 1000 * run.seed + unlearn,
          seeds: { train: run.seed, forget: run.seed, unlearn },
          metrics: { ...run.metrics, ua: 60 + 10 * run.seed + unlearn },
        })),
  );
  return { ...results, runs };
}
const scrub = (results: Results) => {
  const view = viewOf(results);
  return { view, row: view.models.find(({ summary }) => summary.method === 'scrub')! };
};

describe('components', () => {
  it('by hand: groups of two, three and one', () => {
    // Means 2, 8, 5; of all 31 / 6.
    const found = components([[1, 3], [7, 8, 9], [5]])!;
    const within = (1 + 1 + 1 + 0 + 1) / 3;
    const whole = 33 / 6;
    const between = (2 * (2 - whole) ** 2 + 3 * (8 - whole) ** 2 + (5 - whole) ** 2) / 2;
    const size = (6 - (4 + 9 + 1) / 6) / 2;
    expect(found.within).toBeCloseTo(within, 12);
    expect(found.between).toBeCloseTo((between - within) / size, 12);
    expect(found).toMatchObject({ groups: 3, n: 6 });
  });

  it('never below 0; null where nothing is nested', () => {
    expect(
      components([
        [0, 10],
        [1, 9],
      ])!.between,
    ).toBe(0);
    expect(components([[1], [2], [3]])).toBeNull();
    expect(components([[1, 2, 3]])).toBeNull();
    expect(
      components([
        [1, Number.NaN],
        [2, Number.NaN],
      ]),
    ).toBeNull();
  });
});

describe('the page', () => {
  it('tells the spread between originals from that of a method’s own seed', () => {
    const { row } = scrub(nested(3));
    const parts = partsOf(row, 'ua')!;
    expect(parts.within).toBeCloseTo(0.5, 12);
    expect(parts.between).toBeCloseTo(100 - 0.25, 12);
    const page = renderReport(nested(3));
    expect(page).toContain('id="seeds"');
    expect(page).toContain('9.99 / 0.71');
  });

  it('warns where all seeds stand on one original', () => {
    const { view } = scrub(nested(1));
    expect(oneOriginal(view)).toMatch(/^All seeds of SCRUB start from one original/);
    expect(renderReport(nested(1))).toContain('All seeds of SCRUB start from one original');
    expect(oneOriginal(viewOf(fixture()))).toBeNull();
    expect(renderReport(fixture())).not.toContain('id="seeds"');
  });
});
