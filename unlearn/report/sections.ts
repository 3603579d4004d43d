// The report's sections as markup: headline, charts' frames, recipe, limits. Drawing on canvas happens in
// client.ts, colours in style.ts; the numbers come from view.ts.

import { stringify } from 'yaml';
import { withUnit } from '../metrics/record.ts';
import { spreadOf } from '../statistics/summarise.ts';
import { counted } from '../text.ts';
import type { Results } from '../types.ts';
import type { Facts } from './facts.ts';
import { count, duration, listed, number, titled } from './format.ts';
import { type Html, html } from './html.ts';
import { latexOf } from './latex.ts';
import { CLOSE, COLLAPSE, HOLDING, LEARNED, MEASURABLE, PARTLY } from './rules.ts';
import type { Verdict } from './verdict.ts';
import { type Measure, type Row, timeOf, type View } from './view.ts';

/** A section with its heading; `lead` says what to look for. */
export function section(id: string, title: string, lead: Html | string, body: Html): Html {
  return html`<section id="${id}" aria-labelledby="h-${id}"><h2 id="h-${id}">${title}</h2><p class="lead">${lead}</p>${body}</section>`;
}

export function headline(view: View, verdict: Verdict, facts: Facts, generated: string | undefined): Html {
  const best = view.models.find((row) => row.summary.label === verdict.best);
  const methods = view.models.filter((row) => row.role === 'method');
  const meta = [
    facts.size === null ? null : `${count(facts.size)} training images forgotten`,
    facts.model,
    `${view.seeds.length} ${view.seeds.length === 1 ? 'seed' : 'seeds'}`,
    counted(methods.length, methods.some(({ given }) => given) ? 'given model' : 'method'),
    generated,
  ].filter((item): item is string => Boolean(item));
  return html`<header class="top" id="top">
<p class="kicker">Machine unlearning report</p>
<h1>${facts.title}</h1>
<p class="verdict">${emphasised(verdict.headline, best?.name)} <span class="grade ${verdict.grade}">${verdict.badge}</span></p>
${verdict.certainty ? html`<p class="certainty">${verdict.certainty}</p>` : ''}
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
<div class="tile"><dt>Time</dt><dd>${best.seconds ? html`<b>${timeOf(best)}</b>` : html`<b class="words">${timeOf(best)}</b>`}<span>retrain ${timeOf(retrain)}</span></dd></div>
</dl>`;
}

/** The frame of one Chart.js drawing; `summary` is what a screen reader says of it. */
export function canvas(id: string, height: number, summary: string): Html {
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
<tbody>${rows.map((row) => html`<tr data-m="${view.rows.indexOf(row)}"><th scope="row">${row.name}</th><td role="cell" class="num">${duration(row.seconds?.mean)}</td><td role="cell" class="num">${count(row.summary.cost.gradientSteps.mean)}</td><td role="cell" class="num">${count(row.summary.cost.samplesVisited.mean)}</td></tr>`)}</tbody></table></div></details>`,
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
<p>First it is asked whether anything can be concluded: the original model and retrain must have learned (RA above guessing by more than chance gives, and by ${100 * LEARNED} % of the way to 100), and the original must know the forgotten data better than retrain does, each on every seed; and by average gap the original must lie more than ${MEASURABLE} points from retrain, and further than retrained models of different seeds lie from each other, else nothing is measurable and no method is named:</p>
${found.length ? html`<ol class="limits">${found}</ol>` : ''}
<p>Then the approximate method with the best grade is named, and among equals the one with the smallest average gap. “Close” is an average gap of at most ${CLOSE.gap} points and at most half of the original model’s, with none of UA, RA, TA and MIA beyond ${CLOSE.each} points and no flag; “partly” is at most ${PARTLY.gap} points; else “not close”. Methods that collapsed (more than ${COLLAPSE} points of RA lost on a seed), diverged, hardly forgot or gained nothing are not named. A method that ${listed([...HOLDING.audits], 'or')} scores above ${HOLDING.score} is not called close: the information is still there. What lies further from retrain than ${traces} is flagged, on either side, unless retrain itself varies as much. These thresholds are ours; the table has the numbers.</p></details>`,
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

/** The comparison for other programs: LaTeX as text, CSV and JSON made by the page's script. */
export function tables(view: View): Html {
  return section(
    'tables',
    'The table for other programs',
    'CSV and JSON are of the rows as they are sorted and filtered above. The command lethe report writes them from results.json too, CSV with a line for each run.',
    html`<p class="copies"><button type="button" class="copy" data-makes="csv" hidden>Copy CSV</button> <button type="button" class="copy" data-makes="json" hidden>Copy JSON</button></p>
<pre id="made" tabindex="0" hidden></pre>
<details><summary>LaTeX</summary>${copied('latex', html`<pre id="latex" tabindex="0"><code>${latexOf(view)}</code></pre>`)}</details>`,
  );
}

/** A block with a button that copies its text; the button shows where scripts run. */
export function copied(id: string, block: Html): Html {
  return html`<div class="copied">${block}<button type="button" class="copy" data-copies="${id}" hidden>Copy</button></div>`;
}

export function definitions({ metrics, audits }: Pick<View, 'metrics' | 'audits'>): Html {
  return html`<section id="definitions" aria-labelledby="h-definitions"><h2 id="h-definitions">What the columns mean</h2>
<dl class="glossary">${metrics.filter(({ column }) => column).map((d) => html`<div><dt>${d.label} <small>${titled(d)}</small></dt><dd>${d.definition} ${d.aim} <small>Source: ${d.source}.</small></dd></div>`)}${audits.map(({ title, record, figures }) => html`<div><dt>${figures[0]?.label ?? title} <small>${title}</small></dt><dd>${record?.definition ?? 'An audit of your own.'} ${figures[0]?.about ?? ''} ${record ? html`<small>Source: ${record.source}.</small>` : ''}</dd></div>`)}</dl></section>`;
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
