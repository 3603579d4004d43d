import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import type { DeviceBuffer } from '../../engine/backend.ts';
import { createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from '../../kernels/backend.ts';
import { openWebGpu } from '../../kernels/node.ts';
import {
  execute,
  float,
  program,
  randomFloats,
  rootProgram,
  slot,
  step,
  type Value,
} from '../native/support.ts';
import { describeGpu, open } from './support.ts';

const doubled = (n: number, donate = false) =>
  program({
    slots: [slot('input', float([n], new Array(n)), 0), slot('output', float([n], new Array(n)), 0)],
    instructions: [
      {
        kind: 'loop',
        loop: {
          shape: [n],
          inputs: [{ slot: 0, dtype: 'float32', strides: [1], offset: 0 }],
          steps: [step('add', [0, 0])],
          stores: [{ value: 1, slot: 1 }],
          reductions: [],
        },
      },
    ],
    donations: donate ? [[0, 0]] : [],
  });

describeGpu('the WebGPU backend', () => {
  const opened: WebGpuBackend[] = [];
  const start = async (options: WebGpuOptions = {}): Promise<WebGpuBackend> => {
    const b = await open(options);
    opened.push(b);
    return b;
  };
  afterEach(async () => {
    for (const b of opened.splice(0)) await b.close();
  });
  const upload = (b: WebGpuBackend, v: Value): DeviceBuffer => {
    const buffer = b.allocate(v.data.byteLength);
    b.write(buffer, v.data);
    return buffer;
  };

  it('counts what lives, hands memory out again, and refuses what was freed', async () => {
    const b = await start();
    const x = upload(b, float([3], [1, 2, 3]));
    expect(b.memory()).toEqual({ buffers: 1, bytes: 12 });
    b.free(x);
    expect(b.memory()).toEqual({ buffers: 0, bytes: 0 });
    expect(() => b.write(x, Float32Array.of(1))).toThrow(/already freed/);
    const y = upload(b, float([3], [4, 5, 6]));
    expect([...(await b.read(y, 'float32', 3))]).toEqual([4, 5, 6]);
    const nothing = b.allocate(0);
    expect((await b.read(nothing, 'float32', 0)).length).toBe(0);
  });

  it('keeps the order of writes, runs, frees and reads while programs compile', async () => {
    const b = await start();
    const n = 1000;
    const e = b.compile(doubled(n));
    const x = upload(b, float([n], new Array(n).fill(1)));
    const [y, z] = [b.allocate(n * 4), b.allocate(n * 4)];
    b.run(e, [x], [y]);
    const early = b.read(y, 'float32', n);
    b.write(x, new Float32Array(n).fill(10));
    b.run(e, [x], [z]);
    b.free(x);
    const reused = upload(b, float([n], new Array(n).fill(99)));
    expect((await early)[7]).toBe(2);
    expect((await b.read(z, 'float32', n))[7]).toBe(20);
    expect((await b.read(reused, 'float32', n))[7]).toBe(99);
    e.dispose();
    expect(() => b.run(e, [reused], [y])).toThrow(/disposed/);
    await b.sync();
  });

  it('hands out no memory that a waiting run still uses', async () => {
    const b = await start();
    // Sorting needs scratch; the caller frees all the rest before the run has its turn.
    const x = randomFloats([16384], 3, 1);
    const p = rootProgram('sort', {}, [x], [x, { shape: [16384], dtype: 'int32' }]);
    const ins = upload(b, x);
    const e = b.compile(p);
    const outs = [b.allocate(131072), b.allocate(131072)];
    b.run(e, [ins], outs);
    const sorted = b.read(outs[0], 'float32', 16384);
    for (const o of [ins, ...outs]) b.free(o);
    expect([...(await sorted)]).toEqual([...x.data].sort((u, v) => u - v));
    await b.sync();
  });

  it('gives donated memory back in place, and copies where the caller kept it', async () => {
    const b = await start();
    const x = upload(b, float([4], [1, 2, 3, 4]));
    const e = b.compile(doubled(4, true));
    const y = b.allocate(16);
    b.run(e, [x], [y]);
    expect([...(await b.read(x, 'float32', 4))]).toEqual([1, 2, 3, 4]);
    b.run(e, [x], [x]);
    expect([...(await b.read(x, 'float32', 4))]).toEqual([2, 4, 6, 8]);
    expect([...(await b.read(y, 'float32', 4))]).toEqual([2, 4, 6, 8]);
  });

  it('says what is wrong with a shape it cannot bind, a buffer it cannot make and a backend that is closed', async () => {
    const b = await start({ limits: { bindingBytes: 1024 } });
    expect(() => b.compile(doubled(2 ** 16))).toThrow(/binds at most 1024/);
    expect(() => b.allocate(2 ** 45)).toThrow(/holds at most/);
    await b.close();
    await b.close();
    expect(() => b.allocate(4)).toThrow(/closed/);
  });

  it('tells a failure once, at the next sync, and works on', async () => {
    const b = await start();
    const x = b.allocate(16);
    // A copy out of bounds: what the device reports when something went wrong behind our back.
    b.device.queue.writeBuffer((x as unknown as { gpu: GPUBuffer }).gpu, 2 ** 20, new Float32Array(4));
    await expect(b.sync()).rejects.toMatchObject({ kind: 'device' });
    await b.sync();
    const [y] = await execute(b, doubled(4), [randomFloats([4], 1)]);
    expect(y.length).toBe(4);
  });

  it('says so when the device is lost', async () => {
    const b = await start();
    const x = b.allocate(16);
    b.device.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(() => b.allocate(16)).toThrow(/device was lost/);
    await expect(b.read(x, 'float32', 4)).rejects.toMatchObject({ kind: 'device' });
  });

  it("works on a caller's device and leaves it alive", async () => {
    const own = await start();
    const guest = await createWebGpuBackend({ device: own.device });
    const [y] = await execute(guest, doubled(4), [float([4], [1, 2, 3, 4])]);
    expect([...y]).toEqual([2, 4, 6, 8]);
    await guest.close();
    const [z] = await execute(
      own,
      rootProgram('sum', { axes: [0] }, [float([2], [1, 2])], [float([], [0])]),
      [float([2], [1, 2])],
    );
    expect(z[0]).toBe(3);
  });

  it('refuses a software adapter unless asked', async () => {
    const b = await start();
    if (!b.info.software) return;
    await expect(openWebGpu({ allowSoftware: false })).rejects.toThrow(/LETHE_ALLOW_SOFTWARE_GPU=1/);
  });

  it('lets the process end by itself after close', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const out = join(root, 'build', 'webgpu-test');
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    const built = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', out], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(built.stdout).toBe('');
    const code = `import * as lt from '${join(out, 'index.js')}';
await lt.init({ device: 'webgpu' });
console.log(await lt.tensor([1, 2]).add(1).array());
await lt.close();`;
    const { status, signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, LETHE_ALLOW_SOFTWARE_GPU: '1' },
    });
    rmSync(out, { recursive: true, force: true });
    expect({ status, signal, stdout }).toEqual({ status: 0, signal: null, stdout: '[ 2, 3 ]\n' });
  });
});
