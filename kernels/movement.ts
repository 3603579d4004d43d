// Data movement that is not a view: padding, joining, counting. A joined array is written by one kernel for an operand,
// so that any number of operands fits any device.

import { sizeOf } from '../engine/dtype.ts';
import { coordinates, position, rowMajor } from './axes.ts';
import { emitEach } from './each.ts';
import type { Emitter } from './lowering.ts';
import { memoryType, toMemory, valueType } from './shader.ts';

const pad: Emitter<'pad'> = (i, to) => {
  const [x] = i.inputs;
  const [out] = i.outputs;
  const { low, interior } = i.params;
  const shader = to.shader('pad');
  const target = shader.write(out.slot, out.dtype);
  const zero = `${memoryType(x.dtype)}(0)`;
  if (sizeOf(x.shape) === 0) return emitEach(shader, sizeOf(out.shape), to, `${target}[at] = ${zero};`);
  const names = out.shape.map((_, d) => `c${d}`);
  const sources = x.shape.map((_, d) => `s${d}`);
  const tests: string[] = [];
  const lines = x.shape.map((n, d) => {
    const step = interior[d] + 1;
    // Below `low` the difference wraps to something large.
    tests.push(`s${d} < ${n}u`);
    if (step > 1) tests.push(`f${d} % ${step}u == 0u`);
    return `let f${d} = c${d} - ${low[d]}u;\nlet s${d} = f${d} / ${step}u;`;
  });
  const wraps = x.shape.map((_, d) => `c${d} >= ${low[d]}u`);
  emitEach(
    shader,
    sizeOf(out.shape),
    to,
    `${coordinates('at', out.shape, names)}
${lines.join('\n')}
var value = ${zero};
if (${[...wraps, ...tests].join(' && ') || 'true'}) { value = ${shader.read(x.slot, x.dtype)}[${position(sources, rowMajor(x.shape))}]; }
${target}[at] = value;`,
  );
};

const concat: Emitter<'concat'> = (i, to) => {
  const [out] = i.outputs;
  const { axis } = i.params;
  const whole = sizeOf(out.shape.slice(axis));
  const inner = sizeOf(out.shape.slice(axis + 1));
  let begin = 0;
  for (const x of i.inputs) {
    const block = x.shape[axis] * inner;
    if (block > 0) {
      const shader = to.shader('concat');
      const from = shader.read(x.slot, x.dtype);
      const target = shader.write(out.slot, out.dtype);
      emitEach(
        shader,
        sizeOf(x.shape),
        to,
        `${target}[at / ${block}u * ${whole}u + ${begin * inner}u + at % ${block}u] = ${from}[at];`,
      );
    }
    begin += x.shape[axis];
  }
};

const iota: Emitter<'iota'> = (i, to) => {
  const [out] = i.outputs;
  const { axis } = i.params;
  const inner = sizeOf(out.shape.slice(axis + 1));
  const shader = to.shader('iota');
  const value = `at / ${inner}u % ${out.shape[axis]}u`;
  const stored =
    out.dtype === 'bool' ? `min(${value}, 1u)` : toMemory(`${valueType(out.dtype)}(${value})`, out.dtype);
  emitEach(shader, sizeOf(out.shape), to, `${shader.write(out.slot, out.dtype)}[at] = ${stored};`);
};

export const movementEmitters = { pad, concat, iota };
