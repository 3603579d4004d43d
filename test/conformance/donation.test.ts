// Donated memory on every backend: results written where an operand lies, by elementwise kernels and by products and
// convolutions whose epilogue reads that operand.

import { test } from 'vitest';
import * as lt from '../../engine/index.ts';
import { agree, describeBackends, elements, epsilonOf, make, on, oracle, read } from './support.ts';

const steps: [string, number[][], (p: lt.Tensor, a: lt.Tensor, b: lt.Tensor) => lt.Tensor][] = [
  ['elementwise', [[64, 33], [64, 33], [33]], (p, a, b) => lt.sub(lt.mul(p, 0.5), lt.mul(a, b))],
  [
    'product',
    [
      [70, 45],
      [700, 70],
      [700, 45],
    ],
    (p, a, b) => lt.sub(p, lt.mul(lt.matmul(lt.transpose(a), b), 0.01)),
  ],
  [
    'convolution',
    [
      [2, 9, 9, 20],
      [2, 9, 9, 40],
      [3, 3, 40, 20],
    ],
    (p, a, b) => lt.add(p, lt.conv2d(a, b, { padding: 'same' })),
  ],
];

describeBackends((target) => {
  test.each(steps)('%s', async (_, shapes, f) => {
    const data = shapes.map((shape, i) => elements({ shape }, 40 + i));
    const want = await on(oracle, 'float64', () => {
      const [p, a, b] = shapes.map((s, i) => make(data[i], s, 'float64'));
      return read([f(f(p, a, b), a, b)]);
    });
    await on(target.backend(), target.float, async () => {
      const [p, a, b] = shapes.map((s, i) => make(data[i], s, target.float));
      const step = lt.jit(f, { donate: [0] });
      agree(await read([step(step(p, a, b), a, b)]), want, epsilonOf(target.float) * 3000, 'donated');
    });
  });
});
