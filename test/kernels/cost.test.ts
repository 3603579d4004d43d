// What training costs on WebGPU, counted exactly on devices that compute nothing: dispatches, submissions, pipelines, bind
// groups, memory. A regression shows here without a GPU. The numbers are what they are known to be, not what they should
// be: change them with the change that moves them, and say why.

import { afterEach, expect, it } from 'vitest';
import { sizeOf } from '../../engine/dtype.ts';
import * as lt from '../../index.ts';
import type { Counters, WebGpuBackend } from '../../kernels/backend.ts';
import { describeDawn } from './support.ts';
import { openNull } from './valid.ts';

/** A training step as the trainer makes it: batch in, parameters in place, loss out. */
function trainer(model: lt.nn.Model, shape: readonly number[]) {
  const batch = shape[0];
  const optimiser = lt.optim.sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4 });
  // Nothing is left to the garbage collector, whose moment would show in the counts.
  const { params, state, momentum } = lt.scope(() => {
    const variables = model.init(lt.random.key(1), shape);
    return { ...variables, momentum: optimiser.init(variables.params) };
  });
  const step = lt.jit(
    (p, s, o, x: lt.Tensor, y: lt.Tensor) => {
      const loss = (q: typeof params) => {
        const out = model.apply({ params: q, state: s }, x, { train: true });
        return [lt.crossEntropy(out.output, y), out.state];
      };
      const [[value, next], grads] = lt.valueAndGrad(loss, { hasAux: true })(p);
      const updated = optimiser.update(grads, o, p);
      return [updated.params, next, updated.state, value];
    },
    { donate: [0, 1, 2], name: 'step' },
  );
  // biome-ignore lint/suspicious/noExplicitAny: trees of three forms
  let now: any[] = [params, state, momentum];
  return {
    async step(): Promise<void> {
      const given = [lt.tensor(new Float32Array(sizeOf(shape)), { shape }), lt.tensor(new Int32Array(batch))];
      const next = step(
        ...(now as [never, never, never]),
        ...(given as [lt.Tensor, lt.Tensor]),
      ) as typeof now;
      for (const t of given) t.dispose();
      now = next.slice(0, 3);
      await next[3].data();
      next[3].dispose();
    },
    dispose(): void {
      for (const t of lt.tree.flatten<lt.Tensor>(now as never).leaves) t.dispose();
      step.dispose();
    },
  };
}

/** What is done between two readings. */
const since = (now: Counters, before: Counters) => ({
  dispatches: now.dispatches - before.dispatches,
  submits: now.submits - before.submits,
  pipelines: now.pipelines - before.pipelines,
  bindGroups: now.bindGroups - before.bindGroups,
});

/** Of one training step of ResNet-18 (CIFAR stem, full width) on 4 pictures; bytes of everything there is on the device. */
const RESNET18 = {
  'no optional features': { dispatches: 288, pipelines: 137, buffers: 461, bytes: 153093376 },
  'subgroups of 32': { dispatches: 288, pipelines: 137, buffers: 461, bytes: 153093376 },
  software: { dispatches: 264, pipelines: 113, buffers: 470, bytes: 151792896 },
};

describeDawn('the cost of training', () => {
  let backend: WebGpuBackend;
  const start = async (kind: string): Promise<WebGpuBackend> => {
    backend = await openNull(kind);
    lt.useBackend(backend);
    return backend;
  };
  afterEach(async () => {
    lt.useBackend(null);
    await backend.close();
  });

  it.each(Object.entries(RESNET18))(
    'a step of ResNet-18, %s',
    async (kind, { dispatches, pipelines, ...memory }) => {
      const b = await start(kind);
      const t = trainer(lt.nn.resnet18({ classes: 10 }), [4, 32, 32, 3]);
      await b.sync();
      const before = b.counters();
      await t.step();
      const first = b.counters();
      // The replay is one submission, reading the loss another.
      expect(since(first, before)).toEqual({ dispatches, submits: 2, pipelines, bindGroups: dispatches });
      await t.step();
      const second = b.counters();
      await t.step();
      const third = b.counters();
      expect(since(third, second)).toEqual({ dispatches, submits: 2, pipelines: 0, bindGroups: 0 });
      expect(third).toMatchObject(memory);
      t.dispose();
    },
  );

  it('a thousand steps leave no more behind than a few', async () => {
    const b = await start('no optional features');
    const model = lt.nn.sequential([
      lt.nn.conv2d(4),
      lt.nn.batchNorm(),
      lt.nn.relu(),
      lt.nn.flatten(),
      lt.nn.dense(3),
    ]);
    const t = trainer(model, [2, 6, 6, 1]);
    for (let i = 0; i < 5; i++) await t.step();
    await b.sync();
    const [memory, before] = [b.memory(), b.counters()];
    for (let i = 0; i < 1000; i++) await t.step();
    await b.sync();
    expect(b.memory()).toEqual(memory);
    const { buffers, bytes, pipelines, bindGroups } = b.counters();
    expect({ buffers, bytes, pipelines, bindGroups }).toMatchObject({
      buffers: before.buffers,
      bytes: before.bytes,
      pipelines: before.pipelines,
      bindGroups: before.bindGroups,
    });
    t.dispose();
  });
});
