// One report.html from one results object: no network, no second file. The page's content policy names its script, and the
// one that it unpacks, by hash, so that nothing else runs in it whatever a class or a file is called.

import { createHash } from 'node:crypto';
import type { Results } from '../types.ts';
import { attentionSection, looksOf } from './attention.ts';
import { CHARTS, SCRIPT } from './charts.ts';
import { classes } from './classes.ts';
import { comparison } from './compare.ts';
import { type Drawings, dataOf, type Pictures } from './data.ts';
import { curves, embeddings, losses } from './drawings.ts';
import { attacker, auditsSection } from './evidence.ts';
import { entropies, predictionsSection, samples } from './exhibits.ts';
import { type Facts, factsOf, type ReportOptions } from './facts.ts';
import { type Html, html, jsonBlock, raw } from './html.ts';
import { judgingSection } from './judging.ts';
import { PACKED_CHARTS, packedData, split, withoutScripts } from './pack.ts';
import { planesSection, slicesOf } from './planes.ts';
import { searchSection } from './search.ts';
import * as parts from './sections.ts';
import { seedsSection } from './seeds.ts';
import { STYLE } from './style.ts';
import { sweeps } from './sweeps.ts';
import { judge, type Verdict } from './verdict.ts';
import { type View, viewOf } from './view.ts';

/** The whole page as text. Equal results and options give equal bytes. */
export function renderReport(results: Results, options: ReportOptions = {}): string {
  const view = viewOf(results, options.metrics, options.audits);
  const facts = factsOf(results, options);
  const verdict = judge(view, facts);
  const pictures = { looks: options.images === false ? null : looksOf(view), slices: slicesOf(view) };
  const { table, ...drawings } = dataOf(results, view, verdict, pictures);
  const { body, rest } = split(bodyOf(results, options, view, verdict, facts, drawings, pictures), view);
  const policy = [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    `script-src ${[CHARTS, SCRIPT].map((script) => `'sha256-${sha256(script)}'`).join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${facts.title} – Lethe</title>
<style>${raw(STYLE)}</style>
</head>
<body>
${body}
<script type="application/json" id="report-data">${jsonBlock({ table })}</script>
<script type="text/plain" id="packed-charts">${raw(PACKED_CHARTS)}</script>
<script type="text/plain" id="packed-data">${raw(packedData(drawings, rest))}</script>
<script>${raw(SCRIPT)}</script>
</body>
</html>
`.text;
}

function bodyOf(
  results: Results,
  options: ReportOptions,
  view: View,
  verdict: Verdict,
  facts: Facts,
  data: Drawings,
  pictures: Pictures,
): Html {
  const images = options.images !== false;
  const blocks: [id: string, title: string, block: Html][] = view.rows.length
    ? [
        ['compare', 'Comparison', comparison(view, verdict)],
        ['audits', 'Audits', auditsSection(view, verdict)],
        ['judging', 'Which number', judgingSection(results, view)],
        ['accuracy', 'Accuracy', parts.accuracies(view)],
        ['classes', 'Classes', classes(view, facts)],
        ['predictions', 'Predictions', predictionsSection(view, facts)],
        ['entropy', 'Certainty', entropies(view)],
        ['curves', 'Curves', curves(data.curves)],
        ['attacker', 'Attacker', attacker(view, images)],
        ['embedding', 'Features', embeddings(view, data.clouds, facts)],
        ['planes', 'Decisions', planesSection(pictures.slices, facts, images)],
        ['samples', 'Samples', images ? samples(view, facts) : html``],
        ['attention', 'Attention', attentionSection(pictures.looks, facts)],
        ['losses', 'Losses', losses(data.losses)],
        ['cost', 'Cost', parts.cost(view)],
        ['sweeps', 'Options', sweeps(data.sweeps)],
        ['seeds', 'Seeds', seedsSection(view)],
      ]
    : [];
  blocks.push(
    ['search', 'Search', searchSection(results)],
    ['limits', 'Limits', parts.limits(view, verdict, facts)],
    ['tables', 'Tables', view.rows.length ? parts.tables(view) : html``],
    ['reproduce', 'Reproduce', parts.reproduce(results, facts)],
    ['machine', 'Machine', parts.machine(results)],
    ['definitions', 'Definitions', parts.definitions(view)],
  );
  const present = blocks.filter(([, , block]) => block.text !== '');
  return html`<a class="skip" href="#top">Skip to content</a>
<nav aria-label="Sections"><div><span class="brand">Lethe</span><ul>${present.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul><button type="button" id="theme" hidden>Theme</button></div></nav>
<main>
${parts.headline(view, verdict, facts, options.generated)}
${withoutScripts(view)}
${present.map(([, , block]) => block)}
<footer>Made by Lethe. This file is complete: it needs no network and sends nothing.</footer>
</main>`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}
