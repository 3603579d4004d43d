// A program as text: a line for everything that a program can say.

import { expect, test } from 'vitest';
import { printProgram } from '../../engine/graph/print.ts';
import type { Program, Step, View } from '../../engine/program.ts';

const view = (slot: number, strides: number[], offset = 0): View => ({
  slot,
  dtype: 'float32',
  strides,
  offset,
});
const step = (op: Step['op'], args: number[], more: Partial<Step> = {}): Step => ({
  op,
  args,
  dtype: 'float32',
  ...more,
});

const slots: Program['slots'] = [
  { kind: 'input', dtype: 'float32', size: 12, index: 0, offset: 0 },
  { kind: 'temporary', dtype: 'int32', size: 12, index: -1, offset: 256 },
  { kind: 'output', dtype: 'float32', size: 16, index: 0, offset: 0 },
];
const printed = (instructions: Program['instructions'], donations: Program['donations'] = []): string =>
  printProgram({ label: 'test', slots, instructions, arenaBytes: 512, inputs: 1, outputs: 1, donations });

const HEAD = `test, arena of 512 bytes
slot 0 = input 0, 12 float32
slot 1 = temporary at byte 256, 12 int32
slot 2 = output 0, 16 float32`;

test('a loop with a flipped input, a conversion and a reduction', () => {
  const loop = {
    shape: [3, 4],
    inputs: [view(0, [4, -1], 3), view(0, [0, 0])],
    steps: [
      step('full', [], { value: 0.5 }),
      step('sub', [0, 2]),
      step('convert', [3], { dtype: 'int32' }),
      step('exp', [1]),
    ],
    stores: [{ value: 4, slot: 1 }],
    reductions: [{ op: 'max' as const, value: 5, axes: [0, 1], slot: 2 }],
  };
  expect(printed([{ kind: 'loop', loop }], [[0, 0]])).toBe(`${HEAD}
output 0 lies over input 0
loop over [3, 4]
  v0 = slot 0 by 4 -1 from 3
  v1 = slot 0 by 0 0
  v2 = full 0.5
  v3 = sub v0 v2
  v4 = convert v3 to int32
  v5 = exp v1
  slot 1 = v4
  slot 2 = max v5 along 0 1`);
});

test('temporaries that lie in no arena', () => {
  const none = { label: 'none', slots, instructions: [], inputs: 1, outputs: 1, donations: [] };
  expect(printProgram({ ...none, arenaBytes: 0 })).toBe(`none
slot 0 = input 0, 12 float32
slot 1 = temporary, 12 int32
slot 2 = output 0, 16 float32`);
});

test('an operation with a prologue and an epilogue', () => {
  const empty = { stores: [], reductions: [] };
  expect(
    printed([
      {
        kind: 'op',
        op: 'dot',
        params: { transposeA: false, transposeB: true },
        inputs: [
          { slot: -1, shape: [4, 3], dtype: 'float32' },
          { slot: 0, shape: [4, 3], dtype: 'float32' },
        ],
        outputs: [{ slot: -1, shape: [4, 4], dtype: 'float32' }],
        prologues: [{ shape: [4, 3], inputs: [view(0, [3, 1])], steps: [step('relu', [0])], ...empty }, null],
        epilogue: {
          shape: [4, 4],
          inputs: [view(0, [0, 1])],
          steps: [step('add', [1, 0])],
          stores: [{ value: 2, slot: 2 }],
          reductions: [],
        },
      },
    ]),
  ).toBe(`${HEAD}
op dot[transposeA=false transposeB=true] float32[4, 3] slot 0:float32[4, 3] -> float32[4, 4]
  prologue of operand 0 over [4, 3]
    v0 = slot 0 by 3 1
    v1 = relu v0
  epilogue over [4, 4]
    v0 = slot 0 by 0 1
    v1 = the result
    v2 = add v1 v0
    slot 2 = v2`);
});

test('a mean along rows, and an operation without parameters', () => {
  const of = { dtype: 'float32' as const, perRow: false };
  const x = { slot: 0, shape: [3, 4], dtype: 'float32' as const };
  expect(
    printed([
      {
        kind: 'rows',
        rows: {
          shape: [3, 4],
          axes: [1],
          values: [
            { ...of, kind: 'load', view: view(0, [4, 1]), pass: 0 },
            { ...of, kind: 'reduction', op: 'sum', value: 0, divisor: 4, perRow: true, pass: 1 },
            { ...of, kind: 'step', step: step('sub', [0, 1]), pass: 1 },
          ],
          stores: [{ value: 2, slot: 2, whole: true }],
          columns: [{ value: 0, slot: 3 }],
        },
      },
      { kind: 'op', op: 'sort', params: {}, inputs: [x], outputs: [x], prologues: [], epilogue: null },
    ]),
  ).toBe(`${HEAD}
rows over [3, 4] along 1
  v0 = slot 0 by 4 1, pass 0
  v1 = sum v0 / 4, one a row, pass 1
  v2 = sub v0 v1, pass 1
  slot 2 = v2
  slot 3 = sum v0 over all rows
op sort slot 0:float32[3, 4] -> slot 0:float32[3, 4]`);
});
