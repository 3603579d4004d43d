// What goes wrong on a device is one clear error, nothing stays in use because of it, and what was being done can be done
// again: a lost device, memory that is not there, a shader that does not compile, a loss that is not a number.

import { afterAll, afterEach, expect, it } from 'vitest';
import { device } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { train } from '../../unlearn/train.ts';
import { disposeAll, MemoryStore, stripes, tinyCnn, valuesOf } from '../unlearn/problems.ts';
import { describeDawn, describeGpu } from './support.ts';
import { openNull } from './valid.ts';

const LOST = /^WebGPU: the device was lost .*destroyed.* begin again, a run goes on from its last checkpoint/;
async function failure(work: () => unknown): Promise<{ kind?: string; message: string }> {
  try {
    await work();
    return { message: 'nothing failed' };
  } catch (error) {
    return error as Error;
  }
}

describeDawn('on a device that computes nothing', () => {
  const opened: WebGpuBackend[] = [];
  const start = async (): Promise<WebGpuBackend> => {
    const backend = await openNull('no optional features');
    opened.push(backend);
    lt.useBackend(backend);
    return backend;
  };
  afterEach(async () => {
    lt.useBackend(null);
    for (const b of opened.splice(0)) await b.close();
  });

  it.each([
    ['while work is running', true, false],
    ['before a program is compiled', false, false],
    ['long before anything is asked for', false, true],
  ])('a device lost %s: the same error for whatever is asked for', async (_, running, long) => {
    const backend = await start();
    const x = lt.ones([64, 64]);
    const y = running ? lt.sin(x) : null;
    backend.device.destroy();
    if (long) await backend.device.lost;
    const errors = [
      await failure(() => (y ? y.data() : lt.scope(() => lt.cos(x).data()))),
      await failure(() => x.data()),
      await failure(() => lt.sync()),
      await failure(() => lt.sync()),
      await failure(() => lt.ones([3])),
    ];
    for (const e of errors) expect(e).toMatchObject({ kind: 'device', message: expect.stringMatching(LOST) });
    for (const t of [x, y]) t?.dispose();
    expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 });
    await backend.close();
    expect(backend.counters()).toMatchObject({ buffers: 0, bytes: 0 });
  });

  it('no memory: says how much was wanted and is in use, forgets the buffer, and works on with less', async () => {
    const backend = await start();
    // The null device has half a gibibyte.
    const large = Array.from({ length: 5 }, () => lt.zeros([2 ** 25]));
    for (const ask of [() => lt.scope(() => lt.sum(large[4]).data()), () => lt.sync()]) {
      const error = await failure(ask);
      expect(error).toMatchObject({ kind: 'device' });
      expect(error.message).toMatch(
        /^WebGPU: out of memory: no room for 128 MiB beside \d+ buffers of \d+ MiB in all; use smaller batches/,
      );
    }
    for (const t of large) t.dispose();
    await lt.sync();
    // All of one size: had the pool kept the buffer that is none, one of these would be it.
    const fewer = Array.from({ length: 3 }, () => lt.zeros([2 ** 25]));
    await lt.sync();
    for (const t of fewer) t.dispose();
    expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 });
  });

  it('more than a buffer holds: said at once, not cut into pieces without end', async () => {
    await start();
    expect(() => lt.zeros([2 ** 20, 2 ** 20])).toThrow(
      /^WebGPU: out of memory: 4398046511104 bytes asked for; a buffer of this device holds at most \d+$/,
    );
    expect(await lt.zeros([2]).data()).toHaveLength(2);
  });

  it('a shader that does not compile: named with its program, told once, and the next program runs', async () => {
    const { device: gpu } = await start();
    const x = lt.ones([8]);
    const make = gpu.createShaderModule.bind(gpu);
    gpu.createShaderModule = (d) => make({ ...d, code: `${d.code}\nfn broken() -> f32 { return 1i; }` });
    const step = lt.jit((a: lt.Tensor) => lt.sin(a).mul(2), { name: 'wave' });
    const y = step(x);
    gpu.createShaderModule = make;
    for (const ask of [() => y.data(), () => lt.sync()]) {
      const error = await failure(ask);
      expect(error).toMatchObject({ kind: 'device' });
      expect(error.message).toMatch(
        /^WebGPU: wave: .*the driver refuses a kernel.*device 'cpu'.*return statement/s,
      );
    }
    await lt.sync();
    expect((await x.mul(7).data()).length).toBe(8);
  });
});

describeGpu('training on a device that fails', () => {
  afterAll(() => lt.close());
  const options = { epochs: 3, batchSize: 16, learningRate: 0.1, augment: { crop: 1, flip: true } };
  const input = () => ({ model: tinyCnn(), data: stripes(72), options, key: lt.random.key(5) });

  it('ends with the error where the device is lost, and goes on from its checkpoint to the same bits', async () => {
    await lt.init({ device: 'webgpu' });
    const given = input();
    const whole = await train(given);
    const want = await valuesOf(whole.variables);
    disposeAll(whole.variables);

    const { backend } = device();
    const { device: gpu } = backend as WebGpuBackend;
    const before = backend.memory();
    const store = new MemoryStore();
    let read = 0;
    const data = {
      ...given.data,
      // In the second epoch, when so many images have been read.
      get images() {
        if (++read === 100) gpu.destroy();
        return given.data.images;
      },
    };
    const error = await failure(() => train({ ...given, data, checkpoint: store }));
    expect(error).toMatchObject({ kind: 'device', message: expect.stringMatching(LOST) });
    expect(store.saved.length).toBe(1);
    expect(backend.memory()).toEqual(before);

    await lt.init({ device: 'webgpu' });
    expect(device().backend).not.toBe(backend);
    const resumed = await train({ ...input(), checkpoint: store });
    expect(resumed.history.map((h) => h.epoch)).toEqual([1, 2, 3]);
    expect(await valuesOf(resumed.variables)).toEqual(want);
    disposeAll(resumed.variables);
  });

  it('a loss that is not a number ends training with where and what to try, and leaves nothing in use', async () => {
    // What the test before left to the garbage collector must not be collected while this one counts.
    await lt.close();
    await lt.init({ device: 'webgpu' });
    const given = input();
    await lt.sync();
    const before = lt.memory();
    const wild = { ...options, learningRate: 1000, weightDecay: 1, epochs: 30 };
    const error = await failure(() => train({ ...given, options: wild }));
    expect(error).toMatchObject({ kind: 'value' });
    expect(error.message).toMatch(/^train: .* at epoch \d+ of 30, step \d+ of 5, learning rate \S+; lower/);
    expect(lt.memory()).toEqual(before);
    await lt.sync();
  });
});
