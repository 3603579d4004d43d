// Which device `init` takes: what is named, and for `auto` the best of what is there.

import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { LetheError } from '../engine/error.ts';
import { device } from '../engine/runtime.ts';
import * as lt from '../index.ts';
import { openNull } from './kernels/valid.ts';

/** Whether a real GPU and the addon are there, as far as `init` can see. */
const here = vi.hoisted(() => ({ gpu: false, cpu: true, asked: 0 }));
vi.mock('../kernels/node.ts', async (original) => ({
  ...(await original<typeof import('../kernels/node.ts')>()),
  openHardware: async () => {
    here.asked++;
    return here.gpu ? openNull('no optional features') : null;
  },
}));
vi.mock('../native/backend.ts', async (original) => {
  const real = await original<typeof import('../native/backend.ts')>();
  return {
    ...real,
    createCpuBackend: async (options: object) => {
      if (!here.cpu) throw new LetheError('device', 'there is no addon');
      return real.createCpuBackend(options);
    },
  };
});

beforeEach(() => Object.assign(here, { gpu: false, cpu: true, asked: 0 }));
afterEach(async () => {
  await lt.close();
  vi.restoreAllMocks();
});
const absent = inject('absent');
const chosen = async (options: lt.InitOptions) => (await lt.init(options)).device;

test.skipIf(absent.dawn !== null)('auto takes a real GPU, but not for float64', async () => {
  here.gpu = true;
  expect(await chosen({ device: 'auto' })).toBe('webgpu');
  expect(await chosen({ device: 'auto', dtype: 'float64' })).toBe('reference');
  expect(await chosen({})).toBe('webgpu');
  expect(here.asked).toBe(1);
});

test.skipIf(absent.dawn !== null)('auto opens a GPU that was lost again', async () => {
  here.gpu = true;
  await lt.init();
  const { backend } = device();
  (backend as unknown as { device: GPUDevice }).device.destroy();
  expect(await chosen({ device: 'auto' })).toBe('webgpu');
  expect(device().backend).not.toBe(backend);
  expect(here.asked).toBe(2);
});

test.skipIf(absent.cpu !== null)(
  'auto takes the CPU where there is no GPU, and does not look again',
  async () => {
    expect(await chosen({ device: 'auto' })).toBe('cpu');
    expect(await chosen({ device: 'auto' })).toBe('cpu');
    expect(here.asked).toBe(1);
  },
);

test.skipIf(absent.cpu !== null || absent.webgpu !== null)(
  'auto does not take a software adapter, even where one was named before',
  async () => {
    const { info } = await lt.init({ device: 'webgpu' });
    expect(await chosen({ device: 'auto' })).toBe(info.software ? 'cpu' : 'webgpu');
  },
);

test('auto takes the reference where there is nothing else, with one line', async () => {
  here.cpu = false;
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  expect(await chosen({ device: 'auto' })).toBe('reference');
  expect(warn.mock.calls).toEqual([
    ['lethe: there is no addon; using the TypeScript reference, which is slow'],
  ]);
});

test('a device that is named and not there is an error', async () => {
  here.cpu = false;
  await expect(lt.init({ device: 'cpu' })).rejects.toThrow('there is no addon');
  await expect(lt.init({ device: 'gpu' as never })).rejects.toThrow(
    /expected 'auto', 'webgpu', 'cpu' or 'reference'/,
  );
});

test.skipIf(absent.cpu !== null)(
  'auto tells of a setting that cannot be met instead of going on without',
  async () => {
    vi.stubEnv('LETHE_THREADS', 'many');
    try {
      await expect(lt.init({ device: 'auto' })).rejects.toThrow('LETHE_THREADS must be a whole number');
    } finally {
      vi.unstubAllEnvs();
    }
  },
);

test('devices: what each is or lacks, and what to do; auto takes one, no software adapter', async () => {
  const before = await lt.init({ device: 'reference' });
  const x = lt.tensor([1, 2]);
  const found = await lt.findDevices();
  expect(found.map((d) => d.name)).toEqual(['webgpu', 'cpu', 'reference']);
  const [webgpu, cpu, reference] = found;
  expect(reference).toMatchObject({ available: true, advice: null });
  expect(cpu.available === (cpu.advice === null)).toBe(true);
  if (webgpu.info?.software !== false)
    expect(webgpu).toMatchObject({ chosen: false, advice: expect.any(String) });
  // With an adapter, taken or not, what it has; else what is missing.
  expect(webgpu.about).toMatch(/; has |no adapter|npm package webgpu/);
  if (absent.webgpu === null) expect(webgpu).toMatchObject({ available: true });
  expect(found.filter((d) => d.chosen)).toHaveLength(1);
  // What was open stays open, and current.
  expect(device().backend).toBe(before.backend);
  expect(Array.from(await x.add(1).data())).toEqual([2, 3]);
});
