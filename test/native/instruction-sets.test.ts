// What one instruction set computes, every other one this machine has must compute too, to the last few bits: the best
// one is checked against exact values elsewhere.

import { afterEach, expect, it, vi } from 'vitest';
import type { DType } from '../../engine/dtype.ts';
import type { Step } from '../../engine/program.ts';
import { createCpuBackend, instructionSets, useInstructionSet } from '../../native/backend.ts';
import { describeCpu, float, hasCpu, randomFloats, runRoot, runSteps, sameBits, step } from './support.ts';

const SETS = hasCpu ? instructionSets() : [];
const UNARY: Step['op'][] = [
  ...(['neg', 'abs', 'sign', 'exp', 'log', 'log1p', 'expm1', 'sqrt', 'rsqrt'] as const),
  ...(['tanh', 'sigmoid', 'erf', 'sin', 'cos', 'floor', 'relu'] as const),
];
const BINARY: Step['op'][] = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'pow'];
const special = [0, -0, 1, -1, NaN, Infinity, -Infinity, 1e-40, -1e-40, 3.4e38, 1.4e-45, 1e7, -1e10];
const x = float(
  [4013],
  [...special, ...randomFloats([2000], 1, 20).data, ...randomFloats([2000], 2, 1).data],
);
const y = float([4013], [...randomFloats([4000], 3, 5).data, ...special]);

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as DType });

async function everything(name: string) {
  useInstructionSet(name);
  const cpu = await createCpuBackend({ threads: 2 });
  expect(cpu.info.instructionSet).toBe(name);
  const m = randomFloats([50, 70], 4);
  const close = [
    ...(await Promise.all(UNARY.map((op) => runSteps(cpu, x.shape, [x], [step(op, [0])])))),
    ...(await Promise.all(BINARY.map((op) => runSteps(cpu, x.shape, [x, y], [step(op, [0, 1])])))),
    ...(await runRoot(cpu, 'sum', { axes: [0] }, [m], [f32(70)])),
    ...(await runRoot(cpu, 'sum', { axes: [1] }, [m], [f32(50)])),
    ...(await runRoot(cpu, 'moments', { axes: [0] }, [m], [f32(70), f32(70)])),
    ...(await runRoot(cpu, 'moments', { axes: [1] }, [m], [f32(50), f32(50)])),
  ];
  const key = { shape: [2], dtype: 'uint32' as DType, data: Uint32Array.of(5, 6) };
  const exact = [
    ...(await runRoot(cpu, 'max', { axes: [0] }, [m], [f32(70)])),
    ...(await runRoot(cpu, 'min', { axes: [1] }, [m], [f32(50)])),
    ...(await runRoot(cpu, 'random', { shape: [999], distribution: 'normal' }, [key], [f32(999)])),
    ...(await Promise.all(
      (['int32', 'uint32', 'bool'] as DType[]).map((d) =>
        runSteps(cpu, x.shape, [x], [step('convert', [0], d)]),
      ),
    )),
  ];
  await cpu.close();
  return { close, exact };
}

describeCpu('instruction sets', () => {
  it(`agree: ${SETS.join(', ')}`, async () => {
    const best = await everything(SETS[0]);
    for (const name of SETS.slice(1)) {
      const other = await everything(name);
      expect(sameBits(other.exact, best.exact)).toBe(true);
      other.close.forEach((values, k) => {
        for (let i = 0; i < values.length; i++) {
          const [a, b] = [values[i], best.close[k][i]];
          if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
          const unit = 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(b)))) - 23);
          expect(
            Math.abs(a - b) / unit,
            `${name}, result ${k} at ${x.data[i]}: ${a}, ${b}`,
          ).toBeLessThanOrEqual(6);
        }
      });
    }
  });
});

describeCpu('the instruction set', () => {
  /** native/backend.ts as a new process would load it. */
  const fresh = async (wanted: string) => {
    vi.stubEnv('LETHE_INSTRUCTION_SET', wanted);
    vi.resetModules();
    return import('../../native/backend.ts');
  };
  afterEach(() => {
    vi.unstubAllEnvs();
    useInstructionSet(SETS[0]);
  });

  it.each(SETS)('is the one that LETHE_INSTRUCTION_SET names: %s', async (name) => {
    const cpu = await (await fresh(name)).createCpuBackend({ threads: 1 });
    expect(cpu.info.instructionSet).toBe(name);
    await cpu.close();
  });

  it('is the best one where the variable is empty', async () => {
    const cpu = await (await fresh('')).createCpuBackend({ threads: 1 });
    expect(cpu.info.instructionSet).toBe(SETS[0]);
    await cpu.close();
  });

  it.each(['sse9', 'AVX2', process.arch === 'x64' ? 'neon' : 'avx2'])(
    '%s is refused, with what is here',
    async (name) => {
      const { createCpuBackend, describeCpuBackend } = await fresh(name);
      const message = `LETHE_INSTRUCTION_SET must be one that this machine has (${SETS.join(', ')}), not "${name}"`;
      await expect(createCpuBackend({ threads: 1 })).rejects.toMatchObject({
        name: 'LetheError',
        kind: 'value',
        message,
      });
      expect(describeCpuBackend()).toEqual({ available: false, reason: message });
    },
  );

  it.skipIf(SETS.length < 2)('stays while a backend is open', async () => {
    const cpu = await createCpuBackend({ threads: 1 });
    useInstructionSet(SETS[0]);
    expect(() => useInstructionSet(SETS[1])).toThrow('another instruction set is in use by an open backend');
    await cpu.close();
    useInstructionSet(SETS[1]);
  });
});
