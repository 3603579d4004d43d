// Loops that are cut: no kernel may bind more buffers than the device allows, and one array may take two of them, for it is
// seen as elements and as vectors of four. Lowering needs no device; what cut loops compute is tested in loop.test.ts.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sizeOf, stridesOf } from '../../engine/dtype.ts';
import type { Loop, View } from '../../engine/program.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE } from '../../kernels/lowering.ts';
import { float, loopInstruction, program, slot, step } from '../native/support.ts';

const SHAPE = [4, 8];
const N = sizeOf(SHAPE);
/** In order, back to front, transposed, one row for all, one column for all, and from the second vector on. */
const views: readonly Pick<View, 'strides' | 'offset'>[] = [
  { strides: stridesOf(SHAPE), offset: 0 },
  { strides: [-8, -1], offset: N - 1 },
  { strides: [1, 4], offset: 0 },
  { strides: [0, 1], offset: 0 },
  { strides: [8, 0], offset: 0 },
  { strides: [8, 1], offset: 4 },
];
const ARRAYS = 4;
const loops = fc
  .record({
    inputs: fc.array(fc.record({ array: fc.nat(ARRAYS - 1), view: fc.constantFrom(...views) }), {
      minLength: 1,
      maxLength: 7,
    }),
    stored: fc.integer({ min: 1, max: 6 }),
    axes: fc.constantFrom([], [0], [1], [0, 1]),
  })
  .map(({ inputs, stored, axes }): Loop => {
    const n = inputs.length;
    // Each value is made of the one before and one more input: the last of all of them.
    const steps = Array.from({ length: n + stored }, (_, k) => step('add', [k === 0 ? 0 : n + k - 1, k % n]));
    const stores = Array.from({ length: stored }, (_, k) => ({
      value: 2 * n + k,
      slot: ARRAYS + k,
    }));
    const reductions = axes.length ? [{ op: 'sum' as const, value: 2 * n, axes, slot: ARRAYS + stored }] : [];
    return {
      shape: SHAPE,
      inputs: inputs.map(({ array, view }) => ({ slot: array, dtype: 'float32', ...view })),
      steps,
      stores,
      reductions,
    };
  });

const programOf = (loop: Loop) => {
  const array = float([N + 4], []);
  const kept = loop.reductions.map((r) =>
    float(
      SHAPE.filter((_, d) => !r.axes.includes(d)),
      [],
    ),
  );
  return program({
    slots: [
      ...Array.from({ length: ARRAYS }, (_, k) => slot('input', array, k)),
      ...[...loop.stores.map(() => float(SHAPE, [])), ...kept].map((x, k) => slot('output', x, k)),
    ],
    instructions: [loopInstruction(loop)],
  });
};

test.each([4, 6, 8])('no kernel of a loop binds more than %d buffers', (storageBuffers) => {
  let cut = 0;
  for (const software of [false, true])
    fc.assert(
      fc.property(loops, (loop) => {
        const { kernels } = lower(programOf(loop), { ...PORTABLE, storageBuffers, software });
        for (const k of kernels) expect(k.bindings.length).toBeLessThanOrEqual(storageBuffers);
        if (kernels.length > 1) cut++;
      }),
      { numRuns: 300, seed: 9 },
    );
  expect(cut).toBeGreaterThan(10);
});

test('a loop that fits is not cut: views of one array take two buffers at most', () => {
  const loop: Loop = {
    shape: SHAPE,
    inputs: views.map((v) => ({ slot: 0, dtype: 'float32', ...v })),
    steps: views.slice(1).map((_, k) => step('add', [k === 0 ? 0 : views.length + k - 1, k + 1])),
    stores: [{ value: 2 * views.length - 2, slot: ARRAYS }],
    reductions: [],
  };
  const { kernels } = lower(programOf(loop), { ...PORTABLE, storageBuffers: 3 });
  expect(kernels.map((k) => k.bindings.length)).toEqual([3]);
});
