// The tiled product that matrix multiplication and all three convolutions are made of:
//
//   C[batch, m, n] = sum over k of A[batch, m, k] * B[batch, k, n]
//
// A and B are not arrays here but ways of fetching four neighbouring elements, which is how a convolution becomes a
// product without its unfolded matrix ever existing. A workgroup computes a tile of C: it fetches a slab of A and one of
// B into workgroup memory, each invocation multiplies its rows and columns out of them in registers, and so on along k.
// Where C is small and k long, k is cut into parts whose sums are added by a second kernel, always in the same order.

import type { Body } from '../engine/program.ts';
import { coordinates, lanesFor, mergeAxes, writeBody } from './body.ts';
import { denseView, type Lowering, type Traits, withRootInMemory } from './lowering.ts';
import { emitBody } from './reduce.ts';
import type { Shader } from './shader.ts';

/** Tile of a workgroup (rows, columns, depth) and of an invocation (rows, columns); each invocation's a multiple of 4. */
export interface Tiles {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly ownRows: number;
  readonly ownColumns: number;
}

/**
 * One factor. `outer` is m for A and n for B. The WGSL of `declarations` defines, with the name of the side as suffix:
 * struct Outer and `outer(batch, o) -> Outer`, what depends on the row or column only; struct Depth and
 * `depth(k) -> Depth`, what depends on k only; and `fetch(outer, depth) -> vec4<f32>`, the elements at four
 * neighbouring positions along `along`, zero outside.
 */
export interface Factor {
  readonly along: 'outer' | 'depth';
  readonly declarations: string;
}

export interface Product {
  readonly label: string;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** C's element (batch, m, n) lies at ((floor(batch / groups) * rows + m) * groups + batch % groups) * columns + n. */
  readonly groups: number;
  factors(shader: Shader): { a: Factor; b: Factor };
  /** Where C goes, if anywhere. */
  readonly slot: number;
  readonly epilogue: Body | null;
  /** Storage buffers that the factors take. */
  readonly buffers: readonly number[];
}

/** Tiles for sizes, until something better was measured. */
export function tilesFor(rows: number, columns: number, depth: number, batch: number, traits: Traits): Tiles {
  if (traits.software) {
    const ownColumns = columns > 4 ? 8 : 4;
    const wide = columns > 32 ? 64 : columns > 16 ? 32 : columns > 8 ? 16 : 8;
    return { rows: rows > 32 ? 64 : 32, columns: wide, depth: 16, ownRows: 8, ownColumns };
  }
  const tiles = (edge: number): number => batch * Math.ceil(rows / edge) * Math.ceil(columns / edge);
  if (columns >= 96 && rows >= 96 && tiles(128) >= 128)
    return { rows: 128, columns: 128, depth: 8, ownRows: 8, ownColumns: 8 };
  if (columns > 32 && rows > 32) return { rows: 64, columns: 64, depth: 16, ownRows: 4, ownColumns: 4 };
  if (columns > 16) return { rows: 64, columns: 32, depth: 16, ownRows: 4, ownColumns: 4 };
  return { rows: 64, columns: 16, depth: 16, ownRows: 4, ownColumns: 4 };
}

/** How many parts k is cut into so that the device has something to do. */
function partsFor(p: Product, t: Tiles, traits: Traits): number {
  const groups = p.batch * Math.ceil(p.rows / t.rows) * Math.ceil(p.columns / t.columns);
  const enough = traits.software ? 4 : 256;
  const least = t.depth * (traits.software ? 16 : 8);
  if (groups >= enough || p.depth < 2 * least) return 1;
  return Math.min(Math.ceil(enough / groups), Math.floor(p.depth / least));
}

export function emitProduct(p: Product, to: Lowering): void {
  const size = p.batch * p.rows * p.columns;
  if (size === 0) return;
  const t = tilesFor(p.rows, p.columns, p.depth, p.batch, to.traits);
  const parts = partsFor(p, t, to.traits);
  const fuses = p.epilogue !== null && parts === 1 && fits(p, p.epilogue, to);
  if (p.epilogue !== null && !fuses) {
    const slot = p.slot >= 0 ? p.slot : to.scratch(size, 'float32');
    emitProduct({ ...p, slot, epilogue: null }, to);
    return emitBody(withRootInMemory(p.epilogue, slot, 'float32'), to, `${p.label} epilogue`);
  }
  if (parts === 1) return emitTiles(p, t, 1, p.slot, to);
  const sums = to.scratch(size * parts, 'float32');
  emitTiles(p, t, parts, sums, to);
  const add: Body = {
    shape: [parts, size],
    inputs: [denseView(sums, 'float32', [parts, size])],
    steps: [],
    stores: [],
    reductions: [{ op: 'sum', value: 0, axes: [0], slot: p.slot }],
  };
  emitBody(add, to, `${p.label} parts`);
}

function fits(p: Product, epilogue: Body, to: Lowering): boolean {
  const slots = [
    ...p.buffers,
    ...(p.slot >= 0 ? [p.slot] : []),
    ...epilogue.inputs.map((v) => v.slot),
    ...epilogue.stores.map((s) => s.slot),
  ];
  if (epilogue.reductions.length > 0) return false;
  if (new Set(slots.map(to.place)).size > to.traits.storageBuffers) return false;
  // What the factors read must not change while other workgroups still read it.
  const written = new Set([p.slot, ...epilogue.stores.map((s) => s.slot)].map(to.place));
  return !p.buffers.some((s) => written.has(to.place(s)));
}

function emitTiles(p: Product, t: Tiles, parts: number, slot: number, to: Lowering): void {
  const shader = to.shader(p.label);
  const { a, b } = p.factors(shader);
  const across = t.columns / t.ownColumns;
  const threads = across * (t.rows / t.ownRows);
  const tileRows = Math.ceil(p.rows / t.rows);
  const tileColumns = Math.ceil(p.columns / t.columns);
  const perPart = Math.ceil(Math.ceil(p.depth / parts) / t.depth) * t.depth;
  const rowGroups = t.ownRows / 4;
  const columnGroups = t.ownColumns / 4;
  const downs = t.rows / t.ownRows;
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

  const load = (side: 'A' | 'B', f: Factor, outer: number): { before: string; during: string } => {
    // The slab as vectors: [outer][depth / 4] along depth, [depth][outer / 4] along outer.
    const inner = f.along === 'depth' ? t.depth / 4 : outer / 4;
    const vectors = (outer * t.depth) / 4;
    const before: string[] = [];
    const during: string[] = [];
    const tile = side === 'A' ? 'tileRow' : 'tileColumn';
    const depthFixed = f.along === 'depth' && threads % inner === 0;
    if (depthFixed) during.push(`let depth${side} = depth${side}Of(k + (lane % ${inner}u) * 4u);`);
    range(Math.ceil(vectors / threads)).forEach((q) => {
      const at = q === 0 ? 'lane' : `(lane + ${q * threads}u)`;
      const o = f.along === 'depth' ? `${at} / ${inner}u` : `(${at} % ${inner}u) * 4u`;
      const d = f.along === 'depth' ? `(${at} % ${inner}u) * 4u` : `${at} / ${inner}u`;
      before.push(`let outer${side}${q} = outer${side}Of(batch, ${tile} + ${o});`);
      const depth = depthFixed ? `depth${side}` : `depth${side}Of(k + ${d})`;
      const store = `slab${side}[${at}] = fetch${side}(outer${side}${q}, ${depth});`;
      during.push((q + 1) * threads > vectors ? `if (${at} < ${vectors}u) { ${store} }` : store);
    });
    return { before: before.join('\n'), during: during.join('\n') };
  };
  const loadA = load('A', a, t.rows);
  const loadB = load('B', b, t.columns);

  // Four steps along k at a time. `rows` and `columns` name the scalars and vectors in registers.
  const inner: string[] = [];
  if (a.along === 'depth')
    for (const i of range(t.ownRows))
      inner.push(
        `let a${i} = slabA[((down + ${(i >> 2) * downs}u) * 4u + ${i & 3}u) * ${t.depth / 4}u + kk];`,
      );
  if (b.along === 'depth')
    for (const j of range(t.ownColumns))
      inner.push(
        `let b${j} = slabB[((right + ${(j >> 2) * across}u) * 4u + ${j & 3}u) * ${t.depth / 4}u + kk];`,
      );
  for (const s of range(4)) {
    const c = 'xyzw'[s];
    if (a.along === 'outer')
      for (const i of range(rowGroups))
        inner.push(`let a${s}_${i} = slabA[(kk * 4u + ${s}u) * ${t.rows / 4}u + down + ${i * downs}u];`);
    for (const j of range(columnGroups))
      inner.push(
        b.along === 'outer'
          ? `let b${s}_${j} = slabB[(kk * 4u + ${s}u) * ${t.columns / 4}u + right + ${j * across}u];`
          : `let b${s}_${j} = vec4(${range(4)
              .map((q) => `b${j * 4 + q}.${c}`)
              .join(', ')});`,
      );
    for (const i of range(t.ownRows)) {
      const x = a.along === 'outer' ? `a${s}_${i >> 2}.${'xyzw'[i & 3]}` : `a${i}.${c}`;
      for (const j of range(columnGroups)) inner.push(`sum${i}_${j} = fma(vec4(${x}), b${s}_${j}, sum${i}_${j});`);
    }
  }
  const sums = range(t.ownRows).flatMap((i) => range(columnGroups).map((j) => `sum${i}_${j}`));
  const stores = range(t.ownRows).flatMap((i) =>
    range(columnGroups).map(
      (j) =>
        `storeC(batch, part, tileRow + (down + ${(i >> 2) * downs}u) * 4u + ${i & 3}u, tileColumn + (right + ${j * across}u) * 4u, sum${i}_${j});`,
    ),
  );
  const declarations = `var<workgroup> slabA: array<vec4<f32>, ${(t.rows * t.depth) / 4}>;
var<workgroup> slabB: array<vec4<f32>, ${(t.columns * t.depth) / 4}>;
${a.declarations}
${b.declarations}
${writeStore(shader, p, parts, slot)}`;
  const main = `let tileColumn = (group % ${tileColumns}u) * ${t.columns}u;
let tileRow = (group / ${tileColumns}u % ${tileRows}u) * ${t.rows}u;
let part = group / ${tileColumns * tileRows}u % ${parts}u;
let batch = group / ${tileColumns * tileRows * parts}u;
let right = lane % ${across}u;
let down = lane / ${across}u;
${sums.map((s) => `var ${s} = vec4<f32>();`).join('\n')}
${loadA.before}
${loadB.before}
let end = min(part * ${perPart}u + ${perPart}u, ${p.depth}u);
for (var k = part * ${perPart}u; k < end; k += ${t.depth}u) {
${loadA.during}
${loadB.during}
workgroupBarrier();
for (var kk = 0u; kk < ${t.depth / 4}u; kk++) {
${inner.join('\n')}
}
workgroupBarrier();
}
${stores.join('\n')}`;
  to.add(shader.kernel({ threads, groups: tileColumns * tileRows * parts * p.batch, declarations, main }));
}

/** `storeC`: four neighbouring results to memory, through the epilogue if there is one. */
function writeStore(shader: Shader, p: Product, parts: number, slot: number): string {
  const size = p.batch * p.rows * p.columns;
  const domain = p.epilogue && mergeAxes(p.epilogue);
  const lanes = p.columns % 4 === 0 && (domain === null || lanesFor(domain) === 4) ? 4 : 1;
  const { groups } = p;
  const row =
    groups === 1
      ? `(batch * ${p.rows}u + m)`
      : `((batch / ${groups}u * ${p.rows}u + m) * ${groups}u + batch % ${groups}u)`;
  const lines: string[] = [];
  const values = lanes === 4 ? ['value.x', 'value.y', 'value.z', 'value.w'] : ['x'];
  if (slot >= 0) {
    const target = shader.write(slot, 'float32', lanes);
    lines.push(lanes === 4 ? `${target}[at / 4u] = value;` : `${target}[at] = x;`);
  }
  if (p.epilogue && domain) {
    const names = domain.sizes.map((_, d) => `c${d}`);
    const root = { dtype: 'float32' as const, names: values };
    lines.push(coordinates('at', domain.sizes, names));
    lines.push(writeBody(shader, p.epilogue, domain, { names, flat: 'at', lanes }, root));
  }
  const one =
    lanes === 4
      ? `let at = base;\n${lines.join('\n')}`
      : `for (var lane = 0u; lane < min(4u, ${p.columns}u - n); lane++) {
let at = base + lane;
let x = value[lane];
${lines.join('\n')}
}`;
  return `fn storeC(batch: u32, part: u32, m: u32, n: u32, value: vec4<f32>) {
if (m >= ${p.rows}u || n >= ${p.columns}u) { return; }
let base = ${row} * ${p.columns}u + n${parts > 1 ? ` + part * ${size}u` : ''};
${one}
}`;
}
