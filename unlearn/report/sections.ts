// The report's sections as markup: headline, comparison, charts' frames, exhibits, recipe, limits. Drawing on canvas happens in
// client.ts, colours in style.ts; the numbers come from view.ts.

import { stringify } from 'yaml';
import { withUnit } from '../metrics/record.ts';
import { type Spread, spreadOf } from '../statistics/summarise.ts';
import type { Results } from '../types.ts';
import type { Facts } from './facts.ts';
import { comparedWith, count, duration, listed, number, signed, titled } from './format.ts';
import { type Html, html } from './html.ts';
import { CLOSE, COLLAPSE, LEARNED, PARTLY, STEPS } from './rules.ts';
import type { Verdict } from './verdict.ts';
import type { Measure, Row, Shown, View } from './view.ts';

/** A section with its heading; `lead` says what to look for. */
export function section(id: string, title: string, lead: Html | string, body: Html): Html {
  return html`<section id="${id}" aria-labelledby="h-${id}"><h2 id="h-${id}">${title}</h2><p class="lead">${lead}</p>${body}</section>`;
}

export function headline(view: View, verdict: Verdict, facts: Facts, generated: string | undefined): Html {
  const best = view.models.find((row) => row.summary.label === verdict.best);
  const meta = [
    facts.size === null ? null : `${count(facts.size)} training images forgotten`,
    facts.model,
    `${view.seeds.length} ${view.seeds.length === 1 ? 'seed' : 'seeds'}`,
    `${view.models.filter((row) => row.role === 'method').length} methods`,
    generated,
  ].filter((item): item is string => Boolean(item));
  return html`<header class="top" id="top">
<p class="kicker">Machine unlearning report</p>
<h1>${facts.title}</h1>
<p class="verdict">${emphasised(verdict.headline, best?.name)} <span class="grade ${verdict.grade}">${verdict.badge}</span></p>
${verdict.remarks.map((text) => html`<p class="remark">${text}</p>`)}
<p class="meta">${meta.map((item) => html`<span>${item}</span>`)}</p>
${best && view.retrain ? tiles(best, view.retrain) : ''}
</header>`;
}

/** The text with the name that it begins with in bold. */
function emphasised(text: string, name: string | undefined): Html {
  return name && text.startsWith(name)
    ? html`<strong>${name}</strong>${text.slice(name.length)}`
    : html`${text}`;
}

function tiles(best: Row, retrain: Row): Html {
  const tile = (key: Measure, label: string) => {
    const cell = best.cells[key];
    if (!cell.measurable)
      return html`<div class="tile"><dt>${label}</dt><dd><b class="words">not measurable</b></dd></div>`;
    return html`<div class="tile"><dt>${label}</dt><dd><b>${number(cell.spread?.mean, 1)}<small> %</small></b>
<span>retrain ${number(retrain.cells[key].spread?.mean, 1)} %</span></dd></div>`;
  };
  return html`<dl class="tiles">
${tile('ua', 'Forgotten data missed (UA)')}${tile('ra', 'Kept data right (RA)')}${tile('ta', 'Test data right (TA)')}${tile('mia', 'Called non-member (MIA)')}
<div class="tile"><dt>Time</dt><dd><b>${duration(best.seconds?.mean)}</b><span>retrain ${duration(retrain.seconds?.mean)}</span></dd></div>
</dl>`;
}

/** A column's name that explains itself: a button that opens its definition (hover, focus, click; no script needed for click). */
function term({ key, label, aim, definition, source, ...record }: Shown): Html {
  return html`<button type="button" class="term" popovertarget="def-${key}" aria-describedby="def-${key}">${label}</button>
<div popover class="def" id="def-${key}" role="tooltip"><b>${titled(record)}</b><span>${definition}</span><span>${aim}</span><small>Source: ${source}</small></div>`;
}

export function comparison(view: View, verdict: Verdict): Html {
  const shaded = verdict.grade !== 'void';
  const target = view.retrain
    ? 'The target is the retrained model’s value, not the largest number; the small figure is the distance from it, seed by seed.'
    : '';
  const colours = shaded
    ? 'Blue is close, orange is far, ≈ is within retraining’s own spread.'
    : 'Nothing is coloured, because nothing can be concluded.';
  const lead = html`${target} ${colours} Column names open their definitions, which also stand at the end.`;
  const columns = view.columns;
  const own = columns.flatMap(({ label, unit, steps }) =>
    steps ? `${label.toLowerCase()}: ${steps.join(', ')} ${unit}` : [],
  );
  const controls = view.rows.some((row) => row.role === 'control');
  return section(
    'compare',
    'Comparison with retraining',
    lead,
    html`<div class="scroll" role="region" aria-label="Comparison table" tabindex="0"><table class="main stack" role="table">
<thead><tr><th scope="col">Method</th>${columns.map((record) => html`<th scope="col" class="num">${term(record)}</th>`)}</tr></thead>
<tbody>${view.rows.map((row) => comparisonRow(row, columns, verdict, shaded))}</tbody></table></div>
${shaded ? html`<p class="legend" aria-hidden="true"><span class="key g0">≤ 1 point</span><span class="key g1">≤ 3</span><span class="key g2">≤ 10</span><span class="key g3">&gt; 10 points from retraining</span>${own.map((text) => html`<span class="key">${text}</span>`)}</p>` : ''}
<p class="note">± is one standard deviation over seeds${singles(view) ? '; for MIA of a single seed, over the draws of the attack’s members' : ''}.${controls ? ' A control is its method at learning rate 0: what batch-norm statistics taken on the forgotten data alone change. It is not ranked.' : ''}</p>`,
  );
}

const singles = (view: View) => view.rows.some((row) => row.summary.n === 1 && row.cells.mia.draws !== null);

function comparisonRow(row: Row, columns: readonly Shown[], verdict: Verdict, shaded: boolean): Html {
  const control = row.role === 'control';
  const flags = control ? [] : (verdict.flags[row.summary.label] ?? []);
  const tags = [
    row.role === 'retrain' ? html`<span class="tag ref">target</span>` : '',
    row.role === 'original' ? html`<span class="tag">before</span>` : '',
    control ? html`<span class="tag">control</span>` : '',
    row.role === 'method' && row.exact ? html`<span class="tag ref">exact</span>` : '',
    ...flags.map((flag) => html`<span class="tag warn" title="${flag.text}">${flag.label}</span>`),
  ];
  const seeds = row.summary.n > 1 ? `${row.summary.n} seeds` : '1 seed';
  const name = control ? html`<span class="unseen">${controlName(row)} </span>at rate 0` : row.name;
  const heated = shaded && !control;
  const cells = columns.map((record) => {
    if (record.key === 'avg_gap') return averageCell(record, row, heated);
    if (record.key === 'tow')
      return plainCell(record, row.role === 'retrain' ? '1' : number(row.tow?.mean, record.digits));
    if (record.key === 'rte_seconds')
      return plainCell(record, duration(row.seconds?.mean), row.speedup && comparedWith(row.speedup));
    return gapCell(record, row, heated);
  });
  return html`<tr role="row" class="${row.role}"><th role="rowheader" scope="row"><span class="name">${name}</span>${tags}<small>${seeds}</small></th>${cells}</tr>`;
}

const controlName = (row: Row) => row.name.replace(/ at rate 0$/, '');

function plainCell({ label }: Shown, text: string, below?: string | null | 0): Html {
  return html`<td role="cell" class="num" data-label="${label}">${text}${below ? html`<small>${below}</small>` : ''}</td>`;
}

function averageCell({ label }: Shown, row: Row, heated: boolean): Html {
  const warm = heated && row.role === 'method' && row.avgGap ? heat(row.avgGap.mean) : '';
  const over =
    row.role !== 'retrain' && row.avgGap && !row.measures.includes('mia')
      ? html`<small>UA, RA, TA</small>`
      : '';
  return html`<td role="cell" class="num strong ${warm}" data-label="${label}">${row.role === 'retrain' ? '0' : meanAndSpread(row.avgGap)}${over}</td>`;
}

function gapCell({ key, label, digits, steps }: Shown, row: Row, heated: boolean): Html {
  const cell = row.cells[key];
  const { draws } = cell;
  if (!cell.measurable) {
    const raw = `as measured, for what it is worth: ${number(cell.spread?.mean)}${draws === null ? '' : ` ± ${number(draws)} over draws of members`}${cell.spread?.std ? ` ± ${number(cell.spread.std)} over seeds` : ''}`;
    return html`<td role="cell" class="num" data-label="${label}"><abbr class="words" title="${raw}">not measurable</abbr></td>`;
  }
  const own =
    cell.spread && cell.spread.std === null && draws !== null ? { ...cell.spread, std: draws } : cell.spread;
  const title = draws === null ? null : `± ${number(draws)} over draws of members`;
  if (cell.gap === null)
    return html`<td role="cell" class="num" data-label="${label}" title="${title ?? ''}">${meanAndSpread(own, digits)}</td>`;
  const near = cell.within ? html`<abbr title="within retraining’s own spread">≈</abbr>\u00a0` : '';
  return html`<td role="cell" class="num ${heated ? heat(cell.gap, steps) : ''}" data-label="${label}" title="${title ?? ''}">${meanAndSpread(own, digits)}<small>${near}${signed(cell.gap, digits)}</small></td>`;
}

/** Mean large, spread small beside it. */
function meanAndSpread(s: Spread | null, digits?: number): Html {
  if (!s) return html`–`;
  return html`<span class="mean">${number(s.mean, digits)}</span>${s.std === null ? '' : html`<span class="std"> ± ${number(s.std, digits)}</span>`}`;
}

function heat(gap: number, [close, near, away]: readonly number[] = STEPS): string {
  const size = Math.abs(gap);
  return size <= close ? 'g0' : size <= near ? 'g1' : size <= away ? 'g2' : 'g3';
}

/** The frame of one Chart.js drawing; `summary` is what a screen reader says of it. */
function canvas(id: string, height: number, summary: string): Html {
  return html`<div class="canvas" style="height:${height}px"><canvas id="${id}" role="img" aria-label="${summary}"></canvas></div>
<noscript><p>This chart needs scripts; its numbers are in the tables.</p></noscript>`;
}

export function accuracies(view: View): Html {
  const summary = view.models
    .map(
      (row) =>
        `${row.name}: kept ${number(row.summary.metrics.acc_retain?.mean, 1)}, forgotten ${number(row.summary.metrics.acc_forget?.mean, 1)}`,
    )
    .join('; ');
  return section(
    'accuracy',
    'Accuracy on kept and forgotten data',
    'Blue bars should stay long. Orange bars should look as they do for Retrain: short when whole classes go, near test accuracy when single samples go. Whiskers are one standard deviation.',
    canvas('c-accuracy', 70 + 46 * view.models.length, `Accuracy by method, percent. ${summary}`),
  );
}

export function cost(view: View): Html {
  const rows = view.models.filter((row) => row.seconds);
  if (!rows.length) return html``;
  const summary = rows.map((row) => `${row.name}: ${duration(row.seconds?.mean)}`).join('; ');
  return section(
    'cost',
    'Cost against retraining',
    'Run time, without training the original model; the dashed line is retraining from scratch.',
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
  return view.models.flatMap((row) => {
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

export function limits(view: View, verdict: Verdict, facts: Facts): Html {
  const flagged = view.models.flatMap((row) =>
    (verdict.flags[row.summary.label] ?? []).map((flag) => `${row.name} ${flag.text}.`),
  );
  const items = [...verdict.remarks, ...flagged, ...verdict.cautions];
  const notes = facts.notes.length
    ? html`<h3>Notes on data and run</h3><ul class="limits">${facts.notes.map((item) => html`<li>${item}</li>`)}</ul>`
    : '';
  const traces = listed(
    view.metrics.flatMap(({ trace, unit, label }) =>
      trace ? `${withUnit(trace.far, unit)} (${label})` : [],
    ),
    'or',
  );
  const found = verdict.grounds.map(
    ({ holds, text }) =>
      html`<li><b>${holds === null ? 'Not checked' : holds ? 'Holds' : 'Fails'}.</b> ${text}</li>`,
  );
  return section(
    'limits',
    'Known limits and honest negatives',
    'What these results do not show, and what went wrong.',
    html`<ul class="limits">${items.map((item) => html`<li>${item}</li>`)}</ul>${notes}
<details><summary>How the verdict is made</summary>
<p>First it is asked whether anything can be concluded: the original model and retrain must have learned (RA above guessing by more than chance gives, and by ${100 * LEARNED} % of the way to 100), and the original must know the forgotten data better than retrain does. On every seed:</p>
${found.length ? html`<ol class="limits">${found}</ol>` : ''}
<p>Then the approximate method with the best grade is named, and among equals the one with the smallest average gap. “Close” is an average gap of at most ${CLOSE.gap} points and at most half of the original model’s, with none of UA, RA, TA and MIA beyond ${CLOSE.each} points and no flag; “partly” is at most ${PARTLY.gap} points; else “not close”. Methods that collapsed (more than ${COLLAPSE} points of RA lost on a seed), diverged, hardly forgot or gained nothing are not named. What lies further from retrain than ${traces} is flagged, on either side, unless retrain itself varies as much. These thresholds are ours; the table has the numbers.</p></details>`,
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
  const told = ['classes', 'command', 'commit', 'hashes', 'forget', 'kept', 'methods', 'notes'];
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
  const { version, commit } = facts;
  const made = [version && `Lethe ${version}`, commit && `commit ${commit}`].filter(Boolean).join(', ');
  return section(
    'reproduce',
    'How to reproduce',
    facts.command
      ? 'This command, with the recipe below, gives these results again on the same device.'
      : 'Save the recipe below as recipe.yaml and run:',
    html`${copied('command', html`<pre class="command" id="command" tabindex="0"><code>${facts.command ?? 'lethe run recipe.yaml --out out'}</code></pre>`)}
${made ? html`<p class="note">Made with ${made}.</p>` : ''}
${hashes}
<details><summary>Full recipe</summary>${copied('recipe', html`<pre id="recipe" tabindex="0"><code>${recipe}</code></pre>`)}</details>
${options.length ? html`<details><summary>Options of every run</summary><pre tabindex="0"><code>${options.map((run) => `${run.method} (seed ${run.seed}): ${JSON.stringify(run.options)}\n`)}</code></pre></details>` : ''}`,
  );
}

/** A block with a button that copies its text; the button shows where scripts run. */
function copied(id: string, block: Html): Html {
  return html`<div class="copied">${block}<button type="button" class="copy" data-copies="${id}" hidden>Copy</button></div>`;
}

export function definitions({ metrics }: View): Html {
  return html`<section id="definitions" aria-labelledby="h-definitions"><h2 id="h-definitions">What the columns mean</h2>
<dl class="glossary">${metrics.filter(({ column }) => column).map((d) => html`<div><dt>${d.label} <small>${titled(d)}</small></dt><dd>${d.definition} ${d.aim} <small>Source: ${d.source}.</small></dd></div>`)}</dl></section>`;
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
