// The ten symbols of the glyphs data set as polylines in a square of -1 .. 1, y downwards. Curves are made with
// rational parametrisations, so that no library sine or cosine can differ between machines. No drawing here.

/** Points x0, y0, x1, y1, ...; a closed shape may be filled. */
export interface GlyphShape {
  readonly name: string;
  readonly points: readonly number[];
  readonly closed: boolean;
}

/** Part of a circle from the half-turn parameter t0 to t1 (t = tan(angle / 2), angle 0 to the left, clockwise on screen). */
function arc(
  cx: number,
  cy: number,
  r: number,
  t0: number,
  t1: number,
  steps: number,
  ends: boolean,
): number[] {
  const points: number[] = [];
  for (let i = ends ? 0 : 1; i <= (ends ? steps : steps - 1); i++) {
    const t = t0 + ((t1 - t0) * i) / steps;
    const q = 1 + t * t;
    points.push(cx - (r * (1 - t * t)) / q, cy - (r * 2 * t) / q);
  }
  return points;
}

/** A full circle: four quarters, each the quarter turn of the one before. */
function circle(r: number): number[] {
  const quarter = arc(0, 0, r, 0, 1, 6, true).slice(0, -2);
  const points = [...quarter];
  let turned = quarter;
  for (let k = 0; k < 3; k++) {
    const next: number[] = [];
    for (let i = 0; i < turned.length; i += 2) next.push(-turned[i + 1], turned[i]);
    points.push(...next);
    turned = next;
  }
  return points;
}

function mirrored(right: readonly number[]): number[] {
  const points = [...right];
  // The first and the last point lie on the axis: the way back leaves them out.
  for (let i = right.length - 4; i >= 2; i -= 2) points.push(-right[i], right[i + 1]);
  return points;
}

// Twelve directions, 30 degrees apart.
const H = 0.866;
const DIRECTIONS = [
  1,
  0,
  H,
  0.5,
  0.5,
  H,
  0,
  1,
  -0.5,
  H,
  -H,
  0.5,
  -1,
  0,
  -H,
  -0.5,
  -0.5,
  -H,
  0,
  -1,
  0.5,
  -H,
  H,
  -0.5,
];

function spiral(turns: number): number[] {
  const steps = turns * 12;
  const points: number[] = [];
  for (let i = 0; i <= steps; i++) {
    const r = 0.06 + (0.94 * i) / steps;
    const d = (i % 12) * 2;
    points.push(r * DIRECTIONS[d], r * DIRECTIONS[d + 1]);
  }
  return points;
}

const closed = (name: string, points: readonly number[]): GlyphShape => ({ name, points, closed: true });

export const glyphShapes: readonly GlyphShape[] = [
  closed('circle', circle(0.92)),
  closed('triangle', [0, -1, 0.98, 0.75, -0.98, 0.75]),
  closed('square', [-0.8, -0.8, 0.8, -0.8, 0.8, 0.8, -0.8, 0.8]),
  closed(
    'star',
    [
      0, -1.05, 0.259, -0.357, 0.999, -0.325, 0.419, 0.136, 0.617, 0.85, 0, 0.441, -0.617, 0.85, -0.419,
      0.136, -0.999, -0.325, -0.259, -0.357,
    ],
  ),
  closed(
    'heart',
    mirrored([
      0, -0.42, 0.14, -0.66, 0.36, -0.82, 0.62, -0.83, 0.86, -0.68, 0.98, -0.4, 0.93, -0.08, 0.72, 0.24, 0,
      0.95,
    ]),
  ),
  closed('moon', [
    ...arc(0.15, 0, 1, -1.732, 1.732, 16, true),
    ...arc(0.775, 0, 0.875, 0.866, -0.866, 10, false),
  ]),
  closed('arrow', [-0.98, -0.27, 0.05, -0.27, 0.05, -0.8, 1, 0, 0.05, 0.8, 0.05, 0.27, -0.98, 0.27]),
  closed('bolt', [-0.05, -1.05, 0.55, -1.05, 0.2, -0.3, 0.66, -0.3, -0.38, 1.08, -0.06, 0.12, -0.55, 0.12]),
  closed(
    'cross',
    [
      -0.3, -0.95, 0.3, -0.95, 0.3, -0.3, 0.95, -0.3, 0.95, 0.3, 0.3, 0.3, 0.3, 0.95, -0.3, 0.95, -0.3, 0.3,
      -0.95, 0.3, -0.95, -0.3, -0.3, -0.3,
    ],
  ),
  { name: 'spiral', points: spiral(2), closed: false },
];
