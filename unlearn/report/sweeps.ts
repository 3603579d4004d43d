// What an option does: where a recipe has entries of one method that differ in one number alone, such as the density of a mask or
// the step of an influence, its metrics and what it takes are drawn over that number. Entries that differ in something else besides, such as
// with and without a mask, are lines of their own.

import type { Results } from '../types.ts';
import { type Html, html } from './html.ts';
import { namesOf } from './names.ts';
import { canvas, section } from './sections.ts';
import type { Row, View } from './view.ts';

/** One metric, or the cost, over an option. */
export interface SweepChart {
  readonly title: string;
  /** The option. */
  readonly x: string;
  /** What is measured, with its unit. */
  readonly y: string;
  readonly lines: readonly {
    readonly label: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
  /** Means of the two models that everything is between. */
  readonly retrain: number | null;
  readonly original: number | null;
}

/** Values of an option that make a line. */
const MIN_VALUES = 3;
const MEASURES = ['ua', 'ra', 'ta', 'mia'] as const;

/** What is drawn: its name with the unit, and its mean over seeds. */
interface Drawn {
  readonly y: string;
  mean(row: Row): number | null;
}

/** The metrics that were measured, and the cost: of exact methods that is what their options are about. */
function drawnOf({ metrics }: View): Drawn[] {
  const measured = MEASURES.flatMap((measure): Drawn[] => {
    const record = metrics.find(({ key }) => key === measure);
    const mean = (row: Row) => row.summary.metrics[measure]?.mean ?? null;
    return record ? [{ y: `${record.label}, ${record.unit}`, mean }] : [];
  });
  // The original's training is no cost of forgetting.
  const visited = ({ role, summary }: Row) =>
    role !== 'original' && summary.cost.samplesVisited.n > 0 ? summary.cost.samplesVisited.mean : null;
  const seconds = ({ role, seconds: spent }: Row) => (role === 'original' ? null : (spent?.mean ?? null));
  return [...measured, { y: 'Time, s', mean: seconds }, { y: 'Samples visited', mean: visited }];
}

interface Entry {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly row: Row;
}

export function sweepsOf(results: Results, view: View): SweepChart[] {
  const listed: unknown = results.recipe?.methods;
  // In the order of the recipe.
  const entries = (Array.isArray(listed) ? listed : []).flatMap((one): Entry[] => {
    const { name, label } = (one ?? {}) as { name?: unknown; label?: unknown };
    const row = view.models.find(({ role, summary }) => role === 'method' && summary.method === label);
    return row && typeof name === 'string' ? [{ name, options: row.summary.options ?? {}, row }] : [];
  });
  const { title } = namesOf(results);
  const methods = [...new Set(entries.map(({ name }) => name))];
  return methods.flatMap((name) => {
    const own = entries.filter((one) => one.name === name);
    const keys = [...new Set(own.flatMap(({ options }) => Object.keys(options)))];
    return keys.flatMap((key) => {
      const families = linesOver(own, key);
      if (families.length === 0) return [];
      return drawnOf(view).flatMap(({ y, mean }): SweepChart[] => {
        const lines = families.map(({ label, members }) => ({
          label,
          points: members.flatMap(({ options, row }): [number, number][] => {
            const value = mean(row);
            return value === null ? [] : [[options[key] as number, value]];
          }),
        }));
        if (lines.every(({ points }) => points.length === 0)) return [];
        const [retrain, original] = [view.retrain, view.original].map((row) => row && mean(row));
        return [{ title: title(name), x: key, y, lines, retrain, original }];
      });
    });
  });
}

/** Entries that differ in one option alone, enough of them, in the order of its values. */
function linesOver(entries: readonly Entry[], key: string) {
  const families = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { [key]: value, ...others } = entry.options;
    if (typeof value !== 'number') continue;
    const family = JSON.stringify(others);
    families.set(family, [...(families.get(family) ?? []), entry]);
  }
  const lines = [...families.values()].filter(
    (members) => new Set(members.map(({ options }) => options[key])).size >= MIN_VALUES,
  );
  const others = Object.keys(lines[0]?.[0].options ?? {}).filter((name) => name !== key);
  const told = others.filter(
    (name) => new Set(lines.map(([{ options }]) => JSON.stringify(options[name]))).size > 1,
  );
  return lines.map((members) => ({
    label:
      told.map((name) => `${name} ${JSON.stringify(members[0].options[name] ?? null)}`).join(', ') || key,
    members: [...members].sort((a, b) => Number(a.options[key]) - Number(b.options[key])),
  }));
}

export function sweeps(charts: readonly SweepChart[]): Html {
  if (!charts.length) return html``;
  const frames = charts.map(
    ({ title, x, y, lines }, i) =>
      html`<figure class="chart"><figcaption>${title}: ${y} over ${x}</figcaption>${canvas(`c-sweep-${i}`, 280, `${title}: ${y} over ${x}. ${lines.map(({ label, points }) => `${label}: ${points.map(([at, value]) => `${value.toFixed(1)} at ${at}`).join(', ')}`).join('; ')}`)}</figure>`,
  );
  return section(
    'sweeps',
    'What an option does',
    'Entries of the recipe that differ in one option, means over seeds; dashed is retrain, dotted the original.',
    html`<div class="panels charts">${frames}</div>`,
  );
}
