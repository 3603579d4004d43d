// One report.html from one results object: no network, no second file. The page's content policy names the two scripts by
// hash, so that nothing else runs in it whatever a class or a file is called.

import { createHash } from 'node:crypto';
import type { Spread } from '../statistics/summarise.ts';
import type { Metrics, Results } from '../types.ts';
import { CHARTS } from './charts.ts';
import { CLIENT } from './client.ts';
import { entropies, predictionsSection, samples } from './exhibits.ts';
import { type Facts, factsOf, type ReportOptions } from './facts.ts';
import { duration } from './format.ts';
import { type Html, html, jsonBlock, raw } from './html.ts';
import { searchSection } from './search.ts';
import * as parts from './sections.ts';
import { STYLE } from './style.ts';
import { judge, type Verdict } from './verdict.ts';
import { type View, viewOf } from './view.ts';

/** The whole page as text. Equal results and options give equal bytes. */
export function renderReport(results: Results, options: ReportOptions = {}): string {
  const view = viewOf(results, options.metrics);
  const facts = factsOf(results, options);
  const verdict = judge(view, facts);
  const body = bodyOf(results, options, view, verdict, facts);
  const policy = [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    `script-src ${[CHARTS, CLIENT].map((script) => `'sha256-${sha256(script)}'`).join(' ')}`,
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
<script type="application/json" id="report-data">${jsonBlock(chartData(view))}</script>
<script>${raw(CHARTS)}</script>
<script>${raw(CLIENT)}</script>
</body>
</html>
`.text;
}

function bodyOf(results: Results, options: ReportOptions, view: View, verdict: Verdict, facts: Facts): Html {
  const blocks: [id: string, title: string, block: Html][] = view.rows.length
    ? [
        ['compare', 'Comparison', parts.comparison(view, verdict)],
        ['accuracy', 'Accuracy', parts.accuracies(view)],
        ['cost', 'Cost', parts.cost(view)],
        ['tradeoff', 'Trade-off', parts.tradeoff(parts.tradeoffsOf(view))],
        ['entropy', 'Certainty', entropies(view)],
        ['predictions', 'Predictions', predictionsSection(view, facts)],
        ['samples', 'Samples', options.images === false ? html`` : samples(view, facts)],
      ]
    : [];
  blocks.push(
    ['search', 'Search', searchSection(results)],
    ['limits', 'Limits', parts.limits(view, verdict, facts)],
    ['reproduce', 'Reproduce', parts.reproduce(results, facts)],
    ['machine', 'Machine', parts.machine(results)],
    ['definitions', 'Definitions', parts.definitions(view)],
  );
  const present = blocks.filter(([, , block]) => block.text !== '');
  return html`<a class="skip" href="#top">Skip to content</a>
<nav aria-label="Sections"><div><span class="brand">Lethe</span><ul>${present.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul><button type="button" id="theme" hidden>Theme</button></div></nav>
<main>
${parts.headline(view, verdict, facts, options.generated)}
${present.map(([, , block]) => block)}
<footer>Made by Lethe. This file is complete: it needs no network and sends nothing.</footer>
</main>`;
}

/** What client.ts draws. Numbers are means over seeds; null leaves a gap. */
function chartData(view: View): unknown {
  const set = (key: keyof Metrics, label: string, colour: string) => {
    const spreads = view.models.map((row): Spread | undefined => row.summary.metrics[key]);
    return {
      label,
      colour,
      values: spreads.map((s) => s?.mean ?? null),
      spread: spreads.map((s) => s?.std ?? null),
    };
  };
  const sets = [
    set('acc_retain', 'kept, train', '--retain'),
    set('acc_test_retain', 'kept, test', '--retain-2'),
    set('acc_forget', 'forgotten, train', '--forget'),
    set('acc_test_forget', 'forgotten, test', '--forget-2'),
  ].filter(({ values }) => values.some((value) => value !== null));
  const curves = parts.tradeoffsOf(view);
  return {
    accuracy: { labels: view.models.map((row) => row.name), sets },
    cost: costData(view),
    tradeoff: curves.length ? { xLabel: curves[0].xLabel, yLabel: curves[0].yLabel, curves } : null,
  };
}

/** Bars from 0 on a linear axis: their lengths are the times. The texts say what is too short to be seen. */
function costData(view: View): unknown {
  const rows = view.models.filter((row) => row.seconds && row.seconds.mean > 0);
  if (!rows.length) return null;
  const seconds = rows.map((row) => row.seconds?.mean ?? 0);
  const longest = Math.max(...seconds);
  const [unit, name] = longest >= 7200 ? [3600, 'h'] : longest >= 120 ? [60, 'min'] : [1, 's'];
  return {
    labels: rows.map((row) => row.name),
    values: seconds.map((value) => value / unit),
    unit: name,
    texts: seconds.map(duration),
    reference: rows.map((row) => row.role === 'retrain'),
    target: view.retrain?.seconds ? view.retrain.seconds.mean / unit : null,
    max: (1.1 * longest) / unit,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}
