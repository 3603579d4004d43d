// The figures of several runs: one small chart a metric with a line for each model over the axis, retrain and the original
// among them, since they vary too; whiskers are one standard deviation over seeds.

import { metrics } from '../../metrics/index.ts';
import type { VariedResults } from '../../types.ts';
import type { Lines } from '../drawings.ts';
import { MEASURED, type VariedRow } from './digest.ts';

/** From this ratio of the last place to the first on, places stand as logarithms. */
const WIDE = 20;
/** Share of the room of a run that its methods stand side by side in, where runs have names alone. */
const SIDE = 0.6;
const UNITS = { s: [1, 's'], min: [60, 'min'], h: [3600, 'h'] } as const;

/** The charts that have something to show. `rows` are those of the page's table. */
export function chartsOf({ about, runs }: VariedResults, rows: readonly VariedRow[]): Lines[] {
  const { places, ticks, x } = axisOf(runs, about);
  const methods = rows.filter(({ role }) => role === 'method');
  return MEASURED.flatMap((key): Lines[] => {
    const [factor, unit] = key === 'rte_seconds' ? timeUnit(rows) : [1, metrics[key].unit];
    const lines = rows.flatMap((row, m) => {
      const aside = places ? 0 : SIDE * ((methods.indexOf(row) + 0.5) / methods.length - 0.5);
      const found = row.models.flatMap((model, i) => {
        const figure = model?.figures[key];
        if (!figure || figure.measurable === false) return [];
        const { mean, std } = figure;
        const at = places ? places[i] : i + (row.role === 'method' ? aside : 0);
        return [{ at, point: [at, mean / factor] as const, spread: std === null ? null : std / factor }];
      });
      found.sort((a, b) => a.at - b.at);
      if (found.length === 0) return [];
      return [{ m, points: found.map(({ point }) => point), spread: found.map(({ spread }) => spread) }];
    });
    if (!lines.length) return [];
    const title = `${metrics[key].title}`;
    return [{ title, x, y: `${metrics[key].label}, ${unit}`, lines, ticks, ...(!places && { apart: true }) }];
  });
}

/** Places of the runs on the axis, null where they have names alone; its ticks and its title. */
function axisOf(runs: VariedResults['runs'], about: string) {
  const at = runs.flatMap((run) => run.at ?? []);
  if (at.length < runs.length)
    return { places: null, ticks: runs.map(({ label }, i) => [i, label] as const), x: about };
  const [least, most] = [Math.min(...at), Math.max(...at)];
  const wide = least > 0 && most >= WIDE * least;
  const places = at.map((value) => (wide ? Math.log10(value) : value));
  const ticks = places.map((place, i) => [place, String(at[i])] as const).sort((a, b) => a[0] - b[0]);
  return { places, ticks, x: wide ? `${about}, logarithmic` : about };
}

/** The unit in which the longest time is a number that is easily read. */
function timeUnit(rows: readonly VariedRow[]): readonly [number, string] {
  const longest = Math.max(
    0,
    ...rows.flatMap(({ models }) => models.flatMap((model) => model?.figures.rte_seconds?.mean ?? [])),
  );
  return longest >= 7200 ? UNITS.h : longest >= 120 ? UNITS.min : UNITS.s;
}
