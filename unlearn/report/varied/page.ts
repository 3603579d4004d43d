// The page of several runs: what each says, the figure, the average gaps, and where each has its own report. Style, scripts and
// charts are those of every report.

import { stringify } from 'yaml';
import { metrics } from '../../metrics/index.ts';
import { counted } from '../../text.ts';
import type { Results, VariedFigure, VariedResults, VariedRun } from '../../types.ts';
import type { TableCell } from '../columns.ts';
import { heat, meanAndSpread } from '../compare.ts';
import { dataOf, packed } from '../data.ts';
import type { Lines } from '../drawings.ts';
import { factsOf, text } from '../facts.ts';
import { count, duration, listed, spread } from '../format.ts';
import { type Html, html } from '../html.ts';
import { canvas, copied, definitions, section } from '../sections.ts';
import { framed, shell } from '../shell.ts';
import { judge } from '../verdict.ts';
import { type Shown, viewOf } from '../view.ts';
import { chartsOf } from './charts.ts';
import { answerOf, MEASURED, rowsOf, type VariedRow } from './digest.ts';

const NONE: Results = { version: 1, recipe: {}, device: {}, environment: {}, runs: [] };

/** The whole page as text. Equal results give equal bytes. */
export function renderVaried(varied: VariedResults): string {
  const rows = rowsOf(varied);
  const charts = chartsOf(varied, rows);
  const records = MEASURED.map((key) => metrics[key]) as readonly Shown[];
  const body = framed(headline(varied, rows), [
    ['runs', 'Runs', answers(varied)],
    ...(charts.length > 0 ? ([['figures', 'Figures', figures(varied, charts, rows)]] as const) : []),
    ...(rows.length > 0
      ? ([
          ['gaps', 'Average gaps', gaps(varied, rows)],
          ['numbers', 'Numbers', numbers(varied, rows)],
        ] as const)
      : []),
    ['reproduce', 'Reproduce', reproduce(varied)],
    ['definitions', 'Definitions', definitions({ metrics: records, audits: [] })],
  ]);
  const view = viewOf(NONE);
  // What the script draws besides is of one run: there is none of it.
  const data = {
    ...dataOf(NONE, view, judge(view, factsOf(NONE))),
    table: tableOf(varied, rows),
    curves: charts,
  };
  return shell(titleOf(varied), body, data);
}

const titleOf = ({ recipe, about }: VariedResults) => `${text(recipe.name) ?? 'Several runs'}: ${about}`;
const reportOf = ({ label }: VariedRun) => `${encodeURIComponent(label)}/report.html`;

function headline(varied: VariedResults, rows: readonly VariedRow[]): Html {
  const { recipe, runs } = varied;
  const seeds = Array.isArray(recipe.seeds) ? recipe.seeds.length : 0;
  const methods = rows.filter(({ role }) => role === 'method').length;
  const meta = [
    counted(runs.length, 'run'),
    ...(seeds > 0 ? [counted(seeds, 'seed')] : []),
    counted(methods, 'method'),
    ...(text(recipe.description) ? [text(recipe.description)] : []),
  ];
  return html`<header class="top" id="top">
<p class="kicker">Machine unlearning report, several runs</p>
<h1>${titleOf(varied)}</h1>
<p class="verdict">${answerOf(varied)}</p>
<p class="meta">${meta.map((item) => html`<span>${item}</span>`)}</p>
</header>`;
}

/** What may be concluded from each run by itself. */
function answers({ about, runs }: VariedResults): Html {
  const said = runs.map((run) => {
    const { label, title, forgotten, verdict } = run;
    if (!verdict) return html`<h3>${label}</h3><p class="certainty">Not made yet.</p>`;
    const what = [title, forgotten === null ? null : `${count(forgotten)} training images`].filter(Boolean);
    return html`<h3><a href="${reportOf(run)}">${label}</a> <span class="grade ${verdict.grade}">${verdict.badge}</span></h3>
<p>${verdict.headline}</p><p class="certainty">${verdict.certainty ? `${verdict.certainty} ` : ''}${what.join(', ')}.</p>`;
  });
  return section(
    'runs',
    'What each run says',
    html`By ${about}. Each is judged by itself, against its own retrain; its name leads to its own report.`,
    html`${said}`,
  );
}

function figures({ about, runs }: VariedResults, charts: readonly Lines[], rows: readonly VariedRow[]): Html {
  const voids = runs.filter(({ verdict }) => verdict?.grade === 'void').map(({ label }) => label);
  const frames = charts.map(
    ({ title, x, y, lines, ticks }, i) =>
      html`<figure class="chart"><figcaption>${title}</figcaption>${canvas(`c-curve-${i}`, 280, `${y} over ${x}. ${lines.map(({ m, points }) => `${rows[m].name}: ${points.map(([at, value]) => `${value.toFixed(1)} at ${nearest(ticks ?? [], at)}`).join(', ')}`).join('; ')}`)}</figure>`,
  );
  return section(
    'figures',
    `Over ${about}`,
    html`Means over seeds, whiskers one standard deviation. Dashed is Retrain, dotted the Original: they vary too, and a method has to follow Retrain.${voids.length ? ` No average gap is drawn where nothing can be concluded: ${listed(voids)}.` : ''}`,
    html`<div class="panels charts">${frames}</div>`,
  );
}

const nearest = (ticks: NonNullable<Lines['ticks']>, at: number): string =>
  [...ticks].sort((a, b) => Math.abs(a[0] - at) - Math.abs(b[0] - at))[0]?.[1] ?? String(at);

/** Average gaps; the rows that are ticked are those that the charts show. */
function gaps({ runs }: VariedResults, rows: readonly VariedRow[]): Html {
  const cell = ({ role, models }: VariedRow, i: number): Html => {
    const { label } = runs[i];
    const figure = models[i]?.figures.avg_gap;
    const td = (warm: string, inner: Html | string) =>
      html`<td role="cell" class="num ${warm}" data-label="${label}">${inner}</td>`;
    if (role === 'retrain' && models[i]) return td('', '0');
    if (!figure) return td('', '–');
    if (figure.measurable === false)
      return td(
        '',
        html`<abbr class="words" title="as measured, for what it is worth: ${spread(figure)}">not measurable</abbr>`,
      );
    return td(role === 'method' ? heat(figure.mean) : '', meanAndSpread(figure));
  };
  const lines = rows.map(
    (row, r) =>
      html`<tr role="row" class="${row.role}" data-r="${r}"><th role="rowheader" scope="row">${row.role === 'method' ? html`<input type="checkbox" class="tick" hidden aria-label="Show ${row.name} in the charts">` : ''}<span class="name">${row.name}</span></th>${runs.map((_, i) => cell(row, i))}</tr>`,
  );
  const columns = runs.map(
    (run, c) =>
      html`<th scope="col" class="num"><a href="${reportOf(run)}">${run.label}</a><button type="button" class="sort" data-sort="${c}" hidden aria-label="Sort by ${run.label}"></button></th>`,
  );
  return section(
    'gaps',
    'Average gaps',
    'Points from the retrain of the same run and seed, over UA, RA, TA and MIA where that is measurable; ± is one standard deviation over seeds. Where the verdict of a run is that nothing can be concluded, a gap says nothing.',
    html`<div class="tools" id="tools" hidden>
<label>Filter <input type="search" id="t-text" placeholder="method" autocomplete="off"></label>
<label hidden>Flags <select id="t-flag"><option value="">any</option></select></label>
<label>Sort <select id="t-sort"><option value="">recipe</option><option value="name">Method</option>${runs.map((run) => html`<option value="${keyOf(run)}">${run.label}</option>`)}</select></label>
<button type="button" id="t-clear">Reset</button>
<span id="t-said" role="status"></span>
</div>
<p class="note choose" id="t-how" hidden>Rows that are ticked are what the figures show, beside Original and Retrain. The address of the page keeps all of this.</p>
<div class="scroll" role="region" aria-label="Average gaps" tabindex="0"><table class="main stack" role="table">
<thead><tr><th scope="col">Method</th>${columns}</tr></thead><tbody>${lines}</tbody></table></div>
<p class="legend" aria-hidden="true"><span class="key g0">≤ 1 point</span><span class="key g1">≤ 3</span><span class="key g2">≤ 10</span><span class="key g3">&gt; 10 points from retraining</span></p>`,
  );
}

/** A label may be any word, and columns have keys of their own. */
const keyOf = ({ label }: VariedRun) => `run.${label}`;

/** The same for the page's script. */
function tableOf({ runs }: VariedResults, rows: readonly VariedRow[]) {
  return packed({
    columns: runs.map((run) => ({ key: keyOf(run), label: run.label, unit: 'points' })),
    rows: rows.map(({ name, role, models }) => ({
      method: name,
      role,
      seeds: Math.max(0, ...models.flatMap((model) => Object.values(model?.figures ?? {}).map(({ n }) => n))),
      flags: [],
      cells: Object.fromEntries(
        runs.flatMap((run, i) => {
          const figure = models[i]?.figures.avg_gap;
          return figure ? [[keyOf(run), cellOf(figure)] as const] : [];
        }),
      ),
    })),
  });
}

const cellOf = ({ mean, std, measurable }: VariedFigure): TableCell => ({
  mean,
  ...(std !== null && { std }),
  ...(measurable === false && { measurable }),
});

/** All numbers of the figures, for those who do not see them. */
function numbers({ runs }: VariedResults, rows: readonly VariedRow[]): Html {
  const heads = MEASURED.map((key) => html`<th scope="col" class="num">${metrics[key].label}</th>`);
  const told = (key: (typeof MEASURED)[number], figure: VariedFigure | undefined) => {
    if (figure?.measurable === false) return 'not measurable';
    return key === 'rte_seconds' ? duration(figure?.mean) : spread(figure);
  };
  const lines = runs.flatMap((run, i) =>
    rows.flatMap(({ name, models }) => {
      const model = models[i];
      return model
        ? [
            html`<tr><th scope="row">${run.label}</th><td>${name}</td>${MEASURED.map((key) => html`<td class="num">${told(key, model.figures[key])}</td>`)}</tr>`,
          ]
        : [];
    }),
  );
  return section(
    'numbers',
    'The numbers of the figures',
    'Means over seeds; ± is one standard deviation. All runs of all seeds stand in the results of each run.',
    html`<details><summary>Table</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers of the figures"><table>
<thead><tr><th scope="col">Run</th><th scope="col">Method</th>${heads}</tr></thead><tbody>${lines}</tbody></table></div></details>`,
  );
}

function reproduce({ recipe }: VariedResults): Html {
  const shown = stringify(JSON.parse(JSON.stringify(recipe)), { aliasDuplicateObjects: false });
  return section(
    'reproduce',
    'How to reproduce',
    'Save the recipe below as recipe.yaml and run:',
    html`${copied('command', html`<pre class="command" id="command" tabindex="0"><code>lethe run recipe.yaml --out out</code></pre>`)}
<details><summary>Full recipe</summary>${copied('recipe', html`<pre id="recipe" tabindex="0"><code>${shown}</code></pre>`)}</details>`,
  );
}
