// The tiled product that matrix multiplication and all three convolutions are made of:
//
//   C[batch, m, n] = sum over k of A[batch, m, k] * B[batch, k, n]
//
// A and B are not arrays here but ways of fetching four neighbouring elements, which is how a convolution becomes a
// product without its unfolded matrix ever existing. A workgroup computes a tile of C: it fetches a slab of A and one of
// B into workgroup memory, each invocation multiplies its rows and columns out of them in registers, and so on along k.
// Where C is small and k long, k is cut into parts whose sums are added by a second kernel, always in the same order.

import { denseView } from '../engine/graph/dense.ts';
import type { Loop } from '../engine/program.ts';
import { coordinates, mergeAxes } from './axes.ts';
import { type Choice, heuristic, type ProductShape } from './choice.ts';
import { lanesFor, writeLoop } from './loop.ts';
import { type Lowering, withResultInMemory } from './lowering.ts';
import { emitLoop, emitReductions, type Reduced } from './reduce.ts';
import { rounded, type Shader, toMemory } from './shader.ts';
import { boundBy } from './split.ts';
import { type Factor, loopOf, type Tiles } from './tiles.ts';

export interface Product extends ProductShape {
  /** C's element (batch, m, n) lies at ((floor(batch / groups) * rows + m) * groups + batch % groups) * columns + n. */
  readonly groups: number;
  factors(shader: Shader): { a: Factor; b: Factor };
  /** Where C goes, if anywhere. */
  readonly slot: number;
  readonly epilogue: Loop | null;
  /** Slots that the factors fetch from. */
  readonly buffers: readonly number[];
}

/** What was measured for products of this class, else the heuristic; parts only where there is depth and memory for them. */
function choiceFor(p: Product, to: Lowering): Choice {
  const { tiles, parts } = to.tuning(p) ?? heuristic(p, to.traits);
  const deep = Math.ceil(p.depth / tiles.depth);
  const room = Math.floor(to.traits.bindingBytes / (4 * p.batch * p.rows * p.columns));
  return { tiles, parts: Math.max(1, Math.min(parts, deep, room)) };
}

export function emitProduct(p: Product, to: Lowering): void {
  const size = p.batch * p.rows * p.columns;
  if (size === 0) return;
  if (p.depth === 0) {
    emitEmpty(p, size, to);
    return;
  }
  const { tiles: t, parts } = choiceFor(p, to);
  const fuses = p.epilogue !== null && (parts === 1 ? fits(p, p.epilogue, to) : joinsSum(p, p.epilogue, to));
  if (p.epilogue !== null && !fuses) {
    const slot = p.slot >= 0 ? p.slot : to.scratch(size, p.dtype);
    emitProduct({ ...p, slot, epilogue: null }, to);
    emitLoop(withResultInMemory(p.epilogue, slot, p.dtype), to, `${p.label} epilogue`);
    return;
  }
  if (parts === 1) {
    emitTiles(p, t, 1, p.slot, to);
    return;
  }
  const sums = to.scratch(size * parts, 'float32');
  emitTiles(p, t, parts, sums, to);
  const add: Reduced = {
    shape: [parts, size],
    inputs: [denseView(sums, 'float32', [parts, size])],
    steps: [],
    stores: [],
    reductions: [{ op: 'sum', value: 0, axes: [0], slot: p.slot }],
    epilogue: p.epilogue ?? undefined,
  };
  emitReductions(add, to, `${p.label} parts`);
}

/** Can the kernel that adds parts go on with the epilogue? */
function joinsSum(p: Product, epilogue: Loop, to: Lowering): boolean {
  // Results are rounded to halves by the operation, sums of parts are not.
  if (p.dtype !== 'float32' || epilogue.reductions.length > 0) return false;
  const bound = 1 + (p.slot >= 0 ? 1 : 0) + boundBy(epilogue, to);
  // A software adapter works on four neighbours.
  const together = !to.traits.software || (p.columns % 4 === 0 && lanesFor(mergeAxes(epilogue)) === 4);
  return bound <= to.traits.storageBuffers && together;
}

/** Sums of nothing. */
function emitEmpty(p: Product, size: number, to: Lowering): void {
  const slot = p.slot >= 0 ? p.slot : to.scratch(size, p.dtype);
  const zero = { op: 'full' as const, args: [], dtype: p.dtype, value: 0 };
  emitLoop({ shape: [size], inputs: [], steps: [zero], stores: [{ value: 0, slot }], reductions: [] }, to);
  if (p.epilogue) emitLoop(withResultInMemory(p.epilogue, slot, p.dtype), to, `${p.label} epilogue`);
}

/** Can the kernel of the product go on with the epilogue? Every operand counts: a slot may be bound as several types. */
function fits(p: Product, epilogue: Loop, to: Lowering): boolean {
  if (epilogue.reductions.length > 0) return false;
  return p.buffers.length + (p.slot >= 0 ? 1 : 0) + boundBy(epilogue, to) <= to.traits.storageBuffers;
}

function emitTiles(p: Product, t: Tiles, parts: number, slot: number, to: Lowering): void {
  const shader = to.shader(p.label);
  const { a, b } = p.factors(shader);
  const loop = loopOf(t, a, b, to.traits.subgroup);
  const tileRows = Math.ceil(p.rows / t.rows);
  const tileColumns = Math.ceil(p.columns / t.columns);
  const perPart = Math.ceil(Math.ceil(p.depth / parts) / t.depth) * t.depth;
  const declarations = [
    loop.declarations,
    a.declarations,
    b.declarations,
    writeStore(shader, p, parts, slot),
  ];
  const main = `let tileColumn = (group % ${tileColumns}u) * ${t.columns}u;
let tileRow = (group / ${tileColumns}u % ${tileRows}u) * ${t.rows}u;
let part = group / ${tileColumns * tileRows}u % ${parts}u;
let batch = group / ${tileColumns * tileRows * parts}u;
let first = part * ${perPart}u;
let last = min(first + ${perPart}u, ${p.depth}u);
${loop.code}
for (var i = 0u; i < ${loop.results}u; i++) {
storeC(batch, part, tileRow + ${loop.row}, tileColumn + ${loop.column}, own[i]);
}`;
  const groups = tileColumns * tileRows * parts * p.batch;
  to.add(shader.kernel({ threads: loop.threads, groups, declarations: declarations.join('\n'), main }));
}

/** `storeC`: four neighbouring results to memory, through the epilogue if there is one. */
function writeStore(shader: Shader, p: Product, parts: number, slot: number): string {
  const dtype = parts > 1 ? 'float32' : p.dtype;
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
    const target = shader.write(slot, dtype, lanes);
    const vector = dtype === 'float16' ? 'vec4<f16>(value)' : 'value';
    lines.push(lanes === 4 ? `${target}[at / 4u] = ${vector};` : `${target}[at] = ${toMemory('x', dtype)};`);
  }
  if (p.epilogue && domain) {
    const names = domain.sizes.map((_, d) => `c${d}`);
    const root = { dtype: p.dtype, names: values.map((v) => rounded(v, p.dtype)) };
    lines.push(coordinates('at', domain.sizes, names));
    lines.push(writeLoop(shader, p.epilogue, domain, { names, flat: 'at', lanes }, root));
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
