// What one training step of a recipe's model costs on the device in use: a few real steps on real images, timed.
// For estimates only; nothing that is measured here is kept, and nothing is written.

import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { batches } from '../data/batches.ts';
import type { Recipe } from '../recipe.ts';
import type { Dataset } from '../types.ts';
import { disposeAll, parameterCount } from '../weights.ts';
import type { StepCost } from './parts.ts';

/** Timed repetitions; the quickest counts. */
const TIMES = 3;
/** A step that would take longer than this, in seconds, is measured on a few samples instead of a whole batch. */
const PATIENCE = 2;
const FEW = 2;

export async function measureStep(model: Model, recipe: Recipe, dataset: Dataset): Promise<StepCost> {
  const whole = Math.min(recipe.train.batchSize, dataset.train.size);
  const few = Math.min(FEW, whole);
  const trial = await measure(model, dataset, few);
  const slow = trial.trainSeconds * whole > PATIENCE;
  return slow || few === whole ? trial : measure(model, dataset, whole);
}

async function measure(model: Model, dataset: Dataset, batchSize: number): Promise<StepCost> {
  const [batch] = batches(dataset.train, { batchSize });
  const shape = [batchSize, ...dataset.shape];
  const key = lt.random.key(0);
  const variables = model.init(key, shape);
  const x = lt.tensor(batch.images, { shape });
  const y = lt.tensor(batch.labels);
  const step = lt.jit(({ params, state }: Variables, x: lt.Tensor, y: lt.Tensor, key: lt.Tensor) => {
    const loss = (p: Variables['params']): [lt.Tensor, Variables['state']] => {
      const { output, state: next } = model.apply({ params: p, state }, x, { train: true, key });
      return [lt.crossEntropy(output, y), next];
    };
    const [[value], grads] = lt.valueAndGrad(loss, { hasAux: true })(params);
    const after = lt.tree.map((p: lt.Tensor, g: lt.Tensor) => p.sub(g.mul(0)), params, grads);
    return [value, after];
  });
  const look = lt.jit((v: Variables, x: lt.Tensor) => model.apply(v, x).output);
  try {
    const first = await timed(() => step(variables, x, y, key));
    // Where even a few samples take long, once must do.
    const train = first > PATIENCE ? first : await quickest(() => step(variables, x, y, key));
    const glance = await timed(() => look(variables, x));
    const infer = glance > PATIENCE ? glance : await quickest(() => look(variables, x));
    return {
      parameters: parameterCount(variables),
      trainSeconds: train / batchSize,
      inferSeconds: infer / batchSize,
      startSeconds: Math.max(0, first - train),
      bytes: process.memoryUsage().rss,
    };
  } finally {
    step.dispose();
    look.dispose();
    disposeAll(variables);
    for (const tensor of [x, y, key]) tensor.dispose();
  }
}

async function quickest(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) times.push(await timed(work));
  return Math.min(...times);
}

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now();
  await lt.scope(async () => {
    work();
    await lt.sync();
  });
  return (performance.now() - started) / 1000;
}
