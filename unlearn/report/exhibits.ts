// The pictures drawn as markup, readable without scripts: entropy histograms (SVG small multiples), where forgotten samples
// are sent (tables with shaded cells), and sample images with predictions before and after.

import type { Exhibits } from '../types.ts';
import { className, type Facts } from './facts.ts';
import { number, percent } from './format.ts';
import { type Html, html, imageUri } from './html.ts';
import { meanOf, section } from './sections.ts';
import type { Row, View } from './view.ts';

/** Classes up to which a full matrix is drawn. */
const MATRIX_LIMIT = 20;
/** Forgotten classes up to which each has a table of its own. */
const APART_LIMIT = 4;
/** Samples shown at most. */
const SAMPLE_LIMIT = 24;

export const exhibitsOf = (row: Row): Exhibits[] =>
  row.summary.runs.map((run) => run.exhibits).filter((e): e is Exhibits => Boolean(e));

export function entropies(view: View): Html {
  const rows = view.models.filter((row) => exhibitsOf(row).some((e) => e.entropy?.edges?.length > 1));
  if (!rows.length) return html``;
  const lead = html`How unsure each model is: entropy of its outputs in nats, from certain (left) to guessing (right). The forgotten data should look
as it does for Retrain; far to the right of that is a trace of its own. The thin outline is Retrain; heights are on a square-root scale, the same in every panel.`;
  return section(
    'entropy',
    'Certainty of the outputs',
    lead,
    html`<div class="panels entropies">${rows.map((row) => entropyPanel(row, view))}</div>`,
  );
}

const SETS = [
  ['forget', 'forgotten'],
  ['retain', 'kept'],
  ['test', 'test'],
] as const;
const WIDTH = 264;
const STRIP = 62;

/** Outline of a histogram from the left end of its axis to the right one, in bins across and points down. */
function outline(shares: readonly number[]): string {
  let at = 0;
  const steps = shares.map((share) => {
    const to = Math.round(-10 * tall(share)) / 10;
    const step = Math.round(10 * (to - at)) / 10;
    at = to;
    return `${step ? `v${step}` : ''}h1`;
  });
  return `M0 0${steps.join('').replace(/(?:h1){2,}/g, (run) => `h${run.length / 2}`)}V0`;
}

const tall = (share: number) => Math.sqrt(Math.min(1, Math.max(0, share))) * (STRIP - 8);

function entropyPanel(row: Row, { rows, retrain }: View): Html {
  const all = exhibitsOf(row).map((e) => e.entropy);
  const edges = all[0].edges;
  const top = edges[edges.length - 1];
  const strips = SETS.map(([set, label], i) => {
    const shares = meanOf(all.map((e) => e[set])) ?? [];
    const base = (i + 1) * STRIP;
    const across = fixed(WIDTH / shares.length);
    const target = retrain && meanOf(exhibitsOf(retrain).map((e) => e.entropy[set]));
    // Retrain's outlines are there once, and drawn again in the other panels.
    const guide =
      row === retrain
        ? html`<path id="of-${set}" d="${outline(shares)}" fill="none"/>`
        : target?.length === shares.length
          ? html`<use href="#of-${set}" class="guide"/>`
          : '';
    const middle = shares.reduce((sum, share, b) => sum + (share * (edges[b] + edges[b + 1])) / 2, 0);
    return {
      words: `${label} mean about ${number(middle, 2)}`,
      mark: html`<g transform="translate(0 ${base}) scale(${across} 1)"><path class="bar ${set}" d="${outline(shares)}"/>${guide}<path class="axis" d="M0 0H${shares.length}"/></g><text x="${WIDTH}" y="${base - STRIP + 18}" text-anchor="end">${label}</text>`,
    };
  });
  const height = SETS.length * STRIP;
  return html`<figure data-m="${rows.indexOf(row)}"><figcaption>${row.name}</figcaption><svg viewBox="0 0 ${WIDTH} ${height + 22}" role="img" aria-label="Entropy of ${row.name}: ${strips.map((s) => s.words).join(', ')} nats">
${strips.map((s) => s.mark)}<text x="0" y="${height + 16}">0</text><text x="${WIDTH}" y="${height + 16}" text-anchor="end">${number(top, 2)} nats</text></svg></figure>`;
}

const fixed = (value: number) => String(Math.round(value * 100) / 100);

export function predictionsSection(view: View, facts: Facts): Html {
  const found = view.models.flatMap((row) => {
    const matrices = exhibitsOf(row)
      .map((e) => e.forgetPredictions)
      .filter((m) => Array.isArray(m) && m.length > 0);
    if (!matrices.length) return [];
    const matrix = matrices[0].map((_, label) => meanOf(matrices.map((m) => m[label])) ?? []);
    return [{ row, m: view.rows.indexOf(row), matrix }];
  });
  if (!found.length) return html``;
  const filled = new Set(
    found.flatMap(({ matrix }) => matrix.flatMap((r, label) => (r.some((v) => v > 0) ? [label] : []))),
  );
  const K = found[0].matrix.length;
  if (filled.size === 1) {
    const [label] = filled;
    const lead = html`Share of the forgotten training images, all of class “${className(facts.classes, label)}”, that each model predicts as each class. A good method sends them where Retrain does.`;
    return section('predictions', 'Where the forgotten data go', lead, oneClass(found, label, facts));
  }
  if (facts.kind === 'class' && filled.size <= APART_LIMIT) {
    const lead =
      'Share of the forgotten training images of each class that each model predicts as each class. A good method sends them where Retrain does.';
    const tables = [...filled].map(
      (label) => html`<h3>Class “${className(facts.classes, label)}”</h3>${oneClass(found, label, facts)}`,
    );
    return section('predictions', 'Where the forgotten data go', lead, html`${tables}`);
  }
  if (K <= MATRIX_LIMIT) {
    const lead =
      'Forgotten training samples: true class down, predicted class across, share of each row in percent. Compare each panel with Retrain.';
    return section(
      'predictions',
      'Where the forgotten data go',
      lead,
      html`<div class="panels matrices">${found.map((one) => matrixPanel(one, facts))}</div>`,
    );
  }
  const lead = `Of ${K} classes, the most frequent mistakes on the forgotten training samples (share of the true class).`;
  return section(
    'predictions',
    'Where the forgotten data go',
    lead,
    html`<div class="panels">${found.map((one) => confusions(one, facts))}</div>`,
  );
}

type Found = readonly { readonly row: Row; readonly m: number; readonly matrix: number[][] }[];

/** One row a method. With many classes only those that receive most are shown, the rest in one column. */
function oneClass(found: Found, label: number, facts: Facts): Html {
  const K = found[0].matrix.length;
  const weight = Array.from({ length: K }, (_, k) =>
    Math.max(...found.map(({ matrix }) => matrix[label][k] ?? 0)),
  );
  const shown = [...weight.keys()]
    .sort((a, b) => weight[b] - weight[a])
    .slice(0, K <= 14 ? K : 12)
    .sort((a, b) => a - b);
  const rest = K > shown.length;
  const head = shown.map(
    (k) =>
      html`<th scope="col" class="${k === label ? 'own' : ''}"><span>${className(facts.classes, k)}</span></th>`,
  );
  const body = found.map(({ row, m, matrix }) => {
    const other = 1 - shown.reduce((sum, k) => sum + matrix[label][k], 0);
    const cells = shown.map((k) => shade(matrix[label][k], className(facts.classes, k)));
    return html`<tr class="${row.role}" data-m="${m}"><th scope="row">${row.name}</th>${cells}${rest ? shade(Math.max(0, other), 'other') : ''}</tr>`;
  });
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Predictions of forgotten data of class ${className(facts.classes, label)}"><table class="heat wide" style="--k:${shown.length + (rest ? 1 : 0)}"><thead><tr><th scope="col">Method</th>${head}${rest ? html`<th scope="col"><span>other</span></th>` : ''}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function shade(share: number, label: string): Html {
  return html`<td style="--v:${fixed(share)}" title="${label}: ${percent(share, 1)}">${shareText(100 * share)}</td>`;
}

/** One decimal below ten percent where there is room, whole numbers on narrow pages. */
function shareText(value: number): Html {
  if (value < 0.05) return html`<span class="zero">0</span>`;
  if (value >= 9.95) return html`${number(value, 0)}`;
  return html`<span class="fine">${number(value, 1)}</span><span class="coarse">${number(value, 0)}</span>`;
}

function matrixPanel({ row, m, matrix }: Found[number], facts: Facts): Html {
  const short = (k: number) => className(facts.classes, k);
  const lines = matrix.map((shares, label) => {
    const cells = shares.map((share, k) => {
      const text = share >= 0.01 ? number(100 * share, 0) : '';
      return html`<td${k === label ? html` class=diagonal` : ''}${share >= 0.005 ? html` style=--v:${fixed(share).replace(/^0/, '')}` : ''}>${text}`;
    });
    return html`<tr><th scope="row">${short(label)}</th>${cells}</tr>`;
  });
  return html`<figure data-m="${m}"><figcaption>${row.name}</figcaption><div class="scroll" role="region" tabindex="0" aria-label="Prediction matrix of ${row.name}"><table class="heat square"><thead><tr><td></td>${matrix.map((_, k) => html`<th scope="col"><span>${short(k)}</span></th>`)}</tr></thead><tbody>${lines}</tbody></table></div></figure>`;
}

function confusions({ row, m, matrix }: Found[number], facts: Facts): Html {
  const pairs = matrix
    .flatMap((shares, label) => shares.map((share, k) => ({ share, label, k })))
    .filter(({ share, label, k }) => label !== k && share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, 8);
  const items = pairs.map(
    ({ share, label, k }) =>
      html`<li>${className(facts.classes, label)} → ${className(facts.classes, k)} <b>${percent(share)}</b></li>`,
  );
  return html`<figure data-m="${m}"><figcaption>${row.name}</figcaption>${items.length ? html`<ol class="pairs">${items}</ol>` : html`<p>No mistakes.</p>`}</figure>`;
}

export function samples(view: View, facts: Facts): Html {
  const columns = view.models.filter((row) => exhibitsOf(row)[0]?.samples?.length);
  if (!columns.length) return html``;
  const keyOf = (s: { set: string; id: number }) => `${s.set} ${s.id}`;
  const byKey = columns.map((row) => new Map(exhibitsOf(row)[0].samples.map((s) => [keyOf(s), s])));
  const reference = columns.findIndex((row) => row.role === 'retrain');
  const every = new Map(byKey.flatMap((map) => [...map]));
  const shown = [...every.values()]
    .sort((a, b) => (a.set === b.set ? 0 : a.set === 'forget' ? -1 : 1))
    .slice(0, SAMPLE_LIMIT);
  const body = shown.map((sample) => {
    const truth = className(facts.classes, sample.label);
    const uri = imageUri(sample.png);
    const image = uri
      ? html`<img src="${uri}" alt="" width="56" height="56">`
      : html`<span class="noimage"></span>`;
    const cells = columns.map((row, c) => {
      const seen = byKey[c].get(keyOf(sample));
      const m = view.rows.indexOf(row);
      if (!seen) return html`<td role="cell" data-label="${row.name}" data-m="${m}">–</td>`;
      const own = seen.predicted === sample.label;
      const target = reference >= 0 ? byKey[reference].get(keyOf(sample)) : undefined;
      const differs = target !== undefined && own !== (target.predicted === sample.label);
      return html`<td role="cell" data-label="${row.name}" data-m="${m}" class="${differs ? 'differs' : ''}">${className(facts.classes, seen.predicted)}<small><span aria-hidden="true">${own ? '✓' : '✗'}</span> ${percent(seen.confidence)}</small></td>`;
    });
    return html`<tr role="row" class="${sample.set}"><th role="rowheader" scope="row">${image}<span><b>${truth}</b><small>${sample.set === 'forget' ? 'forgotten' : 'kept'}, id ${sample.id}</small></span></th>${cells}</tr>`;
  });
  const lead =
    'What each model sees in the same images, with its confidence (first seed). ✓ is the true class, ✗ another; orange marks where a model is right and Retrain is not, or the other way round.';
  return section(
    'samples',
    'Samples before and after',
    lead,
    html`<div class="scroll" role="region" tabindex="0" aria-label="Sample predictions"><table class="samples stack" role="table"><thead><tr><th scope="col">Image</th>${columns.map((row) => html`<th scope="col" data-m="${view.rows.indexOf(row)}">${row.name}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`,
  );
}
