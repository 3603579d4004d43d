// The plane through three images, cut into points: what a classifier answers on it is a slice of its decision regions.
// Somepalli et al., "Can Neural Nets Learn the Same Model Twice?", CVPR 2022 (arXiv 2203.08124); the axes and the margin
// are those of the released code (dbViz). Ours: points are rounded to bytes and cut at 0 and 255, as images are kept.

/** A plane as a grid of images. */
interface Plane {
  /** [side * side, length of an image], row by row from the top; columns along the way from the first image to the second. */
  readonly images: Uint8Array;
  /** Where the three images lie: from 0 at the left and the top to 1 at the right and the bottom, in centres of points. */
  readonly places: readonly (readonly [x: number, y: number])[];
}

/** What the grid shows beyond the three images, of the way between the outermost ones. */
const MARGIN = 0.1;

/**
 * With v = x2 - x1 and w = x3 - x1: the first axis is a = v / |v|, the second b = (w - (a.w) a) / |w - (a.w) a|, and a point is
 * x1 + s a + t b, for `side` evenly spaced s and t from a tenth below the three images to a tenth above them.
 * Null where the three lie on a line.
 */
export function planeThrough(
  three: readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>],
  side: number,
): Plane | null {
  const [origin, second, third] = three.map((image) => Float64Array.from(image));
  const v = second.map((value, k) => value - origin[k]);
  const w = third.map((value, k) => value - origin[k]);
  const width = Math.sqrt(dot(v, v));
  const a = v.map((value) => value / width);
  const along = dot(a, w);
  const across = w.map((value, k) => value - along * a[k]);
  const height = Math.sqrt(dot(across, across));
  // Bytes: what is nearer to a line than this is on it but for rounding.
  if (!(width > 1e-6 && height > 1e-6)) return null;
  const b = across.map((value) => value / height);
  const [left, right] = [Math.min(0, along), Math.max(width, along)];
  const axis = (from: number, to: number) => {
    const [start, length] = [from - MARGIN * (to - from), (1 + 2 * MARGIN) * (to - from)];
    const at = Array.from({ length: side }, (_, i) => start + (length * i) / (side - 1));
    return { at, place: (value: number) => (value - start) / length };
  };
  const [s, t] = [axis(left, right), axis(0, height)];
  const images = new Uint8Array(side * side * origin.length);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      const start = (row * side + column) * origin.length;
      // The third image, at the largest t, is at the top.
      const [x, y] = [s.at[column], t.at[side - 1 - row]];
      for (let k = 0; k < origin.length; k++)
        images[start + k] = Math.max(0, Math.min(255, Math.round(origin[k] + x * a[k] + y * b[k])));
    }
  const places = [
    [0, 0],
    [width, 0],
    [along, height],
  ].map(([x, y]) => [s.place(x), 1 - t.place(y)] as const);
  return { images, places };
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, k) => sum + value * b[k], 0);

/**
 * For a plane: rows of the kept image that is nearest to `image` in pixels, of each of the two nearest classes other than `label`;
 * the first of equals. Null where there are no two other classes. No model takes part in the choice. Ours.
 * @param images [labels.length, image.length].
 */
export function nearestOfTwoClasses(
  image: ArrayLike<number>,
  label: number,
  images: ArrayLike<number>,
  labels: ArrayLike<number>,
): readonly [number, number] | null {
  const nearest = new Map<number, { row: number; distance: number }>();
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] === label) continue;
    const limit = nearest.get(labels[row])?.distance ?? Number.POSITIVE_INFINITY;
    let distance = 0;
    for (let k = 0; k < image.length && distance < limit; k++)
      distance += (images[row * image.length + k] - image[k]) ** 2;
    if (distance < limit) nearest.set(labels[row], { row, distance });
  }
  const [first, second] = [...nearest.values()].sort((p, q) => p.distance - q.distance || p.row - q.row);
  return second ? [first.row, second.row] : null;
}

/** Equal values that follow each other as the value and how often: [7, 7, 7, 2] is [7, 3, 2, 1]. */
export function runsOf(values: ArrayLike<number>): number[] {
  const runs: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (i > 0 && values[i] === values[i - 1]) runs[runs.length - 1]++;
    else runs.push(values[i], 1);
  }
  return runs;
}

/** The values again: whole numbers. */
export function fromRuns(runs: readonly number[]): Int32Array {
  const values = new Int32Array(runs.reduce((sum, count, i) => sum + (i % 2 === 1 ? count : 0), 0));
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    values.fill(runs[i], at, at + runs[i + 1]);
    at += runs[i + 1];
  }
  return values;
}

/** Share of places at which two lists of one length are equal, 0 to 1. */
export function agreement(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let same = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) same++;
  return same / a.length;
}
