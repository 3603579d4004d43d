// Sorting rows by bitonic networks. Elements become pairs of an unsigned key in their order (NaN last, -0 and 0 equal)
// and their position, and pairs are compared as a whole: no two are equal, so the result is stable. Rows up to a block
// are sorted in workgroup memory by one kernel; longer ones go through memory, a kernel for each step of the network
// wider than a block.

import { sizeOf } from '../engine/dtype.ts';
import { emitEach } from './each.ts';
import type { Emitter } from './lowering.ts';
import { fromMemory, valueType } from './shader.ts';

const BLOCK = 512;

const KEY: Record<'f32' | 'i32' | 'u32', string> = {
  f32: `fn keyOf(x: f32) -> u32 {
  if (isNan(x)) { return 0xffffffffu; }
  let b = bitcast<u32>(select(x, 0f, x == 0f));
  return select(b | 0x80000000u, ~b, (b & 0x80000000u) != 0u);
}`,
  i32: 'fn keyOf(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }',
  u32: 'fn keyOf(x: u32) -> u32 { return x; }',
};
const AFTER =
  'fn after(a: vec2<u32>, b: vec2<u32>) -> bool { return a.x > b.x || (a.x == b.x && a.y > b.y); }';

/** One step of the network in workgroup memory: pairs at `distance`, in runs of `run` that rise and fall in turn. */
const step = (distance: string, run: string, base: string): string => `{
let low = (localIndex / ${distance}) * ${distance} * 2u + localIndex % ${distance};
let rising = (((${base} + low) & ${run}) == 0u);
let a = pairs[low];
let b = pairs[low + ${distance}];
if (after(a, b) == rising) { pairs[low] = b; pairs[low + ${distance}] = a; }
}
workgroupBarrier();`;

const sort: Emitter<'sort'> = (i, to) => {
  const [x] = i.inputs;
  const [values, positions] = i.outputs;
  const n = x.shape[x.shape.length - 1];
  const rows = n === 0 ? 0 : sizeOf(x.shape) / n;
  if (rows === 0) return;
  const padded = 2 ** Math.ceil(Math.log2(Math.max(2, n)));
  const block = Math.min(BLOCK, padded);
  const blocks = (rows * padded) / block;
  const threads = block / 2;
  const pairs = to.scratch(rows * padded * 2, 'uint32');
  const memory = `var<workgroup> pairs: array<vec2<u32>, ${block}>;`;

  // Keys, each block sorted; blocks rise and fall in turn.
  const first = to.shader('sort blocks');
  const from = first.read(x.slot, x.dtype);
  const target = first.write(pairs, 'uint32');
  const load = (k: string): string => `{
let e = base + ${k};
let row = e / ${padded}u;
let column = e % ${padded}u;
var key = 0xffffffffu;
if (column < ${n}u) { key = keyOf(${fromMemory(`${from}[row * ${n}u + column]`, x.dtype)}); }
pairs[${k}] = vec2(key, column);
}`;
  const store = (array: string, k: string): string =>
    `${array}[(base + ${k}) * 2u] = pairs[${k}].x;\n${array}[(base + ${k}) * 2u + 1u] = pairs[${k}].y;`;
  // Within a row, positions count from the row's start, so that every row ends rising.
  const inRow = `(base % ${padded}u)`;
  to.add(
    first.kernel({
      threads,
      groups: blocks,
      declarations: `${memory}\n${KEY[valueType(x.dtype) as keyof typeof KEY]}\n${AFTER}`,
      main: `let base = group * ${block}u;
${load('localIndex')}
${load(`(localIndex + ${threads}u)`)}
workgroupBarrier();
for (var run = 2u; run <= ${block}u; run *= 2u) {
for (var distance = run / 2u; distance > 0u; distance /= 2u) {
${step('distance', `select(run, 0u, run == ${padded}u)`, inRow)}
}
}
${store(target, 'localIndex')}
${store(target, `(localIndex + ${threads}u)`)}`,
    }),
  );
  for (let run = block * 2; run <= padded; run *= 2) {
    const mask = run === padded ? 0 : run;
    for (let distance = run / 2; distance >= block; distance /= 2) {
      const wide = to.shader('sort step');
      const array = wide.write(pairs, 'uint32');
      emitEach(
        wide,
        (rows * padded) / 2,
        to,
        `let low = at / ${distance}u * ${distance * 2}u + at % ${distance}u;
let high = low + ${distance}u;
let a = vec2(${array}[low * 2u], ${array}[low * 2u + 1u]);
let b = vec2(${array}[high * 2u], ${array}[high * 2u + 1u]);
let rising = ((low % ${padded}u) & ${mask}u) == 0u;
if (after(a, b) == rising) {
${array}[low * 2u] = b.x; ${array}[low * 2u + 1u] = b.y;
${array}[high * 2u] = a.x; ${array}[high * 2u + 1u] = a.y;
}`,
        AFTER,
      );
    }
    const near = to.shader('sort merge');
    const array = near.write(pairs, 'uint32');
    const back = (k: string): string =>
      `pairs[${k}] = vec2(${array}[(base + ${k}) * 2u], ${array}[(base + ${k}) * 2u + 1u]);`;
    to.add(
      near.kernel({
        threads,
        groups: blocks,
        declarations: `${memory}\n${AFTER}`,
        main: `let base = group * ${block}u;
${back('localIndex')}
${back(`(localIndex + ${threads}u)`)}
workgroupBarrier();
for (var distance = ${block / 2}u; distance > 0u; distance /= 2u) {
${step('distance', `${mask}u`, inRow)}
}
${store(array, 'localIndex')}
${store(array, `(localIndex + ${threads}u)`)}`,
      }),
    );
  }
  const last = to.shader('sort results');
  const sorted = last.read(pairs, 'uint32');
  emitEach(
    last,
    rows * n,
    to,
    `let row = at / ${n}u;
let column = ${sorted}[(row * ${padded}u + at % ${n}u) * 2u + 1u];
${last.write(values.slot, x.dtype)}[at] = ${last.read(x.slot, x.dtype)}[row * ${n}u + column];
${last.write(positions.slot, 'int32')}[at] = i32(column);`,
  );
};

export const sortEmitters = { sort };
