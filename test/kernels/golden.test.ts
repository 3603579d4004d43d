// The WGSL of one kernel of each kind, to be read: an elementwise loop, a reduction, a softmax by rows with the plan it is
// written from. A change of these files is a change of what runs: look at it before accepting it (UPDATE_GOLDEN=1).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE } from '../../kernels/lowering.ts';
import { planRows, printRowsPlan } from '../../kernels/rows-plan.ts';

const programOf = (f: (x: lt.Tensor) => lt.Tensor, shape: number[]) => {
  lt.useBackend(createReferenceBackend());
  const program = lt.jit(f).program(lt.ones(shape));
  lt.useBackend(null);
  return program;
};

function expectGolden(name: string, text: string): void {
  const file = join(import.meta.dirname, 'golden', name);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

test.each<[string, (x: lt.Tensor) => lt.Tensor, number[]]>([
  ['loop.wgsl', (x) => x.mul(2).add(1).relu(), [1000, 6]],
  ['reduction.wgsl', (x) => x.square().sum(0), [1000, 6]],
  ['rows.wgsl', (x) => lt.softmax(x), [64, 48]],
])('%s', (name, f, shape) => {
  const { kernels } = lower(programOf(f, shape), PORTABLE);
  expectGolden(name, kernels.map((k) => `// ${k.label}, ${k.groups} workgroups\n${k.source}`).join('\n'));
});

test('the plan of a softmax', () => {
  const [instruction] = programOf((x) => lt.softmax(x), [64, 48]).instructions;
  if (instruction.kind !== 'rows') throw new Error('a softmax is work on rows');
  const plan = planRows(instruction.rows, () => false, PORTABLE);
  expectGolden('rows-plan.txt', `${printRowsPlan(plan)}\n`);
});
