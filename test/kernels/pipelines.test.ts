// What was compiled is found again by its source, up to a number; layouts are shared.

import { expect, it } from 'vitest';
import { Pipelines } from '../../kernels/pipelines.ts';
import type { Kernel } from '../../kernels/shader.ts';
import { describeDawn } from './support.ts';
import { openNull } from './valid.ts';

const kernel = (n: number, more = ''): Kernel => ({
  label: `kernel ${n}`,
  source: `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = ${n}f; ${more} }`,
  bindings: [{ slot: 0, write: true }],
  groups: 1,
});

describeDawn('pipelines', () => {
  it('are found again by their source, the last ones', async () => {
    const backend = await openNull('no optional features');
    const pipelines = new Pipelines(backend.device, 2);
    const first = await pipelines.of(kernel(1));
    expect(await pipelines.of({ ...kernel(1), label: 'the same' })).toBe(first);
    const second = pipelines.of(kernel(2));
    expect(pipelines.made).toBe(2);
    await pipelines.of(kernel(3));
    expect(pipelines.of(kernel(2))).toBe(second);
    expect(pipelines.made).toBe(3);
    // The oldest had to make room.
    expect(await pipelines.of(kernel(1))).not.toBe(first);
    expect(pipelines.made).toBe(4);
    await backend.close();
  });
  it('share layouts by what their kernels read and write', async () => {
    const backend = await openNull('no optional features');
    const pipelines = new Pipelines(backend.device);
    const [read, write] = [
      { slot: 0, write: false },
      { slot: 1, write: true },
    ];
    const of = (...bindings: Kernel['bindings']) => pipelines.layoutOf({ ...kernel(1), bindings }).group;
    expect(of(read, write)).toBe(of({ ...read, slot: 7 }, write));
    expect(of(read, write)).not.toBe(of(write, read));
    await backend.close();
  });
  it('fail with what the shader compiler says, and name the kernel', async () => {
    const backend = await openNull('no optional features');
    const pipelines = new Pipelines(backend.device);
    await expect(pipelines.of(kernel(1, 'nonsense = 1;'))).rejects.toThrow(/^kernel 1: .*nonsense/s);
    await backend.close();
  });
});
