// Which products subgroups multiply by whole matrices (tensor cores), and in which tiles: the rule, the space and the
// heuristic of choice.ts for this kind. WebGPU has it as an experiment of Dawn: the adapter lists the matrices it can
// multiply. Only those that add up in float32 are taken, and only for factors that their components hold exactly: float16
// factors go into matrices of either type, float32 factors into float32 ones.

import type { DType } from '../engine/dtype.ts';
import type { ProductShape } from './choice.ts';
import type { Traits } from './lowering.ts';
import { type MatrixKind, MOST_LOADS, MOST_SUMS, type Tiles } from './tiles.ts';

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** An entry of the adapter's `subgroupMatrixConfigs`. */
export interface MatrixConfig {
  /** Type of the factors, such as f16. */
  readonly componentType: string;
  /** Type of the result, such as f32. */
  readonly resultComponentType: string;
  /** Rows of the result. */
  readonly M: number;
  /** Columns of the result. */
  readonly N: number;
  /** Columns of the first factor. */
  readonly K: number;
}

export const matrixConfigs = (info: GPUAdapterInfo): readonly MatrixConfig[] =>
  Array.from((info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> }).subgroupMatrixConfigs ?? []).map(
    ({ componentType, resultComponentType, M, N, K }) => ({ componentType, resultComponentType, M, N, K }),
  );

/** The matrices of a device that add up in float32, those of halves first. */
function kindsOf({ matrices, subgroup }: Traits): MatrixKind[] {
  if (subgroup === 0) return [];
  return (['f16', 'f32'] as const).flatMap((component) =>
    matrices
      .filter((m) => m.componentType === component && m.resultComponentType === 'f32')
      .map(({ M, N, K }) => ({ component, rows: M, columns: N, depth: K })),
  );
}

const holds = ({ component }: MatrixKind, dtype: DType): boolean =>
  component === 'f32' || dtype === 'float16';

const matrixTiles = (
  [rows, columns, depth]: readonly [number, number, number],
  [ownRows, ownColumns]: readonly [number, number],
  matrix: MatrixKind,
): Tiles => ({ rows, columns, depth, ownRows, ownColumns, direct: false, matrix });

const EDGES = [32, 64, 128, 256];
const DEPTHS = [16, 32, 64];
const OWN = [16, 32, 64];

/** Everything there is to choose for a device; not all of it legal. */
export const matrixSpace = (traits: Traits): Tiles[] =>
  kindsOf(traits).flatMap((kind) =>
    EDGES.flatMap((rows) =>
      EDGES.flatMap((columns) =>
        DEPTHS.flatMap((depth) =>
          OWN.flatMap((ownRows) =>
            OWN.map((ownColumns) => matrixTiles([rows, columns, depth], [ownRows, ownColumns], kind)),
          ),
        ),
      ),
    ),
  );

/** Why a device cannot use tiles of matrices for products of a type; null if it can. */
export function matrixRefusal(t: Tiles, kind: MatrixKind, traits: Traits, dtype: DType): string | null {
  const { component, rows, columns, depth } = kind;
  const { subgroup } = traits;
  const same = (k: MatrixKind): boolean =>
    k.component === component && k.rows === rows && k.columns === columns && k.depth === depth;
  if (!kindsOf(traits).some(same)) return 'this device does not multiply such matrices';
  if (!holds(kind, dtype)) return `matrices of ${component} do not hold ${dtype}`;
  const multiple = (n: number, of: number): boolean => Number.isInteger(n) && n > 0 && n % of === 0;
  if (!multiple(t.ownRows, rows) || !multiple(t.ownColumns, columns) || !multiple(t.depth, depth))
    return "a subgroup's sizes must be multiples of a matrix's";
  if (!multiple(t.rows, t.ownRows) || !multiple(t.columns, t.ownColumns))
    return "a tile's sizes must be multiples of a subgroup's";
  if (!multiple(t.rows, 4) || !multiple(t.ownColumns, 4) || !multiple(t.depth, 4))
    return "rows, depth and a subgroup's columns must be multiples of 4";
  if (!multiple(rows * t.ownColumns, 4 * subgroup))
    return `a subgroup of ${subgroup} cannot share a band of ${rows}x${t.ownColumns}`;
  if (t.ownRows * t.ownColumns > MOST_SUMS * subgroup) return `an invocation keeps at most ${MOST_SUMS} sums`;
  const subgroups = (t.rows / t.ownRows) * (t.columns / t.ownColumns);
  const threads = subgroups * subgroup;
  if (threads > traits.invocations)
    return `${threads} invocations in a workgroup; this device has ${traits.invocations}`;
  if (Math.max(t.rows, t.columns) * t.depth > 4 * MOST_LOADS * threads)
    return `an invocation loads at most ${MOST_LOADS} vectors of a slab`;
  // The larger of the two ways a slab may lie, padding included.
  const slab = (outer: number): number => {
    const pad = component === 'f16' ? 8 : 4;
    return Math.max(outer * (t.depth + pad), t.depth * (outer + pad)) * (component === 'f16' ? 2 : 4);
  };
  const bytes = slab(t.rows) + slab(t.columns) + subgroups * rows * t.ownColumns * 4;
  if (bytes > traits.workgroupBytes)
    return `${bytes} bytes of workgroup memory; this device has ${traits.workgroupBytes}`;
  return null;
}

/** Tiles (rows, columns, depth) and a subgroup's part, largest first: what is taken where nothing was measured. */
const USUAL = [
  [128, 128, 32, 64, 32],
  [128, 128, 16, 64, 32],
  [64, 64, 32, 32, 32],
  [64, 64, 16, 32, 32],
  [32, 32, 16, 16, 16],
] as const;

/** Null where the device has no matrices that fit, or the product is too small for them. */
export function matrixHeuristic(
  { rows, columns, depth, batch, dtype }: ProductShape,
  traits: Traits,
): Tiles | null {
  if (rows < 16 || columns < 16 || depth < 16) return null;
  const least = Math.min(rows, columns);
  const tiles = batch * Math.ceil(rows / 128) * Math.ceil(columns / 128);
  const largest = least >= 96 && tiles >= 128 ? 128 : least > 32 ? 64 : 32;
  for (const kind of kindsOf(traits))
    for (const [r, c, d, ownRows, ownColumns] of USUAL) {
      const t = matrixTiles([r, c, d], [ownRows, ownColumns], kind);
      if (r <= largest && matrixRefusal(t, kind, traits, dtype) === null) return t;
    }
  return null;
}
