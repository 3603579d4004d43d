// What one training step of a recipe's model costs on the device in use: a few real steps on real images, timed.
// For estimates only; nothing that is measured here is kept, and nothing is written.

import { totalmem } from 'node:os';
import { check } from '../../engine/error.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { Recipe } from '../recipe.ts';
import { tasks } from '../tasks/index.ts';
import type { Batch, Tensors } from '../tasks/record.ts';
import { disposeTree, tensorsOf } from '../train/feed.ts';
import { networkOf } from '../train/network.ts';
import { meanLoss } from '../train/objective.ts';
import { compileStep, type StepState } from '../train/step.ts';
import type { Dataset } from '../types.ts';
import { parameterCount } from '../weights.ts';
import type { StepCost } from './parts.ts';

/** Timed repetitions; the quickest counts. */
const TIMES = 3;
/** Of the weights, what any training holds at once: themselves, their gradients, the momentum. */
const COPIES = 3;
/** A step that would take longer than this, in seconds, is measured on a few samples instead of a whole batch. */
const MAX_SECONDS = 2;
const FEW_SAMPLES = 2;

/** @throws LetheError 'value' for a model that this machine has no room for; what the step throws. */
export async function measureStep(model: Model, recipe: Recipe, dataset: Dataset): Promise<StepCost> {
  checkRoom(model, dataset);
  const whole = Math.min(recipe.train.batchSize, dataset.train.size);
  const few = Math.min(FEW_SAMPLES, whole);
  const trial = await measure(model, dataset, few);
  const slow = trial.trainSeconds * whole > MAX_SECONDS;
  return slow || few === whole ? trial : measure(model, dataset, whole);
}

/**
 * A system hands out more memory than it has, and ends the process that uses it: what cannot be is found out before.
 */
function checkRoom(model: Model, { shape }: Dataset): void {
  const key = lt.random.key(0);
  const { params } = lt.evalShape((k: lt.Tensor) => model.init(k, [1, ...shape]), key) as Variables;
  key.dispose();
  const leaves = lt.tree.flatten<lt.ShapeOf>(params).leaves;
  const count = leaves.reduce((sum, leaf) => sum + leaf.shape.reduce((a, b) => a * b, 1), 0);
  const room = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const needed = COPIES * Float32Array.BYTES_PER_ELEMENT * count;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
  check(
    needed <= room,
    'value',
    () =>
      `model: ${model.name} with ${count.toLocaleString('en')} parameters takes ${gib(needed)} to train (weights, gradients, momentum); expected a model for the ${gib(room)} of this machine`,
  );
}

async function measure(model: Model, dataset: Dataset, batchSize: number): Promise<StepCost> {
  const task = tasks.classification;
  const [batch] = task.batches(dataset.train, { batchSize }) as Iterable<Batch>;
  const given = { data: tensorsOf(batch) };
  const key = lt.random.key(0);
  const network = networkOf(model);
  const optimizer = lt.optim.sgd({ learningRate: 0, momentum: 0.9 });
  const variables = model.init(key, task.inputShape(dataset.train, batchSize));
  const parameters = parameterCount(variables);
  let state: StepState = { variables, optimizer: optimizer.init(variables.params), scaling: null };
  const step = compileStep({ name: 'measure', model, task, optimizer }, meanLoss('data'));
  const look = lt.jit((v: Variables, { images }: Tensors) => network(v, images).output, { name: 'measure' });
  const train = () => {
    const { loss, ...next } = step(state, given, key);
    loss.dispose();
    state = next;
  };
  const infer = () => look(state.variables, given.data).dispose();
  try {
    const first = await timed(train);
    // Where even a few samples take long, once must do.
    const each = first > MAX_SECONDS ? first : await quickest(train);
    const glance = await timed(infer);
    const seen = glance > MAX_SECONDS ? glance : await quickest(infer);
    return {
      parameters,
      trainSeconds: each / batchSize,
      inferSeconds: seen / batchSize,
      startSeconds: Math.max(0, first - each),
      bytes: process.memoryUsage().rss,
    };
  } finally {
    step.dispose();
    look.dispose();
    disposeTree([state, given, key]);
  }
}

async function quickest(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) times.push(await timed(work));
  return Math.min(...times);
}

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now();
  work();
  await lt.sync();
  return (performance.now() - started) / 1000;
}
