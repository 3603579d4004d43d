// Neighbouring instructions on the same pictures, a few pictures at a time: the values and bits of one after the other.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { Program } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import { createCpuBackend, describeKernels } from '../../native/backend.ts';
import {
  describeCpu,
  distance,
  execute,
  type Op,
  programFor,
  randomFloats,
  sameBits,
  type Value,
  withThreads,
} from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

const programOf = (f: Op, values: readonly Value[], donate: number[] = []): Program =>
  programFor(cpu.capabilities, f, values, donate);
const slabsOf = (p: Program): number[] =>
  [...describeKernels(p).matchAll(/in (\d+) slabs/g)].map((m) => Number(m[1]));

// Two million elements in all: more than a second level cache holds.
const PICTURES = [8, 32, 32, 64];

describeCpu('slabs', () => {
  it('group normalisation', async () => {
    const values = [randomFloats(PICTURES, 1), randomFloats([64], 3), randomFloats([64], 4)];
    const p = programOf((a, scale, shift) => lt.groupNorm(a, 16, { scale, shift }), values);
    expect(slabsOf(p)).toEqual(p.instructions.map(() => 8));
    const want = await execute(createReferenceBackend(), p, values);
    const got = await execute(cpu, p, values);
    expect(distance(got[0], want[0])).toBeLessThan(1e-4);
    // Fewer slabs than threads: all share each.
    for (const threads of [1, 3, 12]) {
      const same = await withThreads(threads, (b) => execute(b, p, values));
      expect(sameBits(same, got)).toBe(true);
    }
    // A profile takes one instruction after the other.
    const report = (cpu as unknown as { profile(): () => Promise<readonly unknown[]> }).profile();
    expect(sameBits(await execute(cpu, p, values), got)).toBe(true);
    expect(await report()).toHaveLength(p.instructions.length);
  });

  it('with its gradients: what joins all pictures waits until the slabs are done', async () => {
    const values = [
      randomFloats(PICTURES, 1),
      randomFloats([64], 3),
      randomFloats([64], 4),
      randomFloats(PICTURES, 2),
    ];
    const f: Op = (a, scale, shift, dy) => {
      const of = (x: lt.Tensor, s: lt.Tensor, t: lt.Tensor) => lt.groupNorm(x, 16, { scale: s, shift: t });
      const [y, back] = lt.vjp(of, a, scale, shift);
      return [y, ...back(dy)];
    };
    const p = programOf(f, values);
    // Of all instructions, only the last sums of the gradients of scale and shift.
    expect(describeKernels(p).match(/after the slabs/g)).toHaveLength(2);
    expect(slabsOf(p)).toHaveLength(p.instructions.length - 2);
    const want = await execute(createReferenceBackend(), p, values);
    const got = await execute(cpu, p, values);
    got.forEach((g, k) => {
      expect(distance(g, want[k])).toBeLessThan(1e-3);
    });
    for (const threads of [1, 3, 12])
      expect(sameBits(await withThreads(threads, (b) => execute(b, p, values)), got)).toBe(true);
    const report = (cpu as unknown as { profile(): () => Promise<readonly unknown[]> }).profile();
    expect(sameBits(await execute(cpu, p, values), got)).toBe(true);
    expect(await report()).toHaveLength(p.instructions.length);
  });

  it('writes over what was given away', async () => {
    const x = randomFloats(PICTURES, 5);
    const f: Op = (a) => lt.groupNorm(a, 16);
    const [want] = await execute(cpu, programOf(f, [x]), [x]);
    const p = programOf(f, [x], [0]);
    expect(p.donations).toEqual([[0, 0]]);
    expect(slabsOf(p).length).toBeGreaterThan(1);
    expect(sameBits(await execute(cpu, p, [x]), [want])).toBe(true);
  });

  it('several pictures make a slab where one is small', () => {
    const small = randomFloats([512, 8, 8, 32], 6);
    const [slabs] = slabsOf(programOf((a) => lt.groupNorm(a, 8), [small]));
    expect(512 % slabs).toBe(0);
    expect(slabs).toBeLessThan(512);
  });

  it('what reads other pictures waits for all of them', () => {
    const x = randomFloats(PICTURES, 7);
    const count = (f: Op): number => slabsOf(programOf(f, [x])).length;
    // Sums over the pictures that the next instruction needs.
    expect(count((a) => [a.sum([1, 2]), a.sub(a.sum(0)).sum([1, 2])])).toBe(0);
    // Little work, and a batch of one.
    expect(slabsOf(programOf((a) => lt.groupNorm(a, 4), [randomFloats([8, 4, 4, 16], 8)]))).toEqual([]);
    expect(slabsOf(programOf((a) => lt.groupNorm(a, 4), [randomFloats([1, 256, 256, 16], 9)]))).toEqual([]);
  });
});
