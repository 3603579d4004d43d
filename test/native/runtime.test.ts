import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { DType } from '../../engine/dtype.ts';
import { LetheError } from '../../engine/error.ts';
import type { LoopInstruction } from '../../engine/program.ts';
import { createCpuBackend, describeCpuBackend } from '../../native/backend.ts';
import {
  describeCpu,
  execute,
  increment,
  loopInstruction,
  program,
  randomFloats,
  rootProgram,
  runRoot,
  slot,
  step,
  withThreads,
} from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as DType });

// Asks for an arena no machine has: compiles, fails when first run.
const impossible = () => {
  const n = 2 ** 45;
  return program({
    slots: [slot('input', f32(1), 0), slot('temporary', f32(n), 0, 0)],
    instructions: [],
    arenaBytes: n * 4,
  });
};

describeCpu('buffers', () => {
  it('may be freed before the work on them has run', async () => {
    const n = 1_000_000;
    const p = cpu.compile(increment(n));
    let x = cpu.allocate(n * 4);
    cpu.write(x, new Float32Array(n));
    for (let k = 0; k < 50; k++) {
      const y = cpu.allocate(n * 4);
      cpu.run(p, [x], [y]);
      cpu.free(x);
      x = y;
    }
    p.dispose();
    const got = cpu.read(x, 'float32', n);
    cpu.free(x);
    expect(new Set(await got)).toEqual(new Set([50]));
  });

  it('are counted until they are freed', async () => {
    expect(cpu.memory()).toEqual({ buffers: 0, bytes: 0 });
    const a = cpu.allocate(100);
    const b = cpu.allocate(0);
    expect(cpu.memory()).toEqual({ buffers: 2, bytes: 100 });
    cpu.free(a);
    cpu.free(b);
    expect(cpu.memory()).toEqual({ buffers: 0, bytes: 0 });
    expect(() => cpu.free(a)).toThrow(/already freed/);
    await expect(cpu.read(b, 'float32', 0)).rejects.toThrow(/already freed/);
  });

  it('written while work is enqueued are written after that work', async () => {
    const n = 500_000;
    const p = cpu.compile(increment(n, true));
    const x = cpu.allocate(n * 4);
    cpu.write(x, new Float32Array(n));
    for (let k = 0; k < 20; k++) cpu.run(p, [x], [x]);
    const before = cpu.read(x, 'float32', n);
    cpu.write(x, new Float32Array(n).fill(-1));
    const after = cpu.read(x, 'float32', n);
    expect(new Set(await before)).toEqual(new Set([20]));
    expect(new Set(await after)).toEqual(new Set([-1]));
    cpu.free(x);
    p.dispose();
  });

  it('do not block JavaScript while work runs', async () => {
    const n = 4_000_000;
    const p = cpu.compile(increment(n, true));
    const x = cpu.allocate(n * 4);
    cpu.write(x, new Float32Array(n));
    for (let k = 0; k < 100; k++) cpu.run(p, [x], [x]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await cpu.sync();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    cpu.free(x);
    p.dispose();
  });
});

describeCpu('failures', () => {
  it('reach reads and the next sync, once', async () => {
    const backend = await createCpuBackend({ threads: 1 });
    const p = backend.compile(impossible());
    const x = backend.allocate(4);
    backend.run(p, [x], []);
    await expect(backend.read(x, 'float32', 1)).rejects.toThrow(LetheError);
    await expect(backend.sync()).rejects.toThrow(/out of memory/);
    await backend.sync();
    expect((await backend.read(x, 'float32', 1)).length).toBe(1);
    await backend.close();
  });

  it('of a description are found when it is compiled', () => {
    const good = increment(10);
    expect(() => cpu.compile({ ...good, slots: good.slots.slice(0, 1), outputs: 0 })).toThrow(
      /slot is out of range/,
    );
    const { loop } = good.instructions[0] as LoopInstruction;
    const shifted = { ...loop, inputs: [{ ...loop.inputs[0], offset: 1 }] };
    expect(() => cpu.compile({ ...good, instructions: [loopInstruction(shifted)] })).toThrow(
      /larger than its slot/,
    );
    const flipped = { ...loop, inputs: [{ ...loop.inputs[0], strides: [-1] }] };
    expect(() => cpu.compile({ ...good, instructions: [loopInstruction(flipped)] })).toThrow(/begins before/);
    const wrong = { ...loop, steps: [loop.steps[0], step('and', [0, 1], 'bool')] };
    expect(() => cpu.compile({ ...good, instructions: [loopInstruction(wrong)] })).toThrow(/not defined/);
    const a = f32(2, 3);
    expect(() =>
      cpu.compile(rootProgram('dot', { transposeA: false, transposeB: false }, [a, a], [f32(2, 3)])),
    ).toThrow(/equal inner axes/);
  });

  it('of a run are found when it is enqueued', () => {
    const p = cpu.compile(increment(10));
    const [small, x] = [cpu.allocate(36), cpu.allocate(40)];
    expect(() => cpu.run(p, [x], [small])).toThrow(/smaller than/);
    expect(() => cpu.run(p, [x], [])).toThrow(/wrong number/);
    p.dispose();
    expect(() => cpu.run(p, [x], [x])).toThrow(/disposed/);
    cpu.free(small);
    cpu.free(x);
  });

  it.each<DType>(['float64', 'float16'])('%s is refused with advice', (dtype) => {
    const x = { shape: [2], dtype };
    expect(() => cpu.compile(rootProgram('sum', { axes: [0] }, [x], [{ ...x, shape: [] }]))).toThrow(
      /reference backend/,
    );
    expect(cpu.supports(dtype)).toBe(false);
  });

  it('of use after closing say so', async () => {
    const backend = await createCpuBackend({ threads: 1 });
    await backend.close();
    expect(() => backend.allocate(4)).toThrow(/closed/);
    expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 });
    await backend.close();
  });

  it('of options name the option', async () => {
    await expect(createCpuBackend({ threads: 0 })).rejects.toThrow(/threads must be/);
  });
});

describeCpu('programs', () => {
  it('place temporaries in the arena and replay', async () => {
    const n = 3000;
    const view = (s: number) => ({ slot: s, dtype: 'float32' as DType, strides: [1], offset: 0 });
    const add = (from: number, to: number) =>
      loopInstruction({
        shape: [n],
        inputs: [view(from)],
        steps: [step('add', [0, 0])],
        stores: [{ value: 1, slot: to }],
        reductions: [],
      });
    const p = program({
      slots: [
        slot('input', f32(n), 0),
        slot('temporary', f32(n), 0, 0),
        slot('temporary', f32(n), 0, 12288),
        slot('output', f32(n), 0),
      ],
      instructions: [add(0, 1), add(1, 2), add(2, 3)],
      arenaBytes: 24576,
    });
    const x = randomFloats([n], 1);
    const executable = cpu.compile(p);
    const [a, b] = [cpu.allocate(n * 4), cpu.allocate(n * 4)];
    cpu.write(a, x.data);
    for (let k = 0; k < 3; k++) cpu.run(executable, [a], [b]);
    expect(await cpu.read(b, 'float32', n)).toEqual(x.data.map((v) => v * 8));
    cpu.free(a);
    cpu.free(b);
    executable.dispose();
  });

  it('run on several backends at once', async () => {
    const x = randomFloats([100, 100], 1);
    const sums = await Promise.all(
      [1, 2, 3].map((n) => withThreads(n, (b) => runRoot(b, 'sum', { axes: [0, 1] }, [x], [f32()]))),
    );
    expect(sums[1]).toEqual(sums[0]);
    expect(sums[2]).toEqual(sums[0]);
  });

  it('leave no buffers behind', async () => {
    const before = cpu.memory();
    await execute(cpu, increment(10), [randomFloats([10], 1)]);
    expect(cpu.memory()).toEqual(before);
  });
});

describeCpu('the backend', () => {
  it('describes itself', () => {
    expect(describeCpuBackend().available).toBe(true);
    expect(cpu.info.threads).toBe(2);
  });
});
