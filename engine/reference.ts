// The reference backend: every instruction executed by the plain loops in the primitives' own records, in float32 or
// float64. It is the oracle for all other backends and the place to read what a program means; it is not fast.

import type { Backend, DeviceBuffer, Executable } from './backend.ts';
import { type Aval, allocate, type DType, roundTo, type TypedArray } from './dtype.ts';
import { LetheError } from './error.ts';
import { primitives } from './primitives/index.ts';
import { stridedCopy } from './primitives/rules.ts';
import type { NDArray, Primitive } from './primitives/types.ts';
import type { Instruction, Loop, OpInstruction, Program, View } from './program.ts';

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
    return this.arrays[this.program.slots.findIndex((s) => s.kind === 'output' && s.index === index)];
  }
}

function readView(memory: Memory, v: View, loop: Loop): NDArray {
  return {
    shape: loop.shape,
    dtype: v.dtype,
    data: stridedCopy(memory.read(v.slot), loop.shape, v.strides, v.offset, v.dtype),
  };
}

/** All values of a loop, in the order the program numbers them. */
function evaluateLoop(memory: Memory, loop: Loop, result: NDArray | null): NDArray[] {
  const values = loop.inputs.map((v) => readView(memory, v, loop));
  if (result) values.push({ ...result, shape: loop.shape });
  for (const s of loop.steps) {
    const primitive = primitives[s.op];
    const params =
      s.op === 'full' ? { shape: loop.shape, value: s.value, dtype: s.dtype } : { dtype: s.dtype };
    const args = s.args.map((a) => values[a]);
    const [data] = compute(primitive, args, params, [{ shape: loop.shape, dtype: s.dtype }]);
    values.push({ shape: loop.shape, dtype: s.dtype, data });
  }
  return values;
}

function executeLoop(memory: Memory, loop: Loop, result: NDArray | null): void {
  const values = evaluateLoop(memory, loop, result);
  for (const s of loop.stores) memory.write(s.slot, values[s.value].data.slice());
  for (const r of loop.reductions) {
    const x = values[r.value];
    const shape = x.shape.filter((_, d) => !r.axes.includes(d));
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

function execute(i: Instruction, memory: Memory): void {
  if (i.kind === 'op') executeOp(memory, i);
  else executeLoop(memory, i.loop, null);
}

/**
 * A new reference backend: the plain loops of the primitives, in float32 or float64, one thread, on the host. The
 * oracle for other backends; not fast.
 */
export function createReferenceBackend(): Backend {
  const live = new Set<ReferenceBuffer>();
  return {
    name: 'reference',
    info: { language: 'TypeScript', threads: 1 },
    // It gains nothing by them, but so the oracle sees them, and the tests of programs.
    prologues: ['dot', 'conv', 'convGradInput', 'convGradWeight'],
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
