// The interface between the engine and a device. A backend is an ordered queue: what is enqueued runs in order, reads
// see everything enqueued before them, and nothing blocks JavaScript. The engine hands in planned programs (see
// program.ts) and decides lifetimes; a backend never frees what it was not told to free, and must keep memory alive
// until work already enqueued has finished with it.

import type { DType, TypedArray } from './dtype.ts';
import type { Program, RootName } from './program.ts';

/** What the planner may ask of a backend's kernels. */
export interface Capabilities {
  /** Operations whose kernels gain by computing operands while they fetch them. */
  readonly prologues: readonly RootName[];
  /** Operations whose kernels go on with their result before it is stored. */
  readonly epilogues: readonly RootName[];
  /** Buffers that a kernel may bind. */
  readonly buffers: number;
  /** Bytes of one buffer that a kernel may bind. */
  readonly bindingBytes: number;
  /** Do temporaries lie in one arena? Else the backend places them, together with its own. */
  readonly arena: boolean;
  /** Loops of so many elements and less are worth one kernel where they do not need each other; 0 for none. */
  readonly beside: number;
  /** Kernels for work on rows (see `Rows`); null where there are none. */
  readonly rows: {
    /** As many rows keep the device busy. */
    readonly busy: number;
    /** Rows of at most so many elements are worth one kernel, however few they are. */
    readonly short: number;
    /** Elements of a row that lie one after another, at least. */
    readonly shortest: number;
    /** Elements of a row, at most. */
    readonly longest: number;
    /** Reductions in a pass. */
    readonly reductions: number;
    /** Are there sums over the rows, too? */
    readonly columns: boolean;
  } | null;
}

/** Device memory; only the backend that made it knows what is inside. */
export interface DeviceBuffer {
  /** Bytes that were asked for. */
  readonly bytes: number;
}

/** A compiled program. */
export interface Executable {
  /** What was compiled. */
  readonly program: Program;
  /** Releases what the program holds (arena, pipelines); runs already enqueued still finish. */
  dispose(): void;
}

/** What a device can do at most, measured by programs of our own: the yardstick for every speed claim. */
export interface Ceilings {
  /** Multiply-adds, two operations each, out of registers: 1e9 operations a second. */
  readonly gflops: number;
  /** a = b + s * c over arrays far larger than any cache: 1e9 bytes a second. */
  readonly triadGBs: number;
}

/** One kernel as the device's own clock saw it. Some backends run an instruction as several kernels. */
export interface KernelTime {
  /** The program that the kernel belongs to. */
  readonly program: Program;
  /** Number in the program of the instruction that it does, or does a part of. */
  readonly instruction: number;
  /** The backend's name for the kernel; empty where the instruction says it all. */
  readonly kernel: string;
  /** Seconds from the start of the profile. */
  readonly start: number;
  /** How long it ran. */
  readonly seconds: number;
}

/** Memory that tensors hold. */
export interface MemoryUse {
  /** Live buffers. */
  readonly buffers: number;
  /** Their bytes. */
  readonly bytes: number;
}

/** A device, as the engine sees it: an ordered queue that runs planned programs. */
export interface Backend {
  /** The kind of device. */
  readonly name: 'reference' | 'cpu' | 'webgpu';
  /** What the device is: processor, instruction set, threads, adapter. */
  readonly info: Readonly<Record<string, string | number | boolean>>;
  /** What plans for it may contain. */
  readonly capabilities: Capabilities;
  /** Does the device have this element type? */
  supports(dtype: DType): boolean;
  /** Uninitialised memory of at least `bytes` bytes (0 is allowed). */
  allocate(bytes: number): DeviceBuffer;
  /**
   * Fills a fresh buffer; the data is copied before the call returns. `dtype` says what the elements are to be where
   * their array does not: float16.
   */
  write(buffer: DeviceBuffer, data: TypedArray, dtype?: DType): void;
  /** The first `length` elements, after all work enqueued so far. Rejects if any of that work failed. */
  read(buffer: DeviceBuffer, dtype: DType, length: number): Promise<TypedArray>;
  /** Gives memory back; work already enqueued with it still finishes. */
  free(buffer: DeviceBuffer): void;
  /**
   * Makes kernels of a program. May go on in the background; a failure then shows at the next read or sync.
   * @throws 'device' where the device cannot run it.
   */
  compile(program: Program): Executable;
  /** Enqueues one replay; inputs and outputs in the order of the program's slots' `index`. */
  run(executable: Executable, inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): void;
  /**
   * Resolves when everything enqueued so far has run; rejects with the first failure since the last sync, or, each
   * time, because the device is lost.
   */
  sync(): Promise<void>;
  /**
   * Times every kernel of the runs enqueued from now on until the returned function is called; that one resolves, after
   * those runs, to their times in the order they ran. One profile at a time. Costs nothing while none is taken. Throws
   * where the device lacks a clock. A backend without the method cannot profile.
   */
  profile?(): () => Promise<readonly KernelTime[]>;
  /** Measures what the device can do. Takes some tenths of a second; nothing else should run meanwhile. */
  ceilings?(): Promise<Ceilings>;
  /** Live buffers and their bytes, without pools and arenas. */
  memory(): MemoryUse;
  /** Releases the device; tensors on it are gone. */
  close(): Promise<void>;
}
