// Hand-written programs for the backend's own tests, and plain loops in double to compare with. Not a test itself.

import { join } from 'node:path';
import { describe, inject } from 'vitest';
import type { Backend, Capabilities, DeviceBuffer } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf, stridesOf, type TypedArray } from '../../engine/dtype.ts';
import type { Instruction, Loop, Program, RootName, Slot, Step, View } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { createCpuBackend } from '../../native/backend.ts';

/** Where the addon lies: the tests of its own surface load it without native/backend.ts. */
export const addonPath =
  process.env.LETHE_ADDON || join(import.meta.dirname, '..', '..', 'build', 'lethe.node');
/** False where there is no compiler, or none was found when the addon was to be built. */
export const hasCpu = inject('absent').cpu === null;
/** A suite that needs the CPU addon. */
export const describeCpu: (name: string, suite: () => void) => unknown = describe.skipIf(!hasCpu);

export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

export const float = (shape: Shape, data: ArrayLike<number>): Value => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from(data),
});
export const int = (shape: Shape, data: ArrayLike<number>): Value => ({
  shape,
  dtype: 'int32',
  data: Int32Array.from(data),
});

/** A small generator of its own, so that tests repeat. */
export function random(seed: number): () => number {
  let s = seed >>> 0 || 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 4294967296;
  };
}
export function randomFloats(shape: Shape, seed: number, scale = 2): Value {
  const next = random(seed * 7919 + 13);
  return float(
    shape,
    Array.from({ length: sizeOf(shape) }, () => (next() - 0.5) * 2 * scale),
  );
}
export function randomInts(shape: Shape, seed: number, low: number, high: number): Value {
  const next = random(seed * 104729 + 7);
  return int(
    shape,
    Array.from({ length: sizeOf(shape) }, () => low + Math.floor(next() * (high - low))),
  );
}

export function program(parts: Partial<Program> & Pick<Program, 'slots' | 'instructions'>): Program {
  const count = (kind: Slot['kind']) => parts.slots.filter((s) => s.kind === kind).length;
  return {
    label: 'test',
    arenaBytes: 0,
    inputs: count('input'),
    outputs: count('output'),
    donations: [],
    ...parts,
  };
}

export const slot = (
  kind: Slot['kind'],
  v: { shape: Shape; dtype: DType },
  index: number,
  offset = 0,
): Slot => ({
  kind,
  dtype: v.dtype,
  size: sizeOf(v.shape),
  index,
  offset,
});

// biome-ignore lint/suspicious/noExplicitAny: operations of any arity
export type Op = (...xs: any[]) => unknown;

/** What the planner makes of `f` for a backend that can do so much. */
export function programFor(
  capabilities: Capabilities,
  f: Op,
  values: readonly Value[],
  donate: readonly number[] = [],
): Program {
  lt.useBackend(createReferenceBackend(capabilities));
  const tensors = values.map((v) => lt.tensor(v.data as Float32Array, { shape: v.shape, dtype: v.dtype }));
  const p = lt.jit(f as never, { donate: [...donate] }).program(...tensors);
  lt.useBackend(null);
  return p;
}

/** Runs a program once on fresh buffers and reads its outputs. */
export async function execute(backend: Backend, p: Program, inputs: readonly Value[]): Promise<TypedArray[]> {
  const executable = backend.compile(p);
  const ins = inputs.map((v) => {
    const b = backend.allocate(v.data.byteLength);
    backend.write(b, v.data, v.dtype);
    return b;
  });
  const outSlots = p.slots.filter((s) => s.kind === 'output').sort((a, b) => a.index - b.index);
  const donated = new Map(p.donations.map(([o, i]) => [o, ins[i]]));
  const outs: DeviceBuffer[] = outSlots.map((s) => donated.get(s.index) ?? backend.allocate(s.size * 4));
  backend.run(executable, ins, outs);
  const results = await Promise.all(outs.map((b, i) => backend.read(b, outSlots[i].dtype, outSlots[i].size)));
  for (const b of new Set([...ins, ...outs])) backend.free(b);
  executable.dispose();
  return results;
}

export interface Result {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One root with all operands in memory, and with whatever parameters a test gives it. */
export function rootProgram(
  op: RootName,
  params: object,
  inputs: readonly Result[],
  outputs: readonly Result[],
): Program {
  const n = inputs.length;
  return program({
    slots: [...inputs.map((v, i) => slot('input', v, i)), ...outputs.map((v, i) => slot('output', v, i))],
    instructions: [
      {
        kind: 'op',
        op,
        params,
        inputs: inputs.map((v, i) => ({ slot: i, shape: v.shape, dtype: v.dtype })),
        outputs: outputs.map((v, i) => ({ slot: n + i, shape: v.shape, dtype: v.dtype })),
        prologues: [],
        epilogue: null,
      } as Instruction,
    ],
  });
}

export const runRoot = (
  backend: Backend,
  root: RootName,
  params: object,
  inputs: readonly Value[],
  outputs: readonly Result[],
): Promise<TypedArray[]> => execute(backend, rootProgram(root, params, inputs, outputs), inputs);

export const loopInstruction = (loop: Loop): Instruction => ({ kind: 'loop', loop });

/** y = x + 1 over n elements, in place if asked. */
export function increment(n: number, inPlace = false): Program {
  const x: Result = { shape: [n], dtype: 'float32' };
  return program({
    slots: [slot('input', x, 0), slot('output', x, 0)],
    instructions: [
      loopInstruction({
        shape: [n],
        inputs: [{ slot: 0, dtype: 'float32', strides: [1], offset: 0 }],
        steps: [step('full', [], 'float32', 1), step('add', [0, 1])],
        stores: [{ value: 2, slot: 1 }],
        reductions: [],
      }),
    ],
    donations: inPlace ? [[0, 0]] : [],
  });
}

/** A view of the whole slot, broadcast like NumPy into `domain`. */
export function broadcastView(slotIndex: number, v: Result, domain: Shape): View {
  const own = stridesOf(v.shape);
  const pad = domain.length - v.shape.length;
  return {
    slot: slotIndex,
    dtype: v.dtype,
    offset: 0,
    strides: domain.map((_, d) => (d < pad || v.shape[d - pad] === 1 ? 0 : own[d - pad])),
  };
}

/** Runs steps over broadcast inputs and stores the last value. */
export async function runSteps(
  backend: Backend,
  shape: Shape,
  inputs: readonly Value[],
  steps: readonly Step[],
): Promise<TypedArray> {
  const out: Result = { shape, dtype: steps.length ? steps[steps.length - 1].dtype : inputs[0].dtype };
  const loop: Loop = {
    shape,
    inputs: inputs.map((v, i) => broadcastView(i, v, shape)),
    steps,
    stores: [{ value: inputs.length + steps.length - 1, slot: inputs.length }],
    reductions: [],
  };
  const p = program({
    slots: [...inputs.map((v, i) => slot('input', v, i)), slot('output', out, 0)],
    instructions: [loopInstruction(loop)],
  });
  return (await execute(backend, p, inputs))[0];
}

export const step = (
  op: Step['op'],
  args: readonly number[],
  dtype: DType = 'float32',
  value?: number,
): Step => ({
  op,
  args,
  dtype,
  value,
});

/** Calls f with every index of a shape, row-major. */
export function forEachIndex(shape: Shape, f: (index: number[], flat: number) => void): void {
  const index = shape.map(() => 0);
  const n = sizeOf(shape);
  for (let flat = 0; flat < n; flat++) {
    f(index, flat);
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

/** The largest |a - b| / max(1, |b|), infinities and NaN having to match exactly. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i] || (Number.isNaN(a[i]) && Number.isNaN(b[i]))) continue;
    const d = Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(b[i]));
    if (!(d <= worst)) worst = Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
  }
  return worst;
}

/** Faster than deep equality, and -0 is not 0. */
export const sameBits = (a: readonly TypedArray[], b: readonly TypedArray[]): boolean =>
  a.length === b.length && a.every((x, i) => bytes(x).equals(bytes(b[i])));
const bytes = (a: TypedArray): Buffer => Buffer.from(a.buffer, a.byteOffset, a.byteLength);

/** A backend of its own for `f`, closed afterwards. */
export async function withThreads<T>(threads: number, f: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await createCpuBackend({ threads });
  try {
    return await f(backend);
  } finally {
    await backend.close();
  }
}

/** v' = 0.9 v + g, p' = p - v', v' p' over slots p, v, g: the results are p' (slot 3), v' (slot 4) and the product (slot 5). */
export const momentumLoop = (n: number): Loop => ({
  shape: [n],
  inputs: [0, 1, 2].map((at) => ({ slot: at, dtype: 'float32', strides: [1], offset: 0 })),
  steps: [
    step('full', [], 'float32', 0.9),
    step('mul', [1, 3]),
    step('add', [4, 2]),
    step('sub', [0, 5]),
    step('mul', [1, 6]),
  ],
  stores: [
    { value: 5, slot: 4 },
    { value: 6, slot: 3 },
    { value: 7, slot: 5 },
  ],
  reductions: [],
});
/** p and v are given away. */
export const MOMENTUM_DONATIONS: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 1],
];
