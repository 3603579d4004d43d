// Not a check but a measurement, run with LETHE_BENCH=1 vitest run test/native/speed.test.ts: what passes over memory
// cost, beside the machine's own triad measured in the same process.

import { describe, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf } from '../../engine/dtype.ts';
import type { Body, Program, Step } from '../../engine/program.ts';
import { createCpuBackend } from '../../native/backend.ts';
import { bodyInstruction, broadcastView, program, type Result, rootProgram, slot, step } from './support.ts';

const f32 = (...shape: number[]): Result => ({ shape, dtype: 'float32' as DType });

async function best(cpu: Backend, p: Program, repeat = 5): Promise<number> {
  const executable = cpu.compile(p);
  const make = (kind: string) =>
    p.slots
      .filter((s) => s.kind === kind)
      .map((s) => {
        const b = cpu.allocate(s.size * 4);
        cpu.write(b, s.dtype === 'float32' ? new Float32Array(s.size).fill(0.7) : new Int32Array(s.size));
        return b;
      });
  const [ins, outs] = [make('input'), make('output')];
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 6; round++) {
    await cpu.sync();
    const t = performance.now();
    for (let k = 0; k < repeat; k++) cpu.run(executable, ins, outs);
    await cpu.sync();
    least = Math.min(least, (performance.now() - t) / repeat);
  }
  for (const b of [...ins, ...outs]) cpu.free(b);
  executable.dispose();
  return least;
}

function chain(shape: Shape, inputs: readonly Result[], steps: readonly Step[], stores = 1): Program {
  const n = inputs.length;
  const body: Body = {
    shape,
    inputs: inputs.map((v, i) => broadcastView(i, v, shape)),
    steps,
    stores: Array.from({ length: stores }, (_, k) => ({ value: n + steps.length - 1 - k, slot: n + k })),
    reductions: [],
  };
  return program({
    slots: [
      ...inputs.map((v, i) => slot('input', v, i)),
      ...body.stores.map((_, k) => slot('output', f32(...shape), k)),
    ],
    instructions: [bodyInstruction(body)],
  });
}

describe.runIf(process.env.LETHE_BENCH)('memory passes', () => {
  it('against the triad', { timeout: 120_000 }, async () => {
    const cpu = await createCpuBackend({ threads: Number(process.env.LETHE_THREADS ?? 2) });
    const ceilings = await cpu.ceilings();
    console.log(cpu.info, ceilings);
    const big = f32(131072, 64);
    const c = f32(64);
    const unary = (op: Step['op']) => chain([1 << 23], [f32(1 << 23)], [step(op, [0])]);
    const transpose: Program = (() => {
      const p = chain([128, 64, 1024], [f32(128, 64, 1024)], [step('neg', [0])]);
      const body = p.instructions[0].body!;
      const view = { ...body.inputs[0], strides: [65536, 1, 64] };
      return { ...p, instructions: [bodyInstruction({ ...body, inputs: [view] })] };
    })();
    const MB = (n: number) => n / 1e6;
    const N = (1 << 23) * 4;
    const cases: [string, Program, number][] = [
      ['c = a + b', chain([1 << 23], [f32(1 << 23), f32(1 << 23)], [step('add', [0, 1])]), 3 * N],
      [
        'relu(x * scale[c] + shift[c])',
        chain(big.shape, [big, c, c], [step('mul', [0, 1]), step('add', [3, 2]), step('relu', [4])]),
        2 * N,
      ],
      ['x - row[r]', chain(big.shape, [big, f32(131072, 1)], [step('sub', [0, 1])]), 2 * N],
      [
        'x + image[n, c]',
        chain([128, 1024, 64], [f32(128, 1024, 64), f32(128, 1, 64)], [step('add', [0, 1])]),
        2 * N,
      ],
      ['column sums', rootProgram('sum', { axes: [0] }, [big], [c]), N],
      ['row sums of 64', rootProgram('sum', { axes: [1] }, [big], [f32(131072)]), N],
      ['row max of 1024', rootProgram('max', { axes: [1] }, [f32(8192, 1024)], [f32(8192)]), N],
      ['sum of all', rootProgram('sum', { axes: [0, 1] }, [big], [f32()]), N],
      ['column moments', rootProgram('moments', { axes: [0] }, [big], [c, c]), N],
      ['exp', unary('exp'), 2 * N],
      ['log', unary('log'), 2 * N],
      ['tanh', unary('tanh'), 2 * N],
      ['sigmoid', unary('sigmoid'), 2 * N],
      ['erf', unary('erf'), 2 * N],
      ['sin', unary('sin'), 2 * N],
      ['pow', chain([1 << 23], [f32(1 << 23), f32(1)], [step('pow', [0, 1])]), 2 * N],
      ['NHWC to NCHW', transpose, 2 * N],
      ['small: 1000 elements', chain([1000], [f32(1000)], [step('neg', [0])]), 8000],
      [
        'random normal',
        rootProgram(
          'random',
          { shape: [1 << 23], distribution: 'normal' },
          [{ shape: [2], dtype: 'uint32' }],
          [f32(1 << 23)],
        ),
        N,
      ],
      [
        'max pool 2x2',
        rootProgram(
          'maxPool',
          {
            size: [2, 2],
            stride: [2, 2],
            padding: [
              [0, 0],
              [0, 0],
            ],
          },
          [f32(128, 32, 32, 64)],
          [f32(128, 16, 16, 64), { shape: [128, 16, 16, 64], dtype: 'int32' }],
        ),
        N * 1.5,
      ],
    ];
    for (const [name, p, bytes] of cases) {
      const { triadGBs } = await cpu.ceilings();
      const ms = await best(cpu, p, sizeOf(p.slots.map((s) => s.size)) > 1e6 ? 3 : 200);
      const rate = MB(bytes) / ms;
      console.log(
        `${name.padEnd(32)} ${ms.toFixed(3).padStart(8)} ms  ${rate.toFixed(1).padStart(6)} GB/s  ${((100 * rate) / triadGBs).toFixed(0)} %`,
      );
    }
    console.log(await cpu.ceilings());
    await cpu.close();
  });
});

describe.runIf(process.env.LETHE_BENCH)('fused products', () => {
  it('against the bare ones', { timeout: 120_000 }, async () => {
    const cpu = await createCpuBackend({ threads: Number(process.env.LETHE_THREADS ?? 2) });
    const params = {
      stride: [1, 1],
      padding: [
        [1, 1],
        [1, 1],
      ],
      dilation: [1, 1],
      groups: 1,
    };
    for (const [c, s] of [
      [64, 32],
      [128, 16],
      [256, 8],
    ]) {
      const x = f32(1, 128, s, s, c);
      const w = f32(1, 3, 3, c, c);
      const bare = rootProgram('conv', params, [x, w], [x]);
      const channel = (n: number) => ({
        slot: n,
        dtype: 'float32' as DType,
        strides: [0, 0, 0, 0, 1],
        offset: 0,
      });
      const dense = (n: number) => broadcastView(n, x, x.shape);
      const affine: Body = {
        shape: x.shape,
        inputs: [dense(0), channel(2), channel(3)],
        steps: [step('mul', [0, 1]), step('add', [3, 2]), step('relu', [4])],
        stores: [],
        reductions: [],
      };
      const fused = (prologue: boolean, epilogue: boolean): Program =>
        program({
          slots: [
            slot('input', x, 0),
            slot('input', w, 1),
            slot('input', f32(c), 2),
            slot('input', f32(c), 3),
            slot('output', x, 0),
          ],
          instructions: [
            {
              ...bare.instructions[0],
              inputs: [
                { ...bare.instructions[0].inputs[0], slot: prologue ? -1 : 0 },
                bare.instructions[0].inputs[1],
              ],
              outputs: [{ ...bare.instructions[0].outputs[0], slot: epilogue ? -1 : 4 }],
              prologues: [prologue ? affine : null, null],
              body: epilogue
                ? {
                    shape: x.shape,
                    inputs: [channel(2), dense(0)],
                    steps: [step('add', [2, 0]), step('add', [3, 1]), step('relu', [4])],
                    stores: [{ value: 5, slot: 4 }],
                    reductions: [],
                  }
                : null,
            },
          ],
        });
      const times = [];
      for (const p of [bare, fused(true, false), fused(false, true), fused(true, true)])
        times.push(await best(cpu, p, 3));
      console.log(
        `conv ${c}@${s}: bare, prologue, epilogue, both: ${times.map((t) => t.toFixed(2)).join('  ')} ms`,
      );
    }
    const tiny = cpu.compile(chain([16], [f32(16)], [step('neg', [0])]));
    const [a, b] = [cpu.allocate(64), cpu.allocate(64)];
    cpu.write(a, new Float32Array(16));
    const t = performance.now();
    for (let k = 0; k < 2000; k++) {
      cpu.run(tiny, [a], [b]);
      await cpu.read(b, 'float32', 16);
    }
    console.log(`run and read of 16 elements: ${((performance.now() - t) / 2).toFixed(1)} us`);
    const u = performance.now();
    for (let k = 0; k < 20000; k++) cpu.run(tiny, [a], [b]);
    const enqueued = performance.now() - u;
    await cpu.sync();
    console.log(
      `enqueueing ${(enqueued / 20).toFixed(2)} us, running ${((performance.now() - u) / 20).toFixed(2)} us each`,
    );
    await cpu.close();
  });
});
