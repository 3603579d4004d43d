// What the planner makes of layers between convolutions and matrix products: activations that are computed by the kernels
// that read them. Compiled values and gradients against the oracle's, at sizes for each algorithm of the CPU.

import { expect, test } from 'vitest';
import type { Shape } from '../../engine/dtype.ts';
import { verifyProgram } from '../../engine/graph/verify.ts';
import * as lt from '../../engine/index.ts';
import {
  agree,
  describeBackends,
  elements,
  epsilonOf,
  type Float,
  make,
  on,
  oracle,
  read,
  termsIn,
} from './support.ts';

interface Net {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly f: (xs: readonly lt.Tensor[]) => lt.Tensor;
}

const convolutional = (
  name: string,
  [c, m, o]: readonly number[],
  options: NonNullable<Parameters<typeof lt.conv2d>[2]>,
  kernel = 3,
): Net => ({
  name,
  shapes: [[2, 9, 8, c], [3, 3, c, m], [m], [m], [kernel, kernel, m / (options.groups ?? 1), o]],
  f: ([x, w, scale, shift, v]) => {
    const y = lt.conv2d(x, lt.mul(w, 0.2), { padding: 1 });
    const a = lt.relu(lt.batchNorm(y, { scale, shift, epsilon: 0.1 }).output);
    return lt.tanh(lt.conv2d(a, lt.mul(v, 0.2), options));
  },
});
const NETS: readonly Net[] = [
  convolutional('same padding, stride 1', [3, 32, 32], { padding: 1 }),
  convolutional('stride 2, uneven padding', [3, 4, 6], {
    stride: 2,
    padding: [
      [1, 0],
      [2, 1],
    ],
  }),
  convolutional('groups, dilation', [3, 6, 6], { groups: 3, dilation: 2, padding: 2 }),
  convolutional('1x1 after padding', [2, 5, 7], { padding: 1 }, 1),
  {
    name: 'products of a normalised operand, either side, transposed or not',
    shapes: [[12, 7], [7], [7, 5], [4, 12]],
    f: ([x, shift, w, u]) => {
      const a = lt.relu(lt.sub(x, shift));
      return lt.tanh(lt.matmul(lt.matmul(lt.mul(u, 0.2), a), w));
    },
  },
];

describeBackends((target) => {
  for (const { name, shapes, f } of NETS)
    test(name, async () => {
      const loss = (...xs: lt.Tensor[]) => lt.sum(lt.square(lt.add(f(xs), 0.25)));
      const step = lt.valueAndGrad(
        loss,
        shapes.map((_, i) => i),
      );
      const all = (xs: lt.Tensor[]): lt.Tensor[] => {
        const [value, gradients] = step(...xs) as unknown as [lt.Tensor, lt.Tensor[]];
        return [value, ...gradients];
      };
      const inputs = (float: Float) =>
        shapes.map((shape, i) => make(elements({ shape }, 3 + i), shape, float));
      const want = await on(oracle, 'float64', () => read(all(inputs('float64'))));
      await on(target.backend(), target.float, async () => {
        const xs = inputs(target.float);
        const compiled = lt.jit((...args: lt.Tensor[]) => all(args));
        const program = compiled.program(...xs);
        verifyProgram(program);
        const roots = target.backend().capabilities.prologues;
        const ops = program.instructions.flatMap((i) => (i.kind === 'op' ? [i] : []));
        const made = ops.filter((i) => i.prologues.some((p) => p !== null));
        expect(made.length > 0).toBe(ops.some((i) => roots.includes(i.op)));
        agree(
          await read(compiled(...xs)),
          want,
          epsilonOf(target.float) * (64 + 4 * termsIn(all, xs)) * 4,
          name,
        );
        compiled.dispose();
        for (const x of xs) x.dispose();
      });
    });
});
