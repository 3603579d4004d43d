// The WebGPU backend: programs become WGSL once and are replayed. Pipelines compile while JavaScript goes on
// (pipelines.ts); a run that comes before they are ready waits its turn in the queue, and so does whatever follows it. A
// replay is one compute pass in one submission; small programs (single operations, in eager work) that follow each other
// within one turn of JavaScript share a submission. Nothing of Node is loaded here.

import type {
  Backend,
  Capabilities,
  Ceilings,
  DeviceBuffer,
  Executable,
  KernelTime,
} from '../engine/backend.ts';
import { allocate, bytesOf, type DType, type TypedArray } from '../engine/dtype.ts';
import { check, LetheError } from '../engine/error.ts';
import { fromHalves, toHalves } from '../engine/half.ts';
import type { Program } from '../engine/program.ts';
import { BufferPool, bufferBytes, MAP_READ, USAGE } from './buffers.ts';
import { capabilitiesOf } from './capabilities.ts';
import { measureCeilings } from './ceilings.ts';
import type { Tuning } from './choice.ts';
import { Clock } from './clock.ts';
import { describe, requestAdapter, requestDevice, traitsOf } from './device.ts';
import { lower } from './lower.ts';
import { type Lowering, type Traits, temporariesOf } from './lowering.ts';
import { Pipelines } from './pipelines.ts';
import { OrderedQueue } from './queue.ts';
import { type Binding, type Kernel, MAX_GROUPS } from './shader.ts';
import { type TuningOption, tuningFor } from './tuning.ts';

/** What was done so far; differences of two readings are what a step costs. */
export interface Counters {
  /** Kernels that were dispatched. */
  readonly dispatches: number;
  /** Command buffers that were submitted. */
  readonly submits: number;
  /** Pipelines that were made. */
  readonly pipelines: number;
  /** Bind groups that were made. */
  readonly bindGroups: number;
  /** Buffers that exist on the device now: of tensors, of programs, and kept to be used again. */
  readonly buffers: number;
  /** Their bytes. */
  readonly bytes: number;
}

/** A WebGPU device as a backend. */
export interface WebGpuBackend extends Backend {
  readonly name: 'webgpu';
  /** The device, with limits and features as far as the adapter has them. */
  readonly device: GPUDevice;
  /** What emitters choose sizes by. */
  readonly traits: Traits;
  /** What was done since the backend was made. */
  counters(): Counters;
  profile(): () => Promise<readonly KernelTime[]>;
  ceilings(): Promise<Ceilings>;
  /** As `compile`, of a program that was lowered already: with other tiles, or to kernels of the caller's own. */
  load(lowering: Lowering): Executable;
}

/** Options of createWebGpuBackend. */
export interface WebGpuOptions {
  /** A device of the caller's, which stays the caller's: close() does not destroy it. */
  readonly device?: GPUDevice;
  /** An adapter of the caller's, to make a device from. Default: one that `gpu` gives. */
  readonly adapter?: GPUAdapter;
  /** Default: navigator.gpu. */
  readonly gpu?: GPU;
  /** Which adapter to ask for where there are several. Default 'high-performance'. */
  readonly powerPreference?: GPUPowerPreference;
  /** Take a software adapter too, which is slow. Default false. */
  readonly allowSoftware?: boolean;
  /** Use less than the device offers, as on a device that offers no more. */
  readonly limits?: Partial<Traits>;
  /** Tables of measured tiles for the adapters they name, beside those that come with the package; or 'off'. */
  readonly tuning?: TuningOption;
  /** Called once everything is released. */
  readonly onClose?: () => void;
}

class GpuBuffer implements DeviceBuffer {
  released = false;
  constructor(
    readonly owner: WebGpu,
    readonly gpu: GPUBuffer,
    readonly bytes: number,
  ) {}
}

/** A bind group and the buffers in it. */
interface Bound {
  readonly group: GPUBindGroup;
  readonly buffers: readonly GPUBuffer[];
}

class GpuExecutable implements Executable {
  disposed = false;
  pipelines: readonly GPUComputePipeline[] | null = null;
  error: LetheError | null = null;
  /** What the temporaries lie in, once it runs. */
  scratch: readonly GPUBuffer[] | null = null;
  /** Settles when the pipelines are there, or failed. */
  ready: Promise<void> = Promise.resolve();
  /** For each kernel the bind groups of the last runs, newest first. */
  readonly groups: Bound[][] = [];
  constructor(
    readonly owner: WebGpu,
    readonly program: Program,
    readonly lowering: Lowering,
    readonly temporaries: ReturnType<typeof temporariesOf>,
  ) {}
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.owner.release(this);
  }
}

const KEPT_BYTES = 512 * 2 ** 20;
const STAGING_BYTES = 64 * 2 ** 20;
/** Batches, losses and other small memory take turns in a few buffers: replays come back to the same ones. */
const KEPT_GROUPS = 4;
/** From so many dispatches on, work is handed to the GPU without waiting for more. */
const ENOUGH_DISPATCHES = 16;

class WebGpu implements WebGpuBackend {
  readonly name = 'webgpu';
  readonly capabilities: Capabilities;
  readonly info: Backend['info'];
  readonly #queue = new OrderedQueue();
  readonly #storage: BufferPool;
  readonly #staging: BufferPool;
  readonly #pipelines: Pipelines;
  readonly #executables = new Set<GpuExecutable>();
  readonly #live = new Set<GpuBuffer>();
  #liveBytes = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pending = 0;
  #clock: Clock | null = null;
  #counters = { dispatches: 0, submits: 0, bindGroups: 0 };
  #failure: LetheError | null = null;
  /** The last failure that was want of memory. */
  #shortage: LetheError | null = null;
  #lost: LetheError | null = null;
  #closed = false;

  constructor(
    readonly device: GPUDevice,
    readonly traits: Traits,
    private readonly tuning: Tuning,
    facts: Backend['info'],
    private readonly onClose: () => void,
  ) {
    this.capabilities = capabilitiesOf(traits);
    this.info = {
      ...facts,
      software: traits.software,
      float16: traits.half,
      storageBuffers: traits.storageBuffers,
      bindingBytes: traits.bindingBytes,
      bufferBytes: device.limits.maxBufferSize,
    };
    this.#pipelines = new Pipelines(device);
    const { storage, copySource, copyTarget, mapRead } = USAGE;
    const full = (bytes: number): void => this.#full(bytes);
    this.#storage = new BufferPool(device, storage | copySource | copyTarget, 'lethe', KEPT_BYTES, full);
    this.#staging = new BufferPool(device, mapRead | copyTarget, 'lethe read', STAGING_BYTES, full);
    device.addEventListener('uncapturederror', this.#onError);
    void device.lost.then(({ reason, message }) => {
      if (this.#closed) return;
      this.#lost = deviceError(
        `the device was lost (${reason}: ${message}) and all that was on it; begin again, a run goes on from its last checkpoint; if this comes back, try smaller batches or device 'cpu'`,
      );
      this.#failure ??= this.#lost;
    });
  }
  readonly #onError = (event: Event): void => {
    event.preventDefault();
    const { error } = event as GPUUncapturedErrorEvent;
    this.#fail(deviceError(error.message, error));
  };

  supports(dtype: DType): boolean {
    return dtype !== 'float64' && (dtype !== 'float16' || this.traits.half);
  }
  counters(): Counters {
    const [a, b] = [this.#storage.held, this.#staging.held];
    const { made: pipelines } = this.#pipelines;
    return { ...this.#counters, pipelines, buffers: a.buffers + b.buffers, bytes: a.bytes + b.bytes };
  }
  memory(): { buffers: number; bytes: number } {
    return { buffers: this.#live.size, bytes: this.#liveBytes };
  }

  // ---- memory --------------------------------------------------------------------------------------------------------

  allocate(bytes: number): DeviceBuffer {
    this.#open();
    this.#checkSize(bytes);
    const buffer = new GpuBuffer(this, this.#storage.take(bytes), bytes);
    this.#live.add(buffer);
    this.#liveBytes += bytes;
    return buffer;
  }
  #checkSize(bytes: number): void {
    const limit = this.device.limits.maxBufferSize;
    check(
      bytes <= limit,
      'device',
      () => `WebGPU: out of memory: ${bytes} bytes asked for; a buffer of this device holds at most ${limit}`,
    );
  }
  write(buffer: DeviceBuffer, data: TypedArray, dtype?: DType): void {
    this.#open();
    check(
      data.BYTES_PER_ELEMENT === 4,
      'dtype',
      () => "WebGPU has no float64; the reference backend has (device 'reference')",
    );
    const { gpu } = this.#own(buffer);
    if (data.length === 0) return;
    // Copied only if it has to wait, or is to be packed.
    const source = (
      dtype === 'float16' ? packed(data) : this.#queue.empty ? data : data.slice()
    ) as Float32Array<ArrayBuffer>;
    this.#queue.add(() => {
      this.#flush();
      this.device.queue.writeBuffer(gpu, 0, source);
    });
  }
  async read(buffer: DeviceBuffer, dtype: DType, length: number): Promise<TypedArray> {
    this.#open();
    const { gpu } = this.#own(buffer);
    check(this.supports(dtype), 'dtype', () => `WebGPU: this device has no ${dtype}`);
    if (length === 0) {
      await this.#queue.idle();
      this.#throwFailure(false);
      return allocate(dtype, 0);
    }
    // Copies are of whole words.
    const bytes = Math.ceil((length * bytesOf(dtype)) / 4) * 4;
    const staging = this.#staging.take(bytes);
    let mapped: Promise<unknown> = Promise.resolve();
    this.#queue.add(() => {
      this.#commands().copyBufferToBuffer(gpu, 0, staging, 0, bytes);
      this.#flush();
      mapped = staging.mapAsync(MAP_READ, 0, bytes);
      mapped.catch(() => {});
    });
    await this.#queue.idle();
    try {
      await mapped;
    } catch (cause) {
      this.#staging.destroy(staging);
      this.#throwFailure(false);
      throw deviceError('a result could not be read', cause);
    }
    const words = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    if (!this.#staging.give(staging)) this.#staging.destroy(staging);
    this.#throwFailure(false);
    return dtype === 'float16' ? fromHalves(new Uint16Array(words, 0, length)) : viewAs(words, dtype);
  }
  free(buffer: DeviceBuffer): void {
    // Closing gave everything back; tensors that are collected later have nothing left to free.
    if (this.#closed) return;
    const own = this.#own(buffer);
    own.released = true;
    this.#live.delete(own);
    this.#liveBytes -= own.bytes;
    this.#discard(own.gpu);
  }
  /** Work in the queue may still use the buffer; whoever gets it next comes after that work. */
  #discard(buffer: GPUBuffer): void {
    if (this.#storage.give(buffer)) return;
    this.#queue.add(() => {
      this.#flush();
      this.#storage.destroy(buffer);
    });
  }

  // ---- programs ------------------------------------------------------------------------------------------------------

  compile(program: Program): Executable {
    // Work on what no buffer holds would be cut into pieces without end.
    for (const { size, dtype } of program.slots) this.#checkSize(size * bytesOf(dtype));
    return this.load(lower(program, this.traits, this.tuning));
  }
  load(lowering: Lowering): Executable {
    this.#open();
    const { program } = lowering;
    const executable = new GpuExecutable(this, program, lowering, temporariesOf(lowering));
    executable.ready = Promise.all(lowering.kernels.map((k) => this.#pipelines.of(k))).then(
      (pipelines) => {
        executable.pipelines = pipelines;
      },
      (cause) => {
        executable.error = deviceError(`${program.label}: ${messageOf(cause)}`, cause);
      },
    );
    this.#executables.add(executable);
    return executable;
  }
  release(executable: GpuExecutable): void {
    if (this.#closed) return;
    this.#queue.add(() => {
      this.#executables.delete(executable);
      for (const b of executable.scratch ?? []) this.#discard(b);
      executable.scratch = null;
      executable.groups.length = 0;
    });
  }
  run(executable: Executable, inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): void {
    this.#open();
    const own = executable as GpuExecutable;
    check(own.owner === this, 'state', () => 'the program was compiled by another backend');
    check(!own.disposed, 'state', () => `${own.program.label}: the program was disposed of`);
    const ins = inputs.map((b) => this.#own(b).gpu);
    const outs = outputs.map((b) => this.#own(b).gpu);
    // Memory is taken now, not when the run's turn comes: by then the caller may have freed what this run uses, and the
    // pool would hand it out as scratch.
    own.scratch ??= own.temporaries.buffers.map((bytes) => this.#storage.take(bytes));
    // An input that happens to be the buffer of an output it was not given away to is read from a copy.
    const donated = new Set(own.program.donations.map(([, input]) => input));
    const copies = ins.map((b, i) =>
      donated.has(i) || !outs.includes(b) ? null : this.#storage.take(b.size),
    );
    const clock = this.#clock;
    const go = (): void => {
      try {
        this.#encode(own, ins, outs, copies, clock);
      } catch (cause) {
        this.#fail(deviceError(`${own.program.label}: ${messageOf(cause)}`, cause));
      }
    };
    this.#queue.add(go, own.pipelines ? null : own.ready);
  }

  #encode(
    e: GpuExecutable,
    inputs: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
    copies: readonly (GPUBuffer | null)[],
    clock: Clock | null,
  ): void {
    if (e.error) this.#fail(e.error);
    if (e.error || this.#lost) return;
    const { kernels, owners, slots } = e.lowering;
    const { donations } = e.program;
    const encoder = this.#commands();
    const read = inputs.map((b, i) => {
      const copy = copies[i];
      if (copy) encoder.copyBufferToBuffer(b, 0, copy, 0, b.size);
      return copy ?? b;
    });
    // A donated input lies in its output. Where the caller kept the input, the output starts as a copy of it.
    for (const [output, input] of donations)
      if (inputs[input] !== outputs[output]) {
        const bytes = Math.min(inputs[input].size, outputs[output].size);
        encoder.copyBufferToBuffer(inputs[input], 0, outputs[output], 0, bytes);
      }
    const { label } = e.program;
    const pass = clock || kernels.length === 0 ? null : encoder.beginComputePass({ label });
    kernels.forEach((k, n) => {
      const buffers = k.bindings.map(({ slot }) => {
        const { kind, index } = slots[slot];
        if (kind === 'input') return read[index];
        if (kind === 'output') return outputs[index];
        return (e.scratch as readonly GPUBuffer[])[e.temporaries.of.get(slot) as number];
      });
      const own = clock?.next({ program: e.program, instruction: owners[n], kernel: k.label });
      const at = (
        own ? encoder.beginComputePass({ label, timestampWrites: own }) : pass
      ) as GPUComputePassEncoder;
      at.setPipeline((e.pipelines as readonly GPUComputePipeline[])[n]);
      at.setBindGroup(0, this.#bindGroup(e, k, n, buffers));
      const spread = [Math.min(k.groups, MAX_GROUPS), Math.ceil(k.groups / MAX_GROUPS), 1] as const;
      at.dispatchWorkgroups(...(k.dispatch ?? spread));
      if (own) at.end();
    });
    pass?.end();
    for (const c of copies) if (c) this.#discard(c);
    this.#counters.dispatches += kernels.length;
    this.#pending += kernels.length;
    if (this.#pending >= ENOUGH_DISPATCHES) this.#flush();
  }
  #bindGroup(e: GpuExecutable, k: Kernel, n: number, buffers: readonly GPUBuffer[]): GPUBindGroup {
    const before = (e.groups[n] ??= []);
    const known = before.find((g) => g.buffers.every((b, i) => b === buffers[i]));
    if (known) return known.group;
    const group = this.device.createBindGroup({
      label: k.label,
      layout: this.#pipelines.layoutOf(k).group,
      entries: k.bindings.map((b, i) => ({
        binding: i,
        resource: { buffer: buffers[i], ...bytesBound(e, b) },
      })),
    });
    this.#counters.bindGroups++;
    if (before.unshift({ group, buffers }) > KEPT_GROUPS) before.pop();
    return group;
  }

  // ---- profiling -----------------------------------------------------------------------------------------------------

  profile(): () => Promise<readonly KernelTime[]> {
    this.#open();
    check(this.#clock === null, 'state', () => 'a profile is being taken already');
    const clock = new Clock(this.device);
    this.#clock = clock;
    return async () => {
      check(this.#clock === clock, 'state', () => 'this profile has ended already');
      this.#clock = null;
      await this.#finished();
      this.#throwFailure(false);
      return clock.read();
    };
  }

  ceilings(): Promise<Ceilings> {
    return measureCeilings(this);
  }

  // ---- submitting ----------------------------------------------------------------------------------------------------

  #commands(): GPUCommandEncoder {
    if (this.#encoder === null) {
      this.#encoder = this.device.createCommandEncoder();
      queueMicrotask(() => this.#flush());
    }
    return this.#encoder;
  }
  #flush(): void {
    if (this.#encoder === null) return;
    const commands = this.#encoder.finish();
    this.#encoder = null;
    this.#pending = 0;
    if (this.#closed && this.#lost) return;
    this.device.queue.submit([commands]);
    this.#counters.submits++;
  }
  async sync(): Promise<void> {
    this.#open();
    await this.#finished();
    this.#throwFailure(true);
  }
  async #finished(): Promise<void> {
    await this.#queue.idle();
    this.#flush();
    await this.device.queue.onSubmittedWorkDone().catch(() => {});
  }
  /** Waits for what is enqueued, then releases memory and the device. Failures nobody asked for are not reported. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#finished();
    this.#closed = true;
    for (const b of this.#live) this.#storage.destroy(b.gpu);
    for (const e of this.#executables) for (const b of e.scratch ?? []) this.#storage.destroy(b);
    this.#live.clear();
    this.#liveBytes = 0;
    this.#executables.clear();
    this.#pipelines.clear();
    this.#storage.clear();
    this.#staging.clear();
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.onClose();
  }

  // ---- failures ------------------------------------------------------------------------------------------------------

  #fail(error: LetheError): void {
    this.#failure ??= error;
  }
  /** The device had no memory for a buffer. What went wrong with that buffer since then is a consequence. */
  #full(bytes: number): void {
    const { buffers, bytes: all } = this.#storage.held;
    const mebibytes = (n: number): string => `${Math.ceil(n / 2 ** 20)} MiB`;
    if (this.#failure === null || this.#failure !== this.#shortage)
      this.#failure = this.#shortage = deviceError(
        `out of memory: no room for ${mebibytes(bytes)} beside ${buffers} buffers of ${mebibytes(all)} in all; use smaller batches, or dispose what is not needed`,
      );
    this.#queue.add(() => {
      this.#flush();
      this.#storage.clear();
    });
  }
  #throwFailure(clear: boolean): void {
    const failure = this.#failure;
    if (clear) this.#failure = this.#lost;
    if (failure) throw failure;
  }
  #open(): void {
    check(!this.#closed, 'state', () => 'the WebGPU backend is closed');
    if (this.#lost) throw this.#lost;
  }
  #own(buffer: DeviceBuffer): GpuBuffer {
    const own = buffer as GpuBuffer;
    check(own.owner === this, 'state', () => 'the buffer belongs to another backend');
    check(!own.released, 'state', () => 'the buffer was already freed');
    return own;
  }
}

const bytesBound = (
  { lowering }: GpuExecutable,
  { slot, part }: Binding,
): { offset: number; size: number } => {
  const { size, dtype } = lowering.slots[slot];
  const bytes = bytesOf(dtype);
  return { offset: (part?.from ?? 0) * bytes, size: bufferBytes((part?.size ?? size) * bytes) };
};
const viewAs = (words: ArrayBuffer, dtype: DType): TypedArray =>
  dtype === 'float32'
    ? new Float32Array(words)
    : dtype === 'uint32'
      ? new Uint32Array(words)
      : new Int32Array(words);
/** Halves in whole words. */
const packed = (data: TypedArray): Uint16Array => {
  const halves = new Uint16Array(Math.ceil(data.length / 2) * 2);
  halves.set(toHalves(data));
  return halves;
};

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
const deviceError = (what: string, cause?: unknown): LetheError =>
  new LetheError('device', `WebGPU: ${what}`, { cause });

/** A backend on the given device, or on one of its own from the given adapter or from `navigator.gpu`. */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const { gpu = globalThis.navigator?.gpu, onClose = () => {} } = options;
  const own = options.device === undefined;
  let device = options.device;
  let info: GPUAdapterInfo | undefined = device?.adapterInfo;
  if (device === undefined) {
    if (!options.adapter && !gpu)
      throw new LetheError(
        'device',
        'there is no WebGPU here (no navigator.gpu); use a browser that has it, or Node with the package webgpu',
      );
    const adapter = options.adapter ?? (await requestAdapter(gpu, options));
    info = adapter.info;
    device = await requestDevice(adapter);
  }
  const facts =
    info ?? ({ vendor: 'unknown', architecture: '', device: '', description: '' } as GPUAdapterInfo);
  const traits = { ...traitsOf(device, facts), ...options.limits };
  const opened = device;
  const adapter = describe(facts);
  // What was measured holds for the adapter as it is.
  const given = options.tuning ?? (options.limits ? 'off' : []);
  const close = (): void => {
    if (own) opened.destroy();
    onClose();
  };
  try {
    const { tuning, about } = tuningFor(adapter, traits, given);
    return new WebGpu(device, traits, tuning, { adapter, tuning: about }, close);
  } catch (error) {
    close();
    throw error;
  }
}
