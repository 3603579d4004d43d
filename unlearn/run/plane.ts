// The slice of a model's decision regions in the report: what it answers on the plane through one forgotten image, the first
// that is shown, and the kept images nearest to it of two other classes. No model takes part in that choice, so that the
// plane is the same for all of them.

import type { Subject } from '../audits/subject.ts';
import { imageAt, makeSplit } from '../data/split.ts';
import { SHOWN, spreadOver } from '../evaluate.ts';
import { predictions } from '../statistics/outputs.ts';
import { nearestOfTwoClasses, planeThrough, runsOf } from '../statistics/plane.ts';
import type { Exhibits } from '../types.ts';
import type { RunData } from './parts.ts';

/** Points in a row, and rows. */
const SIDE = 40;
type Plane = NonNullable<Exhibits['plane']>;

/** Undefined where nothing is forgotten, where fewer than two other classes are kept, and for images on one line. */
export async function planeOf(
  subject: Subject,
  { forget, retain, dataset }: RunData,
  pictures: boolean,
  signal?: AbortSignal,
): Promise<Plane | undefined> {
  const [gone] = spreadOver(forget.labels, SHOWN);
  if (gone === undefined) return undefined;
  const image = imageAt(forget, gone);
  const kept = nearestOfTwoClasses(image, forget.labels[gone], retain.images, retain.labels);
  const plane = kept && planeThrough([image, imageAt(retain, kept[0]), imageAt(retain, kept[1])], SIDE);
  if (!plane) return undefined;
  const labels = new Int32Array(SIDE * SIDE).fill(forget.labels[gone]);
  const split = makeSplit({ shape: forget.shape, images: plane.images, labels });
  const classes = predictions(await subject.answers(split, { signal }), dataset.classes.length);
  const { pngDataUri } = await import('../data/png.ts');
  const images = plane.places.map(([x, y], i) => {
    const [set, split, row] =
      i === 0 ? (['forget', forget, gone] as const) : (['retain', retain, kept[i - 1]] as const);
    return {
      id: split.ids[row],
      set,
      label: split.labels[row],
      x: Number(x.toFixed(4)),
      y: Number(y.toFixed(4)),
      ...(pictures && { png: pngDataUri(split, row) }),
    };
  });
  return { side: SIDE, images, classes: runsOf(classes) };
}
