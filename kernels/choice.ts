// How a product is computed is a choice, and choices are data: tiles, and how many parts its sums are cut into. This file
// says what can be chosen, which choices a device can run, how one is written down, and what is taken where nothing was
// measured. Tables of measured choices are tuning.ts; what tiles mean is tiles.ts.

import type { DType } from '../engine/dtype.ts';
import type { Traits } from './lowering.ts';
import { matrixHeuristic, matrixRefusal, matrixSpace } from './matrix.ts';
import { type MatrixKind, MOST_LOADS, MOST_SUMS, type Tiles } from './tiles.ts';

/** How one product is computed. */
export interface Choice {
  /** What a workgroup and an invocation compute. */
  readonly tiles: Tiles;
  /** Parts that the sums over depth are cut into; 1 for none. */
  readonly parts: number;
}

/** A product as far as a choice depends on it. */
export interface ProductShape {
  /** The primitive: dot, conv, convGradInput or convGradWeight. */
  readonly label: string;
  /** Products of this shape at once. */
  readonly batch: number;
  /** Rows of the result. */
  readonly rows: number;
  /** Columns of the result. */
  readonly columns: number;
  /** Products in each sum. */
  readonly depth: number;
  /** Of the result. Sums are float32 whatever it is. */
  readonly dtype: DType;
}

/** The choice for a product, or nothing where none was measured. */
export type Tuning = (shape: ProductShape) => Choice | undefined;

/** Sizes beyond this have all the parallelism a device can use: larger ones behave alike. */
const LARGEST = 8192;
const rounded = (n: number): number => Math.min(LARGEST, 2 ** Math.ceil(Math.log2(Math.max(4, n))));

/**
 * The products that share a choice: the primitive, then rows x columns x depth x batch, each rounded up to a power of two
 * (at least 4, at most 8192; a batch of 1 stays), then the type of the result if it is not float32.
 */
export const classOf = ({ label, batch, rows, columns, depth, dtype }: ProductShape): string => {
  const sizes = [rounded(rows), rounded(columns), rounded(depth), batch === 1 ? 1 : rounded(batch)];
  return `${label} ${sizes.join('x')}${dtype === 'float32' ? '' : ` ${dtype}`}`;
};

/** The type of the results of a class. */
export const dtypeOfClass = (key: string): DType => (key.endsWith(' float16') ? 'float16' : 'float32');

// ---- what there is to choose -----------------------------------------------------------------------------------------

const staged = (
  rows: number,
  columns: number,
  depth: number,
  ownRows: number,
  ownColumns: number,
): Tiles => ({ rows, columns, depth, ownRows, ownColumns, direct: false });

const direct = (ownRows: number, ownColumns: number, invocations: number): Tiles => ({
  rows: ownRows,
  columns: ownColumns * invocations,
  depth: 4,
  ownRows,
  ownColumns,
  direct: true,
});
const shared = (ownColumns: number): Tiles => ({ ...direct(8, ownColumns, 8), shared: true });

const SPACE = {
  staged: { rows: [16, 32, 64, 128], columns: [16, 32, 64, 128], depth: [8, 16, 32], own: [4, 8] },
  direct: { ownRows: [4, 8, 16], ownColumns: [4, 8, 16], invocations: [4, 8, 16, 32, 64] },
  shared: { ownColumns: [4, 8, 16] },
  parts: [1, 2, 4, 8, 16, 32, 64, 128],
} as const;

/** All tiles of all kinds, subgroup matrices where the device has any; not all of them legal. */
export function tileSpace(traits: Traits): Tiles[] {
  const { staged: s, direct: d, shared: h } = SPACE;
  return [
    ...s.rows.flatMap((rows) =>
      s.columns.flatMap((columns) =>
        s.depth.flatMap((depth) =>
          s.own.flatMap((ownRows) =>
            s.own.map((ownColumns) => staged(rows, columns, depth, ownRows, ownColumns)),
          ),
        ),
      ),
    ),
    ...d.ownRows.flatMap((ownRows) =>
      d.ownColumns.flatMap((ownColumns) => d.invocations.map((n) => direct(ownRows, ownColumns, n))),
    ),
    ...h.ownColumns.map(shared),
    ...matrixSpace(traits),
  ];
}

/** Workgroups beyond which cutting sums into parts keeps no more of a device busy. */
const MOST_GROUPS = 4096;

/**
 * All choices a device can run for a product that are not plainly wasteful. Software adapters get no staged tiles: barriers
 * make a CPU's compiler take tens of seconds for what runs slower than direct ones anyway.
 */
export function candidates(shape: ProductShape, traits: Traits): Choice[] {
  const groups = (t: Tiles): number =>
    shape.batch * Math.ceil(shape.rows / t.rows) * Math.ceil(shape.columns / t.columns);
  const wasted = (tile: number, size: number): boolean => tile > 16 && tile >= 4 * size;
  const sensible = (t: Tiles): boolean =>
    (t.direct || !traits.software) && !wasted(t.rows, shape.rows) && !wasted(t.columns, shape.columns);
  return tileSpace(traits)
    .filter((t) => refusal(t, traits, shape.dtype) === null && sensible(t))
    .flatMap((tiles) =>
      SPACE.parts
        .filter((n) => n === 1 || (shape.depth >= 64 * n && groups(tiles) * n <= MOST_GROUPS))
        .map((parts) => ({ tiles, parts })),
    );
}

/** How many steps in the space lie between two choices. Infinite between kinds of tiles. */
export function steps(a: Choice, b: Choice): number {
  const kind = ({ tiles: t }: Choice): string =>
    `${t.direct} ${t.shared === true} ${t.matrix === undefined ? '' : writeKind(t.matrix)}`;
  if (kind(a) !== kind(b)) return Number.POSITIVE_INFINITY;
  const sizes = ({ tiles: t, parts }: Choice): number[] => [
    ...(t.direct ? [t.columns / t.ownColumns] : [t.rows, t.columns]),
    t.depth,
    t.ownRows,
    t.ownColumns,
    parts,
  ];
  const [x, y] = [sizes(a), sizes(b)];
  return x.reduce((sum, n, i) => sum + Math.abs(Math.round(Math.log2(n / y[i]))), 0);
}

// ---- what a device can run -------------------------------------------------------------------------------------------

/** Why tiles cannot be used on a device for products of a type; null if they can: then results are right for every shape. */
export function refusal(t: Tiles, traits: Traits, dtype: DType): string | null {
  if (t.matrix) return matrixRefusal(t, t.matrix, traits, dtype);
  const multiple = (n: number, of: number): boolean => Number.isInteger(n) && n > 0 && n % of === 0;
  if (!multiple(t.ownRows, 4) || !multiple(t.ownColumns, 4))
    return "an invocation's sizes must be multiples of 4";
  if (!multiple(t.depth, 4)) return 'the depth must be a multiple of 4';
  if (!multiple(t.rows, t.ownRows) || !multiple(t.columns, t.ownColumns))
    return "a tile's sizes must be multiples of an invocation's";
  if (t.ownRows * t.ownColumns > MOST_SUMS) return `an invocation keeps at most ${MOST_SUMS} sums`;
  const threads = (t.rows / t.ownRows) * (t.columns / t.ownColumns);
  if (threads > traits.invocations)
    return `${threads} invocations in a workgroup; this device has ${traits.invocations}`;
  if (t.direct) {
    if (t.rows !== t.ownRows || t.depth !== 4) return 'direct tiles are one row of invocations, 4 deep';
    if (t.shared && (traits.subgroup !== 8 || threads !== 8 || t.ownRows !== 8))
      return 'shared tiles are one subgroup of 8 invocations with 8 rows';
    return null;
  }
  if (t.shared) return 'only direct tiles can be shared';
  const bytes = (t.rows + t.columns) * t.depth * 4;
  if (bytes > traits.workgroupBytes)
    return `${bytes} bytes of workgroup memory; this device has ${traits.workgroupBytes}`;
  if ((t.rows * t.depth) / 4 > MOST_LOADS * threads || (t.columns * t.depth) / 4 > MOST_LOADS * threads)
    return `an invocation loads at most ${MOST_LOADS} vectors of a slab`;
  return null;
}

// ---- writing a choice down -------------------------------------------------------------------------------------------

const writeKind = ({ component, rows, columns, depth }: MatrixKind): string =>
  `${component} ${rows}x${columns}x${depth}`;

/**
 * `staged 64x64x16 of 4x4`, `direct 8x64 of 8x8`, `shared 8x32 of 8x4 in 4 parts`,
 * `matrix 64x64x32 of 32x32 by f16 16x16x16`.
 */
export function writeChoice({ tiles: t, parts }: Choice): string {
  const own = `of ${t.ownRows}x${t.ownColumns}`;
  const slab = `${t.rows}x${t.columns}x${t.depth} ${own}`;
  const tile = t.matrix
    ? `matrix ${slab} by ${writeKind(t.matrix)}`
    : t.direct
      ? `${t.shared ? 'shared' : 'direct'} ${t.rows}x${t.columns} ${own}`
      : `staged ${slab}`;
  return `${tile}${parts > 1 ? ` in ${parts} parts` : ''}`;
}

const CHOICE_PATTERN = new RegExp(
  '^(?:(?<slab>staged|matrix) TxTxT|(?<row>direct|shared) TxT) of TxT(?: by (?<component>f16|f32) TxTxT)?(?: in T parts)?$'.replaceAll(
    'T',
    String.raw`\d{1,4}`,
  ),
);

/** The inverse of `writeChoice`; null for any other text. Says nothing on whether a device can run it. */
export function readChoice(text: string): Choice | null {
  const groups = CHOICE_PATTERN.exec(text)?.groups;
  if (groups === undefined) return null;
  const { slab, component } = groups;
  if ((slab === 'matrix') !== (component !== undefined)) return null;
  const numbers = text.replace(/f16|f32/, '').match(/\d+/g) as string[];
  const take = (): number => Number(numbers.shift());
  const [rows, columns, depth] = [take(), take(), slab ? take() : 4];
  const [ownRows, ownColumns] = [take(), take()];
  const tiles = { rows, columns, depth, ownRows, ownColumns, direct: slab === undefined };
  const kind = component && {
    component: component as 'f16' | 'f32',
    rows: take(),
    columns: take(),
    depth: take(),
  };
  const parts = numbers.length > 0 ? take() : 1;
  if (parts < 1) return null;
  return {
    tiles: { ...tiles, ...(groups.row === 'shared' && { shared: true }), ...(kind && { matrix: kind }) },
    parts,
  };
}

// ---- where nothing was measured --------------------------------------------------------------------------------------

export function heuristic(shape: ProductShape, traits: Traits): Choice {
  const tiles = matrixHeuristic(shape, traits) ?? tilesFor(shape, traits);
  return { tiles, parts: partsFor(shape, tiles, traits) };
}

function tilesFor({ rows, columns, batch }: ProductShape, traits: Traits): Tiles {
  if (traits.software) {
    if (traits.subgroup === 8) return shared(columns > 32 ? 8 : 4);
    if (columns > 32) return direct(4, 8, 8);
    return direct(rows > 4 ? 8 : 4, 4, columns > 16 ? 8 : 4);
  }
  const tiles = (edge: number): number => batch * Math.ceil(rows / edge) * Math.ceil(columns / edge);
  if (columns >= 96 && rows >= 96 && tiles(128) >= 128) return staged(128, 128, 8, 8, 8);
  if (columns > 32 && rows > 32) return staged(64, 64, 16, 4, 4);
  return staged(64, columns > 16 ? 32 : 16, 16, 4, 4);
}

/** So many that the device has something to do. */
function partsFor(p: ProductShape, t: Tiles, traits: Traits): number {
  const groups = p.batch * Math.ceil(p.rows / t.rows) * Math.ceil(p.columns / t.columns);
  const enough = traits.software ? 4 : 256;
  const least = traits.software ? 512 : 128;
  if (groups >= enough || p.depth < 2 * least) return 1;
  return Math.min(Math.ceil(enough / groups), Math.floor(p.depth / least));
}
