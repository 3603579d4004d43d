// What of the page only its script brings to view stands in it compressed: Chart.js, the data of the drawings, and the panels of
// rows that are not shown at first. Without scripts the rest says what there is to say.

import { deflateRawSync } from 'node:zlib';
import { CHARTS } from './charts.ts';
import { FEW } from './client/state.ts';
import { Html, html, jsonBlock } from './html.ts';
import type { View } from './view.ts';

/** Panels and rows of one model: those of other rows are not inside each other, and no text has a tag in it. */
const ONE_MODEL = /<(figure|tr)\b([^>]*? data-m="(\d+)"[^>]*)>(.*?)<\/\1>/gs;

/** Methods whose panels stand packed: those that are not shown at first, as client/state.ts chooses. */
const hiddenIn = ({ rows }: View): number[] => {
  const methods = rows.flatMap(({ role }, m) => (role === 'method' ? [m] : []));
  return methods.length > FEW + 2 ? methods.slice(FEW) : [];
};

/** What a reader without scripts has to know. */
export const withoutScripts = (view: View): Html =>
  hiddenIn(view).length
    ? html`<noscript><p class="remark">Without scripts the sections below the comparison show the original, retrain and the first ${FEW} methods; the tables have all.</p></noscript>`
    : html``;

/** The markup without the panels of methods that are not shown at first, and what was taken out. */
export function split(body: Html, view: View): { readonly body: Html; readonly rest: readonly string[] } {
  const hidden = new Set(hiddenIn(view));
  if (!hidden.size) return { body, rest: [] };
  const rest: string[] = [];
  const text = body.text.replace(
    ONE_MODEL,
    (whole, tag: string, attributes: string, m: string, inner: string) => {
      if (!hidden.has(Number(m))) return whole;
      return `<${tag}${attributes} data-later="${rest.push(inner) - 1}" hidden></${tag}>`;
    },
  );
  return { body: new Html(text), rest };
}

/** As base64; client/unpack.ts reads it. */
const packed = (text: string): string => deflateRawSync(text, { level: 9 }).toString('base64');

/** Chart.js. */
export const PACKED_CHARTS = packed(CHARTS);

/** The data of the drawings, its names cleaned as they are in markup, and the panels. */
export const packedData = (drawings: object, rest: readonly string[]): string =>
  packed(`{"drawings":${jsonBlock(drawings)},"rest":${JSON.stringify(rest)}}`);
