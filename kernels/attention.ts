// Attention without its scores. An invocation has a query: it keeps the query's rows and the sum over values in
// registers and goes through the keys, whose rows a workgroup shares in its memory, a tile at a time. A software adapter
// reads them from its caches instead. Wide values are cut into chunks of columns, and each chunk computes the weights
// again. Where factors need more buffers than the device binds, they are first copied side by side into one array for
// queries and one for keys.

import { type DType, sizeOf } from '../engine/dtype.ts';
import type { Operand } from '../engine/program.ts';
import { CPU_THREADS, emitEach } from './each.ts';
import type { Emitter, Lowering } from './lowering.ts';
import { literal, type Shader, toMemory } from './shader.ts';

const THREADS = 64;
/** Vectors of four columns of a chunk, and of a query's row that stay in registers. */
const COLUMNS = 16;
const KEPT = 32;
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
  readonly label: string;
  readonly sees: string;
  readonly scale: number;
  readonly q: Operand;
  readonly k: Operand;
  readonly m: Operand;
  readonly v: Operand;
  readonly y: Operand;
  readonly factors: readonly Operand[];
  /** Beforehand, for each key, with its `score`, and at the end, before and after `total[]` is written. */
  readonly begin: (shader: Shader) => string;
  readonly weigh: (columns: number) => string;
  readonly finish: string;
  readonly end: (shader: Shader) => string;
}

function emit(work: Work, to: Lowering): void {
  const { q, k, m, v, y, sees } = work;
  const [B, N, C] = y.shape;
  const M = k.shape[1];
  const { software, workgroupBytes } = to.traits;
  const pairs = [{ queries: rowsOf(q), keys: rowsOf(k) }, ...factorsOf(work.factors, B * N, B * M, to)].map(
    (p) => ({ ...p, width: vectorsOf(p.queries) }),
  );
  const columns = Math.min(COLUMNS, Math.ceil(C / 4));
  const chunks = columns === 0 ? 1 : Math.ceil(C / 4 / columns);
  const threads = software ? CPU_THREADS : THREADS;
  const tiles = Math.ceil(N / threads);

  const shader = to.shader(work.label);
  const declared: string[] = [];
  const target = shader.write(y.slot, y.dtype);
  pairs.forEach((p, n) => {
    if (p.width === 0) return;
    declared.push(fetcher(shader, `query${n}`, p.queries), fetcher(shader, `key${n}`, p.keys));
  });
  if (columns > 0) declared.push(fetcher(shader, 'value', rowsOf(v)));
  const mask = shader.floats(m.slot, m.dtype, 1);

  // What a workgroup shares of each key: rows of the pairs, its chunk of the value.
  const parts = [
    ...pairs.map((p, n) => ({
      name: `keys${n}`,
      width: p.width,
      of: (row: string, d: string) => `key${n}(${row}, ${d})`,
    })),
    {
      name: 'values',
      width: columns,
      of: (row: string, d: string) => `value(${row}, chunk * ${columns}u + ${d})`,
    },
  ].filter((p) => p.width > 0);
  const each = 16 * parts.reduce((sum, p) => sum + p.width, 0);
  const size = each === 0 ? MOST_KEYS : Math.min(MOST_KEYS, Math.floor(workgroupBytes / each));
  const staged = !software && size >= LEAST_KEYS;
  if (staged)
    for (const p of parts) declared.push(`var<workgroup> ${p.name}: array<vec4<f32>, ${size * p.width}>;`);
  const sharedPart = (name: string, d: string): string => {
    const p = parts.find((one) => one.name === name) as (typeof parts)[number];
    return staged ? `${name}[j * ${p.width}u + ${d}]` : p.of('row', d);
  };
  const stage = parts.map(
    (p) => `for (var i = lane; i < ${size * p.width}u; i += ${threads}u) {
${p.name}[i] = ${p.of(`keyRow(b, min(start + i / ${p.width}u, ${Math.max(0, M - 1)}u))`, `i % ${p.width}u`)};
}`,
  );

  const product = (n: number): string => {
    const { width, queries } = pairs[n];
    if (width === 0) return `let product${n} = 0f;`;
    const own = width <= KEPT ? `own${n}[d]` : `query${n}(at, d)`;
    return `var sum${n} = vec4<f32>();
for (var d = 0u; d < ${vectorsOf(queries)}u; d++) { sum${n} += ${own} * ${sharedPart(`keys${n}`, 'd')}; }
let product${n} = (sum${n}.x + sum${n}.y) + (sum${n}.z + sum${n}.w);`;
  };
  const hidden = sees === 'all' ? '' : `if (key ${sees === 'past' ? '>' : '<'} query) { continue; }`;
  const factor = pairs.slice(1).map((_, f) => `${product(f + 1)}\nweight *= product${f + 1};`);
  const oneKey = `let row = keyRow(b, key);
${hidden}
${product(0)}
let score = product0 * ${literal(work.scale, 'float32')};
let m = ${mask('row')};
${work.weigh(columns)}
${factor.join('\n')}
${columns === 0 ? '' : `for (var c = 0u; c < ${columns}u; c++) { total[c] += weight * ${sharedPart('values', 'c')}; }`}`;

  const keep = pairs.map((p, n) =>
    p.width === 0 || p.width > KEPT
      ? ''
      : `var own${n}: array<vec4<f32>, ${p.width}>;
for (var d = 0u; d < ${p.width}u; d++) { own${n}[d] = query${n}(at, d); }`,
  );
  const loop = staged
    ? `for (var start = first; start < last; start += ${size}u) {
workgroupBarrier();
${stage.join('\n')}
workgroupBarrier();
for (var j = 0u; j < min(${size}u, last - start); j++) {
let key = start + j;
${oneKey}
}
}`
    : `for (var key = first; key < last; key++) {\n${oneKey}\n}`;
  const main = `let chunk = group % ${chunks}u;
let tile = group / ${chunks}u % ${tiles}u;
let b = group / ${chunks * tiles}u;
let query = tile * ${threads}u + lane;
let at = b * ${N}u + min(query, ${N - 1}u);
${keep.join('\n')}
${columns === 0 ? '' : `var total: array<vec4<f32>, ${columns}>;`}
${work.begin(shader)}
let first = ${sees === 'future' ? `min(${M}u, tile * ${threads}u)` : '0u'};
let last = ${sees === 'past' ? `min(${M}u, (tile + 1u) * ${threads}u)` : `${M}u`};
${loop}
if (query < ${N}u) {
${work.finish}
for (var c = 0u; c < ${Math.min(4 * columns, C)}u; c++) {
let column = chunk * ${4 * columns}u + c;
if (column < ${C}u) { ${target}[at * ${C}u + column] = ${toMemory(columns === 0 ? '0f' : 'total[c / 4u][c % 4u]', y.dtype)}; }
}
${work.end(shader)}
}`;
  declared.push(`fn keyRow(b: u32, key: u32) -> u32 { return b * ${M}u + key; }`);
  to.add(shader.kernel({ threads, groups: B * tiles * chunks, declarations: declared.join('\n'), main }));
}

const attention: Emitter = (i, to) => {
  const [q, k, m, v] = i.inputs;
  const [y, l] = i.outputs;
  if (sizeOf(l.shape) === 0) return;
  const scaleBy = (columns: number, by: string): string =>
    columns === 0 ? '' : `for (var c = 0u; c < ${columns}u; c++) { total[c] *= ${by}; }`;
  const columns = Math.min(COLUMNS, Math.ceil(y.shape[2] / 4));
  emit(
    {
      label: 'attention',
      sees: i.params.sees as string,
      scale: i.params.scale as number,
      q,
      k,
      m,
      v,
      y,
      factors: [],
      begin: () => 'var top = -3.4028234e38f;\nvar sum = 0f;',
      weigh: (n) => `let x = score - m;
if (x > top) {
let shrink = expOf(top - x);
top = x;
sum *= shrink;
${scaleBy(n, 'shrink')}
}
let weight = expOf(x - top);
sum += weight;`,
      // A query that sees no key has the sum 0, and weights of 0.
      finish: `let share = select(1f / sum, 1f, sum == 0f);\n${scaleBy(columns, 'share')}`,
      end: (shader) =>
        `if (chunk == 0u) { ${shader.write(l.slot, l.dtype)}[at] = ${toMemory('select(top + logOf(sum), 0f, sum == 0f)', l.dtype)}; }`,
    },
    to,
  );
};

const attentionSum: Emitter = (i, to) => {
  const [q, k, l, m, v, ...factors] = i.inputs;
  const [y] = i.outputs;
  if (sizeOf(y.shape) === 0) return;
  emit(
    {
      label: 'attentionSum',
      sees: i.params.sees as string,
      scale: i.params.scale as number,
      q,
      k,
      m,
      v,
      y,
      factors,
      begin: (shader) => `let l = ${shader.floats(l.slot, l.dtype, 1)('at')};`,
      weigh: () => 'var weight = expOf((score - l) - m);',
      finish: '',
      end: () => '',
    },
    to,
  );
};

export const attentionEmitters = { attention, attentionSum } satisfies Record<string, Emitter>;
