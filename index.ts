// The package `lethe`: the engine and the choice of a device. Devices are loaded only when asked for, so that importing
// this costs next to nothing.

import type { Backend } from './engine/backend.ts';
import { LetheError } from './engine/error.ts';
import { settle } from './engine/options.ts';
import { createReferenceBackend } from './engine/reference.ts';
import { device, useBackend } from './engine/runtime.ts';

export * from './engine/index.ts';

export interface InitOptions {
  device?: 'auto' | 'webgpu' | 'cpu' | 'reference';
  /** Float type of new tensors. float64 needs the reference backend. */
  dtype?: 'float32' | 'float64';
  /** CPU only: convolutions without Winograd's transforms (see CpuOptions in native/backend.ts). Default: LETHE_EXACT=1. */
  exact?: boolean;
}

const opened = new Map<string, Backend>();

type Named = 'cpu' | 'webgpu' | 'reference';

async function open(name: Named, exact?: boolean): Promise<Backend> {
  const key = exact === undefined ? name : `${name} exact=${exact}`;
  const known = opened.get(key);
  if (known && (await works(known))) return known;
  await known?.close();
  const backend = await MAKE[name](exact);
  opened.set(key, backend);
  return backend;
}

/** A failure is told once, by the next sync; that a device is lost, by each. */
const works = (backend: Backend): Promise<boolean> => {
  const synced = (): Promise<boolean> => backend.sync().then(() => true);
  return synced()
    .catch(synced)
    .catch(() => false);
};

const inNode = typeof process === 'object' && typeof process.versions?.node === 'string';

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

/** Was a real GPU looked for in vain? */
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

/** What `auto` takes. Only the last choice is worth a line. */
async function best(exact?: boolean): Promise<Backend> {
  const gpu = await hardware();
  if (gpu) return gpu;
  try {
    return await open('cpu', exact);
  } catch (error) {
    // A setting that cannot be met is the user's to mend, and nothing to go on without.
    if (!(error instanceof LetheError) || error.kind !== 'device') throw error;
    console.warn(`lethe: ${(error as Error).message}; using the TypeScript reference, which is slow`);
    return open('reference');
  }
}

/**
 * Chooses the device for tensors made from now on. `auto` takes a real GPU if WebGPU offers one, else the native CPU
 * backend if it was built, else the TypeScript reference with a line on stderr; float64 is the reference's alone. Returns
 * what was chosen. May be called again: a device that was lost meanwhile is opened anew, failures nobody asked about are
 * forgotten.
 * @throws LetheError 'device' where the device named is not here, with what is missing.
 */
export async function init(options?: InitOptions): Promise<{ device: string; info: Backend['info'] }> {
  const {
    device: wanted,
    dtype,
    exact,
  } = settle('init', options, { device: 'auto', dtype: 'float32', exact: undefined });
  let backend: Backend;
  switch (wanted) {
    case 'reference':
    case 'cpu':
    case 'webgpu':
      backend = await open(wanted, wanted === 'cpu' ? exact : undefined);
      break;
    case 'auto':
      backend = dtype === 'float64' ? await open('reference') : await best(exact);
      break;
    default:
      throw new LetheError(
        'value',
        `init: device is '${String(wanted)}', expected 'auto', 'webgpu', 'cpu' or 'reference'`,
      );
  }
  useBackend(backend, dtype);
  return { device: backend.name, info: backend.info };
}

/** Waits until all work handed to the current device is done; rejects if any of it failed. */
export const sync = (): Promise<void> => device().backend.sync();
/** Live buffers and bytes on the current device, without its pools and arenas. */
export const memory = (): { buffers: number; bytes: number } => device().backend.memory();

/** Closes all devices; the process can end. Tensors on them are gone. */
export async function close(): Promise<void> {
  useBackend(null);
  const all = [...opened.values()];
  opened.clear();
  noHardware = false;
  for (const b of all) await b.close();
}
