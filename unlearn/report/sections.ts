// The report's sections as markup: headline, comparison, charts' frames, exhibits, recipe, limits. Drawing on canvas happens in
// client.ts, colours in style.ts; the numbers come from view.ts.

import { stringify } from 'yaml';
import { type Spread, spreadOf } from '../audit/summarise.ts';
import type { Results } from '../types.ts';
import { COMPARED, DEFINITIONS, type Definition, definitionOf } from './definitions.ts';
import type { Facts } from './facts.ts';
import { comparedWith, count, duration, number, signed } from './format.ts';
import { type Html, html } from './html.ts';
import type { Cell, Grade, Row, View } from './view.ts';

/** A section with its heading; `lead` says what to look for. */
export function section(id: string, title: string, lead: Html | string, body: Html): Html {
  return html`<section id="${id}" aria-labelledby="h-${id}"><h2 id="h-${id}">${title}</h2><p class="lead">${lead}</p>${body}</section>`;
}

const GRADES: Record<Grade, { label: string; text: string }> = {
  close: { label: 'Close to retraining', text: 'comes close to a model that never saw the data' },
  partly: {
    label: 'Partly there',
    text: 'comes nearest to a model that never saw the data, with gaps that can be measured',
  },
  far: { label: 'Not close', text: 'comes nearest, and is still far from a model that never saw the data' },
};

export function headline(view: View, facts: Facts, generated: string | undefined): Html {
  const { best, grade, retrain } = view;
  const meta = [
    facts.size === null ? null : `${count(facts.size)} training images forgotten`,
    facts.model,
    `${view.seeds.length} ${view.seeds.length === 1 ? 'seed' : 'seeds'}`,
    `${view.rows.filter((row) => row.role === 'method').length} methods`,
    generated,
  ].filter((item): item is string => Boolean(item));
  return html`<header class="top" id="top">
<p class="kicker">Machine unlearning report</p>
<h1>${facts.title}</h1>
${best && grade ? verdict(best, grade) : html`<p class="verdict">${emptyVerdict(view)}</p>`}
<p class="meta">${meta.map((item) => html`<span>${item}</span>`)}</p>
${best && retrain ? tiles(best, retrain) : ''}
</header>`;
}

function emptyVerdict(view: View): string {
  if (!view.rows.length) return 'There are no runs in these results.';
  if (!view.retrain) return 'No verdict: these results hold no retrained model to compare with.';
  if (view.original?.avgGap && view.rows.some((row) => row.flags.some((flag) => flag.kind === 'idle'))) {
    return 'No method came nearer to retraining than the original model is: doing nothing would have measured as well.';
  }
  return 'No verdict: no unlearning method finished without collapsing.';
}

function verdict(best: Row, grade: Grade): Html {
  const time = best.speedup ? `, ${comparedWith(best.speedup)} than retraining` : '';
  const what = best.exact
    ? 'is exact by construction: its model was trained without the data'
    : GRADES[grade].text;
  return html`<p class="verdict"><strong>${best.name}</strong> ${what}: ${number(best.avgGap?.mean)} points away on average${time}.
<span class="grade ${grade}">${best.exact ? 'Exact' : GRADES[grade].label}</span></p>`;
}

function tiles(best: Row, retrain: Row): Html {
  const tile = (key: string, label: string) => {
    const cell = best.cells[key];
    return html`<div class="tile"><dt>${label}</dt><dd><b>${number(cell.spread?.mean, 1)}<small> %</small></b>
<span>retrain ${number(retrain.cells[key].spread?.mean, 1)} %</span></dd></div>`;
  };
  return html`<dl class="tiles">
${tile('ua', 'Forgotten data missed (UA)')}${tile('ra', 'Kept data right (RA)')}${tile('ta', 'Test data right (TA)')}${tile('mia', 'Called non-member (MIA)')}
<div class="tile"><dt>Time</dt><dd><b>${duration(best.seconds?.mean)}</b><span>retrain ${duration(retrain.seconds?.mean)}</span></dd></div>
</dl>`;
}

/** A column's name that explains itself: a button that opens its definition (hover, focus, click; no script needed for click). */
function term({ key, label, title, aim, text, source }: Definition): Html {
  return html`<button type="button" class="term" popovertarget="def-${key}" aria-describedby="def-${key}">${label}</button>
<div popover class="def" id="def-${key}" role="tooltip"><b>${title}</b><span>${text}</span><span>${aim}</span><small>Source: ${source}</small></div>`;
}

export function comparison(view: View): Html {
  const target = view.retrain
    ? 'The target is the retrained model’s value, not the largest number; the small figure is the distance from it, seed by seed.'
    : '';
  const lead = html`${target} Blue is close, orange is far, ≈ is within retraining’s own spread. Column names open their definitions, which also stand at the end.`;
  return section(
    'compare',
    'Comparison with retraining',
    lead,
    html`<div class="scroll" role="region" aria-label="Comparison table" tabindex="0"><table class="main stack" role="table">
<thead><tr><th scope="col">Method</th>${DEFINITIONS.map((d) => html`<th scope="col" class="num">${term(d)}</th>`)}</tr></thead>
<tbody>${view.rows.map(comparisonRow)}</tbody></table></div>
<p class="legend" aria-hidden="true"><span class="key g0">≤ 1 point</span><span class="key g1">≤ 3</span><span class="key g2">≤ 10</span><span class="key g3">&gt; 10 points from retraining</span></p>`,
  );
}

function comparisonRow(row: Row): Html {
  const tags = [
    row.role === 'retrain' ? html`<span class="tag ref">target</span>` : '',
    row.role === 'original' ? html`<span class="tag">before</span>` : '',
    row.role === 'method' && row.exact ? html`<span class="tag ref">exact</span>` : '',
    ...row.flags.map((flag) => html`<span class="tag warn" title="${flag.text}">${flag.label}</span>`),
  ];
  const cells = COMPARED.map((key) => gapCell(key, row.cells[key]));
  const seeds = row.summary.n > 1 ? `${row.summary.n} seeds` : '1 seed';
  const label = (key: string) => definitionOf(key).label;
  const gap = row.role === 'method' ? row.avgGap : null;
  return html`<tr role="row" class="${row.role}"><th role="rowheader" scope="row"><span class="name">${row.name}</span>${tags}<small>${seeds}</small></th>${cells}
<td role="cell" class="num strong ${gap ? heat(gap.mean) : ''}" data-label="${label('avg_gap')}">${row.role === 'retrain' ? '0' : meanAndSpread(row.avgGap)}</td>
<td role="cell" class="num" data-label="${label('tow')}">${row.role === 'retrain' ? '1' : number(row.tow?.mean, 3)}</td>
<td role="cell" class="num" data-label="${label('rte_seconds')}">${duration(row.seconds?.mean)}${row.speedup ? html`<small>${comparedWith(row.speedup)}</small>` : ''}</td></tr>`;
}

function gapCell(key: string, cell: Cell): Html {
  const { label } = definitionOf(key);
  if (cell.gap === null)
    return html`<td role="cell" class="num" data-label="${label}">${meanAndSpread(cell.spread)}</td>`;
  const near = cell.within ? html`<abbr title="within retraining’s own spread">≈</abbr> ` : '';
  return html`<td role="cell" class="num ${heat(cell.gap)}" data-label="${label}">${meanAndSpread(cell.spread)}<small>${near}${signed(cell.gap)}</small></td>`;
}

/** Mean large, spread small beside it. */
function meanAndSpread(s: Spread | null): Html {
  if (!s) return html`–`;
  return html`<span class="mean">${number(s.mean)}</span>${s.std === null ? '' : html`<span class="std"> ± ${number(s.std)}</span>`}`;
}

function heat(gap: number): string {
  const size = Math.abs(gap);
  return size <= 1 ? 'g0' : size <= 3 ? 'g1' : size <= 10 ? 'g2' : 'g3';
}

/** The frame of one Chart.js drawing; `summary` is what a screen reader says of it. */
function canvas(id: string, height: number, summary: string): Html {
  return html`<div class="canvas" style="height:${height}px"><canvas id="${id}" role="img" aria-label="${summary}"></canvas></div>
<noscript><p>This chart needs scripts; its numbers are in the tables.</p></noscript>`;
}

export function accuracies(view: View): Html {
  const summary = view.rows
    .map(
      (row) =>
        `${row.name}: kept ${number(row.summary.metrics.acc_retain?.mean, 1)}, forgotten ${number(row.summary.metrics.acc_forget?.mean, 1)}`,
    )
    .join('; ');
  return section(
    'accuracy',
    'Accuracy on kept and forgotten data',
    'Blue bars should stay long. Orange bars should look as they do for Retrain: short when a whole class goes, near test accuracy when single samples go. Whiskers are one standard deviation.',
    canvas('c-accuracy', 70 + 46 * view.rows.length, `Accuracy by method, percent. ${summary}`),
  );
}

export function cost(view: View): Html {
  const rows = view.rows.filter((row) => row.seconds);
  if (!rows.length) return html``;
  const summary = rows.map((row) => `${row.name}: ${duration(row.seconds?.mean)}`).join('; ');
  return section(
    'cost',
    'Cost against retraining',
    'Run time on a logarithmic scale; the dashed line is retraining from scratch.',
    html`${canvas('c-cost', 60 + 32 * rows.length, `Run time by method. ${summary}`)}
<details><summary>Steps and samples</summary><div class="scroll" tabindex="0" role="region" aria-label="Cost table"><table>
<thead><tr><th scope="col">Method</th><th scope="col" class="num">Time</th><th scope="col" class="num">Gradient steps</th><th scope="col" class="num">Samples visited</th></tr></thead>
<tbody>${rows.map((row) => html`<tr><th scope="row">${row.name}</th><td role="cell" class="num">${duration(row.seconds?.mean)}</td><td role="cell" class="num">${count(row.summary.cost.gradientSteps.mean)}</td><td role="cell" class="num">${count(row.summary.cost.samplesVisited.mean)}</td></tr>`)}</tbody></table></div></details>`,
  );
}

export interface Tradeoff {
  readonly name: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label?: string }[];
}

/** Curves found under details.tradeoff of a method's first run: { xLabel, yLabel, points: [{ x, y, label? }] }. */
export function tradeoffsOf(view: View): Tradeoff[] {
  return view.rows.flatMap((row) => {
    const found = row.summary.runs[0]?.details?.tradeoff as Partial<Tradeoff> | undefined;
    const points = (Array.isArray(found?.points) ? found.points : []).filter(
      (point) => Number.isFinite(point?.x) && Number.isFinite(point?.y),
    );
    if (points.length < 2) return [];
    return [
      { name: row.name, xLabel: String(found?.xLabel ?? 'x'), yLabel: String(found?.yLabel ?? 'y'), points },
    ];
  });
}

export function tradeoff(curves: readonly Tradeoff[]): Html {
  if (!curves.length) return html``;
  const { xLabel, yLabel } = curves[0];
  const summary = curves.map((curve) => `${curve.name}: ${curve.points.length} settings`).join('; ');
  return section(
    'tradeoff',
    'Trade-off',
    html`Each point is one setting of a method: ${xLabel} against ${yLabel}.`,
    canvas('c-tradeoff', 340, `Trade-off of ${xLabel} against ${yLabel}. ${summary}`),
  );
}

export function limits(view: View, facts: Facts): Html {
  const items = [...view.cautions, ...facts.notes];
  return section(
    'limits',
    'Known limits and honest negatives',
    'What these results do not show, and what went wrong.',
    html`<ul class="limits">${items.map((item) => html`<li>${item}</li>`)}</ul>
<details><summary>How the verdict is made</summary><p>The approximate method with the smallest average gap is named, unless it collapsed (more than 20 points of RA lost), diverged, or is no nearer to retraining than the original model. “Close” means an average gap of at most 2 points and no more than 5 on any of UA, RA, TA and MIA; “partly” at most 8 points; else “not close”. These thresholds are ours; the table has the numbers.</p></details>`,
  );
}

export function machine(results: Results): Html {
  const box = (title: string, record: Record<string, unknown>, skip: readonly string[] = []) => {
    const entries = flatten(record).filter(
      ([key]) => !skip.some((name) => key === name || key.startsWith(name + '.')),
    );
    if (!entries.length) return html``;
    return html`<div><h3>${title}</h3><dl class="facts">${entries.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}</dl></div>`;
  };
  const told = ['classes', 'command', 'hashes', 'forget', 'notes'];
  return section(
    'machine',
    'Device and environment',
    'Where the numbers were made. Times compare only within one device.',
    html`<div class="two">${box('Device', results.device ?? {})}${box('Environment', results.environment ?? {}, told)}</div>`,
  );
}

export function reproduce(results: Results, facts: Facts): Html {
  const recipe = stringify(JSON.parse(JSON.stringify(results.recipe ?? {})), {
    aliasDuplicateObjects: false,
  });
  const hashes = facts.hashes.length
    ? html`<h3>Hashes</h3><dl class="facts hashes">${facts.hashes.map(([name, hash]) => html`<div><dt>${name}</dt><dd><code>${hash}</code></dd></div>`)}</dl>`
    : '';
  const options = results.runs.filter((run) => Object.keys(run.options ?? {}).length);
  return section(
    'reproduce',
    'How to reproduce',
    facts.command
      ? 'This command, with the recipe below, gives these results again on the same device.'
      : 'Save the recipe below as recipe.yaml and run:',
    html`<pre class="command" tabindex="0"><code>${facts.command ?? 'lethe run recipe.yaml --out out'}</code></pre>
${hashes}
<details><summary>Full recipe</summary><pre tabindex="0"><code>${recipe}</code></pre></details>
${options.length ? html`<details><summary>Options of every run</summary><pre tabindex="0"><code>${options.map((run) => `${run.method} (seed ${run.seed}): ${JSON.stringify(run.options)}\n`)}</code></pre></details>` : ''}`,
  );
}

export function definitions(): Html {
  return html`<section id="definitions" aria-labelledby="h-definitions"><h2 id="h-definitions">What the columns mean</h2>
<dl class="glossary">${DEFINITIONS.map((d) => html`<div><dt>${d.label} <small>${d.title}</small></dt><dd>${d.text} ${d.aim} <small>Source: ${d.source}.</small></dd></div>`)}</dl></section>`;
}

function flatten(record: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(record).flatMap(([key, value]): [string, string][] => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return flatten(value as Record<string, unknown>, `${prefix}${key}.`);
    }
    return [[prefix + key, Array.isArray(value) ? value.map(String).join(', ') : String(value)]];
  });
}

/** Element-wise mean of the lists that have the first one's length; null when there is none. */
export function meanOf(lists: readonly (readonly number[] | undefined)[]): number[] | null {
  const present = lists.filter((list): list is number[] => Array.isArray(list));
  const same = present.filter((list) => list.length === present[0].length);
  if (!same.length) return null;
  return same[0].map((_, i) => spreadOf(same.map((list) => list[i]))?.mean ?? 0);
}
