// The comparison: one row a model, first the measures of the outputs, then what audits found, then time and the rest. Without
// scripts it is a plain table; with them its rows are sorted, filtered and chosen (client/state.ts).

import type { Interval } from '../statistics/interval.ts';
import type { Spread } from '../statistics/summarise.ts';
import type { AuditCell } from './audits.ts';
import { type AuditedColumn, type Column, columnsOf } from './columns.ts';
import { comparedWith, interval, number, signed, titled } from './format.ts';
import { type Html, html } from './html.ts';
import { HOLDING, LIKE_RETRAIN, STEPS } from './rules.ts';
import { section } from './sections.ts';
import type { Verdict } from './verdict.ts';
import { type Row, type Shown, timeOf, type View } from './view.ts';

/** Scores from which a cell counts as near, away and far. */
const SCORES = [LIKE_RETRAIN, HOLDING.score, 0.8] as const;
/** A column's name that explains itself: a button that opens its definition (hover, focus, click; no script needed for click). */
function term(column: Column, c: number): Html {
  // The label of an audit may be any text.
  const id = 'metric' in column ? `def-${column.key}` : `def-audit-${c}`;
  const [title, ...said] =
    'metric' in column
      ? [
          titled(column.metric),
          column.metric.definition,
          column.metric.aim,
          `Source: ${column.metric.source}`,
        ]
      : [
          `${column.audit.title}${column.figure.unit ? `, ${column.figure.unit}` : ''}`,
          column.audit.record?.definition ?? 'An audit that these records do not describe.',
          column.figure.about,
          column.audit.record ? `Source: ${column.audit.record.source}` : '',
        ];
  return html`<button type="button" class="term" popovertarget="${id}" aria-describedby="${id}">${column.label}</button>
<div popover class="def" id="${id}" role="tooltip"><b>${title}</b>${said.map((text) => text && html`<span>${text}</span>`)}</div>`;
}

export function comparison(view: View, verdict: Verdict): Html {
  const shaded = verdict.grade !== 'void';
  const columns = columnsOf(view);
  const audited = view.audits.length > 0;
  const target = view.retrain
    ? 'The target is the retrained model’s value, not the largest number; the small figure is the distance from it, seed by seed.'
    : '';
  const colours = shaded
    ? 'Blue is close, orange is far, ≈ is within retraining’s own spread.'
    : 'Nothing is coloured, because nothing can be concluded.';
  const scores = audited
    ? ' Of an audit s is its score: 0 is like retrain, 1 like the original; without one it cannot tell these two apart here.'
    : '';
  const lead = html`${target} ${colours}${scores} Column names open their definitions, which also stand at the end.`;
  const own = columns.flatMap((column) =>
    'metric' in column && column.metric.steps
      ? `${column.label.toLowerCase()}: ${column.metric.steps.join(', ')} ${column.metric.unit}`
      : [],
  );
  const steps = audited ? [...own, `audits by s: ${SCORES.join(', ')}`] : own;
  const controls = view.rows.some((row) => row.role === 'control');
  return section(
    'compare',
    'Comparison with retraining',
    lead,
    html`${tools(view, verdict, columns)}
<div class="scroll" role="region" aria-label="Comparison table" tabindex="0"><table class="main stack" role="table">
<thead><tr><th scope="col">Method</th>${columns.map((column, c) => html`<th scope="col" class="num">${term(column, c)}<button type="button" class="sort" data-sort="${c}" hidden aria-label="Sort by ${column.label}"></button></th>`)}</tr></thead>
<tbody>${view.rows.map((row, r) => comparisonRow(row, r, view, columns, verdict, shaded))}</tbody></table></div>
${shaded ? html`<p class="legend" aria-hidden="true"><span class="key g0">≤ 1 point</span><span class="key g1">≤ 3</span><span class="key g2">≤ 10</span><span class="key g3">&gt; 10 points from retraining</span>${steps.map((text) => html`<span class="key">${text}</span>`)}</p>` : ''}
<p class="note">± is one standard deviation over seeds${singles(view) ? '; for MIA of a single seed, over the draws of the attack’s members' : ''}; “to” joins the bounds of a 95 % interval, over seeds by Student’s t where there are two or more: those of distances show on their cells.${controls ? ' A control is its method at learning rate 0: what batch-norm statistics taken on the forgotten data alone change. It is not ranked.' : ''}</p>`,
  );
}

/** Sorting, filters and choice of rows; shown where scripts run. */
function tools(view: View, verdict: Verdict, columns: readonly Column[]): Html {
  const kinds = new Map(
    Object.values(verdict.flags)
      .flat()
      .map(({ kind, label }) => [kind, label]),
  );
  return html`<div class="tools" id="tools" hidden>
<label>Filter <input type="search" id="t-text" placeholder="method" autocomplete="off"></label>
<label>Flags <select id="t-flag"><option value="">any</option><option value="none">none</option>${[...kinds].map(([kind, label]) => html`<option value="${kind}">${label}</option>`)}</select></label>
<label>Sort <select id="t-sort"><option value="">average gap</option><option value="name">Method</option>${columns.map(({ key, label }) => html`<option value="${key}">${label}</option>`)}</select></label>
<button type="button" id="t-clear">Reset</button>
<span id="t-said" role="status"></span>
</div>
<p class="note choose" id="t-how" hidden>Rows that are ticked are what the charts and panels below show${view.models.length > 2 ? ', beside Original and Retrain' : ''}. The address of the page keeps all of this.</p>`;
}

const singles = (view: View) => view.rows.some((row) => row.summary.n === 1 && row.cells.mia.draws !== null);

function comparisonRow(
  row: Row,
  r: number,
  view: View,
  columns: readonly Column[],
  verdict: Verdict,
  shaded: boolean,
): Html {
  const control = row.role === 'control';
  const flags = control ? [] : (verdict.flags[row.summary.label] ?? []);
  const tags = [
    row.role === 'retrain' ? html`<span class="tag ref">target</span>` : '',
    row.role === 'original' ? html`<span class="tag">before</span>` : '',
    control ? html`<span class="tag">control</span>` : '',
    row.role === 'method' && row.exact ? html`<span class="tag ref">exact</span>` : '',
    shaded && row.alike && !row.exact
      ? html`<span class="tag ref" title="by UA, RA, TA and MIA it cannot be told from another retrain: two of them are ${number(view.between)} points apart">as another retrain</span>`
      : '',
    ...flags.map((flag) => html`<span class="tag warn" title="${flag.text}">${flag.label}</span>`),
  ];
  const seeds = row.summary.n > 1 ? `${row.summary.n} seeds` : '1 seed';
  const name = control ? html`<span class="unseen">${controlName(row)} </span>at rate 0` : row.name;
  const heated = shaded && !control;
  const tick =
    row.role === 'method' && row.summary.runs.length
      ? html`<input type="checkbox" class="tick" hidden aria-label="Show ${row.name} in the charts">`
      : '';
  const cells = columns.map((column) => {
    if ('audit' in column) return auditCell(column, row, heated);
    const { metric } = column;
    if (metric.key === 'avg_gap') return averageCell(metric, row, heated);
    if (metric.key === 'tow')
      return plainCell(metric, row.role === 'retrain' ? '1' : number(row.tow?.mean, metric.digits));
    if (metric.key === 'rte_seconds')
      return plainCell(metric, timeOf(row), row.speedup && comparedWith(row.speedup));
    return gapCell(metric, row, heated);
  });
  return html`<tr role="row" class="${row.role}" data-r="${r}"><th role="rowheader" scope="row">${tick}<span class="name">${name}</span>${tags}<small>${seeds}</small></th>${cells}</tr>`;
}

const controlName = (row: Row) => row.name.replace(/ at rate 0$/, '');

function plainCell({ label }: Shown, text: string, below?: string | null | 0): Html {
  return html`<td role="cell" class="num" data-label="${label}">${text}${below ? html`<small>${below}</small>` : ''}</td>`;
}

function averageCell({ label }: Shown, row: Row, heated: boolean): Html {
  const warm = heated && row.role === 'method' && row.avgGap ? heat(row.avgGap.mean) : '';
  if (row.role === 'retrain') return html`<td role="cell" class="num strong" data-label="${label}">0</td>`;
  const over = row.avgGap && !row.measures.includes('mia') ? html`<small>UA, RA, TA</small>` : '';
  const bounds = row.avgInterval ? html`<small>${interval(row.avgInterval)}</small>` : '';
  return html`<td role="cell" class="num strong ${warm}" data-label="${label}">${meanAndSpread(row.avgGap)}${bounds}${over}</td>`;
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
  const title = [
    draws === null ? '' : `± ${number(draws)} over draws of members`,
    cell.gapInterval ? gapText(cell.gapInterval, digits) : '',
  ];
  const said = title.filter(Boolean).join('; ');
  const attribute = said ? html` title="${said}"` : '';
  if (cell.gap === null)
    return html`<td role="cell" class="num" data-label="${label}"${attribute}>${meanAndSpread(own, digits)}</td>`;
  return html`<td role="cell" class="num ${heated ? heat(cell.gap, steps) : ''}" data-label="${label}"${attribute}>${meanAndSpread(own, digits)}<small>${near(cell.within)}${signed(cell.gap, digits)}</small></td>`;
}

const gapText = (bounds: Interval, digits: number) => `95 %: ${interval(bounds, digits)}`;

const near = (within: boolean) =>
  within ? html`<abbr title="within retraining’s own spread">≈</abbr>\u00a0` : '';

/** Value and spread, or the audit's own interval of it; distance; score. */
function auditCell({ label, audit, figure }: AuditedColumn, row: Row, heated: boolean): Html {
  const cell: AuditCell = row.audits[audit.label][figure.key];
  const { digits } = figure;
  if (!cell.spread) {
    const run = row.summary.runs.map(({ audits }) => audits?.[audit.label]).find(Boolean);
    const why = run?.failed ?? run?.notes?.join(' ') ?? 'it was not audited';
    return html`<td role="cell" class="num" data-label="${label}"><abbr class="words" title="${why}">${run?.failed ? 'failed' : run ? 'not measurable' : '–'}</abbr></td>`;
  }
  const warm = heated && row.role === 'method' && cell.score !== null ? heat(cell.score, SCORES) : '';
  const title = cell.gapInterval ? html` title="${gapText(cell.gapInterval, digits)}"` : '';
  const bounds = cell.interval && cell.spread.n === 1 ? html`<i>${interval(cell.interval, digits)}</i>` : '';
  const gap = cell.gap === null ? '' : html`<small>${near(cell.within)}${signed(cell.gap, digits)}</small>`;
  const score =
    cell.score === null || row.role !== 'method' || !heated
      ? ''
      : html`<small>s\u00a0${number(cell.score)}</small>`;
  return html`<td role="cell" class="num ${warm}" data-label="${label}"${title}>${meanAndSpread(cell.spread, digits)}${bounds}${gap}${score}</td>`;
}

/** Mean large, spread small beside it. */
export function meanAndSpread(s: Spread | null, digits?: number): Html {
  if (!s) return html`–`;
  return html`${number(s.mean, digits)}${s.std === null ? '' : html`<i> ± ${number(s.std, digits)}</i>`}`;
}

export function heat(gap: number, [close, near, away]: readonly number[] = STEPS): string {
  const size = Math.abs(gap);
  return size <= close ? 'g0' : size <= near ? 'g1' : size <= away ? 'g2' : 'g3';
}
