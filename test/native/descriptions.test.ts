// What the addon's decoder refuses, and that nothing is walked over where an axis is empty.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import { type DType, type Shape, sizeOf } from '../../engine/dtype.ts';
import type { Instruction, Loop, OpInstruction, Program, RootName } from '../../engine/program.ts';
import { createCpuBackend } from '../../native/backend.ts';
import { broadcastView, describeCpu, loopInstruction, program, rootProgram, slot, step } from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as DType });

/** Of a product without transposes. */
const plain = { transposeA: false, transposeB: false };

describeCpu('a description is refused', () => {
  const x = f32(4, 6);
  const instruction = (p: Program, change: Partial<OpInstruction>): Program => ({
    ...p,
    instructions: p.instructions.map((i) => ({ ...i, ...change }) as Instruction),
  });
  const nowhere = { slot: -1, ...x };
  const loop = (more: Partial<Loop> = {}): Loop => ({
    shape: x.shape,
    inputs: [],
    steps: [step('neg', [0])],
    stores: [{ value: 1, slot: 1 }],
    reductions: [],
    ...more,
  });
  const dot = rootProgram('dot', plain, [f32(4, 6), f32(6, 5)], [f32(4, 5)]);
  const same = f32(4, 4);
  const square = rootProgram('dot', plain, [same, same], [same]);

  it.each<[string, Program, RegExp]>([
    ...(['sum', 'moments', 'argmax', 'cumsum', 'sort', 'gather'] as const).map(
      (root): [string, Program, RegExp] => [
        `an operand of ${root} without a slot`,
        instruction(rootProgram(root, { axes: [1], axis: 1 }, [x], [x, x]), { inputs: [nowhere] }),
        /neither a slot nor a prologue/,
      ],
    ),
    ['a result without a slot', instruction(dot, { outputs: [{ slot: -1, ...f32(4, 5) }] }), /nor a body/],
    [
      'an epilogue of an operation that takes none',
      instruction(rootProgram('cumsum', { axis: 0, reverse: false }, [x], [x]), { epilogue: loop() }),
      /only products|two results/,
    ],
    [
      'prologues of an operation that takes none',
      instruction(rootProgram('cumsum', { axis: 0, reverse: false }, [x], [x]), {
        inputs: [nowhere],
        prologues: [loop({ steps: [], stores: [], inputs: [broadcastView(0, x, x.shape)] })],
      }),
      /only products/,
    ],
    ['a root without operands', instruction(dot, { inputs: [] }), /lacks an operand/],
    ['a root without results', instruction(dot, { outputs: [] }), /one result|lacks a result/],
    ['more prologues than operands', instruction(dot, { prologues: [null, null, null] }), /more prologues/],
    [
      'a result where an operand lies',
      program({
        slots: [slot('temporary', same, 0, 0), slot('temporary', same, 0, 0), slot('input', same, 0)],
        arenaBytes: 64,
        instructions: [
          {
            ...square.instructions[0],
            inputs: [0, 2].map((at) => ({ slot: at, ...same })),
            outputs: [{ slot: 1, ...same }],
          } as Instruction,
        ],
      }),
      /overwrites an operand/,
    ],
    [
      'a result where a donated operand lies that is read in another order',
      { ...square, donations: [[0, 0]] },
      /overwrites an operand/,
    ],
    [
      'a result where an operand of a transposing loop lies',
      program({
        slots: [slot('input', same, 0), slot('output', same, 0)],
        instructions: [
          loopInstruction({
            ...loop({ shape: same.shape }),
            inputs: [{ slot: 0, dtype: 'float32', offset: 0, strides: [1, 4] }],
          }),
        ],
        donations: [[0, 0]],
      }),
      /overwrites an operand/,
    ],
    [
      'a result for an input',
      instruction(square, {
        outputs: [{ slot: 0, ...same }],
        inputs: [1, 1].map((at) => ({ slot: at, ...same })),
      }),
      /written to an input/,
    ],
    [
      'results that share memory',
      program({
        slots: [slot('input', x, 0), slot('temporary', x, 0, 0), slot('temporary', x, 0, 64)],
        arenaBytes: 512,
        instructions: [
          loopInstruction({
            ...loop({ inputs: [broadcastView(0, x, x.shape)] }),
            stores: [
              { value: 0, slot: 1 },
              { value: 1, slot: 2 },
            ],
          }),
        ],
      }),
      /share memory/,
    ],
    [
      'axes that are too large beside an empty one',
      rootProgram('cumsum', { axis: 0, reverse: false }, [f32(2 ** 31, 2 ** 31, 0)], [f32(0)]),
      /too many elements/,
    ],
    [
      'too many axes',
      rootProgram('cumsum', { axis: 0, reverse: false }, [f32(...new Array(65).fill(1))], [f32(1)]),
      /too many axes/,
    ],
    [
      'a parameter that is no whole number',
      rootProgram('cumsum', { axis: 0.5, reverse: false }, [x], [x]),
      /the parameter axis of a root has a fraction/,
    ],
    [
      'a parameter that is too large',
      rootProgram('cumsum', { axis: 2 ** 50, reverse: false }, [x], [x]),
      /the parameter axis of a root is out of range/,
    ],
  ])('%s', (_, p, message) => {
    expect(() => cpu.compile(p)).toThrow(message);
  });

  it('a buffer for two places, unless it was given away', () => {
    const [a, b] = [cpu.allocate(96), cpu.allocate(96)];
    const p = cpu.compile(rootProgram('cumsum', { axis: 0, reverse: false }, [x], [x]));
    expect(() => cpu.run(p, [a], [a])).toThrow(/was not given away/);
    cpu.run(p, [a], [b]);
    for (const buffer of [a, b]) cpu.free(buffer);
    p.dispose();
  });
});

// Twice 2^31 steps would be felt.
describeCpu('nothing is walked over', () => {
  const huge = 2 ** 31;
  const index = (...shape: number[]) => ({ shape, dtype: 'int32' as DType });
  const window = {
    size: [1, 1],
    stride: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
    dilation: [1, 1],
    groups: 1,
  };
  const sums = { scale: 1, sees: 'all' };
  it.each<[RootName, object, { shape: Shape; dtype: DType }[], { shape: Shape; dtype: DType }[]]>([
    ['pad', { low: [0, 0], high: [0, 0], interior: [0, 0] }, [f32(huge, 0)], [f32(huge, 0)]],
    ['concat', { axis: 1 }, [f32(huge, 0), f32(huge, 0)], [f32(huge, 0)]],
    ['concat', { axis: 0 }, [f32(huge, 0), f32(huge, 0)], [f32(2 * huge, 0)]],
    ['iota', { axis: 0 }, [], [f32(huge, 0)]],
    ['sum', { axes: [0] }, [f32(huge, 0)], [f32(0)]],
    ['max', { axes: [1] }, [f32(0, huge)], [f32(0)]],
    ['moments', { axes: [0] }, [f32(huge, 0)], [f32(0), f32(0)]],
    ['argmax', { axis: 0 }, [f32(huge, 0)], [index(0)]],
    ['argmin', { axis: 1 }, [f32(0, huge, 3)], [index(0, 3)]],
    ['cumsum', { axis: 0, reverse: false }, [f32(huge, 0)], [f32(huge, 0)]],
    ['sort', {}, [f32(huge, 0)], [f32(huge, 0), index(huge, 0)]],
    ['sort', {}, [f32(0, 8)], [f32(0, 8), index(0, 8)]],
    ['gather', { axis: 0 }, [f32(huge, 0), index(4)], [f32(4, 0)]],
    ['scatter', { axis: 1 }, [f32(huge, 0, 0), index(0)], [f32(huge, 5, 0)]],
    ['gatherAlong', { axis: 1 }, [f32(huge, 0), index(huge, 0)], [f32(huge, 0)]],
    ['scatterAlong', { axis: 1 }, [f32(huge, 0), index(huge, 0)], [f32(huge, 0)]],
    ['dot', plain, [f32(huge, 4, 0), f32(huge, 0, 0)], [f32(huge, 4, 0)]],
    ['dot', plain, [f32(0, 4, huge), f32(0, huge, 3)], [f32(0, 4, 3)]],
    ['conv', window, [f32(1, 0, huge, 1, 2), f32(1, 1, 1, 2, 3)], [f32(1, 0, huge, 1, 3)]],
    ['convGradInput', window, [f32(1, 0, huge, 1, 3), f32(1, 1, 1, 2, 3)], [f32(1, 0, huge, 1, 2)]],
    ['convGradWeight', window, [f32(1, 0, huge, 1, 2), f32(1, 0, huge, 1, 3)], [f32(1, 1, 1, 2, 3)]],
    [
      'attention',
      sums,
      [f32(0, 4, huge), f32(0, 3, huge), f32(0, 3), f32(0, 3, 2)],
      [f32(0, 4, 2), f32(0, 4)],
    ],
    [
      'attentionSum',
      sums,
      [f32(huge, 0, 4), f32(huge, 0, 4), f32(huge, 0), f32(huge, 0), f32(huge, 0, 3)],
      [f32(huge, 0, 3)],
    ],
    ['maxPool', window, [f32(0, huge, 1, 2)], [f32(0, huge, 1, 2), index(0, huge, 1, 2)]],
    ['sumPool', window, [f32(huge, 1, 1, 0)], [f32(huge, 1, 1, 0)]],
    ['sumPoolTranspose', window, [f32(huge, 1, 1, 0)], [f32(huge, 1, 1, 0)]],
  ])('%s %#', async (root, params, inputs, outputs) => {
    const p = cpu.compile(rootProgram(root, params, inputs, outputs));
    const buffers = [...inputs, ...outputs].map((v) => cpu.allocate(4 * sizeOf(v.shape)));
    cpu.run(p, buffers.slice(0, inputs.length), buffers.slice(inputs.length));
    const result = await cpu.read(buffers[inputs.length], 'float32', sizeOf(outputs[0].shape));
    expect(result.every((v) => v === 0)).toBe(true);
    for (const b of buffers) cpu.free(b);
    p.dispose();
  });
});
