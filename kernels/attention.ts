// Attention without its scores. An invocation has a query: it keeps the query's rows and the sum over values in
// registers and goes through the keys, whose rows a workgroup shares in its memory, a tile at a time. A software adapter
// reads them from its caches instead. Wide values are cut into chunks of columns, and each chunk computes the weights
// again. Where factors need more buffers than the device binds, they are first copied side by side into one array for
// queries and one for keys.

import { type DType, sizeOf } from '../engine/dtype.ts';
import type { Operand, OpInstruction } from '../engine/program.ts';
import { CPU_THREADS, emitEach } from './each.ts';
import type { Emitter, Lowering, Traits } from './lowering.ts';
import { literal, type Shader, toMemory } from './shader.ts';

type AttentionInstruction = OpInstruction<'attention'> | OpInstruction<'attentionSum'>;

const THREADS = 64;
/** Vectors of four columns of a chunk, and of a query's row that stay in registers. */
const COLUMNS = 16;
const MAX_WIDTH_KEPT = 32;
const MOST_KEYS = 32;
const LEAST_KEYS = 4;

/** Rows of an array: `depth` elements from `offset` on, `stride` from row to row. */
interface Rows {
  readonly slot: number;
  readonly dtype: DType;
  readonly stride: number;
  readonly offset: number;
  readonly depth: number;
}
/** Rows of queries beside rows of keys: scores are their products, and so is each factor. */
interface Pair {
  readonly queries: Rows;
  readonly keys: Rows;
}
const rowsOf = ({ slot, dtype, shape }: Operand): Rows => ({
  slot,
  dtype,
  stride: shape[2],
  offset: 0,
  depth: shape[2],
});
const vectorsOf = ({ depth }: Rows): number => Math.ceil(depth / 4);

/** Declares `fn name(row, d)`: elements 4 d to 4 d + 3 of a row, zero beyond its end. */
function fetcher(shader: Shader, name: string, x: Rows): string {
  const whole = [x.depth, x.stride, x.offset].every((n) => n % 4 === 0);
  const load = shader.floats(x.slot, x.dtype, whole ? 4 : 1);
  const element = (i: number): string => {
    const inside = `4u * d + ${i}u < ${x.depth}u`;
    return `select(0f, ${load(`select(0u, row * ${x.stride}u + ${x.offset + i}u + 4u * d, ${inside})`)}, ${inside})`;
  };
  const value = whole
    ? load(`row * ${x.stride / 4}u + ${x.offset / 4}u + d`)
    : `vec4(${[0, 1, 2, 3].map(element).join(', ')})`;
  return `fn ${name}(row: u32, d: u32) -> vec4<f32> { return ${value}; }`;
}

/** The factors side by side in one array, each filled up with zeros to vectors of four. */
function sideBySide(factors: readonly Rows[], count: number, to: Lowering): Rows[] {
  const stride = factors.reduce((sum, x) => sum + 4 * vectorsOf(x), 0);
  const slot = to.scratch(count * stride, 'float32');
  let offset = 0;
  return factors.map((x): Rows => {
    const depth = 4 * vectorsOf(x);
    const shader = to.shader('attention factors');
    const load = shader.floats(x.slot, x.dtype, 1);
    const target = shader.write(slot, 'float32');
    emitEach(
      shader,
      count * depth,
      to,
      `let row = at / ${depth}u;
let e = at % ${depth}u;
${target}[row * ${stride}u + ${offset}u + e] = select(0f, ${load(`row * ${x.depth}u + min(e, ${x.depth - 1}u)`)}, e < ${x.depth}u);`,
    );
    const packed: Rows = { slot, dtype: 'float32', stride, offset, depth };
    offset += depth;
    return packed;
  });
}

/** Factors as they are, or copied where the kernel would bind too many buffers: a factor of no elements is zero. */
function factorsOf(operands: readonly Operand[], queries: number, keys: number, to: Lowering): Pair[] {
  const a = operands.filter((_, f) => f % 2 === 0).map(rowsOf);
  const b = operands.filter((_, f) => f % 2 === 1).map(rowsOf);
  const fits = operands.length + 6 <= to.traits.storageBuffers;
  const [left, right] = fits ? [a, b] : [sideBySide(a, queries, to), sideBySide(b, keys, to)];
  return left.map((x, f) => ({ queries: x, keys: right[f] }));
}

interface Work {
  readonly m: Operand;
  readonly v: Operand;
  readonly factors: readonly Operand[];
  /** Before the first key. */
  readonly begin: (shader: Shader) => string;
  /** The weight of a key, from `score` and `m`. */
  readonly weigh: string;
  /** Before the sums are written, and after it. */
  readonly finish: string;
  readonly end: (shader: Shader) => string;
}

/** Rows of each key that the weights and sums are made of; `of` fetches vector d of a row. */
interface Part {
  readonly name: string;
  readonly width: number;
  readonly of: (row: string, d: string) => string;
}

/** Vectors of columns that a workgroup sums, at most COLUMNS. */
const columnsOf = (y: Operand): number => Math.min(COLUMNS, Math.ceil(y.shape[2] / 4));

/** Who computes what; `keys` in a workgroup's memory at a time, 0 where none are. */
function layoutOf(y: Operand, parts: readonly Part[], { software, workgroupBytes }: Traits) {
  const columns = columnsOf(y);
  const threads = software ? CPU_THREADS : THREADS;
  const each = 16 * parts.reduce((sum, p) => sum + p.width, 0);
  const fitting = each === 0 ? MOST_KEYS : Math.min(MOST_KEYS, Math.floor(workgroupBytes / each));
  return {
    columns,
    chunks: columns === 0 ? 1 : Math.ceil(y.shape[2] / 4 / columns),
    threads,
    tiles: Math.ceil(y.shape[1] / threads),
    keys: software || fitting < LEAST_KEYS ? 0 : fitting,
  };
}

/** The work for one key: its score, weight, factors, and its share of the sums. */
function keyStep(
  { params: { sees, scale } }: AttentionInstruction,
  weigh: string,
  parts: readonly Part[],
  mask: string,
  shared: boolean,
): string {
  const vector = ({ name, width, of }: Part, d: string): string =>
    shared ? `${name}[j * ${width}u + ${d}]` : of('row', d);
  const products = parts.slice(0, -1).map((part, n) => {
    if (part.width === 0) return `let product${n} = 0f;`;
    const own = part.width <= MAX_WIDTH_KEPT ? `own${n}[d]` : `query${n}(at, d)`;
    return `var sum${n} = vec4<f32>();
for (var d = 0u; d < ${part.width}u; d++) { sum${n} += ${own} * ${vector(part, 'd')}; }
let product${n} = (sum${n}.x + sum${n}.y) + (sum${n}.z + sum${n}.w);`;
  });
  const values = parts[parts.length - 1];
  return `let row = keys + key;
${sees === 'all' ? '' : `if (key ${sees === 'past' ? '>' : '<'} query) { continue; }`}
${products[0]}
let score = product0 * ${literal(scale, 'float32')};
let m = ${mask};
${weigh}
${products
  .slice(1)
  .map((product, f) => `${product}\nweight *= product${f + 1};`)
  .join('\n')}
${values.width === 0 ? '' : `for (var c = 0u; c < ${values.width}u; c++) { total[c] += weight * ${vector(values, 'c')}; }`}`;
}

function emit(i: AttentionInstruction, work: Work, to: Lowering): void {
  const [q, k] = i.inputs;
  const [y] = i.outputs;
  const { m, v } = work;
  const { sees } = i.params;
  const [B, N, C] = y.shape;
  const M = k.shape[1];
  const scores: Pair = { queries: rowsOf(q), keys: rowsOf(k) };
  const pairs = [scores, ...factorsOf(work.factors, B * N, B * M, to)];
  const parts: Part[] = [
    ...pairs.map(({ keys }, n) => ({
      name: `keys${n}`,
      width: vectorsOf(keys),
      of: (row: string, d: string) => `key${n}(${row}, ${d})`,
    })),
    {
      name: 'values',
      width: columnsOf(y),
      of: (row, d) => `value(${row}, chunk * ${columnsOf(y)}u + ${d})`,
    },
  ];
  const { columns, chunks, threads, tiles, keys } = layoutOf(y, parts, to.traits);

  const shader = to.shader(i.op);
  const declared = parts.slice(0, -1).flatMap(({ width }, n) => {
    if (width === 0) return [];
    return [fetcher(shader, `query${n}`, pairs[n].queries), fetcher(shader, `key${n}`, pairs[n].keys)];
  });
  if (columns > 0) declared.push(fetcher(shader, 'value', rowsOf(v)));
  const filled = parts.filter((p) => p.width > 0);
  if (keys > 0)
    for (const p of filled) declared.push(`var<workgroup> ${p.name}: array<vec4<f32>, ${keys * p.width}>;`);
  const stage = filled.map(
    (p) => `for (var i = localIndex; i < ${keys * p.width}u; i += ${threads}u) {
${p.name}[i] = ${p.of(`keys + min(start + i / ${p.width}u, last - 1u)`, `i % ${p.width}u`)};
}`,
  );
  const step = keyStep(i, work.weigh, parts, shader.floats(m.slot, m.dtype, 1)('row'), keys > 0);
  const loop =
    keys === 0
      ? `for (var key = first; key < last; key++) {\n${step}\n}`
      : `for (var start = first; start < last; start += ${keys}u) {
workgroupBarrier();
${stage.join('\n')}
workgroupBarrier();
for (var j = 0u; j < min(${keys}u, last - start); j++) {
let key = start + j;
${step}
}
}`;
  const kept = parts.slice(0, -1).map(({ width }, n) =>
    width === 0 || width > MAX_WIDTH_KEPT
      ? ''
      : `var own${n}: array<vec4<f32>, ${width}>;
for (var d = 0u; d < ${width}u; d++) { own${n}[d] = query${n}(at, d); }`,
  );
  const target = shader.write(y.slot, y.dtype);
  const main = `let chunk = group % ${chunks}u;
let tile = group / ${chunks}u % ${tiles}u;
let b = group / ${chunks * tiles}u;
let keys = b * ${M}u;
let query = tile * ${threads}u + localIndex;
let at = b * ${N}u + min(query, ${N - 1}u);
${kept.join('\n')}
var total: array<vec4<f32>, ${Math.max(1, columns)}>;
${work.begin(shader)}
let first = ${sees === 'future' ? `min(${M}u, tile * ${threads}u)` : '0u'};
let last = ${sees === 'past' ? `min(${M}u, (tile + 1u) * ${threads}u)` : `${M}u`};
${loop}
if (query < ${N}u) {
${work.finish}
for (var c = 0u; c < ${4 * columns}u; c++) {
let column = chunk * ${4 * columns}u + c;
if (column < ${C}u) { ${target}[at * ${C}u + column] = ${toMemory('total[c / 4u][c % 4u]', y.dtype)}; }
}
${work.end(shader)}
}`;
  to.add(shader.kernel({ threads, groups: B * tiles * chunks, declarations: declared.join('\n'), main }));
}

const attention: Emitter<'attention'> = (i, to) => {
  const [, , m, v] = i.inputs;
  const [y, l] = i.outputs;
  if (sizeOf(l.shape) === 0) return;
  const times = (by: string): string => `for (var c = 0u; c < ${columnsOf(y)}u; c++) { total[c] *= ${by}; }`;
  const work: Work = {
    m,
    v,
    factors: [],
    begin: () => 'var top = -3.4028234e38f;\nvar sum = 0f;',
    weigh: `let x = score - m;
if (x > top) {
let shrink = expOf(top - x);
top = x;
sum *= shrink;
${times('shrink')}
}
let weight = expOf(x - top);
sum += weight;`,
    // A query that sees no key has the sum 0, and weights of 0.
    finish: `let share = select(1f / sum, 1f, sum == 0f);\n${times('share')}`,
    end: (shader) =>
      `if (chunk == 0u) { ${shader.write(l.slot, l.dtype)}[at] = ${toMemory('select(top + logOf(sum), 0f, sum == 0f)', l.dtype)}; }`,
  };
  emit(i, work, to);
};

const attentionSum: Emitter<'attentionSum'> = (i, to) => {
  const [, , l, m, v, ...factors] = i.inputs;
  if (sizeOf(i.outputs[0].shape) === 0) return;
  const work: Work = {
    m,
    v,
    factors,
    begin: (shader) => `let l = ${shader.floats(l.slot, l.dtype, 1)('at')};`,
    weigh: 'var weight = expOf((score - l) - m);',
    finish: '',
    end: () => '',
  };
  emit(i, work, to);
};

export const attentionEmitters = { attention, attentionSum };
