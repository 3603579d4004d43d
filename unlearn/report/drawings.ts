// Frames of what client/ draws from the data block: curves of audits, losses, and pictures of the features. Here is what is drawn
// and the data for it; each drawing shows the rows that are chosen.

import { spreadOf } from '../statistics/summarise.ts';
import type { AuditFinding, Exhibits, RunEntry } from '../types.ts';
import { exhibitsOf } from './exhibits.ts';
import { className, type Facts } from './facts.ts';
import { type Html, html } from './html.ts';
import { LETTERS } from './letters.ts';
import { canvas, section } from './sections.ts';
import type { Row, View } from './view.ts';

type Point = readonly [number, number];

/** A chart with a line for each row that has one. */
export interface Lines {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly {
    readonly m: number;
    readonly points: readonly Point[];
    /** Half a whisker at each point, in units of y; null for none. */
    readonly spread?: readonly (number | null)[];
  }[];
  /** Places of x with names; without them the axis has numbers. */
  readonly ticks?: readonly (readonly [place: number, name: string])[];
  /** Points of methods are not joined: places of x have no order. */
  readonly apart?: boolean;
}

const rounded = (value: number) => Number(value.toPrecision(5));

/** Mean over runs at each x that all runs have. */
function meanCurve(runs: readonly (readonly (readonly (number | null | undefined)[])[])[]): Point[] {
  const finite = runs.map((points) =>
    points.flatMap(([x, y]): Point[] =>
      typeof x === 'number' && typeof y === 'number' && Number.isFinite(x) && Number.isFinite(y)
        ? [[x, y]]
        : [],
    ),
  );
  const present = finite.filter((points) => points.length);
  return (present[0] ?? []).flatMap(([x]): Point[] => {
    const all = present.map((points) => points.find((point) => point[0] === x)?.[1]);
    const mean = spreadOf(all);
    return mean?.n === present.length ? [[rounded(x), rounded(mean.mean)]] : [];
  });
}

/** One chart a curve of an audit. */
export function curvesOf({ rows, models, audits }: View): Lines[] {
  return audits.flatMap(({ label, title }) => {
    const of = (run: RunEntry): AuditFinding['curves'] => run.audits?.[label]?.curves;
    const all = models.flatMap((row) => row.summary.runs.flatMap((run) => of(run) ?? []));
    const names = [...new Map(all.map((curve) => [curve.name, curve])).values()];
    return names.map(({ name, x, y }) => ({
      title: `${title}: ${name}`,
      x,
      y,
      lines: models.flatMap((row) => {
        const points = meanCurve(
          row.summary.runs.map((run) => of(run)?.find((curve) => curve.name === name)?.points ?? []),
        );
        return points.length ? [{ m: rows.indexOf(row), points }] : [];
      }),
    }));
  });
}

export function curves(charts: readonly Lines[]): Html {
  if (!charts.length) return html``;
  const frames = charts.map(
    ({ title, x, y, lines }, i) =>
      html`<figure class="chart"><figcaption>${title}</figcaption>${canvas(`c-curve-${i}`, 300, `${title}: ${y} against ${x}, ${lines.length} models.`)}</figure>`,
  );
  return section(
    'curves',
    'Curves of the audits',
    'Each chart has the chosen methods between Retrain (dashed) and Original (dotted), means over seeds. A method whose line follows Original’s still holds what it was to forget; one that follows Retrain’s learns it anew.',
    html`<div class="panels charts">${frames}</div>`,
  );
}

/** Losses that methods told, over their steps; over epochs where steps are not known. */
export function lossesOf({ rows, models }: View): Lines | null {
  const lines = models.flatMap((row) => {
    const { runs, cost } = row.summary;
    const points = meanCurve(runs.map(lossOf));
    // Seeds may take a few steps more or less: an epoch has their mean.
    const each = points.length && cost.gradientSteps.mean > 0 ? cost.gradientSteps.mean / points.length : 1;
    const placed = points.map(([epoch, loss]): Point => [rounded(epoch * each), loss]);
    return placed.length > 1 ? [{ m: rows.indexOf(row), points: placed }] : [];
  });
  return lines.length ? { title: 'Losses', x: 'gradient steps', y: 'loss', lines } : null;
}

function lossOf({ details }: RunEntry): Point[] {
  const history: unknown[] = Array.isArray(details?.history) ? details.history : [];
  return history.flatMap((epoch, e): Point[] => {
    const loss = (epoch as { loss?: unknown } | null)?.loss;
    return typeof loss === 'number' && Number.isFinite(loss) ? [[e + 1, loss]] : [];
  });
}

export function losses(chart: Lines | null): Html {
  if (!chart) return html``;
  return section(
    'losses',
    'Losses over steps',
    'What each method minimises, as it tells it itself, at the end of each epoch. Methods minimise different things: shapes compare, heights do not.',
    canvas('c-losses', 320, `Losses of ${chart.lines.length} methods over their steps.`),
  );
}

/** The points of a picture, as text: three letters a point, 9 bits for each coordinate. */
export interface Cloud {
  readonly m: number;
  readonly forget: string;
  readonly gone: string;
  readonly kept: string;
}
const LAST = 511;

/** The first seed's picture of each model, both axes on one scale. */
export function cloudsOf({ rows, models }: View): Cloud[] {
  return models.flatMap((row) => {
    const found = exhibitsOf(row).find(({ embedding }) => embedding?.x.length)?.embedding;
    return found ? [{ m: rows.indexOf(row), ...cloudOf(found) }] : [];
  });
}

function cloudOf({ x, y, set }: NonNullable<Exhibits['embedding']>): Omit<Cloud, 'm'> {
  const [left, right, bottom, top] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
  const size = Math.max(right - left, top - bottom) || 1;
  const place = (value: number, from: number, to: number) =>
    Math.round(LAST * ((value - from) / size + (1 - (to - from) / size) / 2));
  const texts = { forget: '', gone: '', kept: '' };
  for (const [i, whose] of set.entries()) {
    const bits = place(x[i], left, right) * (LAST + 1) + place(y[i], bottom, top);
    texts[whose] += LETTERS[bits >> 12] + LETTERS[(bits >> 6) & 63] + LETTERS[bits & 63];
  }
  return texts;
}

export function embeddings(view: View, clouds: readonly Cloud[], facts: Facts): Html {
  if (!clouds.length) return html``;
  const about = view.models.flatMap((row: Row) =>
    exhibitsOf(row).flatMap((e) => e.embedding?.about ?? []),
  )[0];
  const [gone] = facts.gone.length === 1 ? facts.gone : [];
  const named = gone === undefined ? '' : ` (class “${className(facts.classes, gone)}”)`;
  const panels = clouds.map(
    ({ m, forget, gone, kept }) =>
      html`<figure data-m="${m}"><figcaption>${view.rows[m].name}</figcaption><canvas class="cloud" data-cloud="${m}" role="img" aria-label="Features of ${view.rows[m].name}: ${(forget.length + gone.length + kept.length) / 3} points"></canvas></figure>`,
  );
  return section(
    'embedding',
    'Picture of the features',
    html`${about} Orange crosses are forgotten training samples${named}, orange rings test samples of forgotten classes, blue points other test samples. Each model has axes of its own: what matters is whether the forgotten ones lie together and apart, as under Original, or as under Retrain. Of two dimensions out of many: a picture, not a proof (first seed).`,
    html`<div class="panels clouds">${panels}</div>`,
  );
}
