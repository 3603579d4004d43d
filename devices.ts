// What this machine can compute on: each device is tried, and where it is missing, what to do is said. Loaded only when
// somebody asks.

import type { Backend } from './engine/backend.ts';

/** What was found of one device. */
export interface FoundDevice {
  /** As in the options of `open` and `init`. */
  readonly name: 'webgpu' | 'cpu' | 'reference';
  /** Whether it can be opened. */
  readonly available: boolean;
  /** What it is, or why it is missing. */
  readonly about: string;
  /** What to do where it is missing; null where nothing can be or need be done. */
  readonly advice: string | null;
  /** Taken by `auto`. */
  readonly chosen: boolean;
  /** Facts the device tells of itself. */
  readonly info: Readonly<Record<string, string | number | boolean>> | null;
}

type Facts = Omit<FoundDevice, 'name' | 'chosen'>;

/** Tries every device with `open`. `inNode`: look at the adapter itself too. */
export async function tryDevices(
  open: (name: FoundDevice['name']) => Promise<Backend>,
  inNode: boolean,
): Promise<FoundDevice[]> {
  const attempt = (name: FoundDevice['name']): Promise<Facts> =>
    open(name).then(({ info }) => ({ available: true, about: told(info), advice: null, info }), missing);
  const webgpu = inNode ? await findWebGpu(() => attempt('webgpu')) : await attempt('webgpu');
  const cpu = await attempt('cpu');
  const reference = await attempt('reference');
  const real = webgpu.available && webgpu.info?.software === false;
  return [
    { name: 'webgpu', chosen: real, ...webgpu },
    { name: 'cpu', chosen: !real && cpu.available, ...cpu },
    { name: 'reference', chosen: !real && !cpu.available, ...reference, about: 'always there, slow' },
  ];
}

/** Optional features of WebGPU that Lethe has a use for, and what that is. */
const FEATURES: Readonly<Record<string, string>> = {
  subgroups: 'faster products and sums',
  'shader-f16': 'float16',
  'timestamp-query': 'profiles of kernels',
  'chromium-experimental-subgroup-matrix': 'matrix units',
};

/** Looks at the adapter before it is opened, so as to say what it lacks too. */
async function findWebGpu(open: () => Promise<Facts>): Promise<Facts> {
  const { dawn, findAdapter, mayHaveGpu, softwareAllowed } = await import('./kernels/node.ts');
  const { describe, isSoftware } = await import('./kernels/device.ts');
  const driver =
    process.platform !== 'linux'
      ? 'install the driver of your graphics card'
      : mayHaveGpu()
        ? 'install a Vulkan driver: mesa-vulkan-drivers for AMD and Intel, NVIDIA its own (libvulkan1 is needed too)'
        : 'this process sees no graphics card (/dev/dri, /dev/nvidia*); where there is one, give the container access to it';
  const allowSoftware = softwareAllowed();
  // Without a card there is nothing to find, and Dawn would complain of it on stderr.
  if (!allowSoftware && !mayHaveGpu())
    return { available: false, about: 'no adapter', advice: driver, info: null };
  try {
    const adapter = await findAdapter(await dawn(), {
      allowSoftware,
      advice: { none: driver, software: driver },
    });
    const has = Object.keys(FEATURES).filter((f) => adapter.features.has(f as GPUFeatureName));
    const lacks = Object.entries(FEATURES).filter(([f]) => !has.includes(f));
    const facts = await open();
    const about = [
      describe(adapter.info),
      `has ${has.join(', ') || 'no optional features'}`,
      ...(lacks.length ? [`lacks ${lacks.map(([f, use]) => `${f} (${use})`).join(', ')}`] : []),
      ...(facts.info ? [`tuning: ${facts.info.tuning}`] : []),
    ].join('; ');
    if (!isSoftware(adapter.info)) return { ...facts, about };
    const advice = `a software adapter is slower than the CPU and taken only by --device webgpu; for a GPU: ${driver}`;
    return { ...facts, about, advice };
  } catch (cause) {
    return missing(cause);
  }
}

/** Errors say what is wrong and, after a semicolon, what to do. */
function missing(cause: unknown): Facts {
  const [about, ...advice] = (cause instanceof Error ? cause.message : String(cause)).split('; ');
  return { available: false, about, advice: advice.join('; ') || null, info: null };
}

function told(info: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(info)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
