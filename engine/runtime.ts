// The meeting point of engine and devices: which backend is current, how concrete operations become programs (one
// instruction each, compiled once per signature), and what is known about memory.

import type { Backend, DeviceBuffer, Executable } from './backend.ts';
import { context, followsAwaits, inContext, isPromise } from './context.ts';
import { checkSupport, Device } from './device.ts';
import { type Aval, bytesOf, type DType, type Shape, showAval, sizeOf, type TypedArray } from './dtype.ts';
import { check, describe, LetheError } from './error.ts';
import { equationOf, type Graph, Var } from './graph/graph.ts';
import { lower } from './graph/lower.ts';
import type { ResultSource } from './graph/slots.ts';
import { setPrimitives } from './primitives/apply.ts';
import { primitives } from './primitives/index.ts';
import type { Primitive } from './primitives/types.ts';
import { Concrete, Storage, type Tensor } from './tensor.ts';
import { setEvaluator } from './trace.ts';

/** Throws 'value' for what is no device. */
export const expectDevice = (name: string, x: unknown): void =>
  check(
    x instanceof Device,
    'value',
    () => `${name}: expected a device, as open() returns, got ${describe(x)}`,
  );

/** The device of this task; of the process, where the task has none of its own. */
export function device(): Device {
  const { device: current } = context().task;
  if (current === null)
    throw new LetheError('state', "no device: call `await lt.init({ device: 'auto' })` first");
  return current;
}
export const floatType = (): 'float32' | 'float64' => device().dtype;

/** What addresses of 47 bits reach: no device has more, and all positions are exact numbers. */
const MAX_BYTES = 2 ** 47;
function checkSize(backend: Backend, x: Aval): void {
  check(
    sizeOf(x.shape) * bytesOf(x.dtype) <= MAX_BYTES,
    'device',
    () => `device '${backend.name}': out of memory: ${showAval(x)} has more bytes than any device`,
  );
}

/**
 * Makes a backend current, for this task if it has a device of its own, else for the process, and `dtype` its float type;
 * null: none. Tensors stay with the backend that made them. init does this for the devices it knows.
 * @throws 'dtype' where the backend lacks the type.
 */
export function useBackend(backend: Backend | null, dtype: 'float32' | 'float64' = 'float32'): void {
  context().task.device = backend && new Device(backend, dtype);
}

/**
 * Runs f as a task with a device of its own, and returns what f returns: whatever f, and what it calls or starts, makes
 * or compiles is there, through every await, and `init` inside changes the device of this task alone. Tensors stay with
 * the device that made them (see `toDevice`). Throws 'state' for an async f where the runtime cannot tell tasks apart
 * (browsers without AsyncContext): use it there for what happens between two awaits.
 */
export function withDevice<R>(device: Device, f: () => R): R {
  expectDevice('withDevice', device);
  const result = inContext({ task: { device } }, f);
  if (!isPromise(result) || followsAwaits()) return result;
  const refuse = (cause?: unknown): never => {
    throw new LetheError(
      'state',
      'withDevice: after an await this runtime cannot tell which task goes on; expected a synchronous function',
      { cause },
    );
  };
  return result.then(() => refuse(), refuse) as R;
}

/** A tensor holding a copy of `data`, whose class fixes how many bytes an element takes. */
export function upload(
  data: TypedArray,
  shape: Shape,
  dtype: DType,
  { backend }: Device = device(),
): Concrete {
  checkSupport(backend, dtype);
  const buffer = backend.allocate(data.length * bytesOf(dtype));
  backend.write(buffer, data, dtype);
  return new Concrete(shape, dtype, new Storage(backend, buffer));
}

// ---- running programs ------------------------------------------------------------------------------------------------

/** A graph compiled for one backend. */
export class Compiled {
  private readonly executable: Executable;
  private readonly results: readonly ResultSource[];
  private readonly outputSizes: number[];

  constructor(
    private readonly backend: Backend,
    private readonly graph: Graph,
    label: string,
    donated: readonly number[] = [],
  ) {
    for (const { outputs } of graph.equations)
      for (const v of outputs) {
        checkSupport(backend, v.dtype);
        checkSize(backend, v);
      }
    const { program, results } = lower(graph, label, donated, backend.capabilities);
    this.results = results;
    this.executable = backend.compile(program);
    this.outputSizes = new Array<number>(program.outputs).fill(0);
    for (const s of program.slots)
      if (s.kind === 'output') this.outputSizes[s.index] = s.size * bytesOf(s.dtype);
  }
  get program() {
    return this.executable.program;
  }

  run(inputs: readonly Concrete[]): Concrete[] {
    const { backend, graph } = this;
    const all = [...inputs, ...graph.constants.map((c) => c.value)];
    const buffers = all.map((x) => {
      if (x.storage.backend !== backend)
        throw new LetheError(
          'state',
          `${this.executable.program.label}: an operand lives on ${x.storage.backend.name}, the others on ${backend.name}; compute it withDevice where all of them live, or copy it with toDevice`,
        );
      return x.storage.buffer;
    });
    const storages: (Storage | undefined)[] = this.outputSizes.map(() => undefined);
    // Memory that another tensor also views, or that was passed twice, must stay as it is.
    for (const [output, input] of this.program.donations) {
      const { storage } = all[input];
      if (!storage.shared && all.every((x, i) => i === input || x.storage !== storage))
        storages[output] = storage.retain();
    }
    const bound = storages.map((s, i) => s ?? new Storage(backend, backend.allocate(this.outputSizes[i])));
    backend.run(
      this.executable,
      buffers,
      bound.map((s): DeviceBuffer => s.buffer),
    );
    const used = new Set<number>();
    return this.results.map((r, i) => {
      const { shape, dtype } = graph.outputs[i];
      const storage =
        'input' in r
          ? all[r.input].storage.retain()
          : used.has(r.output)
            ? bound[r.output].retain()
            : bound[r.output];
      if ('output' in r) used.add(r.output);
      return new Concrete(shape, dtype, storage);
    });
  }
  dispose(): void {
    this.executable.dispose();
  }
}

/** One primitive on concrete operands. Views of whole memory are aliases; everything else is a one-equation program. */
function evaluate(primitive: Primitive, operands: readonly Tensor[], params: object): Tensor[] {
  const xs = operands as readonly Concrete[];
  const outs = primitive.shape(xs, params);
  if (primitive.name === 'reshape' || primitive.name === 'barrier' || primitive.name === 'identity')
    return xs.map((x, i) => x.alias(outs[i].shape));
  // Operations on tensors of a backend that is not the current one run where the tensors are.
  const backend = xs.length > 0 ? xs[0].storage.backend : device().backend;
  const eager = compiledFor(backend);
  const key = `${primitive.name} ${xs.map(signature).join(' ')} ${JSON.stringify(params, printable)}`;
  let compiled = eager.get(key);
  if (compiled === undefined) {
    compiled = new Compiled(backend, singleEquation(primitive, xs, params, outs), primitive.name);
    if (eager.size >= MAX_EAGER) {
      const [oldest] = eager;
      oldest[1].dispose();
      eager.delete(oldest[0]);
    }
    eager.set(key, compiled);
  }
  return compiled.run(xs);
}
const MAX_EAGER = 2048;
const signature = (a: Aval): string => `${a.dtype}${a.shape.join('x')}`;
const printable = (_: string, v: unknown): unknown =>
  typeof v === 'number' && (!Number.isFinite(v) || Object.is(v, -0)) ? `#${Object.is(v, -0) ? '-0' : v}` : v;

/** Programs of single operations, kept for as long as their backend. */
const eagerPrograms = new WeakMap<Backend, Map<string, Compiled>>();
function compiledFor(backend: Backend): Map<string, Compiled> {
  let known = eagerPrograms.get(backend);
  if (known === undefined) {
    known = new Map();
    eagerPrograms.set(backend, known);
  }
  return known;
}

function singleEquation(
  primitive: Primitive,
  xs: readonly Aval[],
  params: object,
  outs: readonly Aval[],
): Graph {
  const inputs = xs.map((x) => new Var(x.shape, x.dtype));
  const outputs = outs.map((a) => new Var(a.shape, a.dtype));
  return { inputs, constants: [], equations: [equationOf(primitive, inputs, params, outputs)], outputs };
}

setEvaluator(evaluate);
setPrimitives(primitives);
