// Which batches a loop sees, and in which order: epochs of passes over named sets. All of it is a function of seed, epoch
// and position, so that a loop stopped anywhere goes on from there with the batches it would have seen.

import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { type Augment, type BatchOptions, batchCount } from '../data/batches.ts';
import type { Batch, Samples, Task } from '../tasks/record.ts';
import type { Objective } from './objective.ts';

/** A set that a pass draws batches from. */
export interface Draw {
  /** Its samples. */
  readonly set: Samples;
  /** The loop's batch size unless said otherwise. */
  readonly batchSize?: number;
  /** Random shifts and mirror images. Default: none. */
  readonly augment?: Augment;
  /** Order and augmentation follow the samples' ids, not their positions; see BatchOptions. */
  readonly byId?: boolean;
  /** What a step sees in place of the batch, such as other labels; must depend on the batch and the epoch only. */
  readonly change?: (batch: Batch, epoch: number) => Batch;
}

/** The next parameters of a step. Traced, pure; `key` holds random numbers of the step that nothing else uses. */
export type Update = (
  params: Variables['params'],
  grads: Variables['params'],
  key: Tensor,
) => Variables['params'];

/** Once over a set, an epoch having one pass or more, in order. */
export interface Pass {
  /** For progress and messages. */
  readonly name: string;
  /**
   * The sets a step draws from, by the names the objective knows. The first is gone through once; the others are drawn
   * beside it, full batches only, and begin again in a new order when they are used up.
   */
  readonly sets: Readonly<Record<string, Draw>>;
  /**
   * Steps of it in an epoch: the first set is then drawn from like the others, as often as that takes. By default once
   * through the first set.
   */
  readonly steps?: number;
  /** What its steps minimise; by default the task's mean loss on the first set. */
  readonly objective?: Objective;
  /** How its steps move the parameters, in place of the optimiser, whose state and step count stay as they are. */
  readonly update?: Update;
  /** In which epochs (from 0) the pass takes place; by default in all. */
  readonly during?: (epoch: number) => boolean;
}

/** Where a step stands. */
export interface Position {
  /** Over all epochs, from 0. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** The pass that the step is part of. */
  readonly pass: Pass;
  /** Samples of the first set in this step. */
  readonly size: number;
  /** Positions of the step's samples in each of its sets, by the set's name. */
  readonly indices: Readonly<Record<string, Int32Array>>;
  /** Steps of this epoch. */
  readonly epochSteps: number;
  /** Number of the step within its epoch, from 0. */
  readonly within: number;
}

/** Passes one after the other, epoch by epoch. */
export class Schedule {
  /** First step of each epoch, and after the last the number of all steps. */
  readonly #starts: number[] = [0];
  /** Samples of the first sets of each epoch. */
  readonly #samples: number[] = [];
  /** Samples of all sets, over all epochs: what goes through the network. */
  readonly visited: number;

  constructor(
    /** Whose it is, for messages. */
    readonly name: string,
    /** Of an epoch, in order. */
    readonly passes: readonly Pass[],
    /** How many. */
    readonly epochs: number,
    /** Of sets that state none of their own. */
    readonly batchSize: number,
  ) {
    for (const { name: pass, sets } of passes)
      check(Object.keys(sets).length > 0, 'value', () => `${name}: the pass ${pass} draws from no set`);
    let visited = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const active = this.#active(epoch);
      this.#starts.push(this.#starts[epoch] + active.reduce((sum, { pass }) => sum + this.#batches(pass), 0));
      this.#samples.push(active.reduce((sum, { pass }) => sum + this.#seen(pass), 0));
      visited += active.reduce((sum, { pass }) => sum + this.#visits(pass), 0);
    }
    this.visited = visited;
    check(this.steps > 0, 'value', () => `${name}: there are no samples to train on`);
  }

  /** Steps in all. */
  get steps(): number {
    return this.#starts[this.epochs];
  }
  /** Updates of the optimiser before an epoch, 0 .. epochs; between two epochs, in proportion. */
  updatesUntil(epoch: number): number {
    const whole = Math.floor(epoch);
    const first = this.updatesBefore(this.#starts[whole]);
    if (whole === epoch) return first;
    return first + (epoch - whole) * (this.updatesBefore(this.#starts[whole + 1]) - first);
  }
  /** Updates of the optimiser before a step: passes with an update of their own have none. */
  updatesBefore(step: number): number {
    let updates = 0;
    for (let epoch = 0, from = 0; epoch < this.epochs && from < step; epoch++)
      for (const { pass } of this.#active(epoch)) {
        const count = this.#batches(pass);
        if (!pass.update) updates += Math.min(count, Math.max(0, step - from));
        from += count;
      }
    return updates;
  }
  /** Samples of the first sets, over all epochs. */
  get samples(): number {
    return this.#samples.reduce((a, b) => a + b, 0);
  }
  /** Steps of an epoch, counted from 0. */
  stepsIn(epoch: number): number {
    return this.#starts[epoch + 1] - this.#starts[epoch];
  }
  /** Samples of the epochs before this one. */
  samplesBefore(epoch: number): number {
    return this.#samples.slice(0, epoch).reduce((a, b) => a + b, 0);
  }

  /** What of it the result depends on, for checkpoints. */
  identity(seed: number): string {
    const sizes = this.passes.flatMap(({ name, sets }) => [
      name,
      ...Object.values(sets).map(({ set }) => set.size),
    ]);
    return [this.name, this.epochs, this.batchSize, seed, ...sizes].join(' ');
  }

  /** The batches from a step on. */
  async *from<S extends Samples>(
    task: Task<S>,
    seed: number,
    first: number,
  ): AsyncGenerator<{
    /** Where the step stands. */
    readonly at: Position;
    /** A batch of each set, by its name. */
    readonly batches: Readonly<Record<string, Batch>>;
  }> {
    const made = this.passes.map(() => 0);
    for (let epoch = 0; epoch < this.epochs; epoch++) {
      let step = this.#starts[epoch];
      for (const { pass, index } of this.#active(epoch)) {
        const count = this.#batches(pass);
        const start = Math.min(count, Math.max(0, first - step));
        const earlier = made[index];
        made[index] += count;
        if (start < count) {
          const draws = Object.entries(pass.sets).map(([name, draw], k) => ({
            name,
            batches:
              k === 0 && pass.steps === undefined
                ? this.#once(task, draw, seed, epoch, epoch * this.passes.length + index, start)
                : this.#again(task, draw, seed, epoch, index * 16 + k, earlier + start),
          }));
          for (let i = start; i < count; i++) {
            const batches: Record<string, Batch> = {};
            for (const draw of draws) {
              const next = await draw.batches.next();
              if (!next.done) batches[draw.name] = next.value;
            }
            const indices = Object.fromEntries(Object.entries(batches).map(([set, b]) => [set, b.indices]));
            const at: Position = {
              step: step + i,
              epoch,
              pass,
              size: indices[draws[0].name].length,
              indices,
              epochSteps: this.stepsIn(epoch),
              within: step + i - this.#starts[epoch],
            };
            yield { at, batches };
          }
        }
        step += count;
      }
    }
  }

  #active(epoch: number) {
    return this.passes
      .map((pass, index) => ({ pass, index }))
      .filter(({ pass }) => pass.during?.(epoch) ?? true);
  }

  #batches(pass: Pass): number {
    const { set, batchSize = this.batchSize } = firstOf(pass);
    return pass.steps ?? batchCount(set, { batchSize });
  }

  /** Samples of the first set in an epoch of the pass. */
  #seen(pass: Pass): number {
    const first = firstOf(pass);
    return pass.steps === undefined ? first.set.size : pass.steps * this.#fullBatch(first);
  }

  /** Samples of all its sets. */
  #visits(pass: Pass): number {
    const [, ...others] = Object.values(pass.sets);
    const beside = others.reduce((sum, draw) => sum + this.#fullBatch(draw), 0);
    return this.#seen(pass) + this.#batches(pass) * beside;
  }

  #fullBatch({ set, batchSize = this.batchSize }: Draw): number {
    return Math.min(batchSize, set.size);
  }

  async *#once<S extends Samples>(
    task: Task<S>,
    draw: Draw,
    seed: number,
    epoch: number,
    order: number,
    startBatch: number,
  ): AsyncGenerator<Batch> {
    const { set, batchSize = this.batchSize, augment, byId, change } = draw;
    const options = { batchSize, shuffle: true, seed, epoch: order, startBatch, augment, byId };
    for await (const batch of task.batches(set as S, options)) yield change ? change(batch, epoch) : batch;
  }

  /** As `endless`, from the batch with this number on. */
  async *#again<S extends Samples>(
    task: Task<S>,
    draw: Draw,
    seed: number,
    epoch: number,
    stream: number,
    number: number,
  ): AsyncGenerator<Batch> {
    const { set, augment, byId, change } = draw;
    check(set.size > 0, 'value', () => `${this.name}: there are no samples to draw beside the others`);
    const batchSize = this.#fullBatch(draw);
    for await (const batch of endless(task, set as S, { batchSize, seed, stream, augment, byId }, number))
      yield change ? change(batch, epoch) : batch;
  }
}

/**
 * Full batches without end, in a new random order each time round; a set smaller than a batch is one whole batch.
 * @param number of the batch to begin with.
 */
export async function* endless<S extends Samples>(
  task: Task<S>,
  set: S,
  options: Pick<BatchOptions, 'batchSize' | 'seed' | 'stream' | 'augment' | 'byId'>,
  number = 0,
): AsyncGenerator<Batch, never, void> {
  const batchSize = Math.min(options.batchSize, set.size);
  const each = batchCount(set, { batchSize, dropLast: true });
  for (let epoch = Math.floor(number / each), startBatch = number % each; ; epoch++, startBatch = 0)
    yield* task.batches(set, { ...options, batchSize, shuffle: true, epoch, startBatch, dropLast: true });
}

const firstOf = ({ sets }: Pass): Draw => Object.values(sets)[0];
