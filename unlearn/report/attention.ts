// Attention before and after: Grad-CAM maps of a few samples under each model, beside the original's and retrain's, and how
// alike they are. Here are the numbers, the frames and the data; client/pictures.ts draws the maps over the images.

import { correlation } from '../statistics/correlation.ts';
import { spreadOf } from '../statistics/summarise.ts';
import type { Exhibits, RunEntry } from '../types.ts';
import { className, type Facts } from './facts.ts';
import { listed, number } from './format.ts';
import { type Html, html, imageUri } from './html.ts';
import { LETTERS } from './letters.ts';
import { section } from './sections.ts';
import type { Row, View } from './view.ts';

/** Samples of each set that are drawn. The numbers are of all that were kept. */
const DRAWN = 3;

type Attention = NonNullable<Exhibits['attention']>;
type Sample = Exhibits['samples'][number];
type Likeness = number | null;

/** A model's maps, and how alike they are to the original's and to retrain's, sample by sample; null for itself. */
interface Looked {
  readonly row: Row;
  readonly m: number;
  readonly maps: readonly Uint8Array[];
  readonly toOriginal: readonly Likeness[] | null;
  readonly toRetrain: readonly Likeness[] | null;
}

/** The maps of the first seed. */
export interface Looks {
  readonly layer: string;
  readonly size: readonly [height: number, width: number];
  /** Of each map whose it is. */
  readonly sets: readonly ('forget' | 'retain')[];
  /** The samples drawn, and which map is of each. */
  readonly samples: readonly { readonly at: number; readonly sample: Sample; readonly uri: string }[];
  readonly models: readonly Looked[];
  /** Retrains of other seeds with the same samples: mean likeness of their maps, by set; null where there are none. */
  readonly between: { readonly forget: Likeness; readonly retain: Likeness; readonly pairs: number } | null;
}

const attentionOf = (run: RunEntry | undefined): Attention | undefined => run?.exhibits?.attention;
const bytesOf = ({ maps }: Attention): Uint8Array[] =>
  maps.map(({ map }) => Uint8Array.from(atob(map), (sign) => sign.charCodeAt(0)));
/** What has to be the same for maps to be compared. */
const frameOf = ({ height, width, maps }: Attention): string =>
  JSON.stringify([height, width, maps.map(({ id, set }) => [set, id])]);
const alike = (a: readonly Uint8Array[], b: readonly Uint8Array[]): Likeness[] =>
  a.map((map, i) => correlation(map, b[i]));

/** Null where no model has maps. */
export function looksOf({ rows, models, original, retrain }: View): Looks | null {
  const first = models.map((row) => row.summary.runs[0]).find(attentionOf);
  const frame = attentionOf(first);
  if (!first || !frame) return null;
  const same = (run: RunEntry | undefined): Uint8Array[] | null => {
    const found = attentionOf(run);
    return found && frameOf(found) === frameOf(frame) ? bytesOf(found) : null;
  };
  const pictures = new Map((first.exhibits?.samples ?? []).map((one) => [`${one.set} ${one.id}`, one]));
  const drawable = frame.maps.flatMap(({ set, id }, at) => {
    const sample = pictures.get(`${set} ${id}`);
    const uri = imageUri(sample?.png);
    return sample && uri ? [{ at, sample, uri }] : [];
  });
  const samples = (['forget', 'retain'] as const).flatMap((set) =>
    drawable.filter(({ sample }) => sample.set === set).slice(0, DRAWN),
  );
  if (samples.length === 0) return null;
  const [before, target] = [original, retrain].map((row) => same(row?.summary.runs[0]));
  const seen = models.flatMap((row): Looked[] => {
    const maps = same(row.summary.runs[0]);
    return maps
      ? [
          {
            row,
            m: rows.indexOf(row),
            maps,
            toOriginal: before && row !== original ? alike(maps, before) : null,
            toRetrain: target && row !== retrain ? alike(maps, target) : null,
          },
        ]
      : [];
  });
  const sets = frame.maps.map(({ set }) => set);
  const retrains = (retrain?.summary.runs ?? []).flatMap((run) => {
    const maps = same(run);
    return maps ? [maps] : [];
  });
  const pairs = retrains.flatMap((a, i) => retrains.slice(0, i).map((b) => alike(a, b)));
  const mean = (set: 'forget' | 'retain') =>
    meanOver(
      pairs.flat(),
      pairs.flatMap(() => sets),
      set,
    );
  return {
    layer: frame.layer,
    size: [frame.height, frame.width],
    sets,
    samples,
    models: seen,
    between: pairs.length ? { forget: mean('forget'), retain: mean('retain'), pairs: pairs.length } : null,
  };
}

/** Mean over the maps of a set; null where none of them has a likeness. */
export const meanOver = (
  values: readonly Likeness[] | null,
  sets: readonly string[],
  set: 'forget' | 'retain',
): Likeness => spreadOf((values ?? []).filter((_, i) => sets[i] === set))?.mean ?? null;

/** What client/ draws: a letter for each place of a map, 64 steps. */
export const lookData = ({ size, samples, models }: Looks) => ({
  size,
  models: models.map(({ m, maps, toRetrain }) => ({
    m,
    maps: samples.map(({ at }) => Array.from(maps[at], (byte) => LETTERS[byte >> 2]).join('')),
    said: samples.map(({ at }) => (toRetrain ? number(toRetrain[at]) : '')),
  })),
});

export function attentionSection(looks: Looks | null, facts: Facts): Html {
  if (!looks) return html``;
  const { layer, size, samples, models, sets, between } = looks;
  const titles = samples.map(({ sample }) => className(facts.classes, sample.label));
  const images = samples.map(
    ({ sample, uri }, i) =>
      html`<li><img src="${uri}" alt="" width="64" height="64"><span><b>${titles[i]}</b><small>${sample.set === 'forget' ? 'forgotten' : 'kept'}<span>, id ${sample.id}</span></small></span></li>`,
  );
  const panels = models.map(({ row, m, toRetrain }) => {
    const said = samples.map(({ at }, i) => `${titles[i]} ${number(toRetrain?.[at])}`).join(', ');
    const told = toRetrain ? `; likeness to Retrain: ${said}` : '';
    return html`<figure data-m="${m}"><figcaption title="${row.name}">${row.name}</figcaption><canvas data-look="${m}" role="img" aria-label="Attention of ${row.name}${told}"></canvas></figure>`;
  });
  const cell = (values: readonly Likeness[] | null, set: 'forget' | 'retain') =>
    html`<td class="num">${number(meanOver(values, sets, set))}</td>`;
  /** Of the forgotten samples, those for whose class nothing speaks. */
  const empty = (maps: readonly Uint8Array[]) => {
    const own = maps.filter((_, i) => sets[i] === 'forget');
    return `${own.filter((map) => map.every((byte) => byte === 0)).length} of ${own.length}`;
  };
  const lines = models.map(
    ({ row, m, maps, toOriginal, toRetrain }) =>
      html`<tr class="${row.role}" data-m="${m}"><th scope="row">${row.name}</th><td class="num">${empty(maps)}</td>${cell(toRetrain, 'forget')}${cell(toOriginal, 'forget')}${cell(toRetrain, 'retain')}${cell(toOriginal, 'retain')}</tr>`,
  );
  const counts = listed(
    (['forget', 'retain'] as const).map(
      (set) => `${sets.filter((one) => one === set).length} ${set === 'forget' ? 'forgotten' : 'kept'}`,
    ),
  );
  const reached = listed([
    ...(between?.forget == null ? [] : [`${number(between.forget)} on forgotten`]),
    ...(between?.retain == null ? [] : [`${number(between.retain)} on kept`]),
  ]);
  const floor =
    between && reached
      ? `Two retrains of different seeds reach ${reached} samples (mean of ${between.pairs} ${between.pairs === 1 ? 'pair' : 'pairs'}): a method that reaches as much cannot be told from another retrain by this.`
      : 'How alike two retrains are is not known here: it takes several seeds, and maps that are not empty.';
  return section(
    'attention',
    'Attention before and after',
    html`Orange is where each network finds what speaks for the image’s own class: Grad-CAM (Selvaraju et al., ICCV 2017) on the output of ${layer}, ${size[0]} × ${size[1]} places, first seed. The number below a map is its likeness to Retrain’s.`,
    html`<div class="scroll looks" style="--n:${samples.length}" tabindex="0" role="region" aria-label="Attention maps"><ol>${images}</ol>${panels}</div>
<div class="scroll" tabindex="0" role="region" aria-label="Likeness of attention maps"><table class="narrow"><thead><tr><th scope="col">Mean likeness</th><th scope="col" class="num">forgotten, empty</th><th scope="col" class="num">forgotten, to Retrain</th><th scope="col" class="num">forgotten, to Original</th><th scope="col" class="num">kept, to Retrain</th><th scope="col" class="num">kept, to Original</th></tr></thead><tbody>${lines}</tbody></table></div>
<p class="note">Likeness is Pearson’s correlation of two maps, 1 for the same, 0 for none (ours); means over ${counts} samples, without empty maps: those that are 0 everywhere, as nothing speaks for the class, which is what a network gives that never had it. ${floor}</p>
<p class="note">What may not be concluded: a map shows what the score of a class draws on, not what is remembered. A model that has lost a class may still look at the same place, and one that holds it may look elsewhere. Each map is divided by its own largest value, so it says nothing of how strong the score is.</p>`,
  );
}
