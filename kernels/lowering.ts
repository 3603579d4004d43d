// What emitters write into: the kernels of a program so far, the slots they work on, and what the device can do. A
// program's own slots keep their numbers; slots that lowering adds (partial sums, results on their way to an epilogue)
// follow. Which buffer a slot becomes is decided afterwards, once all of them are known.

import { bytesOf, type DType } from '../engine/dtype.ts';
import { check } from '../engine/error.ts';
import { denseView } from '../engine/graph/dense.ts';
import { inBuffers, livesOf } from '../engine/graph/placement.ts';
import { slotOf } from '../engine/graph/touches.ts';
import type { Loop, OpInstruction, Program, RootName, Slot } from '../engine/program.ts';
import { bufferBytes } from './buffers.ts';
import type { Tuning } from './choice.ts';
import type { MatrixConfig } from './matrix.ts';
import { type Kernel, type Part, Shader } from './shader.ts';

/** Limits of the device, and what emitters choose sizes by. */
export interface Traits {
  /** Storage buffers a kernel may bind. */
  readonly storageBuffers: number;
  /** Bytes one binding may span. */
  readonly bindingBytes: number;
  /** Bytes of memory that a workgroup shares. */
  readonly workgroupBytes: number;
  /** Invocations in a workgroup. */
  readonly invocations: number;
  /** Invocations in a subgroup, where that is known and WGSL may use it; else 0. */
  readonly subgroup: number;
  /** Storage of 16-bit floats. */
  readonly half: boolean;
  /** Matrices that a subgroup multiplies as a whole. */
  readonly matrices: readonly MatrixConfig[];
  /** A software adapter: few threads, no use for many small workgroups. */
  readonly software: boolean;
}

/** What WebGPU guarantees everywhere. */
export const PORTABLE: Traits = {
  storageBuffers: 8,
  bindingBytes: 128 * 2 ** 20,
  workgroupBytes: 16 * 2 ** 10,
  invocations: 256,
  subgroup: 0,
  half: false,
  matrices: [],
  software: false,
};

/** Writes the kernels of an operation. */
export type Emitter<K extends RootName> = (i: OpInstruction<K>, to: Lowering) => void;

/** A slot without an offset: temporaries lie in buffers of their own. */
export type LoweredSlot = Omit<Slot, 'offset'>;

/** A program as kernels. Emitters write into it; read `kernels` and `slots`. */
export class Lowering {
  /** The program's slots, then those that lowering adds. */
  readonly slots: LoweredSlot[];
  /** In the order they are dispatched. */
  readonly kernels: Kernel[] = [];
  /** For each kernel the instruction that it is part of. */
  readonly owners: number[] = [];
  /**
   * Number of the instruction that is being lowered.
   * @internal
   */
  instruction = 0;
  private readonly shared = new Map<number, number>();

  /** @internal */
  constructor(
    /** What is lowered. */
    readonly program: Program,
    /** For which device. */
    readonly traits: Traits,
    /** Measured choices of tiles. */
    readonly tuning: Tuning = () => undefined,
  ) {
    this.slots = program.slots.map(({ kind, dtype, size, index }) => ({ kind, dtype, size, index }));
    for (const [output, input] of program.donations)
      this.shared.set(slotOf(program.slots, 'input', input), slotOf(program.slots, 'output', output));
    for (const s of this.slots)
      check(
        s.dtype !== 'float64' && (s.dtype !== 'float16' || traits.half),
        'dtype',
        () => `${program.label}: this WebGPU device has no ${s.dtype}`,
      );
  }

  /**
   * The slot whose memory a slot has: a donated input lies where its output lies.
   * @internal
   */
  readonly place = (slot: number): number => this.shared.get(slot) ?? slot;

  /**
   * An empty shader.
   * @internal
   */
  shader(label: string, parts?: ReadonlyMap<number, Part>): Shader {
    return new Shader(label, this.place, parts);
  }
  /**
   * A slot for values on their way, of `size` elements; its number.
   * @internal
   */
  scratch(size: number, dtype: DType): number {
    return this.slots.push({ kind: 'temporary', dtype, size, index: -1 }) - 1;
  }
  /**
   * Appends a kernel.
   * @throws 'device' where it binds more than the device allows.
   * @internal
   */
  add(kernel: Kernel): void {
    if (kernel.groups <= 0) return;
    for (const { slot, part } of kernel.bindings) {
      const { size, dtype } = this.slots[slot];
      const bytes = (part?.size ?? size) * bytesOf(dtype);
      const { bindingBytes } = this.traits;
      check(bytes <= bindingBytes, 'device', () => {
        const { label } = this.program;
        return `${label}: an array of ${size} elements takes ${bytes} bytes; this device binds at most ${bindingBytes}`;
      });
    }
    this.kernels.push(kernel);
    this.owners.push(this.instruction);
  }
}

/**
 * Buffers for the temporaries, which take turns in them: how large each is, and which one a slot has. No single buffer has
 * to hold everything (devices cap the size of one), and each kernel sees every buffer in one role.
 */
export function temporariesOf({ slots, kernels, place }: Lowering): {
  readonly buffers: readonly number[];
  readonly of: ReadonlyMap<number, number>;
} {
  const isTemporary = (n: number): boolean => slots[n].kind === 'temporary';
  const touched = kernels.map((k) => k.bindings.map((b) => place(b.slot)).filter(isTemporary));
  return inBuffers(livesOf(touched, (n) => bufferBytes(slots[n].size * bytesOf(slots[n].dtype))));
}

/** A loop with the operation's result as one more input: the numbering of values stays as it is. */
export const withResultInMemory = (loop: Loop, slot: number, dtype: DType): Loop => ({
  ...loop,
  inputs: [...loop.inputs, denseView(slot, dtype, loop.shape)],
});
