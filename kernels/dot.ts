// Matrix products as tiled products. Either operand may be stored transposed; which way its elements lie decides along
// which axis they are fetched. Rows that are not a multiple of four elements are fetched one by one.

import { sizeOf } from '../engine/dtype.ts';
import { emitProduct } from './gemm.ts';
import type { Emitter } from './lowering.ts';
import { reader, type Source, slotsOf, sourcesOf } from './operand.ts';
import type { Shader } from './shader.ts';
import type { Factor } from './tiles.ts';

interface Matrix {
  readonly source: Source;
  readonly outer: number;
  readonly depth: number;
  /** Stored [depth, outer] rather than [outer, depth]. */
  readonly depthFirst: boolean;
}

function factor(shader: Shader, side: 'A' | 'B', x: Matrix): Factor {
  const along = x.depthFirst ? 'outer' : 'depth';
  const inner = x.depthFirst ? x.outer : x.depth;
  const whole = inner % 4 === 0;
  const { load, declarations } = reader(shader, side, x.source, whole);
  const [limit, stride] = [x.outer, x.depthFirst ? 1 : x.depth];
  const depthStride = x.depthFirst ? x.outer : 1;
  const at = whole ? '(o.base + d.base)' : 'o.base + d.base';
  const neighbour = (l: number): string =>
    `element${side}(${at} + ${l}u, inside & (${x.depthFirst ? 'o.at' : 'd.k'} + ${l}u < ${inner}u))`;
  const fetch = whole
    ? `return select(vec4<f32>(), ${load(`select(0u, ${at} / 4u, inside)`)}, inside);`
    : `return vec4(${[0, 1, 2, 3].map(neighbour).join(', ')});`;
  return {
    along,
    declarations: `${declarations}
struct Outer${side} { base: u32, at: u32, inside: bool }
struct Depth${side} { k: u32, base: u32 }
fn outer${side}Of(batch: u32, o: u32) -> Outer${side} {
  return Outer${side}(batch * ${x.outer * x.depth}u + o * ${stride}u, o, o < ${limit}u);
}
fn depth${side}Of(k: u32) -> Depth${side} { return Depth${side}(k, k * ${depthStride}u); }
fn fetch${side}(o: Outer${side}, d: Depth${side}) -> vec4<f32> {
  let inside = o.inside & (d.k < ${x.depth}u);
  ${fetch}
}
${whole ? '' : `fn element${side}(at: u32, inside: bool) -> f32 { return select(0f, ${load('select(0u, at, inside)')}, inside); }`}`,
  };
}

const dot: Emitter<'dot'> = (i, to) => {
  const [a, b] = sourcesOf(i);
  const [out] = i.outputs;
  const [rows, columns] = out.shape.slice(-2);
  const { transposeA, transposeB } = i.params;
  const depth = a.shape.at(transposeA ? -2 : -1) as number;
  emitProduct(
    {
      label: 'dot',
      batch: sizeOf(out.shape.slice(0, -2)),
      rows,
      columns,
      depth,
      groups: 1,
      factors: (shader) => ({
        a: factor(shader, 'A', { source: a, outer: rows, depth, depthFirst: transposeA }),
        b: factor(shader, 'B', { source: b, outer: columns, depth, depthFirst: !transposeB }),
      }),
      dtype: out.dtype,
      slot: out.slot,
      epilogue: i.epilogue,
      buffers: [a, b].flatMap(slotsOf),
    },
    to,
  );
};

export const dotEmitters = { dot };
