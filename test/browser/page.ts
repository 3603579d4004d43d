// What a page in a browser runs: the core of the conformance suite through navigator.gpu, from compiled modules as they
// are, without a bundler. The other side is browser.test.ts.

import * as lt from '../../index.ts';
import { createWebGpuBackend, type WebGpuBackend } from '../../kernels/index.ts';
import * as core from '../conformance/core.ts';

let gpu: WebGpuBackend;

/** Opens the backend; what it says of itself. */
export async function open(): Promise<WebGpuBackend['info']> {
  gpu = await createWebGpuBackend({ allowSoftware: true });
  return gpu.info;
}

/** Waits for everything and closes the device. Rejects if anything failed. */
export async function close(): Promise<void> {
  await gpu.sync();
  await gpu.close();
}

/** What `auto` takes where the only adapter is software, and what is said of the device that needs Node. */
export async function choice(): Promise<{ auto: string; cpu: string }> {
  const { device } = await lt.init({ device: 'auto' });
  const cpu = await lt.init({ device: 'cpu' }).then(
    () => 'opened',
    (error: Error) => error.message,
  );
  await lt.close();
  return { auto: device, cpu };
}

/** Two tasks that take turns, and what is found to compute on. */
export async function tasks(): Promise<{ other: unknown; scoped: string; devices: string[] }> {
  await lt.init({ device: 'reference' });
  const turn = (): Promise<void> => new Promise((go) => setTimeout(go));
  const made: lt.Tensor[] = [];
  const open = lt.scope(async () => {
    made.push(lt.ones([2]));
    await turn();
    await turn();
  });
  await turn();
  const x = lt.tensor([1, 2]);
  await open;
  const scoped = await made[0].array().then(String, (error: Error) => error.message);
  const devices = await lt.findDevices();
  const other = await x.array();
  await lt.close();
  return { other, scoped, devices: devices.filter((d) => d.available).map((d) => d.name) };
}

export const everyPrimitive = (): Promise<core.Outcome> => core.everyPrimitive(gpu);
export const products = (): Promise<core.Outcome> => core.products(gpu);
export const training = (): Promise<core.Outcome> => core.training(gpu);
