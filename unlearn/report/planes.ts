// A slice of each model's decision regions: the plane through three images, every point of it one answer of the network. Here
// are the shares on which models agree, the frames and the data; client/pictures.ts draws the planes.

import { agreement, fromRuns } from '../statistics/plane.ts';
import { spreadOf } from '../statistics/summarise.ts';
import type { Exhibits, RunEntry } from '../types.ts';
import { className, type Facts } from './facts.ts';
import { number, percent } from './format.ts';
import { type Html, html, imageUri } from './html.ts';
import { LETTERS } from './letters.ts';
import { section } from './sections.ts';
import type { Row, View } from './view.ts';

/** Colours: classes that fill less of the planes than these share a grey. */
const COLOURS = 8;
const NAMES = ['A', 'B', 'C'];

type Plane = NonNullable<Exhibits['plane']>;

interface Sliced {
  readonly row: Row;
  readonly m: number;
  /** Class at each point. */
  readonly classes: Int32Array;
  /** Share of the points with the same class as under the original, 0 to 1; null where there is none. */
  readonly toOriginal: number | null;
  /** And as under retrain. */
  readonly toRetrain: number | null;
}

/** The planes of the first seed. */
export interface Slices {
  readonly plane: Plane;
  readonly models: readonly Sliced[];
  /** Classes with a colour of their own: by size, but for that of the forgotten image, which is the second. */
  readonly coloured: readonly number[];
  /** There are others. */
  readonly more: boolean;
  /** Mean agreement of the retrains of different seeds on the same plane; null where there is one. */
  readonly between: { readonly share: number; readonly pairs: number } | null;
}

const planeOf = (run: RunEntry | undefined): Plane | undefined => run?.exhibits?.plane;
/** What has to be the same for planes to be compared. */
const frameOf = ({ side, images }: Plane): string =>
  JSON.stringify([side, images.map(({ id, set, x, y }) => [id, set, x, y])]);

/** Null where no model has a plane. */
export function slicesOf({ rows, models, original, retrain }: View): Slices | null {
  const plane = models.map((row) => planeOf(row.summary.runs[0])).find(Boolean);
  if (!plane) return null;
  const same = (run: RunEntry | undefined): Int32Array | null => {
    const found = planeOf(run);
    return found && frameOf(found) === frameOf(plane) ? fromRuns(found.classes) : null;
  };
  const [before, target] = [original, retrain].map((row) => same(row?.summary.runs[0]));
  const found = models.flatMap((row): Sliced[] => {
    const classes = same(row.summary.runs[0]);
    if (!classes) return [];
    const toOriginal = before ? agreement(classes, before) : null;
    const toRetrain = target ? agreement(classes, target) : null;
    return [{ row, m: rows.indexOf(row), classes, toOriginal, toRetrain }];
  });
  const sizes = new Map<number, number>();
  for (const { classes } of found) for (const k of classes) if (k >= 0) sizes.set(k, (sizes.get(k) ?? 0) + 1);
  const all = [...sizes].sort(([a, m], [b, n]) => n - m || a - b).map(([k]) => k);
  // The class of the forgotten image in orange, as what is forgotten is in the rest of the page.
  const gone = all.indexOf(plane.images[0].label);
  if (gone >= 0) all.splice(1, 0, ...all.splice(gone, 1));
  const retrains = (retrain?.summary.runs ?? []).flatMap((run) => {
    const classes = same(run);
    return classes ? [classes] : [];
  });
  const pairs = retrains.flatMap((a, i) => retrains.slice(0, i).map((b) => agreement(a, b)));
  const share = spreadOf(pairs)?.mean;
  return {
    plane,
    models: found,
    coloured: all.slice(0, COLOURS),
    more: all.length > COLOURS,
    between: share === undefined ? null : { share, pairs: pairs.length },
  };
}

/** What client/ draws: a letter for the colour and one for how many points it goes on, 64 at most. */
export const sliceData = ({ plane, models, coloured }: Slices) => ({
  side: plane.side,
  marks: plane.images.map(({ x, y }, i) => [NAMES[i], x, y] as const),
  models: models.map(({ m, classes }) => ({ m, runs: written(classes, coloured) })),
});

/** 0 to 7: a colour; 8: another class; 9: no answer. */
function written(classes: Int32Array, coloured: readonly number[]): string {
  let text = '';
  const colour = (k: number) => (k < 0 ? COLOURS + 1 : coloured.includes(k) ? coloured.indexOf(k) : COLOURS);
  for (let i = 0; i < classes.length; ) {
    let count = 1;
    while (count < LETTERS.length && i + count < classes.length && classes[i + count] === classes[i]) count++;
    text += LETTERS[colour(classes[i])] + LETTERS[count - 1];
    i += count;
  }
  return text;
}

export function planesSection(slices: Slices | null, facts: Facts, images: boolean): Html {
  if (!slices) return html``;
  const { plane, models, coloured, more, between } = slices;
  const name = (k: number) => className(facts.classes, k);
  const shares = ({ row, toRetrain, toOriginal }: Sliced) =>
    [
      row.role === 'retrain' || toRetrain === null ? '' : `${percent(toRetrain)} as Retrain`,
      row.role === 'original' || toOriginal === null ? '' : `${percent(toOriginal)} as Original`,
    ].filter(Boolean);
  const panels = models.map((one) => {
    const said = shares(one);
    return html`<figure data-m="${one.m}"><figcaption>${one.row.name}</figcaption><canvas class="cloud" data-plane="${one.m}" role="img" aria-label="Decisions of ${one.row.name} on the plane${said.length ? `: ${said.join(', ')}` : ''}"></canvas><small>${said.join(', ')}</small></figure>`;
  });
  const keys = coloured.map((k, i) => html`<li><i style="background:var(--c${i})"></i>${name(k)}</li>`);
  const corners = plane.images.map(({ id, set, label, png }, i) => {
    const uri = images ? imageUri(png) : null;
    return html`<li>${uri ? html`<img src="${uri}" alt="" width="40" height="40">` : ''}<span><b>${NAMES[i]}</b> ${name(label)}<small>${set === 'forget' ? 'forgotten' : 'kept'}, id ${id}</small></span></li>`;
  });
  const floor = between
    ? `Two retrains of different seeds agree on ${percent(between.share)} of it (mean of ${between.pairs} ${between.pairs === 1 ? 'pair' : 'pairs'}): a method that agrees with Retrain as much cannot be told from another retrain here.`
    : 'How far two retrains agree is not known here: it takes several seeds.';
  return section(
    'planes',
    'A slice of the decisions',
    html`Each point is a mixture of the images A, B and C, and its colour the class that the network answers (${number(plane.side ** 2, 0)} answers a model, first seed). This is one plane of very many: models that agree here may differ elsewhere, and the other way round.`,
    html`<ul class="corners">${corners}</ul><ul class="swatches">${keys}${more ? html`<li><i style="background:var(--soft)"></i>other classes</li>` : ''}</ul>
<div class="panels clouds planes">${panels}</div>
<p class="note">${floor}</p>
<p class="note">The plane is drawn as by Somepalli et al. (“Can Neural Nets Learn the Same Model Twice?”, CVPR 2022) and their code: through three images, a tenth beyond them, both axes stretched to the frame. Ours: A is the first forgotten sample shown, B and C the kept images nearest to it in pixels, of the two nearest other classes, so that no model chooses; and mixtures are rounded to whole bytes between 0 and 255.</p>`,
  );
}
