// What audits found, as markup: by each audit whom it finds like retrain and whom like the original, all its numbers, and the
// attacker's view of single samples.

import type { SampleScores } from '../audits/record.ts';
import type { AuditColumn, AuditFigure } from './audits.ts';
import { meanAndSpread } from './compare.ts';
import { BROKEN } from './flags.ts';
import { duration, interval, listed, number, percent, signed } from './format.ts';
import { type Html, html, imageUri } from './html.ts';
import { ABOVE, HOLDING, LIKE_RETRAIN } from './rules.ts';
import { section } from './sections.ts';
import type { Verdict } from './verdict.ts';
import type { Row, View } from './view.ts';

/** Samples shown of each model. */
const WORST = 8;

export function auditsSection(view: View, verdict: Verdict): Html {
  if (!view.audits.length) return html``;
  const lead = html`An audit looks further than outputs on average: into the features, at single samples, or at what a little training brings back. A score s of 0 is like
retrain, 1 like the original; up to ${LIKE_RETRAIN} counts as like retrain, above ${HOLDING.score} as like the original, below 0 the method went further than retrain. An audit
says nothing where the original lies within two standard deviations of retrain over its seeds.`;
  const body = view.audits.map((column) => {
    const [figure] = column.figures;
    const tells = figure && column.tells[figure.key];
    return html`<tr role="row"><th role="rowheader" scope="row">${column.title}<small>${figure?.label ?? ''}${figure?.unit ? `, ${figure.unit}` : ''}</small></th>
<td role="cell" class="num" data-label="Retrain">${meanAndSpread(tells?.retrain ?? null, figure?.digits)}</td>
<td role="cell" class="num" data-label="Original">${meanAndSpread(tells?.original ?? null, figure?.digits)}</td>
${outcome(column, view, verdict)}</tr>`;
  });
  return section(
    'audits',
    'What the audits say',
    lead,
    html`<div class="scroll" role="region" tabindex="0" aria-label="Outcome of each audit"><table class="stack outcomes" role="table">
<thead><tr><th scope="col">Audit</th><th scope="col" class="num">Retrain</th><th scope="col" class="num">Original</th><th scope="col">Outcome</th></tr></thead><tbody>${body}</tbody></table></div>
${view.audits.map((column) => numbersOf(column, view))}`,
  );
}

function outcome({ label, figures: [figure], tells }: AuditColumn, view: View, verdict: Verdict): Html {
  const not = (why: string) =>
    html`<td role="cell" class="outcome void" data-label="Outcome"><b>Not measurable</b>: ${why}.</td>`;
  if (verdict.grade === 'void') return not('nothing can be concluded from these results');
  if (!figure) return not('it gave no number');
  const { holds, why } = tells[figure.key];
  if (!holds) return not(why ?? 'it tells nothing apart');
  const broken = ({ summary }: Row) => verdict.flags[summary.label]?.some(({ kind }) => BROKEN.has(kind));
  const scored = view.models
    .filter(({ role }) => role === 'method')
    .map((row) => ({ row, s: row.audits[label][figure.key].score }));
  const judged = scored.filter((one): one is { row: Row; s: number } => one.s !== null && !broken(one.row));
  const group = (title: string, is: (s: number) => boolean) => {
    const names = judged
      .filter(({ s }) => is(s))
      .sort((a, b) => Math.abs(a.s) - Math.abs(b.s))
      .map(({ row, s }) => `${row.name} ${number(s)}`);
    return names.length ? html`<p><b>${title}</b> ${names.join(', ')}</p>` : '';
  };
  const lost = scored.filter(({ row, s }) => s !== null && broken(row)).map(({ row }) => row.name);
  return html`<td role="cell" class="outcome" data-label="Outcome">${group('Like retrain:', (s) => Math.abs(s) <= LIKE_RETRAIN)}${group('Between:', (s) => s > LIKE_RETRAIN && s <= HOLDING.score)}${group('Like the original:', (s) => s > HOLDING.score)}${group('Further than retrain:', (s) => s < -LIKE_RETRAIN)}${lost.length ? html`<p>Not judged, as the network is broken: ${lost.join(', ')}</p>` : ''}</td>`;
}

/** All figures of an audit for all models, with how it was made and its notes. */
function numbersOf(column: AuditColumn, view: View): Html {
  const { label, title, record, figures } = column;
  const entries = view.models.flatMap((row) =>
    row.summary.runs.flatMap((run) => {
      const entry = run.audits?.[label];
      return entry ? [{ row, entry }] : [];
    }),
  );
  const seconds = entries.reduce((sum, { entry }) => sum + (entry.seconds ?? 0), 0);
  const options = Object.entries(entries[0]?.entry.options ?? {});
  const notes = new Map<string, Set<string>>();
  for (const { row, entry } of entries)
    for (const note of [...(entry.notes ?? []), ...(entry.failed ? [`failed: ${entry.failed}`] : [])])
      notes.set(note, (notes.get(note) ?? new Set()).add(row.name));
  const rows = view.models.filter(({ audits }) => figures.some(({ key }) => audits[label][key].spread));
  const facts = record && [
    ['Formula', record.formula],
    ['What fools it', record.fools],
    ['Certainty', record.certainty],
    ['Source', record.source],
  ];
  return html`<details><summary>${title}: all numbers</summary>
${record ? html`<p>${record.definition}</p>` : ''}
<div class="scroll" role="region" tabindex="0" aria-label="Numbers of ${title}"><table>
<thead><tr><th scope="col">Method</th>${figures.map(({ label, unit, about }) => html`<th scope="col" class="num" title="${about}">${label}${unit ? html`<small>${unit}</small>` : ''}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr><th scope="row">${row.name}</th>${figures.map((figure) => numberCell(row, label, figure))}</tr>`)}</tbody></table></div>
${facts ? html`<dl class="facts told">${facts.map(([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>` : ''}
<p class="note">${options.length ? `Options: ${options.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ')}. ` : ''}${duration(seconds)} for all models.</p>
${[...notes].map(([note, names]) => html`<p class="note">${names.size === view.models.length ? '' : `${listed([...names])}: `}${note}</p>`)}</details>`;
}

function numberCell({ audits }: Row, label: string, { key, digits }: AuditFigure): Html {
  const { spread, gap, gapInterval, interval: own, score } = audits[label][key];
  if (!spread) return html`<td class="num">–</td>`;
  const bounds = gapInterval ? ` (${interval(gapInterval, digits)})` : '';
  const lines = [
    own ? interval(own, digits) : '',
    gap === null ? '' : `${signed(gap, digits)}${bounds}`,
    score === null ? '' : `s ${number(score)}`,
  ];
  return html`<td class="num">${meanAndSpread(spread, digits)}${lines.map((line) => line && html`<small>${line}</small>`)}</td>`;
}

/** Scores of single samples under each model: how many lie above what few of retrain's reach, and which lie highest. */
export function attacker(view: View, images: boolean): Html {
  const found = view.audits.flatMap((column) => {
    const sets = new Map<string, SampleScores>();
    for (const row of view.models)
      for (const one of samplesOf(row, column)) sets.set(`${one.set} ${one.about}`, one);
    return [...sets].flatMap(([key, { set, about }]) => {
      const panel = attacked(view, column, key, images);
      const whose = set === 'forget' ? 'forgotten' : 'kept';
      return panel
        ? [html`<h3>${column.title}, ${whose} samples</h3><p class="note">${about}.</p>${panel}`]
        : [];
    });
  });
  if (!found.length) return html``;
  return section(
    'attacker',
    'The attacker’s view of single samples',
    html`Averages hide single samples. The threshold is what ${percent(ABOVE)} of the samples lie above under Retrain; the samples that lie highest are shown, with retrain’s number of the same sample beside it (first seed).`,
    html`${found}`,
  );
}

const samplesOf = (row: Row, { label }: AuditColumn): readonly SampleScores[] =>
  row.summary.runs[0]?.audits?.[label]?.samples ?? [];

function attacked(view: View, column: AuditColumn, key: string, images: boolean): Html | null {
  const of = (row: Row) => samplesOf(row, column).find(({ set, about }) => `${set} ${about}` === key);
  const target = view.retrain ? of(view.retrain) : undefined;
  const base = finite(target).map(([, score]) => score);
  base.sort((a, b) => b - a);
  const limit = base.length ? base[Math.floor(ABOVE * base.length)] : null;
  const references = new Map(finite(target));
  const pictures = new Map(
    view.models.flatMap((row) =>
      (row.summary.runs[0]?.exhibits?.samples ?? []).map((one) => [`${one.set} ${one.id}`, one.png]),
    ),
  );
  const rows = view.rows.flatMap((row, r) => {
    const own = of(row);
    const scores = finite(own);
    if (!own || !scores.length) return [];
    const above = limit === null ? null : scores.filter(([, score]) => score > limit).length;
    const worst = [...scores].sort((a, b) => b[1] - a[1]).slice(0, WORST);
    const chips = worst.map(([id, score]) => {
      const uri = images ? imageUri(pictures.get(`${own.set} ${id}`)) : null;
      const other = row.role === 'retrain' ? undefined : references.get(id);
      return html`<li>${uri ? html`<img src="${uri}" alt="" width="40" height="40">` : ''}<span>${number(score)}${other === undefined ? '' : html`<small>retrain ${number(other)}</small>`}<small>id ${id}</small></span></li>`;
    });
    return [
      html`<tr role="row" class="${row.role}" data-m="${r}"><th role="rowheader" scope="row">${row.name}</th><td role="cell" class="num" data-label="Above">${above === null ? '–' : html`${percent(above / scores.length, 1)}<small>${above} of ${scores.length}</small>`}</td><td role="cell" class="worst" data-label="Highest"><ol>${chips}</ol></td></tr>`,
    ];
  });
  if (!rows.length) return null;
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Scores of single samples by ${column.title}"><table class="stack attacked" role="table"><thead><tr><th scope="col">Method</th><th scope="col" class="num">Above ${limit === null ? 'threshold' : number(limit)}</th><th scope="col">Highest</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Id and score of the samples that have one. */
const finite = (scores: SampleScores | undefined): [number, number][] =>
  (scores?.ids ?? []).flatMap((id, i): [number, number][] => {
    const score = scores?.scores[i];
    return typeof score === 'number' && Number.isFinite(score) ? [[id, score]] : [];
  });
