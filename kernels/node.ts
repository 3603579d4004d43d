// Opens WebGPU in Node: Dawn, through the npm package `webgpu`, which is optional and loaded only here. A browser never
// loads this file.

import { builtin } from '../builtin.ts';
import { check, LetheError } from '../engine/error.ts';
import { createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from './backend.ts';
import { type AdapterOptions, describe, requestAdapter, traitsOf } from './device.ts';
import { KERNELS, parseTable, type TuningOption, type TuningTable, tuningFor } from './tuning.ts';

interface Dawn {
  create(options: string[]): GPU;
}

/** Dawn's own options ('backend=vulkan', 'enable-dawn-features=...') as in the package's description. */
export interface NodeOptions extends WebGpuOptions {
  readonly dawn?: readonly string[];
}

async function loadDawn(): Promise<Dawn> {
  // A name in a variable, and a word to webpack: nothing that only reads the code should look for an optional package.
  const name = 'webgpu';
  try {
    return (await import(/* webpackIgnore: true */ name)) as Dawn;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new LetheError(
      'device',
      missing
        ? "device 'webgpu' needs the npm package webgpu, which is not installed; run: npm install webgpu"
        : `the npm package webgpu does not load here (${why}); use device 'cpu'`,
      { cause },
    );
  }
}

/** Dawn's `navigator.gpu`. Dawn lives as long as this object; the process can end once it is gone. */
export async function dawn(options: readonly string[] = []): Promise<GPU> {
  const { create } = await loadDawn();
  return create([...options]);
}

const IN_NODE = {
  none: "use device 'cpu', or set LETHE_ALLOW_SOFTWARE_GPU=1 to compute on a software adapter, which is slower",
  software: "use device 'cpu', which is faster, or set LETHE_ALLOW_SOFTWARE_GPU=1 to use it all the same",
};

/** Whether LETHE_ALLOW_SOFTWARE_GPU asks for software adapters. */
export const softwareAllowed = (): boolean => process.env.LETHE_ALLOW_SOFTWARE_GPU === '1';

export async function openWebGpu(options: NodeOptions = {}): Promise<WebGpuBackend> {
  const allowSoftware = options.allowSoftware ?? softwareAllowed();
  let { adapter } = options;
  const find = !adapter && !options.device;
  // Dawn's null backend, which the caller may ask for, needs no card.
  if (find && !options.dawn && !allowSoftware && !mayHaveGpu())
    throw new LetheError('device', `this process sees no graphics card; ${IN_NODE.none}`);
  // Timestamps are rounded for pages that should not have a fine clock; whoever runs code here has one.
  // What is experimental in Dawn (matrices of subgroups) is hidden from pages likewise.
  let gpu: GPU | null = await dawn([
    'disable-dawn-features=timestamp_quantization',
    'enable-dawn-features=allow_unsafe_apis',
    ...(options.dawn ?? []),
  ]);
  if (find) adapter = await findAdapter(gpu, { ...options, allowSoftware });
  return createWebGpuBackend({
    ...options,
    adapter,
    tuning: options.tuning ?? (options.limits ? 'off' : await tuningHere(adapter)),
    onClose: () => {
      gpu = null;
      options.onClose?.();
    },
  });
}

/** File names of the Vulkan drivers that compute on the processor, as the Vulkan loader matches them. */
const SOFTWARE_DRIVERS = '*lvp*,*swiftshader*';

/**
 * An adapter of Dawn's. Unless they may be taken, software drivers are hidden from the Vulkan loader meanwhile: they take
 * time to load, and Dawn writes warnings about lavapipe's limits to stderr even where another adapter is taken.
 * @throws LetheError 'device' where there is none that may be taken.
 */
export async function findAdapter(gpu: GPU, options: AdapterOptions): Promise<GPUAdapter> {
  const { VK_LOADER_DRIVERS_DISABLE: before } = process.env;
  if (!options.allowSoftware)
    process.env.VK_LOADER_DRIVERS_DISABLE = before ? `${before},${SOFTWARE_DRIVERS}` : SOFTWARE_DRIVERS;
  try {
    // The drivers are loaded before this call returns its promise.
    return requestAdapter(gpu, { advice: IN_NODE, ...options });
  } finally {
    if (before === undefined) delete process.env.VK_LOADER_DRIVERS_DISABLE;
    else process.env.VK_LOADER_DRIVERS_DISABLE = before;
  }
}

// ---- the tuning table of this machine --------------------------------------------------------------------------------

/** Where the table of an adapter lies: $XDG_CACHE_HOME/lethe/tuning or ~/.cache/lethe/tuning, beside downloaded data. */
export function tuningFile(adapter: string): string {
  const { join } = builtin('node:path');
  const cache = process.env.XDG_CACHE_HOME || join(builtin('node:os').homedir(), '.cache');
  const name = adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 120);
  return join(cache, 'lethe', 'tuning', `${name}-${KERNELS}.json`);
}

/** The table in a file. Errors are 'io' for a file that cannot be read (none there included), else 'data'. */
export async function readTuning(path: string): Promise<TuningTable> {
  const { readFile, stat } = builtin('node:fs/promises');
  const most = 2 ** 20;
  let text: string;
  try {
    const { size } = await stat(path);
    check(size <= most, 'data', () => `${path}: expected at most ${most} bytes, found ${size}`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LetheError('io', `${path}: cannot be read (${why})`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LetheError('data', `${path}: expected JSON`, { cause });
  }
  return parseTable(json, path);
}

/** What LETHE_TUNING and this machine's table ask for. A table that is no good is passed over with a line on stderr. */
async function tuningHere(adapter: GPUAdapter | undefined): Promise<TuningOption> {
  const wanted = process.env.LETHE_TUNING;
  if (wanted === 'off') return 'off';
  check(!wanted, 'value', () => `LETHE_TUNING: expected off or nothing, found "${wanted}"`);
  if (!adapter) return [];
  const path = tuningFile(describe(adapter.info));
  if (!builtin('node:fs').existsSync(path)) return [];
  try {
    const table = await readTuning(path);
    tuningFor(describe(adapter.info), traitsOf(adapter, adapter.info), [table]);
    return [table];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.warn(`lethe: ${why}; the table is passed over: delete it or run: lethe bench tune`);
    return [];
  }
}

// ---- what there is ---------------------------------------------------------------------------------------------------

/**
 * Can there be a GPU at all? Linux shows every one that a process may use as a file. Where there is none, asking the
 * drivers would cost time and make them complain on stderr. True elsewhere.
 */
export function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return true;
  const { existsSync, readdirSync } = builtin('node:fs');
  const cards = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  return (
    cards.some((f) => f.startsWith('render')) || ['/dev/nvidiactl', '/dev/dxg'].some((f) => existsSync(f))
  );
}

/** What device 'auto' takes before all others: a backend on a real GPU, never a software adapter; null if there is none. */
export async function openHardware(): Promise<WebGpuBackend | null> {
  if (!mayHaveGpu()) return null;
  return openWebGpu({ allowSoftware: false }).catch(() => null);
}

/** Whether the WebGPU backend can be used here, and if not, why and what to do. Never throws. */
export async function describeWebGpu(
  options: NodeOptions = {},
): Promise<{ available: boolean; reason: string }> {
  try {
    const backend = await openWebGpu(options);
    const reason = String(backend.info.adapter);
    await backend.close();
    return { available: true, reason };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
