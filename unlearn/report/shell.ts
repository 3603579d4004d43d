// What every page has: head, navigation, style and scripts. The page's content policy names its script, and the one that it
// unpacks, by hash, so that nothing else runs in it whatever a class or a file is called.

import { createHash } from 'node:crypto';
import { CHARTS, SCRIPT } from './charts.ts';
import type { PageData } from './data.ts';
import { type Html, html, jsonBlock, raw } from './html.ts';
import { PACKED_CHARTS, packedData } from './pack.ts';
import { STYLE } from './style.ts';

/** A whole page as text; `rest`: the panels that were taken out of the body (pack.ts). */
export function shell(
  title: string,
  body: Html,
  { table, ...drawings }: PageData,
  rest: readonly string[] = [],
): string {
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
<title>${title} – Lethe</title>
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

/** A block of a page under its id, with its name in the navigation. */
type Block = readonly [id: string, title: string, block: Html];

/** Navigation, headline and blocks. */
export function framed(headline: Html, blocks: readonly Block[]): Html {
  return html`<a class="skip" href="#top">Skip to content</a>
<nav aria-label="Sections"><div><span class="brand">Lethe</span><ul>${blocks.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul><button type="button" id="theme" hidden>Theme</button></div></nav>
<main>
${headline}
${blocks.map(([, , block]) => block)}
<footer>Made by Lethe. This file is complete: it needs no network and sends nothing.</footer>
</main>`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}
