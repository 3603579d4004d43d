// Memory of the device. Buffers that were given back are kept and handed out again for the same size: making one costs
// far more than reusing it, and a step allocates the same sizes as the step before. What is kept is bounded. A buffer the
// device had no memory for is told of later, is of no use to anybody, and must not be handed out again.

/** Bits of GPUBufferUsage; in Node there is no global to read them from. */
export const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
export const MAP_READ = 1;

/** Room for whole vectors of four, and never nothing. */
export const bufferBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

/** Sizes are rounded so that there are at most 8 for every power of two: little waste, much reuse. */
const sizeClass = (bytes: number): number => {
  const unit = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - 3));
  return Math.ceil(bufferBytes(bytes) / unit) * unit;
};

export class BufferPool {
  private readonly free = new Map<number, GPUBuffer[]>();
  private readonly invalid = new WeakSet<GPUBuffer>();
  private kept = 0;
  #count = 0;
  #bytes = 0;
  constructor(
    private readonly device: GPUDevice,
    private readonly usage: number,
    private readonly label: string,
    private readonly most: number,
    private readonly onFull: (bytes: number) => void,
  ) {}

  /** What exists on the device: in use or kept. */
  get held(): { buffers: number; bytes: number } {
    return { buffers: this.#count, bytes: this.#bytes };
  }

  take(bytes: number): GPUBuffer {
    const limit = this.device.limits.maxBufferSize;
    const size = Math.min(sizeClass(bytes), Math.max(limit, bufferBytes(bytes)));
    const known = this.free.get(size)?.pop();
    if (known) {
      this.kept -= size;
      return known;
    }
    this.device.pushErrorScope('out-of-memory');
    const buffer = this.device.createBuffer({ size, usage: this.usage, label: this.label });
    this.#count++;
    this.#bytes += size;
    this.device.popErrorScope().then(
      (error) => {
        if (error === null) return;
        this.invalid.add(buffer);
        this.#count--;
        this.#bytes -= size;
        this.onFull(size);
      },
      () => {}, // The device is lost, which is told elsewhere.
    );
    return buffer;
  }
  /** Keeps a buffer, which may be handed out again at once; false if there is no room: then it is to be destroyed. */
  give(buffer: GPUBuffer): boolean {
    if (this.kept + buffer.size > this.most || this.invalid.has(buffer)) return false;
    const list = this.free.get(buffer.size);
    if (list) list.push(buffer);
    else this.free.set(buffer.size, [buffer]);
    this.kept += buffer.size;
    return true;
  }
  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    if (this.invalid.has(buffer)) return;
    this.#count--;
    this.#bytes -= buffer.size;
  }
  /** Destroys what is kept. */
  clear(): void {
    for (const list of this.free.values()) for (const b of list) this.destroy(b);
    this.free.clear();
    this.kept = 0;
  }
}
