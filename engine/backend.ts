// The interface between the engine and a device. A backend is an ordered queue: what is enqueued runs in order, reads
// see everything enqueued before them, and nothing blocks JavaScript. The engine hands in planned programs (see
// program.ts) and decides lifetimes; a backend never frees what it was not told to free, and must keep memory alive
// until work already enqueued has finished with it.

import type { DType, TypedArray } from './dtype.ts';
import type { Program, RootName } from './program.ts';

/** Device memory; only the backend that made it knows what is inside. */
export interface DeviceBuffer {
  readonly bytes: number;
}

/** A compiled program. */
export interface Executable {
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

/** One kernel as the device's own clock saw it. Some backends run an instruction as several kernels, or several as one. */
export interface KernelTime {
  readonly program: Program;
  /** Numbers in the program of the instructions that it does, or does a part of. */
  readonly instructions: readonly number[];
  /** The backend's name for the kernel; empty where the instruction says it all. */
  readonly kernel: string;
  /** Seconds from the start of the profile. */
  readonly start: number;
  readonly seconds: number;
}

export interface Backend {
  readonly name: 'reference' | 'cpu' | 'webgpu';
  /** Facts for people: processor, instruction set, threads, adapter. */
  readonly info: Readonly<Record<string, string | number | boolean>>;
  /** Roots that gain by computing operands while they fetch them (see `Instruction.prologues`); none where it is missing. */
  readonly prologues?: readonly RootName[];
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
  free(buffer: DeviceBuffer): void;
  compile(program: Program): Executable;
  /** Enqueues one replay; inputs and outputs in the order of the program's slots' `index`. */
  run(executable: Executable, inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): void;
  /**
   * Resolves when everything enqueued so far has run; rejects with the first failure since the last sync, or, each time,
   * because the device is lost.
   */
  sync(): Promise<void>;
  /**
   * Times every kernel of the runs enqueued from now on until the returned function is called; that one resolves, after
   * those runs, to their times in the order they ran. One profile at a time. Costs nothing while none is taken. Throws
   * where the device lacks a clock. A backend without the method cannot profile.
   */
  profile?(): () => Promise<readonly KernelTime[]>;
  /** Takes some tenths of a second; nothing else should run meanwhile. */
  ceilings?(): Promise<Ceilings>;
  /** Live buffers and their bytes, without pools and arenas. */
  memory(): { buffers: number; bytes: number };
  close(): Promise<void>;
}
