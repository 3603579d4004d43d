// The reference backend: every instruction executed by the plain loops in the primitives' own records, in float32 or
// float64. It is the oracle for all other backends and the place to read what a program means; it is not fast.

import type { Backend, Capabilities, DeviceBuffer, Executable } from './backend.ts';
import { type Aval, allocate, type DType, roundTo, type Shape, stridesOf, type TypedArray } from './dtype.ts';
import { LetheError } from './error.ts';
import { acrossOf, alongRows, keptOf } from './graph/dense.ts';
import { slotOf } from './graph/touches.ts';
import { primitives } from './primitives/index.ts';
import { stridedCopy } from './primitives/rules.ts';
import type { NDArray, Primitive } from './primitives/types.ts';
import type { Instruction, Loop, OpInstruction, Program, Rows, Step, View } from './program.ts';

/** What a primitive's record computes, rounded to the types of its results. */
export const compute = (
  primitive: Primitive,
  inputs: readonly NDArray[],
  params: object,
  outputs: readonly Aval[],
): TypedArray[] =>
  primitive.reference(inputs, params, outputs).map((data, k) => roundTo(data, outputs[k].dtype));

class ReferenceBuffer implements DeviceBuffer {
  data: TypedArray | null = null;
  constructor(readonly bytes: number) {}
}

/** Memory of one replay: an array for each slot, made when it is written. */
class Memory {
  private readonly arrays: (TypedArray | null)[];
  constructor(
    private readonly program: Program,
    private readonly inputs: readonly ReferenceBuffer[],
  ) {
    this.arrays = program.slots.map(() => null);
  }
  read(slot: number): TypedArray {
    const { kind, index, dtype, size } = this.program.slots[slot];
    const data = kind === 'input' ? (this.inputs[index].data ?? allocate(dtype, size)) : this.arrays[slot];
    if (data === null)
      throw new LetheError('state', `${this.program.label}: slot ${slot} is read before it is written`);
    return data;
  }
  write(slot: number, data: TypedArray): void {
    if (slot >= 0) this.arrays[slot] = data;
  }
  output(index: number): TypedArray | null {
    return this.arrays[slotOf(this.program.slots, 'output', index)];
  }
}

function readView(memory: Memory, v: View, shape: Shape): NDArray {
  const data = stridedCopy(memory.read(v.slot), shape, v.strides, v.offset, v.dtype);
  return { shape, dtype: v.dtype, data };
}

function evaluateStep(s: Step, args: readonly NDArray[], shape: Shape): NDArray {
  const { op, dtype, value } = s;
  const params = op === 'full' ? { shape, value, dtype } : { dtype };
  const [data] = compute(primitives[op], args, params, [{ shape, dtype }]);
  return { shape, dtype, data };
}

/** All values of a loop, in the order the program numbers them. */
function evaluateLoop(memory: Memory, loop: Loop, result: NDArray | null): NDArray[] {
  const { shape } = loop;
  const values = loop.inputs.map((v) => readView(memory, v, shape));
  if (result) values.push({ ...result, shape });
  for (const s of loop.steps)
    values.push(
      evaluateStep(
        s,
        s.args.map((a) => values[a]),
        shape,
      ),
    );
  return values;
}

function executeLoop(memory: Memory, loop: Loop, result: NDArray | null): void {
  const values = evaluateLoop(memory, loop, result);
  for (const s of loop.stores) memory.write(s.slot, values[s.value].data.slice());
  for (const r of loop.reductions) {
    const x = values[r.value];
    const shape = keptOf({ shape: x.shape, axes: r.axes });
    memory.write(r.slot, compute(primitives[r.op], [x], { axes: r.axes }, [{ shape, dtype: x.dtype }])[0]);
  }
}

function executeOp(memory: Memory, i: OpInstruction): void {
  const operands = i.inputs.map((o, k): NDArray => {
    const prologue = i.prologues[k];
    if (prologue) return { ...(evaluateLoop(memory, prologue, null).at(-1) as NDArray), shape: o.shape };
    return { shape: o.shape, dtype: o.dtype, data: memory.read(o.slot) };
  });
  const outs = compute(primitives[i.op], operands, i.params, i.outputs);
  i.outputs.forEach((o, k) => {
    memory.write(o.slot, outs[k]);
  });
  const [{ shape, dtype }] = i.outputs;
  if (i.epilogue) executeLoop(memory, i.epilogue, { shape, dtype, data: outs[0] });
}

/** Every value over the whole domain, those of rows too. */
function executeRows(memory: Memory, rows: Rows): void {
  const { shape, axes } = rows;
  const kept = keptOf(rows);
  const spread = alongRows(rows, stridesOf(kept));
  const values: NDArray[] = [];
  for (const v of rows.values) {
    const { dtype } = v;
    if (v.kind === 'load') values.push(readView(memory, v.view, shape));
    else if (v.kind === 'step')
      values.push(
        evaluateStep(
          v.step,
          v.step.args.map((a) => values[a]),
          shape,
        ),
      );
    else {
      // A sum of halves may be beyond them where the mean is not: it is rounded once it is divided.
      const [total] = primitives[v.op].reference([values[v.value]], { axes }, [{ shape: kept, dtype }]);
      const shared = roundTo(v.divisor === 1 ? total : total.map((x) => x / v.divisor), dtype);
      values.push({ shape, dtype, data: stridedCopy(shared, shape, spread, 0, dtype) });
    }
  }
  // One of each row is the first of it.
  const whole = stridesOf(shape);
  const firsts = whole.filter((_, d) => !axes.includes(d));
  for (const { slot, value, whole: each } of rows.stores) {
    const { data, dtype } = values[value];
    memory.write(slot, each ? data.slice() : stridedCopy(data, kept, firsts, 0, dtype));
  }
  for (const { slot, value } of rows.columns) {
    const { dtype } = values[value];
    const result = { shape: axes.map((d) => shape[d]), dtype };
    memory.write(slot, primitives.sum.reference([values[value]], { axes: acrossOf(rows) }, [result])[0]);
  }
}

function execute(i: Instruction, memory: Memory): void {
  switch (i.kind) {
    case 'op':
      executeOp(memory, i);
      break;
    case 'loop':
      executeLoop(memory, i.loop, null);
      break;
    case 'rows':
      executeRows(memory, i.rows);
  }
}

/** It gains nothing by them, but so the oracle sees every form that a plan may have, and the tests of programs. */
const PORTABLE: Capabilities = {
  prologues: ['dot', 'conv', 'convGradInput', 'convGradWeight'],
  epilogues: ['dot', 'conv', 'convGradInput'],
  buffers: 8,
  bindingBytes: 128 * 2 ** 20,
  arena: true,
  beside: 65536,
  rows: {
    busy: 256,
    short: 16384,
    shortest: 1,
    longest: Number.POSITIVE_INFINITY,
    reductions: 8,
    columns: true,
  },
};

/**
 * A new reference backend: the plain loops of the primitives, in float32 or float64, one thread, on the host. The
 * oracle for other backends; not fast. It executes whatever plan there is: `capabilities` are those that programs are
 * planned for, by default what a WebGPU device offers at least.
 */
export function createReferenceBackend(capabilities: Capabilities = PORTABLE): Backend {
  const live = new Set<ReferenceBuffer>();
  return {
    name: 'reference',
    info: { language: 'TypeScript', threads: 1 },
    capabilities,
    supports: () => true,
    allocate(bytes) {
      const b = new ReferenceBuffer(bytes);
      live.add(b);
      return b;
    },
    write(buffer, data) {
      (buffer as ReferenceBuffer).data = data.slice();
    },
    async read(buffer, dtype: DType, length) {
      return (buffer as ReferenceBuffer).data?.slice(0, length) ?? allocate(dtype, length);
    },
    free(buffer) {
      live.delete(buffer as ReferenceBuffer);
      (buffer as ReferenceBuffer).data = null;
    },
    compile: (program): Executable => ({ program, dispose() {} }),
    run({ program }, inputs, outputs) {
      const memory = new Memory(program, inputs as readonly ReferenceBuffer[]);
      for (const i of program.instructions) execute(i, memory);
      outputs.forEach((b, i) => {
        (b as ReferenceBuffer).data = memory.output(i);
      });
    },
    // Everything runs, and fails, at once.
    async sync() {},
    memory: () => ({ buffers: live.size, bytes: [...live].reduce((n, b) => n + b.bytes, 0) }),
    async close() {
      live.clear();
    },
  };
}
