// The value users hold. A Tensor is either concrete (memory on a device) or a tracer (a stand-in during grad, jvp, vmap
// or jit). This file has the class, device memory with its reference count, scopes and the leak check. The operations,
// which are also methods, are attached in ops/index.ts.

import type { Backend, DeviceBuffer } from './backend.ts';
import { context, inContext, isPromise } from './context.ts';
import { type Aval, bytesOf, type DType, type Shape, showAval, sizeOf, type TypedArray } from './dtype.ts';
import { describe, LetheError } from './error.ts';

/** What a traced value knows of the transformation that made it. */
export interface Transformation {
  /** Its place among those in progress, from 1: the innermost has the highest. */
  readonly level: number;
  readonly name: string;
  /** False once the transformation has returned: a value that still refers to it has escaped. */
  active: boolean;
}

/**
 * An array of numbers of one element type. Operations are methods and functions alike: `a.add(b)` is `lt.add(a, b)`.
 * Tensors do not change: operations give new ones, with memory of their own on the device (or a handle on the same
 * memory, where nothing is computed). Give memory back with `using`, dispose or scope; otherwise it goes when
 * JavaScript collects the garbage.
 *
 * Inside grad, vmap, jit and the other transformations a tensor may stand for values that are not known yet: it has a
 * shape and a type, but its elements cannot be read.
 */
export abstract class Tensor implements Aval {
  /** @internal */
  constructor(
    /** Sizes of the axes; [] for a scalar. */
    readonly shape: Shape,
    /** Element type. */
    readonly dtype: DType,
  ) {}
  /**
   * The transformation this value belongs to; null for concrete values.
   * @internal
   */
  abstract readonly trace: Transformation | null;

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
  /** Number of axes. */
  get ndim(): number {
    return this.shape.length;
  }
  /**
   * The elements, row-major, once the device has computed them, as a copy: Float32Array (float32, float16),
   * Float64Array, Int32Array (int32, and bool as 0 or 1) or Uint32Array.
   * @throws Rejects with 'state' for a traced or disposed tensor, 'device' if the work that made the elements failed.
   */
  data(): Promise<TypedArray> {
    return Promise.reject(this.notConcrete('data()'));
  }
  /**
   * The elements as nested arrays of numbers, or of booleans for bool; a bare number or boolean for a scalar.
   * @throws Rejects as `data` does.
   */
  async array(): Promise<NestedArray> {
    return nest(await this.data(), this.shape, this.dtype === 'bool');
  }
  /**
   * The only element as a number; a bool is 0 or 1.
   * @throws Rejects with 'shape' unless there is exactly one element; else as `data` does.
   */
  async item(): Promise<number> {
    if (this.size !== 1) throw new LetheError('shape', `item: needs one element, got ${showAval(this)}`);
    return (await this.data())[0];
  }
  /** Gives the memory back. Using the tensor afterwards throws; disposing twice is harmless. */
  dispose(): void {}
  /** `using x = ...` disposes x at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
  private notConcrete(what: string): LetheError {
    return new LetheError(
      'state',
      `${what}: this value is traced by ${this.trace?.name}; its elements are not known here`,
    );
  }
  /** Element type and shape, such as Tensor(float32[2, 3]); not the elements. */
  toString(): string {
    return `Tensor(${showAval(this)}${this.trace ? `, ${this.trace.name}` : ''})`;
  }
}

/**
 * Throws 'value' unless every operand of `op` is a tensor. JavaScript callers have no compiler to tell them, and a shape
 * read from something else would fail with words that name neither the operation nor the operand.
 */
export function expectTensors(op: string, ...operands: readonly unknown[]): void {
  operands.forEach((x, i) => {
    if (!(x instanceof Tensor))
      throw new LetheError('value', `${op}: operand ${i + 1} is ${describe(x)}, expected a tensor`);
  });
}

/** What array() gives: nested arrays of numbers or booleans, or one of them. */
export type NestedArray = number | boolean | NestedArray[];

function nest(data: TypedArray, shape: Shape, asBool: boolean): NestedArray {
  let at = 0;
  const build = (axis: number): NestedArray => {
    if (axis === shape.length) {
      const v = data[at++];
      return asBool ? v !== 0 : v;
    }
    return Array.from({ length: shape[axis] }, () => build(axis + 1));
  };
  return build(0);
}

/** Device memory shared by the tensors that view it. */
export class Storage {
  private references = 1;
  constructor(
    readonly backend: Backend,
    readonly buffer: DeviceBuffer,
  ) {}
  /** True while more than one tensor views this memory. */
  get shared(): boolean {
    return this.references > 1;
  }
  retain(): this {
    this.references++;
    return this;
  }
  release(): void {
    if (--this.references === 0) this.backend.free(this.buffer);
  }
}

// ---- lifetimes -------------------------------------------------------------------------------------------------------

/** The tensors that one call of `scope` owns. */
export class Scope {
  private readonly made = new Set<Concrete>();
  private closed = false;
  constructor(private readonly outer: Scope | null) {}

  /** The innermost scope that is still open: what a function left running makes belongs further out. */
  static current(from = context().scope): Scope | null {
    let scope = from;
    while (scope?.closed) scope = scope.outer;
    return scope;
  }
  add(x: Concrete): void {
    this.made.add(x);
  }
  delete(x: Concrete): void {
    this.made.delete(x);
  }
  /** Disposes all but the tensors found in `result`, which the next open scope further out owns from now on. */
  close(result: unknown): void {
    this.closed = true;
    const kept = concretes(result);
    const outer = Scope.current(this.outer);
    for (const x of this.made) {
      if (kept.has(x)) x.moveTo(outer);
      else x.dispose();
    }
  }
}

/** One for each leak check in progress: the tensors alive that were made since, and where. */
const leakChecks = new Set<Map<Concrete, string>>();

const registry = new FinalizationRegistry<Storage>((storage) => storage.release());

export class Concrete extends Tensor {
  readonly trace = null;
  private held: Storage | null;
  private owner: Scope | null = null;

  constructor(shape: Shape, dtype: DType, storage: Storage) {
    super(shape, dtype);
    this.held = storage;
    this.moveTo(Scope.current());
    registry.register(this, storage, this);
    if (leakChecks.size > 0) {
      const site = callSite();
      for (const found of leakChecks) found.set(this, site);
    }
  }
  get storage(): Storage {
    if (this.held === null)
      throw new LetheError('state', `use after dispose: ${showAval(this)} has been given back`);
    return this.held;
  }
  get disposed(): boolean {
    return this.held === null;
  }
  /** From the scope that owns it to another; null: to whoever holds the handle. */
  moveTo(owner: Scope | null): void {
    this.owner?.delete(this);
    owner?.add(this);
    this.owner = owner;
  }
  /** Another handle on the same memory, perhaps with another shape of the same size. */
  alias(shape: Shape = this.shape): Concrete {
    return new Concrete(shape, this.dtype, this.storage.retain());
  }
  override async data(): Promise<TypedArray> {
    const { backend, buffer } = this.storage;
    return backend.read(buffer, this.dtype, this.size);
  }
  override dispose(): void {
    if (this.held === null) return;
    registry.unregister(this);
    untrack(this);
    this.held.release();
    this.held = null;
  }
}

/** Where this file's folder is: lines of the stack below it are the engine's own. A script, unlike a module, has no URL. */
const engineFolder = import.meta.url && new URL('.', import.meta.url).pathname;
const callSite = (): string => {
  const usual = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const lines = new Error().stack?.split('\n').slice(2) ?? [];
  Error.stackTraceLimit = usual;
  return (
    lines.find((l) => !(engineFolder && l.includes(engineFolder)) && !/node:internal|<anonymous>/.test(l)) ??
    lines[0] ??
    'unknown'
  ).trim();
};

/** Takes a tensor out of its scope and of leak checks: it is disposed, or the engine itself holds it and will do so. */
export function untrack(tensor: Concrete): Concrete {
  for (const found of leakChecks) found.delete(tensor);
  return keep(tensor);
}

const concretes = (
  value: unknown,
  found: Set<unknown> = new Set(),
  seen: Set<object> = new Set(),
): Set<unknown> => {
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if (value instanceof Tensor) found.add(value);
  else if (value instanceof Map) for (const v of value.values()) concretes(v, found, seen);
  else if (!ArrayBuffer.isView(value)) for (const v of Object.values(value)) concretes(v, found, seen);
  return found;
};

/**
 * Runs `f` and disposes every tensor made inside it, except those found in its result (searched through arrays,
 * plain objects and maps); these belong to the scope around it, if there is one. An async function keeps its scope open
 * until it settles. It owns what the function makes, and what that calls or starts; tensors of other tasks are never
 * touched, however scopes overlap. Where the runtime cannot tell tasks apart (browsers without AsyncContext), an async
 * scope owns only what is made before the first await: the rest is the garbage collector's, unless a synchronous scope
 * inside gives it back.
 */
export function scope<R>(f: () => R): R {
  const own = new Scope(Scope.current());
  let result: R;
  try {
    result = inContext({ scope: own }, f);
  } catch (error) {
    own.close(null);
    throw error;
  }
  if (!isPromise(result)) {
    own.close(result);
    return result;
  }
  return result.then(
    (r) => {
      own.close(r);
      return r;
    },
    (e) => {
      own.close(null);
      throw e;
    },
  ) as R;
}

/** Takes a tensor out of the scope that owns it, whichever task opened it: whoever calls this owns it from now on. */
export function keep<T extends Tensor>(tensor: T): T {
  if (tensor instanceof Concrete) tensor.moveTo(null);
  return tensor;
}

/** A tensor that findLeaks found. */
export interface Leak {
  /** Its element type and shape, such as float32[2, 3]. */
  tensor: string;
  /** Bytes of its elements on the device. */
  bytes: number;
  /** The line of the stack that made it. */
  site: string;
}
/**
 * Leak check: runs `f` and reports the tensors made meanwhile, by f or by any other task, that are still alive
 * afterwards and not part of its result.
 */
export async function findLeaks(f: () => unknown): Promise<Leak[]> {
  const found = new Map<Concrete, string>();
  leakChecks.add(found);
  try {
    const kept = concretes(await f());
    return [...found]
      .filter(([x]) => !kept.has(x))
      .map(([x, site]) => ({ tensor: showAval(x), bytes: x.size * bytesOf(x.dtype), site }));
  } finally {
    leakChecks.delete(found);
  }
}
