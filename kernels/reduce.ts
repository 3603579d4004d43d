// Reductions of a loop's values over some axes of its domain, and what is made of them: sum, max, min and moments as
// roots, argmax and argmin. A workgroup is a grid of invocations, some along the axes that stay and some along those
// that go; each invocation adds up its share in order, then a tree adds the shares: within subgroups, where their size is
// known, by exchange, beyond that in workgroup memory. Few results of many elements are cut into chunks whose partial
// results a second kernel reduces. The order of additions depends on sizes and device only, never on scheduling.

import { type DType, sizeOf } from '../engine/dtype.ts';
import { denseView } from '../engine/graph/dense.ts';
import { momentLoops, type Reduced, reductionLoop } from '../engine/graph/moments.ts';
import { extremeOfNone } from '../engine/primitives/reduce.ts';
import type { Loop, Reduction } from '../engine/program.ts';
import { coordinates, mergeAxes, position, rowMajor } from './axes.ts';
import { CPU_THREADS, GPU_THREADS } from './each.ts';
import { type Argument, expressionOf } from './elementwise.ts';
import { emitMap, lanesFor, valueName, writeLoop } from './loop.ts';
import type { Emitter, Lowering, Traits } from './lowering.ts';
import { fromMemory, literal, rounded, type Shader, toMemory, valueType } from './shader.ts';
import { splitLoop, valueTypes } from './split.ts';

/** Any loop: split to fit the device, then with or without reductions. */
export function emitLoop(loop: Loop, to: Lowering, label = 'loop'): void {
  for (const part of splitLoop(loop, to)) {
    if (part.reductions.length === 0) emitMap(part, to, label);
    else emitReductions(part, to, label);
  }
}

interface Grid {
  /** Invocations along results and along what is reduced; their product is the workgroup. */
  readonly across: number;
  readonly along: number;
  /** Reduced elements (or groups of lanes) to a chunk, and chunks. */
  readonly chunk: number;
  readonly chunks: number;
}

const floorPower = (n: number): number => 2 ** Math.floor(Math.log2(Math.max(1, n)));
export const ceilPower = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

/** Elements, or groups of lanes, of which a CPU keeps as many near. */
const CACHED = 2 ** 17;

function gridFor(results: number, count: number, rows: boolean, traits: Traits): Grid {
  const threads = traits.software ? CPU_THREADS : GPU_THREADS;
  const room = rows ? threads : threads / Math.min(32, threads, ceilPower(results));
  const along = Math.min(room, floorPower(count / (rows ? 4 : 8)));
  const across = threads / along;
  const running = Math.ceil(results / across) * threads;
  const enough = traits.software ? 24 * CPU_THREADS : 65536;
  const share = count / along;
  const wanted = running >= enough || share <= 32 ? 1 : Math.ceil(Math.min(enough / running, share / 16));
  // A stretch of columns is left for the next one: rows that are still cached by then come from there.
  const most = traits.software && !rows ? Math.max(64, Math.floor(CACHED / results)) : count;
  const chunk = Math.max(1, Math.min(most, Math.ceil(count / wanted)));
  return { across, along, chunk, chunks: Math.max(1, Math.ceil(count / chunk)) };
}

/** What sums and extremes of a type are kept in until they are whole. */
const accumulated = (dtype: DType): DType => (dtype === 'float16' ? 'float32' : dtype);

const startValue = (op: Reduction['op'], dtype: DType): number =>
  op === 'sum' ? 0 : extremeOfNone(op, dtype);

/** Two shares of a reduction as one, and what nothing counts as; types are those of what is reduced. */
export const combined = (op: Reduction['op'], dtype: DType, a: string, b: string): string =>
  op === 'sum' ? `${a} + ${b}` : `${op}${valueType(dtype) === 'f32' ? 'Of' : ''}(${a}, ${b})`;
export const startOf = (op: Reduction['op'], dtype: DType): string => literal(startValue(op, dtype), dtype);

/** Reductions, and what is made of them. */
export function emitReductions(loop: Reduced, to: Lowering, label: string): void {
  const { divisor = 1, after, epilogue } = loop;
  const [{ axes }] = loop.reductions;
  const domain = mergeAxes(loop, axes);
  const kept = domain.sizes.flatMap((_, d) => (domain.reduced[d] ? [] : [d]));
  const gone = domain.sizes.flatMap((_, d) => (domain.reduced[d] ? [d] : []));
  const results = sizeOf(kept.map((d) => domain.sizes[d]));
  const count = sizeOf(gone.map((d) => domain.sizes[d]));
  const types = valueTypes(loop, null);
  if (results === 0) return;
  if (sizeOf(loop.shape) === 0) {
    for (const r of loop.reductions) {
      const { dtype } = to.slots[r.slot];
      const steps = [{ op: 'full' as const, args: [], dtype, value: startValue(r.op, dtype) }];
      emitMap(
        { shape: [results], inputs: [], steps, stores: [{ value: 0, slot: r.slot }], reductions: [] },
        to,
      );
    }
    return;
  }
  const rows = gone.length === 0 || domain.reduced[domain.sizes.length - 1];
  const lanes = rows && gone.length > 0 ? lanesFor(domain) : 1;
  // Neighbouring results that an invocation works out together.
  const width = !rows && to.traits.software ? lanesFor(domain) : 1;
  const totals = loop.reductions.flatMap((r, j) =>
    Array.from({ length: width }, (_, lane) => ({ ...r, output: j, lane })),
  );
  const { across, along, chunk, chunks } = gridFor(results / width, count / lanes, rows, to.traits);
  const threads = across * along;
  const resultGroups = Math.ceil(results / width / across);
  const names = domain.sizes.map((_, d) => `c${d}`);
  const shader = to.shader(`${label} reduced`);
  const outs = loop.reductions.map((r) =>
    chunks === 1 ? r.slot : to.scratch(results * chunks, accumulated(types[r.value])),
  );
  const combine = (r: Reduction, a: string, b: string): string => combined(r.op, types[r.value], a, b);
  const strides = rowMajor(domain.sizes);
  const inner = writeLoop(shader, loop, domain, { names, flat: 'at', lanes: width === 4 ? 4 : lanes });
  const accumulate = totals.map((r, j) => {
    if (width > 1) return `total${j} = ${combine(r, `total${j}`, valueName(r.value, r.lane))};`;
    const own = Array.from({ length: lanes }, (_, l) => valueName(r.value, l));
    const pairs = lanes === 4 ? [combine(r, own[0], own[1]), combine(r, own[2], own[3])] : own;
    const one =
      pairs.length === 2 ? combine(r, pairs[0], pairs[1].includes('+') ? `(${pairs[1]})` : pairs[1]) : own[0];
    return `total${j} = ${combine(r, `total${j}`, `(${one})`)};`;
  });
  const { subgroup } = to.traits;
  const step = rows ? 1 : across;
  const inside = threads % subgroup === 0 ? Math.max(1, Math.min(along, subgroup / step)) : 1;
  const outside = along / inside;
  const tree: string[] = [];
  for (let apart = step; apart < step * inside; apart *= 2)
    totals.forEach((r, j) => {
      const other = `subgroupShuffleXor(total${j}, ${apart}u)`;
      tree.push(`total${j} = ${combine(r, `total${j}`, other)};`);
    });
  if (outside > 1) {
    const store = totals.map((_, j) => `shares${j}[share * ${across}u + across] = total${j};`);
    tree.push(`let share = along / ${inside}u;`, `if (along % ${inside}u == 0u) {`, ...store, '}');
    for (let half = outside / 2; half >= 1; half /= 2) {
      tree.push('workgroupBarrier();', `if (along % ${inside}u == 0u && share < ${half}u) {`);
      totals.forEach((r, j) => {
        const other = `shares${j}[(share + ${half}u) * ${across}u + across]`;
        tree.push(`total${j} = ${combine(r, `total${j}`, other)};`);
        if (half > 1) tree.push(store[j]);
      });
      tree.push('}');
    }
  }
  const whole = (j: number): string =>
    divisor !== 1 && totals[j].op === 'sum' ? `(total${j} / ${literal(divisor, 'float32')})` : `total${j}`;
  const stored = () =>
    totals.map((r, j) => {
      const { dtype } = to.slots[outs[r.output]];
      const value = chunks === 1 ? whole(j) : `total${j}`;
      return `${shader.write(outs[r.output], dtype)}[chunk * ${results}u + first + ${r.lane}u] = ${toMemory(value, dtype)};`;
    });
  const totalOf = (slot: number, lane: number): string | undefined => {
    const j = totals.findIndex((r) => r.slot === slot && r.lane === lane);
    return j < 0 ? undefined : whole(j);
  };
  const finish =
    chunks > 1 || !(after || epilogue)
      ? stored()
      : after
        ? totals
            .slice(0, width)
            .map((_, lane) => writeAfter(shader, after, lane, (slot) => totalOf(slot, lane)))
        : [
            ...(outs[0] >= 0 ? stored() : []),
            writeEpilogue(
              shader,
              epilogue as Loop,
              width,
              types[loop.reductions[0].value],
              totals.map((_, j) => whole(j)),
            ),
          ];
  const main = `let chunk = group / ${resultGroups}u;
let along = ${rows ? `lane % ${along}u` : `lane / ${across}u`};
let across = ${rows ? `lane / ${along}u` : `lane % ${across}u`};
let first = ((group % ${resultGroups}u) * ${across}u + across) * ${width}u;
${coordinates(
  'first',
  kept.map((d) => domain.sizes[d]),
  kept.map((d) => names[d]),
)}
${totals.map((r, j) => `var total${j} = ${startOf(r.op, types[r.value])};`).join('\n')}
let end = select(0u, min((chunk + 1u) * ${chunk}u, ${count / lanes}u), first < ${results}u);
for (var r = chunk * ${chunk}u + along; r < end; r += ${along}u) {
${lanes === 4 ? 'let element = r * 4u;' : 'let element = r;'}
${coordinates(
  'element',
  gone.map((d) => domain.sizes[d]),
  gone.map((d) => names[d]),
)}
let at = ${position(names, strides)};
${inner}
${accumulate.join('\n')}
}
${tree.join('\n')}
if (along == 0u && first < ${results}u) {
${finish.join('\n')}
}`;
  const declarations =
    outside > 1
      ? totals
          .map(
            (r, j) => `var<workgroup> shares${j}: array<${valueType(types[r.value])}, ${threads / inside}>;`,
          )
          .join('\n')
      : '';
  to.add(shader.kernel({ threads, groups: resultGroups * chunks, declarations, main }));
  if (chunks === 1) return;
  const second: Reduced = {
    divisor,
    after,
    epilogue,
    shape: [chunks, results],
    inputs: outs.map((slot) => denseView(slot, to.slots[slot].dtype, [chunks, results])),
    steps: [],
    stores: [],
    reductions: loop.reductions.map((r, j) => ({ op: r.op, value: j, axes: [0], slot: r.slot })),
  };
  const parts: Reduced[] =
    after || epilogue ? [second] : splitLoop(second, to).map((part) => ({ ...part, divisor }));
  for (const part of parts) emitReductions(part, to, label);
}

/** Statements for neighbouring results, `totals`, of one reduction: they go on as an operation's results do. */
function writeEpilogue(
  shader: Shader,
  epilogue: Loop,
  width: 1 | 4,
  dtype: DType,
  totals: readonly string[],
): string {
  const domain = mergeAxes(epilogue);
  const names = domain.sizes.map((_, d) => `e${d}`);
  const result = { dtype, names: totals.map((t) => rounded(t, dtype)) };
  return `${coordinates('first', domain.sizes, names)}
${writeLoop(shader, epilogue, domain, { names, flat: 'first', lanes: width }, result)}`;
}

/** Statements for one result: what comes after the reductions, their totals in place of the slots that they name. */
function writeAfter(
  shader: Shader,
  after: Loop,
  lane: number,
  totalOf: (slot: number) => string | undefined,
): string {
  const types = valueTypes(after, null);
  const at = `first + ${lane}u`;
  const inputs = after.inputs.map(
    ({ slot, dtype }) => totalOf(slot) ?? fromMemory(`${shader.read(slot, dtype)}[${at}]`, dtype),
  );
  const steps = after.steps.map((s) =>
    expressionOf(
      s,
      s.args.map((a): Argument => ({ name: valueName(a, lane), dtype: types[a] })),
    ),
  );
  return [
    ...[...inputs, ...steps].map((value, k) => `let ${valueName(k, lane)} = ${value};`),
    ...after.stores.map(({ value, slot }) => {
      const dtype = types[value];
      return `${shader.write(slot, dtype)}[${at}] = ${toMemory(valueName(value, lane), dtype)};`;
    }),
  ].join('\n');
}

// ---- roots -----------------------------------------------------------------------------------------------------------

const reduction: Emitter<'sum' | 'max' | 'min' | 'moments'> = (i, to) => {
  const loops = i.op === 'moments' ? momentLoops(i, (n, t) => to.scratch(n, t)) : [reductionLoop(i.op, i)];
  for (const loop of loops) emitReductions(loop, to, i.op);
};

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
let other = lane + ${half}u;
if (before(values[other], positions[other], best, found)) { best = values[other]; found = positions[other]; }
values[lane] = best;
positions[lane] = found;
}`);
    const main = `let along = lane % ${along}u;
let result = group * ${across}u + lane / ${along}u;
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
${along > 1 ? 'values[lane] = best;\npositions[lane] = found;' : ''}
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
  moments: reduction,
};
