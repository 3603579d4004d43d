/**
 * The package `lethe`: the engine and the choice of a device. Devices are loaded only when asked for, so that importing
 * this costs next to nothing.
 *
 * @module lethe
 */

import { inNode } from './builtin.ts';
import type { FoundDevice } from './devices.ts';
import type { Backend, MemoryUse } from './engine/backend.ts';
import { Device } from './engine/device.ts';
import { LetheError } from './engine/error.ts';
import { settle } from './engine/options.ts';
import { createReferenceBackend } from './engine/reference.ts';
import { device, useBackend } from './engine/runtime.ts';
import { findTaskLocal } from './task-local.ts';

export type { FoundDevice } from './devices.ts';
export * from './engine/index.ts';

/** Options of init. */
export interface InitOptions {
  /**
   * 'auto' (default): a real GPU if WebGPU offers one, else 'cpu', else 'reference'. 'cpu' is the native addon, in
   * Node; 'webgpu' runs in Node and in browsers; 'reference' is plain TypeScript, slow, and runs anywhere.
   */
  device?: 'auto' | 'webgpu' | 'cpu' | 'reference';
  /**
   * The device's float type: that of new tensors unless they say otherwise. float64 needs the reference backend.
   * Default 'float32'.
   */
  dtype?: 'float32' | 'float64';
  /**
   * Device 'cpu' alone: convolutions are sums of plain products. Otherwise 3x3 ones may use Winograd's transforms
   * (Lavin and Gray 2016), up to three times faster, whose error is relative to the largest value in a patch of 6x6
   * pixels. Default: true if the environment has LETHE_EXACT=1.
   */
  exact?: boolean;
}

findTaskLocal();

const opened = new Map<string, Backend>();

/** Opening and closing, one after the other: tasks that ask for one device at once get the same. */
let last: Promise<unknown> = Promise.resolve();
function inTurn<R>(f: () => Promise<R>): Promise<R> {
  const mine = last.then(f, f);
  last = mine;
  return mine;
}

type Named = 'cpu' | 'webgpu' | 'reference';

async function backendOf(name: Named, exact?: boolean): Promise<Backend> {
  const key = exact === undefined ? name : `${name} exact=${exact}`;
  const known = opened.get(key);
  if (known && (await works(known))) return known;
  await known?.close();
  const backend = await MAKE[name](exact);
  opened.set(key, backend);
  return backend;
}

/** A failed piece of work rejects only the next sync. A lost device rejects every sync. */
const works = (backend: Backend): Promise<boolean> => {
  const synced = (): Promise<boolean> => backend.sync().then(() => true);
  return synced()
    .catch(synced)
    .catch(() => false);
};

const MAKE = {
  reference: async (): Promise<Backend> => createReferenceBackend(),
  cpu: async (exact?: boolean): Promise<Backend> => {
    if (!inNode)
      throw new LetheError(
        'device',
        "device 'cpu' needs Node; in a browser there are 'webgpu' and 'reference'",
      );
    return (await import('./native/backend.ts')).createCpuBackend({ exact });
  },
  webgpu: async (): Promise<Backend> =>
    inNode
      ? (await import('./kernels/node.ts')).openWebGpu()
      : (await import('./kernels/backend.ts')).createWebGpuBackend(),
};

/** True once a real GPU was looked for and none was found. */
let noHardware = false;

/** A real GPU, never a software adapter; null if there is none. */
async function hardware(): Promise<Backend | null> {
  const known = opened.get('webgpu');
  if (noHardware || known?.info.software === true) return null;
  if (known && (await works(known))) return known;
  opened.delete('webgpu');
  await known?.close();
  const found = inNode
    ? await (await import('./kernels/node.ts')).openHardware()
    : await MAKE.webgpu().catch(() => null);
  if (found) opened.set('webgpu', found);
  else noHardware = true;
  return found;
}

/** What 'auto' takes. A line is printed only where the slow reference is what is left. */
async function best(exact?: boolean): Promise<Backend> {
  const gpu = await hardware();
  if (gpu) return gpu;
  try {
    return await backendOf('cpu', exact);
  } catch (error) {
    // A setting that cannot be met is the user's to mend, and nothing to go on without.
    if (!(error instanceof LetheError) || error.kind !== 'device') throw error;
    const why = inNode ? error.message : 'WebGPU finds no graphics card here';
    console.warn(`lethe: ${why}; using the TypeScript reference, which is slow`);
    return backendOf('reference');
  }
}

async function choose(caller: string, options?: InitOptions): Promise<Device> {
  const {
    device: wanted,
    dtype,
    exact,
  } = settle(caller, options, { device: 'auto', dtype: 'float32', exact: undefined });
  switch (wanted) {
    case 'reference':
    case 'cpu':
    case 'webgpu':
      return new Device(await backendOf(wanted, wanted === 'cpu' ? exact : undefined), dtype);
    case 'auto':
      return new Device(dtype === 'float64' ? await backendOf('reference') : await best(exact), dtype);
    default:
      throw new LetheError(
        'value',
        `${caller}: device is '${String(wanted)}', expected 'auto', 'webgpu', 'cpu' or 'reference'`,
      );
  }
}

/**
 * Opens a device, for `withDevice` and `toDevice`, and leaves the current one as it is. `auto` takes a real GPU if WebGPU
 * offers one, else the native CPU backend if it was built, else the TypeScript reference with a line on stderr; float64 is
 * the reference's alone. What is open already is not opened again, unless it was lost meanwhile; failures nobody asked
 * about are forgotten.
 * @throws Rejects with 'device' where the device named is not here, saying what is missing; 'dtype' where it lacks the
 * float type; 'value' for other options.
 */
export const open = (options?: InitOptions): Promise<Device> => inTurn(() => choose('open', options));

/**
 * Chooses the device for what is made from now on: by this task, if it has a device of its own (see `withDevice`), else by
 * the whole process. Opens it as `open` does, and returns it. May be called again.
 * @throws Rejects as `open` does.
 */
export async function init(options?: InitOptions): Promise<Device> {
  const chosen = await inTurn(() => choose('init', options));
  useBackend(chosen.backend, chosen.dtype);
  return chosen;
}

/**
 * What this machine can compute on: for each device whether it is there, what it is, and what to do where it is missing.
 * Opens each to see, and closes what was not open before; the current device stays.
 */
export const findDevices = (): Promise<FoundDevice[]> =>
  inTurn(async () => {
    const { tryDevices } = await import('./devices.ts');
    const before = new Map(opened);
    const found = await tryDevices(backendOf, inNode);
    for (const [key, backend] of opened) {
      if (before.get(key) === backend) continue;
      opened.delete(key);
      await backend.close();
    }
    return found;
  });

/**
 * Waits until all work handed to the current device is done.
 * @throws 'state' without a device. Rejects with 'device' if any of the work failed since the last sync, or the device is
 * lost.
 */
export const sync = (): Promise<void> => device().backend.sync();
/**
 * Live buffers and their bytes on the current device, without its pools and arenas.
 * @throws 'state' without a device.
 */
export const memory = (): MemoryUse => device().backend.memory();

/** Closes all devices, those of other tasks too; the process can end. Tensors on them are gone. */
export function close(): Promise<void> {
  useBackend(null);
  return inTurn(async () => {
    const all = [...opened.values()];
    opened.clear();
    noHardware = false;
    for (const b of all) await b.close();
  });
}
