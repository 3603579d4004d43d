// Reductions of a loop's values over some axes of its domain, and what is made of them: sum, max and min as roots, argmax and
// argmin. How they are dealt out over the device is grid.ts.

import { type DType, sizeOf } from '../engine/dtype.ts';
import { denseView, keptOf } from '../engine/graph/dense.ts';
import { reductionLoop } from '../engine/graph/moments.ts';
import { extremeOfNone } from '../engine/primitives/reduce.ts';
import type { Loop, Reduction } from '../engine/program.ts';
import { coordinates, mergeAxes } from './axes.ts';
import { floorPower, type Layout, layoutOf, reductionKernel, type Variable } from './grid.ts';
import { emitMap, valueName, writeLoop } from './loop.ts';
import type { Emitter, Lowering } from './lowering.ts';
import { fromMemory, literal, rounded, type Shader, toMemory, valueType } from './shader.ts';
import { splitLoop, valueTypes } from './split.ts';

/** Any loop: split to fit the device, then with or without reductions. */
export function emitLoop(loop: Loop, to: Lowering, label = 'loop'): void {
  for (const part of splitLoop(loop, to)) {
    if (part.reductions.length === 0) emitMap(part, to, label);
    else emitReductions(part, to, label);
  }
}

/** What sums and extremes of a type are kept in until they are whole. */
const accumulated = (dtype: DType): DType => (dtype === 'float16' ? 'float32' : dtype);

const startValue = (op: Reduction['op'], dtype: DType): number =>
  op === 'sum' ? 0 : extremeOfNone(op, dtype);

/** Two shares of a reduction as one, and what nothing counts as; types are those of what is reduced. */
export const combined = (op: Reduction['op'], dtype: DType, a: string, b: string): string =>
  op === 'sum' ? `${a} + ${b}` : `${op}${valueType(dtype) === 'f32' ? 'Of' : ''}(${a}, ${b})`;
export const startOf = (op: Reduction['op'], dtype: DType): string => literal(startValue(op, dtype), dtype);

/** Reductions of nothing: what each starts from. */
function emitStarts({ reductions }: Loop, results: number, to: Lowering): void {
  for (const r of reductions) {
    const { dtype } = to.slots[r.slot];
    const steps = [{ op: 'full' as const, args: [], dtype, value: startValue(r.op, dtype) }];
    const stores = [{ value: 0, slot: r.slot }];
    emitMap({ shape: [results], inputs: [], steps, stores, reductions: [] }, to);
  }
}

/** A loop with reductions. */
export interface Reduced extends Loop {
  /** What is done with the single result, as with that of an operation; the result then needs no slot. */
  readonly epilogue?: Loop;
}

/** Reductions, and what is done with them. */
export function emitReductions(loop: Reduced, to: Lowering, label: string): void {
  const [{ axes }] = loop.reductions;
  const results = sizeOf(keptOf({ shape: loop.shape, axes }));
  if (results === 0) return;
  if (sizeOf(loop.shape) === 0) {
    emitStarts(loop, results, to);
    return;
  }
  const types = valueTypes(loop, null);
  const layout = layoutOf(loop, axes, to.traits);
  const { chunks } = layout;
  const outs = loop.reductions.map((r) =>
    chunks === 1 ? r.slot : to.scratch(results * chunks, accumulated(types[r.value])),
  );
  const shader = to.shader(`${label} reduced`);
  const totals = totalsOf(loop, layout);
  const take = writeTake(shader, loop, layout, totals);
  const finish = [
    ...(outs[0] >= 0 ? totals.map((t) => writeTotal(shader, t, outs[t.output], layout, to)) : []),
    ...(chunks === 1 && loop.epilogue
      ? [writeEpilogue(shader, loop.epilogue, layout.width, totals[0].dtype, totals)]
      : []),
  ];
  const join = (other: (v: Variable) => string): string[] =>
    totals.map((t) => `${t.name} = ${combined(t.op, t.dtype, t.name, other(t))};`);
  const reducing = { variables: totals, take, join, finish: finish.join('\n') };
  to.add(reductionKernel(shader, layout, reducing, to.traits));
  if (chunks === 1) return;
  const shape = [chunks, results];
  const second: Reduced = {
    epilogue: loop.epilogue,
    shape,
    inputs: outs.map((slot) => denseView(slot, to.slots[slot].dtype, shape)),
    steps: [],
    stores: [],
    reductions: loop.reductions.map((r, j) => ({ op: r.op, value: j, axes: [0], slot: r.slot })),
  };
  for (const part of loop.epilogue ? [second] : splitLoop(second, to)) emitReductions(part, to, label);
}

/** What an invocation has of a reduction, for one of the neighbouring results that it works out. */
interface Total extends Variable {
  readonly op: Reduction['op'];
  readonly dtype: DType;
  /** The value that is reduced. */
  readonly value: number;
  /** Which of the reductions, and which of the neighbours. */
  readonly output: number;
  readonly lane: number;
}

function totalsOf(loop: Reduced, { width }: Layout): Total[] {
  const types = valueTypes(loop, null);
  return loop.reductions.flatMap(({ op, value }, output) =>
    Array.from({ length: width }, (_, lane): Total => {
      const dtype = types[value];
      const name = `total${output * width + lane}`;
      return { name, type: valueType(dtype), start: startOf(op, dtype), op, dtype, value, output, lane };
    }),
  );
}

function writeTake(shader: Shader, loop: Reduced, layout: Layout, totals: readonly Total[]): string {
  const { domain, names, lanes, width } = layout;
  const inner = writeLoop(shader, loop, domain, { names, flat: 'at', lanes: width === 4 ? 4 : lanes });
  const lines = totals.map(({ name, op, dtype, value, lane }) => {
    const join = (a: string, b: string): string => combined(op, dtype, a, b);
    if (width > 1) return `${name} = ${join(name, valueName(value, lane))};`;
    const own = Array.from({ length: lanes }, (_, l) => valueName(value, l));
    if (lanes === 1) return `${name} = ${join(name, `(${own[0]})`)};`;
    const [left, right] = [join(own[0], own[1]), join(own[2], own[3])];
    return `${name} = ${join(name, `(${join(left, right.includes('+') ? `(${right})` : right)})`)};`;
  });
  return [inner, ...lines].join('\n');
}

function writeTotal(
  shader: Shader,
  { name, lane }: Total,
  slot: number,
  { results }: Layout,
  to: Lowering,
): string {
  const { dtype } = to.slots[slot];
  return `${shader.write(slot, dtype)}[chunk * ${results}u + first + ${lane}u] = ${toMemory(name, dtype)};`;
}

/** Statements for neighbouring results of one reduction: they go on as an operation's results do. */
function writeEpilogue(
  shader: Shader,
  epilogue: Loop,
  width: 1 | 4,
  dtype: DType,
  totals: readonly Variable[],
): string {
  const domain = mergeAxes(epilogue);
  const names = domain.sizes.map((_, d) => `e${d}`);
  const result = { dtype, names: totals.map((t) => rounded(t.name, dtype)) };
  return `${coordinates('first', domain.sizes, names)}
${writeLoop(shader, epilogue, domain, { names, flat: 'first', lanes: width }, result)}`;
}

// ---- roots -----------------------------------------------------------------------------------------------------------

const reduction: Emitter<'sum' | 'max' | 'min'> = (i, to) => emitReductions(reductionLoop(i.op, i), to, i.op);

/** One workgroup for a result: positions strided over invocations, then the earliest of the best. */
const argument =
  (op: 'argmax' | 'argmin'): Emitter<typeof op> =>
  (i, to) => {
    const [x] = i.inputs;
    const [out] = i.outputs;
    const { axis } = i.params;
    const n = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const results = sizeOf(out.shape);
    if (results === 0) return;
    const along = Math.min(64, floorPower(n / 8));
    const across = 64 / along;
    const shader = to.shader(op);
    const from = shader.read(x.slot, x.dtype);
    const element = (at: string): string => fromMemory(`${from}[${at}]`, x.dtype);
    const target = shader.write(out.slot, 'int32');
    const type = valueType(x.dtype);
    const sign = op === 'argmax' ? '>' : '<';
    // Whether (a, i) comes before (b, j): NaN first, then the better value, then the earlier position.
    const nan = (v: string): string => (type === 'f32' ? `isNan(${v})` : 'false');
    const declarations = `var<workgroup> values: array<${type}, 64>;
var<workgroup> positions: array<u32, 64>;
fn before(a: ${type}, i: u32, b: ${type}, j: u32) -> bool {
  let x = ${nan('a')};
  let y = ${nan('b')};
  if (x != y) { return x; }
  if (!x && a != b) { return a ${sign} b; }
  return i < j;
}`;
    const tree: string[] = [];
    for (let half = along / 2; half >= 1; half /= 2)
      tree.push(`workgroupBarrier();
if (along < ${half}u) {
let other = localIndex + ${half}u;
if (before(values[other], positions[other], best, found)) { best = values[other]; found = positions[other]; }
values[localIndex] = best;
positions[localIndex] = found;
}`);
    const main = `let along = localIndex % ${along}u;
let result = group * ${across}u + localIndex / ${along}u;
let base = (result / ${inner}u) * ${n * inner}u + result % ${inner}u;
let inside = result < ${results}u;
var found = min(along, ${n - 1}u);
var best = ${element(`select(0u, base + found * ${inner}u, inside)`)};
if (inside) {
for (var k = along + ${along}u; k < ${n}u; k += ${along}u) {
let v = ${element(`base + k * ${inner}u`)};
if (before(v, k, best, found)) { best = v; found = k; }
}
}
${along > 1 ? 'values[localIndex] = best;\npositions[localIndex] = found;' : ''}
${tree.join('\n')}
if (along == 0u && inside) { ${target}[result] = i32(found); }`;
    to.add(shader.kernel({ threads: 64, groups: Math.ceil(results / across), declarations, main }));
  };

export const reduceEmitters = {
  sum: reduction,
  max: reduction,
  min: reduction,
  argmax: argument('argmax'),
  argmin: argument('argmin'),
};
