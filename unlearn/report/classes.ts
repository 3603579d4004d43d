// Accuracy by class before and after, on forgotten training samples and on test samples: a table with shaded cells.

import { spreadOf } from '../statistics/summarise.ts';
import { exhibitsOf } from './exhibits.ts';
import { className, type Facts } from './facts.ts';
import { number } from './format.ts';
import { type Html, html } from './html.ts';
import { section } from './sections.ts';
import type { Row, View } from './view.ts';

/** Classes shown at most; of more those on which models differ most. */
const MAX_CLASSES = 14;
const SETS = [
  ['test', 'Test samples'],
  ['forget', 'Forgotten training samples'],
] as const;

type Shares = (number | null)[];

/** Mean over seeds; null for a class without samples. */
function sharesOf(row: Row, set: 'test' | 'forget'): Shares | null {
  const all = exhibitsOf(row).flatMap((e) => (e.accuracyByClass ? [e.accuracyByClass[set]] : []));
  if (!all.length) return null;
  return all[0].map((_, k) => spreadOf(all.map((shares) => shares[k]))?.mean ?? null);
}

export function classes(view: View, facts: Facts): Html {
  const tables = SETS.flatMap(([set, title]) => {
    const found = view.models.flatMap((row) => {
      const shares = sharesOf(row, set);
      return shares ? [{ row, m: view.rows.indexOf(row), shares }] : [];
    });
    const there = (found[0]?.shares ?? []).flatMap((_, k) =>
      found.some(({ shares }) => shares[k] !== null) ? [k] : [],
    );
    if (!there.length) return [];
    const apart = (k: number) => {
      const values = found.map(({ shares }) => shares[k] ?? 0);
      return Math.max(...values) - Math.min(...values);
    };
    const gone = new Set(facts.gone);
    const shown = [...there]
      .sort((a, b) => Number(gone.has(b)) - Number(gone.has(a)) || apart(b) - apart(a))
      .slice(0, MAX_CLASSES)
      .sort((a, b) => a - b);
    return [html`<h3>${title}</h3>${table(found, shown, there.length, title, facts)}`];
  });
  if (!tables.length) return html``;
  const lead =
    'Per cent answered rightly of each class; Original is before. Forgetting should change the forgotten classes to what Retrain gives, and no other class.';
  return section('classes', 'Accuracy by class', lead, html`${tables}`);
}

type Found = readonly { readonly row: Row; readonly m: number; readonly shares: Shares }[];

function table(found: Found, shown: readonly number[], all: number, title: string, facts: Facts): Html {
  const gone = new Set(facts.gone);
  const head = shown.map(
    (k) =>
      html`<th scope="col"${gone.has(k) ? html` class="own"` : ''}><span>${className(facts.classes, k)}</span></th>`,
  );
  const body = found.map(({ row, m, shares }) => {
    const cells = shown.map((k) => {
      const share = shares[k];
      return share === null
        ? html`<td>–`
        : html`<td style=--v:${Math.round(share) / 100}>${number(share, 1)}`;
    });
    return html`<tr class="${row.role}" data-m="${m}"><th scope="row">${row.name}</th>${cells}</tr>`;
  });
  const rest = all - shown.length;
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Accuracy by class: ${title}"><table class="heat wide byclass" style="--k:${shown.length}"><thead><tr><th scope="col">Method</th>${head}</tr></thead><tbody>${body}</tbody></table></div>${rest ? html`<p class="note">The ${shown.length} of ${all} classes on which the models differ most.</p>` : ''}`;
}
