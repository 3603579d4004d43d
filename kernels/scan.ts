// Running sums along an axis. Many columns: an invocation each, in order. Few long ones: a workgroup each, whose
// invocations add up their own stretch, learn what came before it, and walk it again.

import { sizeOf } from '../engine/dtype.ts';
import { emitEach } from './each.ts';
import type { Emitter } from './lowering.ts';
import { fromMemory, literal, toMemory, valueType } from './shader.ts';

const THREADS = 64;

const cumsum: Emitter<'cumsum'> = (i, to) => {
  const [x] = i.inputs;
  const [out] = i.outputs;
  const { axis, reverse } = i.params;
  const n = x.shape[axis];
  const inner = sizeOf(x.shape.slice(axis + 1));
  const columns = sizeOf(x.shape) / Math.max(1, n);
  if (n === 0 || columns === 0) return;
  const shader = to.shader('cumsum');
  const from = shader.read(x.slot, x.dtype);
  const target = shader.write(out.slot, out.dtype);
  const zero = literal(0, x.dtype);
  const walk = (column: string): string =>
    `let base = ${column} / ${inner}u * ${n * inner}u + ${column} % ${inner}u;`;
  const at = `base + ${reverse ? `(${n - 1}u - k)` : 'k'} * ${inner}u`;
  const element = fromMemory(`${from}[${at}]`, x.dtype);
  if (columns >= 1024 || n <= 64)
    return emitEach(
      shader,
      columns,
      to,
      `${walk('at')}
var total = ${zero};
for (var k = 0u; k < ${n}u; k++) {
total += ${element};
${target}[${at}] = ${toMemory('total', out.dtype)};
}`,
    );
  const stretch = Math.ceil(n / THREADS);
  const main = `${walk('group')}
let begin = localIndex * ${stretch}u;
let end = min(begin + ${stretch}u, ${n}u);
var total = ${zero};
for (var k = begin; k < end; k++) { total += ${element}; }
sums[localIndex] = total;
workgroupBarrier();
total = ${zero};
for (var k = 0u; k < localIndex; k++) { total += sums[k]; }
for (var k = begin; k < end; k++) {
total += ${element};
${target}[${at}] = ${toMemory('total', out.dtype)};
}`;
  const declarations = `var<workgroup> sums: array<${valueType(x.dtype)}, ${THREADS}>;`;
  to.add(shader.kernel({ threads: THREADS, groups: columns, declarations, main }));
};

export const scanEmitters = { cumsum };
