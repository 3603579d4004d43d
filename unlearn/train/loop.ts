// The one training loop: a state, a step, and hooks. Stochastic gradient steps over the passes of a schedule, for training
// a network and for every method that fine-tunes one. What is minimised, on which sets and how a step updates is handed
// in; checkpoints, progress, the best epoch and averages are hooks (hooks.ts). Options with defaults, initial weights and
// what a method means by its result are not here.
//
// The order of the samples, their augmentation and the random numbers of a step depend on (seed, epoch, position) only,
// so that a loop stopped anywhere goes on from its checkpoint to the same bits.

import type { Model, Variables } from '../../engine/nn/types.ts';
import type { Optimiser, Schedule as Rate } from '../../engine/optim.ts';
import * as lt from '../../index.ts';
import { philox } from '../random.ts';
import { tasks } from '../tasks/index.ts';
import type { Samples, Task } from '../tasks/record.ts';
import type { CheckpointStore, Cost, Progress } from '../types.ts';
import type { Carry, Note } from './checkpoint.ts';
import { copyOf, disposeTree, tensorsOf } from './feed.ts';
import { checkFinite, diverged, rateAt } from './guard.ts';
import { checkpoints, type Hook, meter, scalingFacts } from './hooks.ts';
import { yieldToEventLoop } from './meter.ts';
import { meanLoss, type Objective } from './objective.ts';
import { firstScaling } from './precision.ts';
import { type Pass, type Position, Schedule, type Update } from './schedule.ts';
import { compileStep, type Step } from './step.ts';

/** What a loop works on, and how. */
export interface LoopInput {
  /** For progress, messages and the checkpoint: the method's name, or 'train'. */
  readonly name: string;
  /** The network. */
  readonly model: Model;
  /** Classification by default. */
  readonly task?: Task<never>;
  /** Where to start; they stay the caller's. */
  readonly variables: Variables;
  /** What an epoch goes through, in order. */
  readonly passes: readonly Pass[];
  /** How often. */
  readonly epochs: number;
  /** Samples per step, where a pass does not say. */
  readonly batchSize: number;
  /** How a step updates. */
  readonly optimizer: Optimiser;
  /** The rate the optimiser follows, for reports. */
  readonly learningRate: Rate;
  /** 'frozen': batch normalisation uses its running statistics and leaves them as they are. */
  readonly batchNorm?: 'train' | 'frozen';
  /** 'mixed': forward and backward passes in float16, see precision.ts. Default 'float32'. */
  readonly precision?: 'float32' | 'mixed';
  /** 0 .. 2^53 - 1; decides order, augmentation and dropout. */
  readonly seed: number;
  /** Said after 'the loss became NaN': what to try. */
  readonly advice?: string;
  /** Run in this order at each event; see hooks.ts. */
  readonly hooks?: readonly Hook[];
  /** Stops the loop when it aborts, after what is under way is saved. */
  readonly signal?: AbortSignal;
  /** Told how far it is, at most ten times a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Where the state is kept, so that a killed process goes on from there. */
  readonly checkpoint?: CheckpointStore;
  /** What else the result depends on: a checkpoint with another identity is refused. */
  readonly identity?: string;
  /**
   * Seconds between two saves within an epoch, 20 by default, for a store that does not say when it is `due`. Each
   * epoch's end is saved if the store writes then.
   */
  readonly saveEverySeconds?: number;
}

/** What is known of an epoch. */
export interface EpochRecord {
  /** Its number, from 1. */
  readonly epoch: number;
  /** Mean over the epoch's samples. */
  readonly loss: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  readonly [fact: string]: number;
}

/** What a loop gives. */
export interface LoopResult {
  /** The caller's to dispose. */
  readonly variables: Variables;
  /** What it took. */
  readonly cost: Cost;
  /** What is known of each epoch. */
  readonly history: readonly EpochRecord[];
}

/** Steps the device may lag behind: batch k + 1 is prepared while step k runs. */
const AHEAD = 2;
const STEP_KEY = 0x73746570;

/** What hooks see of the loop. */
export class Loop {
  /** Replaced by each step. */
  carry: Carry;
  note: Note = { step: 0, sum: 0, samples: 0, seconds: 0, history: [] };
  readonly identity: string;
  readonly #pending: { at: Position; value: Promise<ArrayLike<number>> }[] = [];
  readonly #started = performance.now();

  constructor(
    readonly input: LoopInput,
    readonly schedule: Schedule,
    readonly hooks: readonly Hook[],
  ) {
    const { variables, optimizer, precision, name } = input;
    this.identity = `${schedule.identity(input.seed)} ${input.identity ?? ''}`;
    this.carry = lt.scope(() => ({
      variables: copyOf(variables),
      optimizer: optimizer.init(variables.params),
      scaling: precision === 'mixed' ? firstScaling(name) : null,
      extra: {},
    }));
  }

  /** Seconds of work so far, those before a restart included. */
  get seconds(): number {
    return this.note.seconds + (performance.now() - this.#started) / 1000;
  }
  /** Mean loss of the epoch so far. */
  get loss(): number {
    return this.note.sum / this.note.samples;
  }

  /** Puts tensors of a hook into the carry, under the hook's name, in place of those that were there. */
  put(name: string, tree: lt.tree.Tree<lt.Tensor> | Variables | readonly Variables[]): void {
    const own = tree as lt.tree.Tree<lt.Tensor>;
    this.carry = { ...this.carry, extra: { ...this.carry.extra, [name]: own } };
  }

  /** Notes the loss of a step, which may still be under way. */
  async watch(at: Position, loss: lt.Tensor): Promise<void> {
    const value: Promise<ArrayLike<number>> = loss.data();
    value.catch(() => {}); // Seen when it is awaited, if something else has not failed before.
    loss.dispose();
    this.#pending.push({ at, value });
    this.note.step = at.step + 1;
    if (this.#pending.length > AHEAD) await this.#settle();
  }
  /** Waits for all steps handed to the device. */
  async drain(): Promise<void> {
    while (this.#pending.length > 0) await this.#settle();
  }
  async #settle(): Promise<void> {
    const next = this.#pending.shift();
    if (!next) return;
    const { at } = next;
    const loss = (await next.value)[0];
    if (!Number.isFinite(loss)) throw await diverged(this, `the loss became ${loss}`, at);
    this.note.sum += loss * at.size;
    this.note.samples += at.size;
    for (const hook of this.hooks) hook.loss?.(this, at);
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.#pending.map((p) => p.value));
    disposeTree(this.carry);
  }
}

/**
 * Runs the loop. On an error or an abort everything it made is disposed.
 * @throws what the signal was aborted with; LetheError 'value' when the loss or the weights stop being finite.
 */
export async function runLoop(input: LoopInput): Promise<LoopResult> {
  const { name, epochs, batchSize, seed, signal } = input;
  signal?.throwIfAborted();
  const schedule = new Schedule(name, input.passes, epochs, batchSize);
  const task = (input.task ?? tasks.classification) as Task<Samples>;
  const settings = { ...input, task };
  const steps: { objective: Objective; update?: Update; step: Step }[] = [];
  const stepOf = ({ objective = firstSet, update }: Pass): Step => {
    const known = steps.find((made) => made.objective === objective && made.update === update);
    if (known) return known.step;
    const step = compileStep(settings, objective, update);
    steps.push({ objective, update, step });
    return step;
  };
  // The checkpoint comes last: what the others did at an event is in what it saves.
  const hooks = [scalingFacts, ...(input.hooks ?? []), meter(input.onProgress), checkpoints(input)];
  const loop = new Loop(input, schedule, hooks);
  try {
    for (const hook of hooks) await hook.start?.(loop);
    for await (const { at, batches } of schedule.from(task, seed, loop.note.step)) {
      if (signal?.aborted) {
        await loop.drain();
        for (const hook of hooks) await hook.stop?.(loop);
        throw signal.reason;
      }
      const given = Object.fromEntries(Object.entries(batches).map(([set, b]) => [set, tensorsOf(b)]));
      const key = stepKey(seed, at.step);
      const { loss, ...next } = stepOf(at.pass)(loop.carry, given, key);
      loop.carry = { ...loop.carry, ...next };
      disposeTree([given, key]);
      await loop.watch(at, loss);
      await yieldToEventLoop();
      if (at.within + 1 === at.epochSteps) await endEpoch(loop, at);
      else for (const hook of hooks) await hook.step?.(loop, at);
    }
    await checkFinite(loop);
    for (const hook of hooks) await hook.finish?.(loop);
    return await resultOf(loop);
  } finally {
    await loop.dispose();
    for (const { step } of steps) step.dispose();
    for (const hook of hooks) hook.dispose?.();
  }
}

/** The task's mean loss on the one set that a pass draws from. */
const firstSet: Objective = (variables, batches, context) =>
  meanLoss(Object.keys(batches)[0])(variables, batches, context);

async function endEpoch(loop: Loop, at: Position): Promise<void> {
  await loop.drain();
  const facts: Record<string, number> = {};
  for (const hook of loop.hooks) Object.assign(facts, await hook.facts?.(loop, at));
  const learningRate = await rateAt(loop, at.step);
  loop.note.history.push({ epoch: at.epoch + 1, loss: loop.loss, learningRate, ...facts });
  loop.note.sum = loop.note.samples = 0;
  for (const hook of loop.hooks) await hook.step?.(loop, at);
  for (const hook of loop.hooks) await hook.epoch?.(loop, at);
}

async function resultOf({ carry, note, schedule, hooks, seconds }: Loop): Promise<LoopResult> {
  const skipped = carry.scaling && { skippedSteps: await carry.scaling.skipped.item() };
  const cost = {
    seconds,
    gradientSteps: note.step - (skipped?.skippedSteps ?? 0),
    samplesVisited: schedule.visited,
    ...skipped,
  };
  const kept = hooks.map((hook) => hook.result?.(carry)).find((variables) => variables !== undefined);
  return { variables: copyOf(kept ?? carry.variables), cost, history: note.history };
}

/** Random numbers of a step (dropout), as a key. */
function stepKey(seed: number, step: number): lt.Tensor {
  const words = new Uint32Array(4);
  philox(step, 0, STEP_KEY, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
  return lt.tensor(words.slice(0, 2));
}
