// What this machine can compute on: each device is tried, and where it is missing, what to do is said. The engine is
// loaded only when asked.

import { LetheError } from '../../engine/error.ts';

export interface FoundDevice {
  readonly name: 'webgpu' | 'cpu' | 'reference';
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

type Facts = Pick<FoundDevice, 'available' | 'about' | 'advice' | 'info'>;

/** Tries every device. Leaves none in use. */
export async function findDevices(): Promise<FoundDevice[]> {
  const lt = await import('../../index.ts');
  const attempt = (device: 'webgpu' | 'cpu' | 'reference', advice: string): Promise<Facts> =>
    lt.init({ device }).then(
      ({ info }) => ({ available: true, about: told(info), advice: null, info }),
      (cause) => ({
        available: false,
        about: cause instanceof LetheError ? cause.message : String(cause),
        advice,
        info: null,
      }),
    );
  const webgpu = await attempt('webgpu', 'needs a graphics driver and the npm package webgpu');
  const cpu = await attempt('cpu', 'install a C++17 compiler, then `npm run build:native`');
  const reference = await attempt('reference', 'reinstall Lethe');
  await lt.close();
  const slow = { ...reference, about: `always there, slow; ${reference.about}` };
  return [
    { name: 'webgpu', chosen: false, ...webgpu },
    { name: 'cpu', chosen: cpu.available, ...cpu },
    { name: 'reference', chosen: !cpu.available, ...slow },
  ];
}

function told(info: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(info)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
