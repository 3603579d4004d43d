// How the C++ side goes about a fused loop, in its own words, and that both sides agree on the numbers of operations.

import { createRequire } from 'node:module';
import { beforeAll, expect, it } from 'vitest';
import { primitives } from '../../engine/primitives/index.ts';
import { COST, ELEMENTWISE } from '../../engine/primitives/table.ts';
import type { Instruction, Loop, Program } from '../../engine/program.ts';
import { type Addon, describeKernels } from '../../native/backend.ts';
import { encode } from '../../native/encode.ts';
import {
  addonPath,
  broadcastView,
  describeCpu,
  increment,
  loopInstruction,
  program,
  type Result,
  rootProgram,
  slot,
  step,
} from './support.ts';

const float = (...shape: number[]): Result => ({ shape, dtype: 'float32' });

it('the table says of each elementwise operation how many operands it takes', () => {
  const kinds = [ELEMENTWISE.constant, ELEMENTWISE.unary, ELEMENTWISE.binary, ELEMENTWISE.ternary];
  for (const name of Object.keys(COST) as (keyof typeof COST)[])
    for (const { operands } of primitives[name].samples)
      expect(kinds[operands.length], `${name} of ${operands.length}`).toHaveProperty(name);
});

describeCpu('a plan in words', () => {
  let addon: Addon;
  beforeAll(() => {
    addon = createRequire(import.meta.url)(addonPath);
  });
  const plan = (p: Program) => addon.describe(encode(p));

  // Slot 0 is as large as the domain, slot 1 is a row, slot 2 one value. What only depends on single values is computed
  // once a block. v5 is reduced at the end of a block, so v6 needs a register of its own; v7 goes to two places, the second
  // time as a copy. Eleven arrays and steps share the cache: at most 512 elements to a block, 8 rows.
  it('of a loop with a reduction', () => {
    const domain = [40, 60];
    const inputs = [float(...domain), float(60), float()];
    expect(
      plan(
        program({
          slots: [
            ...inputs.map((v, i) => slot('input', v, i)),
            slot('output', float(...domain), 0),
            slot('output', float(...domain), 1),
            slot('output', float(40), 2),
          ],
          instructions: [
            loopInstruction({
              shape: domain,
              inputs: inputs.map((v, i) => broadcastView(i, v, domain)),
              steps: [
                step('full', [], 'float32', 1),
                step('exp', [2]),
                step('mul', [0, 4]),
                step('add', [5, 1]),
                step('identity', [6]),
                step('maximum', [7, 3]),
              ],
              stores: [
                { value: 8, slot: 3 },
                { value: 8, slot: 4 },
              ],
              reductions: [{ op: 'max', value: 5, axes: [1], slot: 5 }],
            }),
          ],
        }),
      ),
    ).toBe(`loop
  over 40 x [60] in blocks of 8 x 60, cost 17
  v0 = slot 0, in place
  v1 = slot 1, in a tile
  v2 = slot 2, one value
  v3 = constant 0x3f800000
  v4 = exp v2 in one value
  chain
    v5 = mul v0 v4 in register 0
    v6 = add v5 v1 in register 1
  v7 = maximum v6 v3 in slot 3
  copy v7 to slot 4
  max of v5 to slot 5
`);
  });

  // Raw products pass through the memory of the store, so v2 may not go there before the last of them was read.
  it('of an epilogue', () => {
    const [a, b, c] = [float(4, 6), float(6, 5), float(4, 5)];
    const p = rootProgram('dot', { transposeA: false, transposeB: false }, [a, b], [c]);
    const [i] = p.instructions;
    const epilogue: Loop = {
      shape: c.shape,
      inputs: [],
      steps: [step('neg', [0]), step('tanh', [0]), step('add', [1, 2])],
      stores: [{ value: 3, slot: 2 }],
      reductions: [],
    };
    const fused = { ...i, outputs: [{ slot: -1, ...c }], epilogue } as Instruction;
    expect(plan({ ...p, instructions: [fused] })).toBe(`dot
epilogue
  over 20 in blocks of 20 x 1, cost 12
  v0 = the root's result
  v1 = neg v0 in register 0
  v2 = tanh v0 in register 1
  v3 = add v1 v2 in slot 2
`);
  });

  // The loop reads the row of the input where it lies and writes the last value into the result at once.
  it('of a mean along rows and the distances from it', () => {
    const [x, mean] = [float(40, 70), float(40)];
    const view = { slot: 0, dtype: 'float32', strides: [70, 1], offset: 0 } as const;
    const value = { dtype: 'float32', perRow: false } as const;
    const p = program({
      slots: [slot('input', x, 0), slot('output', x, 0), slot('output', mean, 1)],
      instructions: [
        {
          kind: 'rows',
          rows: {
            shape: [40, 70],
            axes: [1],
            values: [
              { ...value, kind: 'load', view, pass: 0 },
              { ...value, kind: 'reduction', op: 'sum', value: 0, divisor: 70, perRow: true, pass: 1 },
              { ...value, kind: 'step', step: step('sub', [0, 1]), pass: 1 },
              { ...value, kind: 'step', step: step('abs', [2]), pass: 1 },
            ],
            stores: [
              { value: 3, slot: 1, whole: true },
              { value: 1, slot: 2, whole: false },
            ],
            columns: [],
          },
        },
      ],
    });
    expect(describeKernels(p)).toBe(`rows
  40 rows of 70, 29 together
  v0 = slot 0, in place
  v1 = sum v0 / 70, one value
  v2 = sub v0 v1 in register 0
  v3 = abs v2 in slot 1
  copy v1 to slot 2
`);
  });

  // Four channels are too few for Winograd's transforms; results with few channels are computed by planes.
  it.each([
    ['taps', 4, 16],
    ['winograd', 64, 64],
    ['planar', 8, 4],
  ])('of a convolution by %s', (algorithm, channels, filters) => {
    const params = {
      stride: [1, 1],
      padding: [
        [1, 1],
        [1, 1],
      ],
      dilation: [1, 1],
      groups: 1,
    };
    const images = (n: number) => float(1, 16, 32, 32, n);
    const weights = float(1, 3, 3, channels, filters);
    expect(
      describeKernels(rootProgram('conv', params, [images(channels), weights], [images(filters)])),
    ).toBe(`conv
  by ${algorithm}
`);
  });

  it('an addon that was built from another table is refused', () => {
    const words = encode(increment(4));
    words[0] += 1;
    expect(() => addon.describe(words)).toThrow('was built from other sources');
  });
});
