// One step of a small CNN, as trained: convolution, pooling, a dense layer, cross-entropy, SGD with momentum. It must do
// what the reference does, and cost what it is known to cost, so that a regression shows without a GPU.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { createReferenceBackend } from '../../engine/reference.ts';
import * as lt from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { describeGpu, open } from './support.ts';

const BATCH = 8;

function data() {
  const wave = (n: number, f: number, scale: number) =>
    Float32Array.from({ length: n }, (_, i) => Math.sin(i * f) * scale);
  const t = (shape: number[], f: number, scale: number) =>
    lt.tensor(
      wave(
        shape.reduce((a, b) => a * b, 1),
        f,
        scale,
      ),
      { shape },
    );
  const params = {
    conv: t([3, 3, 3, 8], 1.7, 0.3),
    bias: t([8], 0.9, 0.1),
    dense: t([5 * 5 * 8, 10], 2.3, 0.2),
  };
  const velocity = lt.tree.map((p: lt.Tensor) => lt.zerosLike(p), params);
  const x = t([BATCH, 10, 10, 3], 0.37, 1);
  const y = lt.tensor(
    Int32Array.from({ length: BATCH }, (_, i) => (i * 3) % 10),
    { shape: [BATCH], dtype: 'int32' },
  );
  return { params, velocity, x, y };
}
type Params = ReturnType<typeof data>['params'];

const loss = (p: Params, x: lt.Tensor, y: lt.Tensor): lt.Tensor => {
  const h = lt.conv2d(x, p.conv, { padding: 'same' }).add(p.bias).relu();
  const pooled = lt.maxPool2d(h, { size: 2, stride: 2 });
  return lt.crossEntropy(lt.matmul(pooled.reshape([BATCH, -1]), p.dense), y);
};
const step = (p: Params, v: Params, x: lt.Tensor, y: lt.Tensor) => {
  const [value, grads] = lt.valueAndGrad(loss)(p, x, y) as [lt.Tensor, Params];
  const velocity = lt.tree.map((a: lt.Tensor, g: lt.Tensor) => a.mul(0.9).add(g), v, grads) as Params;
  const params = lt.tree.map((a: lt.Tensor, b: lt.Tensor) => a.sub(b.mul(0.1)), p, velocity) as Params;
  return { value, params, velocity };
};

async function train(steps: number): Promise<{ losses: number[]; conv: number[] }> {
  const { params, velocity, x, y } = data();
  const compiled = lt.jit(step, { donate: [0, 1] });
  let state = { params, velocity };
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const next = compiled(state.params, state.velocity, x, y);
    losses.push((await next.value.data())[0]);
    next.value.dispose();
    state = next;
  }
  const conv = [...(await state.params.conv.data())];
  compiled.dispose();
  for (const t of [x, y, ...lt.tree.flatten(state.params).leaves, ...lt.tree.flatten(state.velocity).leaves])
    (t as lt.Tensor).dispose();
  return { losses, conv };
}

describeGpu('a training step', () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await open();
  });
  afterAll(async () => {
    lt.useBackend(null);
    await gpu.close();
  });

  it('learns what the reference learns', async () => {
    lt.useBackend(createReferenceBackend());
    const want = await train(6);
    lt.useBackend(gpu);
    const got = await train(6);
    expect(want.losses[5]).toBeLessThan(want.losses[0]);
    got.losses.forEach((l, i) => {
      expect(Math.abs(l - want.losses[i])).toBeLessThan(1e-5 * Math.max(1, want.losses[i]));
    });
    got.conv.forEach((w, i) => {
      expect(Math.abs(w - want.conv[i])).toBeLessThan(2e-5);
    });
  });

  it('leaves buffers and bytes where they were', () => {
    expect(gpu.memory()).toEqual({ buffers: 0, bytes: 0 });
  });

  it('is one submission; dispatches and pipelines are counted', async () => {
    // A device of its own: pipelines that are known already are not compiled again.
    const fresh = await open();
    lt.useBackend(fresh);
    const { params, velocity, x, y } = data();
    const compiled = lt.jit(step, { donate: [0, 1] });
    const before = fresh.counters();
    let state = compiled(params, velocity, x, y);
    await fresh.sync();
    const first = fresh.counters();
    state = compiled(state.params, state.velocity, x, y);
    await fresh.sync();
    const second = fresh.counters();
    expect(second.submits - first.submits).toBe(1);
    expect(second.pipelines - first.pipelines).toBe(0);
    expect({
      dispatches: second.dispatches - first.dispatches,
      pipelines: first.pipelines - before.pipelines,
    }).toMatchInlineSnapshot(`
      {
        "dispatches": 17,
        "pipelines": 17,
      }
    `);
    expect(state.value.shape).toEqual([]);
    lt.useBackend(null);
    await fresh.close();
  });
});
