// Programs on halves, compared with the same in float64. Not a test itself.

import { expect } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { Shape } from '../../engine/dtype.ts';
import { roundHalf } from '../../engine/half.ts';
import type { RootName } from '../../engine/program.ts';
import { execute, type Result, randomFloats, rootProgram, sameBits, type Value } from '../native/support.ts';

export const halves = (shape: Shape, seed: number): Value => ({
  shape,
  dtype: 'float16',
  data: randomFloats(shape, seed, 1).data.map(roundHalf) as Float32Array,
});

/** Programs on halves, compared with the same in float64. */
export const comparer = (reference: Backend) => {
  const wide = ({ shape }: Result): Result => ({ shape, dtype: 'float64' });
  return async (
    name: RootName,
    params: object,
    inputs: readonly Value[],
    output: Result,
    on: Backend,
  ): Promise<void> => {
    const exact = inputs.map((v) =>
      v.dtype === 'float16' ? { ...wide(v), data: Float64Array.from(v.data) } : v,
    );
    const [want] = await execute(reference, rootProgram(name, params, exact, [wide(output)]), exact);
    const p = rootProgram(name, params, inputs, [output]);
    const [got] = await execute(on, p, inputs);
    const largest = Array.from(want as Float64Array, Math.abs).reduce((a, b) => Math.max(a, b), 0);
    got.forEach((g: number, i: number) => {
      // Half a step of the result, and float32's error of a sum that may cancel.
      const bound = 2 ** -11 * Math.abs(want[i]) + 2 ** -18 * largest + 2 ** -25;
      if (!(Math.abs(g - want[i]) <= bound)) expect.fail(`${name} element ${i}: ${g}, expected ${want[i]}`);
    });
    expect(got.length).toBe(want.length);
    expect(sameBits(await execute(on, p, inputs), [got])).toBe(true);
  };
};
