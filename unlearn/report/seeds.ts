// How much of a method's spread is its original and how much its own seed: shown where a recipe has several seeds of methods for
// each of several originals (`seeds: [{ train: 0, unlearn: 0 }, { train: 0, unlearn: 1 }, ...]`).

import { type Components, components } from '../statistics/nested.ts';
import type { RunEntry } from '../types.ts';
import { listed, number } from './format.ts';
import { type Html, html } from './html.ts';
import { section } from './sections.ts';
import type { Row, View } from './view.ts';

const MEASURES = ['ua', 'ra', 'ta', 'mia'] as const;

/** Runs by the seed of their original. */
function byOriginal(row: Row): readonly (readonly RunEntry[])[] {
  const groups = new Map<number, RunEntry[]>();
  for (const run of row.summary.runs) {
    const train = run.seeds?.train ?? run.seed;
    groups.set(train, [...(groups.get(train) ?? []), run]);
  }
  return [...groups.values()];
}

/** The parts of a row's variance in a metric; null where its seeds are not nested. */
export const partsOf = (row: Row, measure: (typeof MEASURES)[number]): Components | null =>
  components(byOriginal(row).map((runs) => runs.map(({ metrics }) => metrics[measure] ?? Number.NaN)));

/** That several seeds of methods stand on one original, if they do. */
export function oneOriginal({ models }: View): string | null {
  const rows = models.filter((row) => {
    const groups = byOriginal(row);
    return row.role === 'method' && groups.length === 1 && groups[0].length > 1;
  });
  if (rows.length === 0) return null;
  return `All seeds of ${listed(rows.map(({ name }) => name))} start from one original: their spread is that of the method’s own seed, and says nothing of other originals.`;
}

export function seedsSection(view: View): Html {
  const rows = view.models.flatMap((row) => {
    const parts = MEASURES.map((measure) => partsOf(row, measure));
    return row.role === 'method' && parts.some((one) => one !== null) ? [{ row, parts }] : [];
  });
  if (rows.length === 0) return html``;
  const cell = (part: Components | null) =>
    part
      ? html`<td class="num">${number(Math.sqrt(part.between))} / ${number(Math.sqrt(part.within))}</td>`
      : html`<td class="num">–</td>`;
  return section(
    'seeds',
    'Where the spread comes from',
    'Standard deviation between originals / of the method’s own seed on one original, in points: one-way random effects. Where the first is large, seeds of the method alone would make it look surer than it is.',
    html`<div class="scroll" tabindex="0" role="region" aria-label="Spread by seed"><table>
<thead><tr><th scope="col">Method</th>${MEASURES.map((measure) => html`<th scope="col" class="num">${measure.toUpperCase()}</th>`)}<th scope="col" class="num">Originals</th><th scope="col" class="num">Runs</th></tr></thead>
<tbody>${rows.map(({ row, parts }) => html`<tr><th scope="row">${row.name}</th>${parts.map(cell)}<td class="num">${parts[0]?.groups ?? '–'}</td><td class="num">${parts[0]?.n ?? '–'}</td></tr>`)}</tbody></table></div>`,
  );
}
