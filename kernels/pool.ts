// Pooling over [N, H, W, C]: an invocation for a result, looping over its window (or, for the transpose, over the windows
// that reach it). Nothing is shared between invocations; caches serve the overlap.

import { sizeOf } from '../engine/dtype.ts';
import type { OpInstruction } from '../engine/program.ts';
import { emitEach } from './each.ts';
import type { Emitter } from './lowering.ts';
import { fromMemory, toMemory } from './shader.ts';

type Pair = readonly [number, number];
interface Window {
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: readonly [Pair, Pair];
}
const windowOf = (i: OpInstruction): Window => i.params as unknown as Window;

/** `at` as (n, y, x, c) of an image. */
const image = (shape: readonly number[]): string => `let c = at % ${shape[3]}u;
let x = at / ${shape[3]}u % ${shape[2]}u;
let y = at / ${shape[3] * shape[2]}u % ${shape[1]}u;
let n = at / ${shape[3] * shape[2] * shape[1]}u;`;

/** Runs `each` for the elements of the window of result (n, y, x, c) that lie in the image, first row first. */
function eachOfWindow(w: Window, shape: readonly number[], each: string): string {
  const [, H, W, C] = shape;
  return `let top = i32(y * ${w.stride[0]}u) - ${w.padding[0][0]};
let left = i32(x * ${w.stride[1]}u) - ${w.padding[1][0]};
for (var h = max(top, 0); h < min(top + ${w.size[0]}, ${H}); h++) {
for (var v = max(left, 0); v < min(left + ${w.size[1]}, ${W}); v++) {
let spot = u32(h) * ${W}u + u32(v);
let source = (n * ${H * W}u + spot) * ${C}u + c;
${each}
}
}`;
}

const maxPool: Emitter = (i, to) => {
  const [x] = i.inputs;
  const [values, positions] = i.outputs;
  const shader = to.shader('maxPool');
  const array = shader.read(x.slot, x.dtype);
  const each = `let value = ${fromMemory(`${array}[source]`, x.dtype)};
if (found < 0 || (!isNan(best) && (value > best || isNan(value)))) { best = value; found = i32(spot); }`;
  emitEach(
    shader,
    sizeOf(values.shape),
    to,
    `${image(values.shape)}
var best = floatOf(0xff800000u);
var found = -1;
${eachOfWindow(windowOf(i), x.shape, each)}
${shader.write(values.slot, values.dtype)}[at] = ${toMemory('best', values.dtype)};
${shader.write(positions.slot, 'int32')}[at] = found;`,
  );
};

const sumPool: Emitter = (i, to) => {
  const [x] = i.inputs;
  const [y] = i.outputs;
  const shader = to.shader('sumPool');
  const array = shader.read(x.slot, x.dtype);
  emitEach(
    shader,
    sizeOf(y.shape),
    to,
    `${image(y.shape)}
var total = 0f;
${eachOfWindow(windowOf(i), x.shape, `total += ${fromMemory(`${array}[source]`, x.dtype)};`)}
${shader.write(y.slot, y.dtype)}[at] = ${toMemory('total', y.dtype)};`,
  );
};

/** Windows oy with oy * stride <= y + low < oy * stride + size. */
const sumPoolTranspose: Emitter = (i, to) => {
  const [dy] = i.inputs;
  const [x] = i.outputs;
  const w = windowOf(i);
  const [, OH, OW, C] = dy.shape;
  const shader = to.shader('sumPoolTranspose');
  const array = shader.read(dy.slot, dy.dtype);
  const range = (
    name: string,
    d: 0 | 1,
    limit: number,
  ): string => `let ${name}At = i32(${name}) + ${w.padding[d][0]};
let ${name}First = max(0, (${name}At - ${w.size[d]} + ${w.stride[d]}) / ${w.stride[d]});
let ${name}Last = min(${limit - 1}, ${name}At / ${w.stride[d]});`;
  emitEach(
    shader,
    sizeOf(x.shape),
    to,
    `${image(x.shape)}
${range('y', 0, OH)}
${range('x', 1, OW)}
var total = 0f;
for (var h = yFirst; h <= yLast; h++) {
for (var v = xFirst; v <= xLast; v++) {
total += ${fromMemory(`${array}[((n * ${OH}u + u32(h)) * ${OW}u + u32(v)) * ${C}u + c]`, dy.dtype)};
}
}
${shader.write(x.slot, x.dtype)}[at] = ${toMemory('total', x.dtype)};`,
  );
};

export const poolEmitters = { maxPool, sumPool, sumPoolTranspose } satisfies Record<string, Emitter>;
