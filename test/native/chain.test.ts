// Chains of elementwise operations in C++: the bits of the same operations one after the other, at lengths around what is
// done at once, with every place an operand can have.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import * as lt from '../../index.ts';
import { createCpuBackend, describeKernels } from '../../native/backend.ts';
import { describeCpu, random, randomFloats } from './support.ts';

let cpu: Backend;
beforeAll(async () => {
  cpu = await createCpuBackend({ threads: 2 });
});
afterAll(() => cpu.close());

type Unary = (x: lt.Tensor) => lt.Tensor;
const LENGTHS = [1, 15, 16, 17, 33, 64, 127, 128, 129, 197, 500, 1000];

/** Operations that a chain can hold, drawn at random; `others`: a block and a single value. */
function drawn(seed: number, others: readonly lt.Tensor[]): Unary {
  const next = random(seed);
  const steps = Array.from({ length: 3 + Math.floor(next() * 12) }, (): Unary => {
    const other = others[Math.floor(next() * others.length)];
    const choices: Unary[] = [
      (x) => x.add(other),
      (x) => lt.add(other, x),
      (x) => x.sub(other),
      (x) => lt.sub(other, x),
      (x) => x.mul(other),
      (x) => lt.mul(other, x),
      (x) => x.mul(x),
      (x) => x.neg(),
      // Small enough to stay far from infinity.
      (x) => x.neg().mul(x).exp(),
    ];
    return choices[Math.floor(next() * choices.length)];
  });
  return (x) => steps.reduce((value, f) => f(value), x);
}

describeCpu('chains', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'random operations %i: the bits of one by one',
    async (seed) => {
      lt.useBackend(cpu);
      let chains = 0;
      for (const n of LENGTHS) {
        const [x, block] = [1, 2].map((k) => lt.tensor(randomFloats([n], seed + k, 1).data as Float32Array));
        const single = lt.tensor(0.75);
        const f = drawn(seed, [block, single]);
        const whole = lt.jit((a: lt.Tensor, b: lt.Tensor, c: lt.Tensor) => drawn(seed, [b, c])(a));
        const want = await f(x).data();
        const got = await whole(x, block, single).data();
        expect(new Uint32Array(got.buffer)).toEqual(new Uint32Array(want.buffer));
        chains += describeKernels(whole.program(x, block, single)).split('chain').length - 1;
      }
      expect(chains).toBeGreaterThan(0);
      lt.useBackend(null);
    },
  );

  it('keeps what is used again, and NaN and infinities where they are', async () => {
    lt.useBackend(cpu);
    const x = randomFloats([333], 5).data as Float32Array;
    x.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0], 128);
    const f = (a: lt.Tensor): lt.Tensor[] => {
      const b = a.sub(0.5);
      const c = b.mul(a);
      const d = c.add(b).mul(c);
      return [c, d, d.sub(a)];
    };
    const want = f(lt.tensor(x));
    const got = lt.jit(f)(lt.tensor(x));
    for (let k = 0; k < want.length; k++)
      expect(new Uint32Array((await got[k].data()).buffer)).toEqual(
        new Uint32Array((await want[k].data()).buffer),
      );
    lt.useBackend(null);
  });

  it('writes over an operand that was given away', async () => {
    lt.useBackend(cpu);
    const x = randomFloats([1003], 6).data as Float32Array;
    const f = (a: lt.Tensor, b: lt.Tensor): lt.Tensor => a.mul(0.9).add(b).mul(a).sub(b);
    const b = lt.tensor(randomFloats([1003], 7).data as Float32Array);
    const want = await f(lt.tensor(x), b).data();
    const got = await lt
      .jit(f, { donate: [0] })(lt.tensor(x), b)
      .data();
    expect(new Uint32Array(got.buffer)).toEqual(new Uint32Array(want.buffer));
    lt.useBackend(null);
  });

  it('sums on the way are those of each row, wherever it lies in a batch', async () => {
    lt.useBackend(cpu);
    const [rows, n] = [61, 197];
    const data = randomFloats([rows, n], 8).data as Float32Array;
    const f = lt.jit((x: lt.Tensor) => {
      const c = x.sub(x.mean(1, true));
      return c.mul(c).sum(1);
    });
    const all = await f(lt.tensor(data, { shape: [rows, n] })).data();
    for (const first of [0, 3, 17, rows - 16]) {
      const part = await f(lt.tensor(data.slice(first * n, (first + 16) * n), { shape: [16, n] })).data();
      expect(part).toEqual(all.slice(first, first + 16));
    }
    lt.useBackend(null);
  });
});
