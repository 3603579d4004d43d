// Which products subgroups multiply by whole matrices (tensor cores), and in which tiles. WebGPU has this as an experiment of
// Dawn: the adapter lists the matrices it can multiply. Only those that add up in float32 are taken, and only for factors
// that their components hold exactly: float16 factors go into matrices of either type, float32 factors into float32 ones.

import type { ProductShape } from './choice.ts';
import type { Traits } from './lowering.ts';
import type { MatrixKind, Tiles } from './tiles.ts';

export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** An entry of the adapter's `subgroupMatrixConfigs`. */
export interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export const matrixConfigs = (info: GPUAdapterInfo): readonly MatrixConfig[] =>
  Array.from((info as { subgroupMatrixConfigs?: Iterable<MatrixConfig> }).subgroupMatrixConfigs ?? []).map(
    ({ componentType, resultComponentType, M, N, K }) => ({ componentType, resultComponentType, M, N, K }),
  );

/** Workgroup tiles (rows, columns, depth) and a subgroup's part (rows, columns), largest first. */
const SHAPES = [
  [128, 128, 32, 64, 32],
  [128, 128, 16, 64, 32],
  [64, 64, 32, 32, 32],
  [64, 64, 16, 32, 32],
  [32, 32, 16, 16, 16],
] as const;

/** Tiles of matrices for a product, whose factors are of its type; null where the device has none that fit or it is too small. */
export function matrixTiles(
  { rows, columns, depth, batch, dtype }: ProductShape,
  traits: Traits,
): Tiles | null {
  if (rows < 16 || columns < 16 || depth < 16 || traits.subgroup === 0) return null;
  const [least, tiles] = [
    Math.min(rows, columns),
    (edge: number): number => batch * Math.ceil(rows / edge) * Math.ceil(columns / edge),
  ];
  const largest = least >= 96 && tiles(128) >= 128 ? 128 : least > 32 ? 64 : 32;
  for (const component of dtype === 'float16' ? (['f16', 'f32'] as const) : (['f32'] as const))
    for (const { componentType, resultComponentType, M, N, K } of traits.matrices) {
      if (componentType !== component || resultComponentType !== 'f32') continue;
      const matrix: MatrixKind = { component, rows: M, columns: N, depth: K, subgroup: traits.subgroup };
      for (const [tileRows, tileColumns, tileDepth, ownRows, ownColumns] of SHAPES) {
        const t: Tiles = {
          rows: tileRows,
          columns: tileColumns,
          depth: tileDepth,
          ownRows,
          ownColumns,
          direct: false,
          matrix,
        };
        if (tileRows <= largest && fits(t, matrix, traits)) return t;
      }
    }
  return null;
}

function fits(t: Tiles, { component, rows, columns, depth, subgroup }: MatrixKind, traits: Traits): boolean {
  const subgroups = (t.rows / t.ownRows) * (t.columns / t.ownColumns);
  const whole = [
    t.ownRows / rows,
    t.ownColumns / columns,
    t.depth / depth,
    (rows * t.ownColumns) / 4 / subgroup,
  ].every((n) => Number.isInteger(n) && n > 0);
  // The larger of the two ways a slab may lie, padding included.
  const slab = (outer: number): number => {
    const pad = component === 'f16' ? 8 : 4;
    return Math.max(outer * (t.depth + pad), t.depth * (outer + pad)) * (component === 'f16' ? 2 : 4);
  };
  const bytes = slab(t.rows) + slab(t.columns) + subgroups * rows * t.ownColumns * 4;
  return whole && subgroups * subgroup <= traits.invocations && bytes <= traits.workgroupBytes;
}
