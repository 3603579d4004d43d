// The CPU backend: loads the C++ addon and speaks the engine's Backend interface to it. The addon knows buffers and
// programs as numbers; here they are objects that are checked against use after release. All computing happens on the
// addon's own threads.

import { builtin } from '../builtin.ts';
import type {
  Backend,
  Capabilities,
  Ceilings,
  DeviceBuffer,
  Executable,
  KernelTime,
} from '../engine/backend.ts';
import { bytesOf, type DType, type TypedArray } from '../engine/dtype.ts';
import { check, LetheError } from '../engine/error.ts';
import { LONGEST_ROW } from '../engine/primitives/table.ts';
import type { Program } from '../engine/program.ts';
import { dtypeCode, encode } from './encode.ts';
import { findAddon, refused } from './place.ts';

interface CpuCeilings extends Ceilings {
  /** One way between two cores; 0 with one thread. */
  readonly pingPongNs: number;
}

interface CpuBackend extends Backend {
  readonly name: 'cpu';
  profile(): () => Promise<readonly KernelTime[]>;
  ceilings(): Promise<CpuCeilings>;
}

/** The addon's own surface (native/src/runtime/addon.cc). */
export interface NativeRuntime {
  allocate(bytes: number): number;
  write(buffer: number, data: TypedArray): void;
  read(buffer: number, bytes: number): Promise<ArrayBuffer>;
  free(buffer: number): void;
  compile(label: string, words: Float64Array): number;
  dispose(program: number): void;
  run(program: number, buffers: Uint32Array, count: number): void;
  sync(): Promise<void>;
  memory(): { buffers: number; bytes: number; pooled: number };
  ceilings(): Promise<CpuCeilings>;
  startProfile(): void;
  stopProfile(): Promise<Float64Array>;
  close(): void;
}
export interface Addon {
  readonly Runtime: new (threads: number) => NativeRuntime;
  instructionSet(): string;
  /** What this machine has, the best first. */
  instructionSets(): string[];
  useInstructionSet(name: string): boolean;
  /** How the kernels of a program (encode.ts) go about it, in words. */
  describe(words: Float64Array): string;
}

const CAPABILITIES: Capabilities = {
  // Not dot: its kernel would have to compute the operand into memory first.
  prologues: ['conv', 'convGradInput', 'convGradWeight'],
  epilogues: ['dot', 'conv', 'convGradInput'],
  buffers: Number.POSITIVE_INFINITY,
  bindingBytes: Number.POSITIVE_INFINITY,
  arena: true,
  beside: 0,
  // A row is one thread's, and lies in its caches (Rows in native/src/runtime/description.h). Short ones are better done many at a time.
  rows: {
    busy: 16,
    short: 0,
    shortest: 64,
    longest: LONGEST_ROW,
    reductions: Number.POSITIVE_INFINITY,
    columns: true,
  },
};

class CpuBuffer implements DeviceBuffer {
  released = false;
  constructor(
    readonly owner: Cpu,
    readonly id: number,
    readonly bytes: number,
  ) {}
}

class CpuExecutable implements Executable {
  disposed = false;
  constructor(
    readonly owner: Cpu,
    readonly id: number,
    readonly program: Program,
  ) {}
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.owner.release(this);
  }
}

class Cpu implements CpuBackend {
  readonly name = 'cpu';
  readonly capabilities = CAPABILITIES;
  readonly info: Backend['info'];
  #runtime: NativeRuntime;
  #closed = false;
  #ids = new Uint32Array(64);
  /** Programs that were enqueued since the profile began, while one is taken. */
  #profiled: Program[] | null = null;

  constructor(
    addon: Addon,
    threads: number,
    private readonly exact: boolean,
  ) {
    this.#runtime = new addon.Runtime(threads);
    this.info = {
      processor: builtin('node:os').cpus()[0]?.model ?? 'unknown',
      instructionSet: addon.instructionSet(),
      threads,
      exact,
    };
  }

  supports(dtype: DType): boolean {
    return dtype !== 'float64' && dtype !== 'float16';
  }

  allocate(bytes: number): DeviceBuffer {
    return new CpuBuffer(
      this,
      this.#call(() => this.#runtime.allocate(bytes)),
      bytes,
    );
  }

  write(buffer: DeviceBuffer, data: TypedArray): void {
    const { id } = this.#own(buffer);
    this.#call(() => this.#runtime.write(id, data));
  }

  async read(buffer: DeviceBuffer, dtype: DType, length: number): Promise<TypedArray> {
    const { id } = this.#own(buffer);
    dtypeCode(dtype);
    const bytes = await this.#wait(this.#call(() => this.#runtime.read(id, length * bytesOf(dtype))));
    return wrap(dtype, bytes);
  }

  free(buffer: DeviceBuffer): void {
    // Closing gave everything back; tensors that are collected later have nothing left to free.
    if (this.#closed) return;
    const own = this.#own(buffer);
    own.released = true;
    this.#call(() => this.#runtime.free(own.id));
  }

  compile(program: Program): Executable {
    const words = encode(program, this.exact);
    return new CpuExecutable(
      this,
      this.#call(() => this.#runtime.compile(program.label, words), program.label),
      program,
    );
  }

  release(executable: CpuExecutable): void {
    if (!this.#closed) this.#call(() => this.#runtime.dispose(executable.id));
  }

  run(executable: Executable, inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): void {
    const own = executable as CpuExecutable;
    check(own.owner === this, 'state', () => 'the program was compiled by another backend');
    check(!own.disposed, 'state', () => `${own.program.label}: the program was disposed of`);
    const count = inputs.length + outputs.length;
    if (this.#ids.length < count) this.#ids = new Uint32Array(count * 2);
    let at = 0;
    for (const b of inputs) this.#ids[at++] = this.#own(b).id;
    for (const b of outputs) this.#ids[at++] = this.#own(b).id;
    this.#call(() => this.#runtime.run(own.id, this.#ids, count), own.program.label);
    this.#profiled?.push(own.program);
  }

  profile(): () => Promise<readonly KernelTime[]> {
    this.#call(() => this.#runtime.startProfile());
    const programs: Program[] = [];
    this.#profiled = programs;
    return async () => {
      this.#profiled = null;
      const times = await this.#wait(this.#call(() => this.#runtime.stopProfile()));
      let at = 0;
      return programs.flatMap((program) =>
        program.instructions.map((_, instruction) => {
          const [start, end] = [times[at++], times[at++]];
          return { program, instruction, kernel: '', start, seconds: end - start };
        }),
      );
    };
  }

  sync(): Promise<void> {
    return this.#wait(this.#call(() => this.#runtime.sync()));
  }

  memory(): { buffers: number; bytes: number } {
    if (this.#closed) return { buffers: 0, bytes: 0 };
    const { buffers, bytes } = this.#runtime.memory();
    return { buffers, bytes };
  }

  ceilings(): Promise<CpuCeilings> {
    return this.#wait(this.#call(() => this.#runtime.ceilings()));
  }

  /** Waits for what is enqueued, then releases threads and memory. Failures nobody asked for are not reported. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const done = this.sync().catch(() => {});
    this.#closed = true;
    await done;
    this.#runtime.close();
  }

  #own(buffer: DeviceBuffer): CpuBuffer {
    const own = buffer as CpuBuffer;
    check(own.owner === this, 'state', () => 'the buffer belongs to another backend');
    check(!own.released, 'state', () => 'the buffer was already freed');
    return own;
  }

  #call<T>(f: () => T, label = ''): T {
    check(!this.#closed, 'state', () => 'the CPU backend is closed');
    try {
      return f();
    } catch (cause) {
      throw deviceError(cause, label);
    }
  }

  async #wait<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (cause) {
      throw deviceError(cause);
    }
  }
}

/** What the backend stores for `dtype` (see allocate in engine/dtype.ts), over memory that is there. */
const wrap = (dtype: DType, bytes: ArrayBuffer): TypedArray =>
  dtype === 'float32'
    ? new Float32Array(bytes)
    : dtype === 'uint32'
      ? new Uint32Array(bytes)
      : new Int32Array(bytes);

function deviceError(cause: unknown, label = ''): LetheError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new LetheError('device', `CPU backend${label && ` (${label})`}: ${what}`, { cause });
}

let loaded: Addon | null = null;

function load(): Addon {
  if (loaded) return loaded;
  const path = findAddon();
  let addon: Addon;
  try {
    addon = builtin('node:module').createRequire(path)(path) as Addon;
  } catch (cause) {
    throw refused(path, cause);
  }
  const wanted = process.env.LETHE_INSTRUCTION_SET;
  if (wanted) choose(addon, wanted, 'LETHE_INSTRUCTION_SET');
  loaded = addon;
  return loaded;
}

/** Whether the CPU backend can be used here, and if not, why and what to do. Never throws. */
export function describeCpuBackend(): { available: boolean; reason: string } {
  try {
    return { available: true, reason: `${load().instructionSet()}, ${defaultThreads()} threads` };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** LETHE_THREADS, or the number of cores this process may use. */
function defaultThreads(): number {
  const wanted = process.env.LETHE_THREADS;
  if (!wanted) return builtin('node:os').availableParallelism();
  const threads = Number(wanted);
  check(Number.isInteger(threads) && threads >= 1 && threads <= 1024, 'value', () => {
    return `LETHE_THREADS must be a whole number from 1 to 1024, not "${wanted}"`;
  });
  return threads;
}

/** How the kernels of a program go about it, in words: the plan of each loop, the algorithm of each convolution. */
export const describeKernels = (program: Program): string => load().describe(encode(program));

/** Names of the instruction sets there are kernels for and this machine has, the best first. */
export const instructionSets = (): string[] => load().instructionSets();

/**
 * Makes every kernel of this process use the instruction set of that name. Only while no CPU backend is open.
 * @throws LetheError 'value' where this machine lacks it, 'device' where another is in use.
 */
export function useInstructionSet(name: string): void {
  choose(load(), name, 'the instruction set');
}

function choose(addon: Addon, name: string, what: string): void {
  let known: boolean;
  try {
    known = addon.useInstructionSet(name);
  } catch (cause) {
    throw deviceError(cause);
  }
  check(known, 'value', () => {
    return `${what} must be one that this machine has (${addon.instructionSets().join(', ')}), not "${name}"`;
  });
}

interface CpuOptions {
  /** Default: LETHE_THREADS, else the number of cores this process may use. */
  threads?: number;
  /**
   * Compute convolutions only by adding plain products. The default also uses Winograd's transforms, up to three times
   * faster: their error is relative to the largest value in a patch of 6x6 pixels, not to the result, and a NaN or
   * infinity spreads over the 4x4 results of its tile. Default: LETHE_EXACT=1.
   */
  exact?: boolean;
}

export async function createCpuBackend(options: CpuOptions = {}): Promise<CpuBackend> {
  const threads = options.threads ?? defaultThreads();
  check(Number.isInteger(threads) && threads >= 1 && threads <= 1024, 'value', () => {
    return `threads must be a whole number from 1 to 1024, not ${threads}`;
  });
  return new Cpu(load(), threads, options.exact ?? process.env.LETHE_EXACT === '1');
}
