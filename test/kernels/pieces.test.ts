// Arrays larger than a kernel may bind, on a backend that is told to bind no more than 8 KiB: what is elementwise runs in
// pieces and gives the very values that it gives whole; what cannot be cut says so.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { useBackend } from '../../engine/runtime.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { describeGpu, open } from './support.ts';

const values = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(seed + 0.37 * i));

describeGpu('arrays beyond a binding', () => {
  let whole: WebGpuBackend;
  let small: WebGpuBackend;
  beforeAll(async () => {
    whole = await open();
    small = await open({ limits: { bindingBytes: 8192 } });
  });
  afterEach(() => useBackend(null));
  afterAll(async () => {
    await whole.close();
    await small.close();
  });

  /** Runs f of uploaded arrays on both backends; answers with the result and the dispatches of the small one. */
  const both = async (
    f: (...xs: lt.Tensor[]) => lt.Tensor,
    shapes: readonly (readonly number[])[],
    donate: readonly number[] = [],
  ): Promise<{ same: boolean; dispatches: number }> => {
    const run = async (backend: WebGpuBackend) => {
      useBackend(backend);
      const xs = shapes.map((shape, i) =>
        lt.tensor(
          values(
            shape.reduce((n, s) => n * s, 1),
            i,
          ),
          { shape },
        ),
      );
      const compiled = lt.jit(f, { donate: [...donate] });
      const before = backend.counters().dispatches;
      const y = compiled(...xs) as lt.Tensor;
      const data = await y.data();
      return { data: [...data].map(Number), dispatches: backend.counters().dispatches - before };
    };
    const [want, got] = [await run(whole), await run(small)];
    expect(got.data.length).toBe(want.data.length);
    return { same: got.data.every((x, i) => Object.is(x, want.data[i])), dispatches: got.dispatches };
  };

  it('adds two of them in as many dispatches as it takes', async () => {
    // At most 2048 elements to a piece.
    expect(await both((x, y) => x.add(y), [[5000], [5000]])).toEqual({ same: true, dispatches: 3 });
    expect(await both((x, y) => x.add(y), [[2048], [2048]])).toEqual({ same: true, dispatches: 1 });
  });
  it('broadcasts small operands, and large ones', async () => {
    expect((await both((x, b) => x.mul(b).tanh(), [[70, 100], [100]])).same).toBe(true);
    expect(
      (
        await both(
          (x, b) => x.mul(b).tanh(),
          [
            [70, 100],
            [70, 1],
          ],
        )
      ).same,
    ).toBe(true);
    expect(
      (
        await both(
          (x, b) => x.mul(b),
          [
            [3, 2500],
            [1, 2500],
          ],
        )
      ).same,
    ).toBe(true);
  });
  it('reads views that are shifted or turned round', async () => {
    const { same, dispatches } = await both(
      (x) => lt.slice(x, [1], [4999]).sub(lt.slice(x, [0], [4999])),
      [[5000]],
    );
    expect(same).toBe(true);
    expect(dispatches).toBeGreaterThan(2);
    expect(
      (
        await both(
          (x, y) => lt.flip(x, 0).add(y),
          [
            [90, 64],
            [90, 64],
          ],
        )
      ).same,
    ).toBe(true);
  });
  it('works in place on what was given away', async () => {
    const { same, dispatches } = await both((x, y) => x.mul(0.5).add(y), [[5000], [5000]], [0]);
    expect({ same, dispatches }).toEqual({ same: true, dispatches: 3 });
  });
  it('writes results of other types', async () => {
    expect((await both((x) => x.less(0.25), [[9000]])).same).toBe(true);
    expect((await both((x) => lt.where(x.less(0), x.neg(), x), [[9000]])).same).toBe(true);
  });
  it('says what is too large for anything else', async () => {
    useBackend(small);
    const x = lt.tensor(values(4096, 0), { shape: [64, 64] });
    expect(() => lt.matmul(x, x)).toThrow(/4096 elements takes 16384 bytes; this device binds at most 8192/);
    // A column of the transposed view reaches over all of x: hundreds of pieces.
    const wide = lt.tensor(values(64, 1), { shape: [64] });
    expect(() => lt.transpose(x).mul(wide)).toThrow(/binds at most 8192/);
  });
});
