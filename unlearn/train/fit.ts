// The one training loop: stochastic gradient steps over one or more passes an epoch, for training a network and for
// every method that fine-tunes one. What is minimised, on which data and with which labels is handed in; options with
// defaults, initial weights and what a method means by its result are not here.
//
// The order of the samples, their augmentation and the random numbers of a step depend on (seed, epoch, position) only,
// so that a loop stopped anywhere goes on from its checkpoint to the same bits.

import { check } from '../../engine/error.ts';
import type { Model, Variables } from '../../engine/nn/types.ts';
import type { Optimiser, Schedule } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import { type Augment, type Batch, batchCount, batches } from '../data/batches.ts';
import { philox } from '../random.ts';
import type { CheckpointStore, Cost, Progress, Split } from '../types.ts';
import { type Carry, load, save } from './checkpoint.ts';
import { checkFinite, diverged, rateAt } from './guard.ts';
import { breathe, Meter } from './meter.ts';
import { chosen, firstScaling, nextScaling, type Scaling, unscale } from './precision.ts';

/** Once over a split. An epoch has one or more of them, in order. */
export interface Pass {
  readonly name: string;
  readonly split: Split;
  /** Labels to train towards instead of the true ones; must depend on the batch and the epoch only. */
  readonly labels?: (batch: Batch, epoch: number) => Int32Array;
  readonly augment?: Augment;
}

export interface FitInput {
  /** For progress, messages and the checkpoint: the method's name, or 'train'. */
  readonly name: string;
  readonly model: Model;
  /** Where to start; they stay the caller's. */
  readonly variables: Variables;
  readonly passes: readonly Pass[];
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: Optimiser;
  /** The rate the optimiser follows, for reports. */
  readonly learningRate: Schedule;
  /** Scalar to be minimised; cross-entropy by default. */
  readonly loss?: (logits: lt.Tensor, labels: lt.Tensor) => lt.Tensor;
  /** 'frozen': batch normalisation uses its running statistics and leaves them as they are. */
  readonly batchNorm?: 'train' | 'frozen';
  /** 'mixed': forward and backward passes in float16, see precision.ts. Default 'float32'. */
  readonly precision?: 'float32' | 'mixed';
  /** 0 .. 2^53 - 1; decides order, augmentation and dropout. */
  readonly seed: number;
  /** Said after 'the loss became NaN': what to try. */
  readonly advice?: string;
  /** After each epoch, with the variables as they are then (borrowed); what it returns joins the history. */
  readonly afterEpoch?: (variables: Variables, epoch: number) => Promise<Record<string, number>>;
  /** After each epoch, with its record at the end of the history. */
  readonly onEpoch?: (history: readonly EpochRecord[]) => void;
  /** Return the variables of the epoch in which this fact of `afterEpoch` was highest, the first of equals. */
  readonly keepBest?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly checkpoint?: CheckpointStore;
  /** What else the result depends on: a checkpoint with another identity is refused. */
  readonly identity?: string;
  /**
   * Seconds between two saves within an epoch, 20 by default, for a store that does not say when it is `due`. Each
   * epoch's end is saved if the store writes then.
   */
  readonly saveEverySeconds?: number;
}

export interface EpochRecord {
  readonly epoch: number;
  /** Mean over the epoch's samples. */
  readonly loss: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  readonly [fact: string]: number;
}

export interface FitResult {
  readonly variables: Variables;
  readonly cost: Cost;
  readonly history: readonly EpochRecord[];
}

/** Steps the device may lag behind: batch k + 1 is prepared while step k runs. */
const AHEAD = 2;
const STEP_KEY = 0x73746570;

/**
 * Runs the loop. On an error or an abort everything it made is disposed.
 * @throws what the signal was aborted with; LetheError 'value' when the loss or the weights stop being finite.
 */
export async function fitModel(input: FitInput): Promise<FitResult> {
  const { name, passes, epochs, batchSize, seed, signal, saveEverySeconds = 20 } = input;
  signal?.throwIfAborted();
  const counts = passes.map(({ split }) => batchCount(split, { batchSize }));
  const stepsPerEpoch = counts.reduce((a, b) => a + b, 0);
  const samplesPerEpoch = passes.reduce((sum, { split }) => sum + split.size, 0);
  check(stepsPerEpoch > 0, 'value', () => `${name}: there are no samples to train on`);
  const sizes = passes.flatMap((p) => [p.name, p.split.size]);
  const identity = [name, epochs, batchSize, seed, ...sizes, input.identity ?? ''].join(' ');

  const step = compileStep(input);
  const started = performance.now();
  let carry: Carry = lt.scope(() => ({
    variables: copyOf(input.variables),
    optimizer: input.optimizer.init(input.variables.params),
    scaling: null,
    best: input.keepBest ? copyOf(input.variables) : null,
  }));
  const pending: { at: Position; value: Promise<ArrayLike<number>> }[] = [];
  try {
    if (input.precision === 'mixed') carry.scaling = firstScaling(name);
    const restored = await load(input.checkpoint, identity, carry);
    const note = restored?.note ?? { step: 0, sum: 0, samples: 0, seconds: 0, history: [] };
    if (restored) carry = restored.carry;
    const seconds = () => note.seconds + (performance.now() - started) / 1000;
    const meter = new Meter(name, epochs, samplesPerEpoch, input.onProgress);

    const settle = async (): Promise<void> => {
      const next = pending.shift();
      if (!next) return;
      const loss = (await next.value)[0];
      if (!Number.isFinite(loss))
        throw await diverged(input, `the loss became ${loss}`, next.at.step, stepsPerEpoch);
      note.sum += loss * next.at.size;
      note.samples += next.at.size;
      meter.show(next.at, stepsPerEpoch, note.samples, note.sum / note.samples);
    };
    const drain = async (): Promise<void> => {
      while (pending.length > 0) await settle();
    };
    let saved = performance.now();
    const due = (seconds: number): boolean =>
      input.checkpoint !== undefined &&
      performance.now() - saved >= 1000 * seconds &&
      (input.checkpoint.due?.() ?? true);
    const keep = async (): Promise<void> => {
      await drain();
      await save(input.checkpoint, identity, carry, { ...note, seconds: seconds() });
      saved = performance.now();
    };

    for (const { at, batch, pass } of walk(input, counts, note.step)) {
      if (signal?.aborted) {
        await keep();
        throw signal.reason;
      }
      const labels = pass.labels?.(batch, at.epoch) ?? batch.labels;
      const given: [lt.Tensor, lt.Tensor, lt.Tensor] = [
        lt.tensor(batch.images, { shape: [at.size, ...pass.split.shape] }),
        lt.tensor(labels),
        stepKey(seed, at.step),
      ];
      const [params, state, optimizer, scaling, loss] = step(
        carry.variables.params,
        carry.variables.state,
        carry.optimizer,
        carry.scaling,
        ...given,
      );
      carry = { ...carry, variables: { params, state }, optimizer, scaling };
      for (const tensor of given) tensor.dispose();
      const value: Promise<ArrayLike<number>> = loss.data();
      value.catch(() => {}); // Seen when it is awaited, if something else has not failed before.
      loss.dispose();
      pending.push({ at, value });
      note.step = at.step + 1;
      if (pending.length > AHEAD) await settle();
      await breathe();
      if (note.step % stepsPerEpoch === 0) {
        await drain();
        const facts = {
          ...(await scalingFacts(input, carry.scaling, note.step, stepsPerEpoch)),
          ...(await input.afterEpoch?.(carry.variables, at.epoch)),
        };
        const learningRate = await rateAt(input, at.step);
        const epoch = { epoch: at.epoch + 1, loss: note.sum / note.samples, learningRate, ...facts };
        if (input.keepBest && isBest(epoch, note.history, input.keepBest)) {
          disposeTree(carry.best);
          carry.best = copyOf(carry.variables);
        }
        note.history.push(epoch);
        input.onEpoch?.(note.history);
        note.sum = note.samples = 0;
        if (at.epoch + 1 < epochs && due(0)) await keep();
      } else if (due(input.checkpoint?.due ? 1 : saveEverySeconds)) await keep();
    }
    await checkFinite(input, carry.variables, stepsPerEpoch);
    meter.finish();
    const skipped = carry.scaling && { skippedSteps: await carry.scaling.skipped.item() };
    const cost = {
      seconds: seconds(),
      gradientSteps: note.step - (skipped?.skippedSteps ?? 0),
      samplesVisited: epochs * samplesPerEpoch,
      ...skipped,
    };
    return { variables: copyOf(carry.best ?? carry.variables), cost, history: note.history };
  } finally {
    await Promise.allSettled(pending.map((p) => p.value));
    disposeTree(carry);
    step.dispose();
  }
}

/** Where a step stands. */
export interface Position {
  /** Over all epochs, from 0. */
  readonly step: number;
  readonly epoch: number;
  readonly pass: string;
  readonly size: number;
}

/** The batches from a step on, epoch by epoch and pass by pass. */
function* walk({ passes, epochs, batchSize, seed }: FitInput, counts: readonly number[], from: number) {
  const perEpoch = counts.reduce((a, b) => a + b, 0);
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    if (step + perEpoch <= from) {
      step += perEpoch;
      continue;
    }
    for (const [p, pass] of passes.entries()) {
      const startBatch = Math.min(counts[p], Math.max(0, from - step));
      step += startBatch;
      const order = { shuffle: true, seed, epoch: epoch * passes.length + p, augment: pass.augment };
      for (const batch of batches(pass.split, { batchSize, startBatch, ...order })) {
        const at: Position = { step: step++, epoch, pass: pass.name, size: batch.labels.length };
        yield { at, batch, pass };
      }
    }
  }
}

function compileStep({ name, model, optimizer, loss = lt.crossEntropy, batchNorm = 'train' }: FitInput) {
  const frozenStatistics = batchNorm === 'frozen';
  return lt.jit(
    (
      params: Variables['params'],
      state: Variables['state'],
      optimizerState: lt.optim.OptimiserState,
      scaling: Scaling | null,
      x: lt.Tensor,
      y: lt.Tensor,
      key: lt.Tensor,
    ) => {
      const inside = (t: lt.Tensor): lt.Tensor => (scaling ? t.astype('float16') : t);
      const objective = (p: Variables['params']): [lt.Tensor, [lt.Tensor, Variables['state']]] => {
        const variables = { params: lt.tree.map(inside, p), state };
        const out = model.apply(variables, inside(x), { train: true, key, frozenStatistics });
        const value = loss(scaling ? out.output.astype('float32') : out.output, y);
        return [scaling ? value.mul(scaling.scale) : value, [value, out.state]];
      };
      const [[, [value, nextState]], grads] = lt.valueAndGrad(objective, { hasAux: true })(params);
      if (scaling === null) {
        const next = optimizer.update(grads, optimizerState, params);
        return [next.params, nextState, next.state, null, value] as const;
      }
      const { grads: unscaled, finite } = unscale(grads, scaling);
      const next = optimizer.update(unscaled, optimizerState, params);
      return [
        ...chosen(
          finite,
          [next.params, nextState, next.state] as const,
          [params, state, optimizerState] as const,
        ),
        nextScaling(scaling, finite),
        value,
      ] as const;
    },
    { donate: [0, 1, 2, 3], name: `${name} step` },
  );
}

/** What an epoch's record says of mixed precision. @throws LetheError 'value' where no scale helps. */
async function scalingFacts(
  input: FitInput,
  scaling: Scaling | null,
  steps: number,
  perEpoch: number,
): Promise<Record<string, number>> {
  if (scaling === null) return {};
  const { scale, good, skipped } = scaling;
  const [lossScale, row, skippedSteps] = await Promise.all([scale.item(), good.item(), skipped.item()]);
  if (lossScale === 1 && row === 0) {
    const what = 'gradients are beyond float16 even without a loss scale';
    const advice = "train with precision 'float32'";
    throw await diverged({ ...input, advice }, what, steps - 1, perEpoch);
  }
  return { skippedSteps, lossScale };
}

/** Random numbers of a step (dropout), as a key. */
function stepKey(seed: number, step: number): lt.Tensor {
  const words = new Uint32Array(4);
  philox(step, 0, STEP_KEY, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
  return lt.tensor(words.slice(0, 2));
}

/** Other handles on the same values: giving these away leaves the caller's alone. */
export function copyOf({ params, state }: Variables): Variables {
  const alias = (tensor: lt.Tensor) => lt.reshape(tensor, tensor.shape);
  return { params: lt.tree.map(alias, params), state: lt.tree.map(alias, state) };
}

const isBest = (epoch: EpochRecord, before: readonly EpochRecord[], fact: string): boolean =>
  before.every((e) => epoch[fact] > e[fact]);

function disposeTree(tree: unknown): void {
  for (const tensor of lt.tree.flatten<lt.Tensor>(tree).leaves) tensor.dispose();
}
