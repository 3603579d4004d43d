// The glyphs data set: ten symbols on textured grounds, 32 x 32 x 3, drawn from a seed so that a fresh machine has
// something to learn and to forget. Each picture depends only on (seed, split, index), and only on operations that
// give the same result everywhere. It is made to need a little vision: pose, colours (dark on light and light on
// dark), thickness, ground, noise and cover vary, so that pixels alone do not give the class away.

import { check } from '../../engine/error.ts';
import { Stream } from '../random.ts';
import type { Split } from '../types.ts';
import { type GlyphShape, glyphShapes } from './glyph-shapes.ts';
import { Mask } from './raster.ts';
import { type Loaded, makeSplit } from './split.ts';

const SIZE = 32;
const PIXELS = SIZE * SIZE;
/** Of each split. */
export const GLYPHS_AT_MOST = 500_000;

// Colours that go well together, as 0xrrggbb, from dark to light.
const PALETTE = [
  0x14213d, 0x2b2d42, 0x1b4332, 0x3c1642, 0x540b0e, 0x22577a, 0x5f0f40, 0x355070, 0x6a4c93, 0x9e2a2b,
  0x087e8b, 0x386641, 0xbc4749, 0x1982c4, 0xe07a5f, 0x43aa8b, 0xf3722c, 0x8ac926, 0xff6f91, 0xf9a03f,
  0x90be6d, 0xffca3a, 0xa8dadc, 0xf4acb7, 0xe9d8a6, 0xcddafd, 0xf1faee, 0xfff1d0,
];

type Colour = [number, number, number];
const luma = (c: Colour) => 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2];
const mix = (a: Colour, b: Colour, share: number): Colour => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

function anyColour(s: Stream): Colour {
  const rgb = PALETTE[s.below(PALETTE.length)];
  return [
    (rgb >> 16) + s.between(-14, 14),
    ((rgb >> 8) & 255) + s.between(-14, 14),
    (rgb & 255) + s.between(-14, 14),
  ];
}

/** A colour at least `apart` (0 .. 255) lighter or darker than all of `others`; black or white if luck fails. */
function colourAgainst(s: Stream, others: readonly Colour[], apart: number): Colour {
  for (let tries = 0; tries < 12; tries++) {
    const colour = anyColour(s);
    if (others.every((other) => Math.abs(luma(colour) - luma(other)) >= apart)) return colour;
  }
  const mean = others.reduce((sum, other) => sum + luma(other), 0) / others.length;
  return mean > 127 ? [12, 14, 22] : [250, 248, 240];
}

/** A ground between two colours: how far each pixel lies from the first to the second, into `out`. */
function texture(s: Stream, out: Float64Array): void {
  const kind = s.below(6);
  const gx = s.between(-1, 1);
  const gy = s.between(-1, 1);
  const strength = s.between(0.25, 0.7);
  const period = 4 + s.below(6);
  const phase = s.below(16);
  const slope = s.below(3) - 1;
  const lattice = Float64Array.from({ length: 36 }, () => s.between(0, 1));
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const gradient = 0.5 + (gx * (x - 15.5) + gy * (y - 15.5)) / 64;
      let pattern = gradient;
      const u = x + phase;
      const v = y + phase;
      if (kind === 1) pattern = (u + slope * v + 64 * period) % (2 * period) < period ? 1 : 0;
      else if (kind === 2) pattern = (Math.floor(u / period) + Math.floor(v / period)) % 2;
      else if (kind === 3) {
        const dx = (u % period) - (period - 1) / 2;
        const dy = (v % period) - (period - 1) / 2;
        pattern = Math.max(0, Math.min(1, (period * period) / 12 - dx * dx - dy * dy + 0.5));
      } else if (kind >= 4) {
        // Value noise: a 6 x 6 lattice, smoothly interpolated.
        const fx = (x * 5) / SIZE;
        const fy = (y * 5) / SIZE;
        const ix = Math.floor(fx);
        const iy = Math.floor(fy);
        const tx = (fx - ix) * (fx - ix) * (3 - 2 * (fx - ix));
        const ty = (fy - iy) * (fy - iy) * (3 - 2 * (fy - iy));
        const at = iy * 6 + ix;
        const upper = lattice[at] + (lattice[at + 1] - lattice[at]) * tx;
        const lower = lattice[at + 6] + (lattice[at + 7] - lattice[at + 6]) * tx;
        pattern = upper + (lower - upper) * ty;
      }
      out[y * SIZE + x] = Math.max(0, Math.min(1, gradient * (1 - strength) + pattern * strength));
    }
  }
}

/** The shape's points in pixels after a random rotation (within about 40 degrees), mirror, shear, stretch and shift. */
function pose(s: Stream, shape: GlyphShape): Float64Array {
  const t = s.between(-0.36, 0.36);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const scale = s.between(8.2, 12.2);
  const stretch = s.between(0.84, 1.18);
  const shear = s.between(-0.18, 0.18);
  const sx = (s.chance(0.5) ? scale : -scale) * stretch;
  const sy = scale / stretch;
  const room = 15.5 - scale;
  const cx = 16 + s.between(-room, room);
  const cy = 16 + s.between(-room, room);
  const points = new Float64Array(shape.points.length);
  for (let i = 0; i < points.length; i += 2) {
    const x = shape.points[i] + shear * shape.points[i + 1] + s.between(-0.03, 0.03);
    const y = shape.points[i + 1] + s.between(-0.03, 0.03);
    points[i] = cx + (cos * x - sin * y) * sx;
    points[i + 1] = cy + (sin * x + cos * y) * sy;
  }
  return points;
}

/** What drawing one picture needs, made once and used again for the next. */
interface Board {
  readonly mask: Mask;
  readonly ground: Float64Array;
  readonly canvas: Float64Array;
}

const newBoard = (): Board => ({
  mask: new Mask(SIZE),
  ground: new Float64Array(PIXELS),
  canvas: new Float64Array(PIXELS * 3),
});

function paint(canvas: Float64Array, pixel: number, colour: Colour, share: number): void {
  for (let c = 0; c < 3; c++) canvas[pixel * 3 + c] += (colour[c] - canvas[pixel * 3 + c]) * share;
}

/** A thin line somewhere, below the symbol: something that is not it. */
function distract(s: Stream, { mask, canvas }: Board, colour: Colour): void {
  const ends = [s.between(-4, 36), s.between(-4, 36), s.between(-4, 36), s.between(-4, 36)];
  const radius = s.between(0.5, 0.9);
  mask.clear();
  mask.stroke(ends, false, radius + 1);
  for (let p = 0; p < PIXELS; p++) paint(canvas, p, colour, 0.8 * mask.strokeCoverage(p, radius));
}

/** A short thick stroke or a disc over part of the symbol. */
function cover(s: Stream, { mask, canvas }: Board, colour: Colour): void {
  const x = s.between(4, 28);
  const y = s.between(4, 28);
  const disc = s.chance(0.5);
  const ends = disc ? [x, y, x, y] : [x, y, x + s.between(-14, 14), y + s.between(-14, 14)];
  const radius = disc ? s.between(2, 3.6) : s.between(1, 1.8);
  mask.clear();
  mask.stroke(ends, false, radius + 1);
  for (let p = 0; p < PIXELS; p++) paint(canvas, p, colour, mask.strokeCoverage(p, radius));
}

function drawSymbol(
  s: Stream,
  { mask, canvas }: Board,
  shape: GlyphShape,
  line: Colour,
  inner: Colour,
): void {
  const points = pose(s, shape);
  const filled = shape.closed && s.chance(0.6);
  const radius = shape.closed ? s.between(0.7, filled ? 1.2 : 1.7) : s.between(0.75, 1.15);
  const shadow = s.chance(0.4) ? s.between(0.25, 0.5) : 0;
  mask.clear();
  mask.stroke(points, shape.closed, radius + 1);
  if (filled) mask.fill(points);
  if (shadow > 0) {
    for (let p = SIZE + 1; p < PIXELS; p++) {
      const from = p - SIZE - 1;
      const share = mask.isInside(from) ? 1 : mask.strokeCoverage(from, radius);
      if (p % SIZE !== 0) paint(canvas, p, [8, 8, 16], share * shadow);
    }
  }
  for (let p = 0; p < PIXELS; p++) {
    if (mask.isInside(p)) paint(canvas, p, inner, 1);
    paint(canvas, p, line, mask.strokeCoverage(p, radius));
  }
}

/** Draws picture `index` of a split (0 training, 1 test) into `out`, 3,072 bytes. Its class is index % 10. */
function draw(seed: number, split: 0 | 1, index: number, board: Board, out: Uint8Array): void {
  const s = new Stream(seed, index, split, 0x676c7970);
  const { ground, canvas } = board;
  const near = anyColour(s);
  const far = mix(near, anyColour(s), s.between(0.15, 0.5));
  texture(s, ground);
  for (let p = 0; p < PIXELS; p++) {
    const share = ground[p];
    for (let c = 0; c < 3; c++) canvas[p * 3 + c] = near[c] + (far[c] - near[c]) * share;
  }
  const lines = s.below(4) === 0 ? 1 + s.below(2) : 0;
  for (let i = 0; i < lines; i++) distract(s, board, anyColour(s));
  const line = colourAgainst(s, [near, far], 62);
  const inner = s.chance(0.5) ? line : colourAgainst(s, [near, far], 45);
  drawSymbol(s, board, glyphShapes[index % glyphShapes.length], line, inner);
  if (s.chance(0.3)) cover(s, board, mix(near, anyColour(s), 0.7));
  const noise = s.between(3, 15);
  for (let i = 0; i < PIXELS * 3; i += 2) {
    // Two values a word: the sum of two bytes is a triangular noise of zero mean.
    const word = s.word();
    const first = ((word & 255) + ((word >>> 8) & 255) - 255) / 255;
    const second = (((word >>> 16) & 255) + (word >>> 24) - 255) / 255;
    out[i] = Math.max(0, Math.min(255, Math.floor(canvas[i] + first * noise + 0.5)));
    out[i + 1] = Math.max(0, Math.min(255, Math.floor(canvas[i + 1] + second * noise + 0.5)));
  }
}

/** `size` glyphs of one split; classes follow each other in turn, so each has its share. */
export function drawGlyphs(options: { seed: number; split: 'train' | 'test'; size: number }): Split {
  const { seed, split, size } = options;
  check(
    Number.isInteger(size) && size >= 1 && size <= GLYPHS_AT_MOST,
    'value',
    () => `glyphs: size of the ${split} split: expected an integer from 1 to ${GLYPHS_AT_MOST}, got ${size}`,
  );
  const images = new Uint8Array(size * PIXELS * 3);
  const labels = new Int32Array(size);
  const board = newBoard();
  for (let i = 0; i < size; i++) {
    draw(seed, split === 'train' ? 0 : 1, i, board, images.subarray(i * PIXELS * 3, (i + 1) * PIXELS * 3));
    labels[i] = i % glyphShapes.length;
  }
  return makeSplit({ shape: [SIZE, SIZE, 3], images, labels });
}

/** The glyphs data set; how many of them by default says its record, sets/glyphs.ts. */
export function loadGlyphs({
  seed,
  trainSize,
  testSize,
}: {
  seed: number;
  trainSize: number;
  testSize: number;
}): Loaded {
  return {
    classes: glyphShapes.map((shape) => shape.name),
    train: drawGlyphs({ seed, split: 'train', size: trainSize }),
    test: drawGlyphs({ seed, split: 'test', size: testSize }),
    notes: [`drawn from seed ${seed}`],
    files: [],
    root: null,
  };
}
