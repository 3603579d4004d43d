// The WGSL of one kernel of each kind, to be read; of a softmax by rows, the plan that it is written from too. A change of these files is a change of what runs: look at it before accepting it (UPDATE_GOLDEN=1).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE } from '../../kernels/lowering.ts';
import { planRows, printRowsPlan } from '../../kernels/rows-plan.ts';

type Function = (...args: lt.Tensor[]) => lt.Tensor;
const programOf = (f: Function, ...shapes: number[][]) => {
  lt.useBackend(createReferenceBackend());
  const program = lt.jit(f).program(...shapes.map((shape) => lt.ones(shape)));
  lt.useBackend(null);
  return program;
};

function expectGolden(name: string, text: string): void {
  const file = join(import.meta.dirname, 'golden', name);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

test.each<[string, Function, ...number[][]]>([
  ['loop.wgsl', (x) => x.mul(2).add(1).relu(), [1000, 6]],
  ['reduction.wgsl', (x) => x.square().sum(0), [1000, 6]],
  ['moments.wgsl', (x) => lt.variance(x, 0), [10000, 6]],
  ['rows.wgsl', (x) => lt.softmax(x), [64, 48]],
  ['product.wgsl', (x, w, b) => lt.matmul(x, w).add(b).relu(), [64, 48], [48, 32], [32]],
  ['convolution.wgsl', (x, w) => lt.conv2d(x, w, { padding: 1 }), [2, 8, 8, 4], [3, 3, 4, 8]],
  ['attention.wgsl', (q, k, v) => lt.attention(q, k, v), [1, 512, 8], [1, 512, 8], [1, 512, 8]],
  ['pool.wgsl', (x) => lt.maxPool2d(x, { size: 2 }), [2, 8, 8, 4]],
  ['scan.wgsl', (x) => lt.cumsum(x), [64, 48]],
])('%s', (name, f, ...shapes) => {
  const { kernels } = lower(programOf(f, ...shapes), PORTABLE);
  expectGolden(name, kernels.map((k) => `// ${k.label}, ${k.groups} workgroups\n${k.source}`).join('\n'));
});

test('the plan of a softmax', () => {
  const [instruction] = programOf((x) => lt.softmax(x), [64, 48]).instructions;
  if (instruction.kind !== 'rows') throw new Error('a softmax is work on rows');
  const plan = planRows(instruction.rows, () => false, PORTABLE);
  expectGolden('rows-plan.txt', `${printRowsPlan(plan)}\n`);
});
