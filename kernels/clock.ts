// The device's own clock. While a profile is taken every kernel gets a compute pass of its own, with a timestamp at
// either end; afterwards the timestamps are read back in one go. Passes of their own cost a little: kernels that would
// overlap no longer do, so the sum of a profile is an upper bound of what the same work takes without one.

import type { KernelTime } from '../engine/backend.ts';
import { LetheError } from '../engine/error.ts';
import type { WebGpuBackend } from './backend.ts';
import { MAP_READ, USAGE } from './buffers.ts';

const QUERY_RESOLVE = 512;
/** Timestamps in a query set: the most that WebGPU allows. */
const SET = 4096;
const TICKS_PER_SECOND = 1e9;

type Timed = Omit<KernelTime, 'start' | 'seconds'>;

export class Clock {
  readonly #timed: Timed[] = [];
  readonly #sets: GPUQuerySet[] = [];

  constructor(private readonly device: GPUDevice) {
    if (!device.features.has('timestamp-query'))
      throw new LetheError(
        'device',
        "WebGPU: kernels cannot be timed here: the device lacks the feature 'timestamp-query'",
      );
  }

  /** Where the next kernel's pass writes its timestamps. */
  next(timed: Timed): GPUComputePassTimestampWrites {
    const at = (this.#timed.length * 2) % SET;
    if (at === 0) this.#sets.push(this.device.createQuerySet({ type: 'timestamp', count: SET }));
    this.#timed.push(timed);
    return {
      querySet: this.#sets[this.#sets.length - 1],
      beginningOfPassWriteIndex: at,
      endOfPassWriteIndex: at + 1,
    };
  }

  /** All times, after everything submitted so far; the clock is used up. */
  async read(): Promise<KernelTime[]> {
    const stamps: bigint[] = [];
    for (const set of this.#sets) {
      const bytes = SET * 8;
      const { copySource, copyTarget, mapRead } = USAGE;
      const resolved = this.device.createBuffer({ size: bytes, usage: QUERY_RESOLVE | copySource });
      const staging = this.device.createBuffer({ size: bytes, usage: mapRead | copyTarget });
      const used = Math.min(SET, this.#timed.length * 2 - stamps.length);
      const encoder = this.device.createCommandEncoder();
      encoder.resolveQuerySet(set, 0, used, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, used * 8);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(MAP_READ);
      stamps.push(...new BigUint64Array(staging.getMappedRange(), 0, used));
      for (const thing of [set, resolved, staging]) thing.destroy();
    }
    const seconds = (n: number, from: number): number =>
      Math.max(0, Number(stamps[n] - stamps[from]) / TICKS_PER_SECOND);
    return this.#timed.map((t, k) => ({
      ...t,
      start: seconds(2 * k, 0),
      seconds: seconds(2 * k + 1, 2 * k),
    }));
  }
}

/** Seconds that what `run` enqueues takes: by the device's clock, or from here until it is done where it has none. */
export async function secondsOf(backend: WebGpuBackend, run: () => void): Promise<number> {
  if (!backend.device.features.has('timestamp-query')) {
    await backend.sync();
    const start = performance.now();
    run();
    await backend.sync();
    return (performance.now() - start) / 1000;
  }
  const stop = backend.profile();
  run();
  return (await stop()).reduce((sum, t) => sum + t.seconds, 0);
}
