// Attention's kernels at sizes around their tiles, with each instruction set; expected values are the reference backend's.

import { afterAll, expect, it } from 'vitest';
import type { Shape } from '../../engine/dtype.ts';
import type { RootName } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import { createCpuBackend, instructionSets, useInstructionSet } from '../../native/backend.ts';
import {
  describeCpu,
  distance,
  execute,
  hasCpu,
  randomFloats,
  rootProgram,
  sameBits,
  type Value,
  withThreads,
} from './support.ts';

const reference = createReferenceBackend();

function operands(b: number, n: number, m: number, d: number, c: number, depths: readonly number[]): Value[] {
  const shapes: Shape[] = [
    [b, n, d],
    [b, m, d],
    [b, n],
    [b, m],
    [b, m, c],
  ];
  for (const e of depths) shapes.push([b, n, e], [b, m, e]);
  return shapes.map((shape, s) => randomFloats(shape, s + 1, 1));
}
const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' as const });

/** Both roots with a program each. */
function programs(sees: string, b: number, n: number, m: number, d: number, c: number, depths: number[]) {
  const all = operands(b, n, m, d, c, depths);
  // Some keys are seen by no query.
  for (let j = 0; j < all[3].data.length; j += 5) all[3].data[j] = Number.POSITIVE_INFINITY;
  const params = { scale: 1 / Math.sqrt(d + 1), sees };
  const one = (root: RootName, inputs: Value[], outputs: ReturnType<typeof f32>[]) => ({
    inputs,
    program: rootProgram(root, params, inputs, outputs),
  });
  return [
    one('attention', [all[0], all[1], all[3], all[4]], [f32(b, n, c), f32(b, n)]),
    one('attentionSum', all, [f32(b, n, c)]),
  ];
}

const CASES: [string, number, number, number, number, number, number[]][] = [
  ['all', 2, 1, 1, 1, 1, []],
  ['all', 1, 64, 64, 16, 16, [8]],
  ['past', 3, 65, 130, 3, 17, [1, 9]],
  ['future', 2, 130, 65, 33, 70, []],
  ['past', 1, 130, 63, 5, 4, [2, 3, 4]],
  ['future', 1, 200, 100, 4, 0, []],
  ['all', 1, 3, 200, 0, 5, [0]],
  ['all', 2, 5, 0, 4, 3, []],
];

const SETS = hasCpu ? instructionSets() : [];

describeCpu('attention', () => {
  afterAll(() => useInstructionSet(SETS[0]));
  it.each(SETS)('with %s is what the formulas say, at any size', async (name) => {
    useInstructionSet(name);
    const cpu = await createCpuBackend({ threads: 2 });
    for (const c of CASES)
      for (const { program, inputs } of programs(...c)) {
        const want = await execute(reference, program, inputs);
        const got = await execute(cpu, program, inputs);
        got.forEach((g, k) => {
          expect(distance(g, want[k]), `${c.join()}, result ${k}`).toBeLessThan(1e-4);
        });
      }
    await cpu.close();
  });

  it('has the same bits for any number of threads', async () => {
    for (const { program, inputs } of programs('past', 4, 200, 150, 16, 24, [5])) {
      const [one, three] = await Promise.all(
        [1, 3].map((threads) => withThreads(threads, (b) => execute(b, program, inputs))),
      );
      expect(sameBits(one, three)).toBe(true);
    }
  });
});
