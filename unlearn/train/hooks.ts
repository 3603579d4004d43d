// What a loop does besides stepping, each a hook: progress, checkpoints, mixed precision's facts, measures after each epoch,
// the best epoch, an average of the weights. Tensors of a hook lie in the loop's carry under the hook's name, and so in
// its checkpoints.

import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import type { CheckpointStore, Progress } from '../types.ts';
import { type Carry, load, save } from './checkpoint.ts';
import { aliasesOf, copyOf, disposeTree } from './feed.ts';
import { diverged } from './guard.ts';
import type { EpochRecord, Loop } from './loop.ts';
import { Meter } from './meter.ts';
import type { Position } from './schedule.ts';

/** Every event is optional. Hooks run in their order; a hook may wait for the device, which costs time. */
export interface Hook {
  /** Names its tensors in the carry, and so in checkpoints. */
  readonly name: string;
  /** Before the first step. */
  start?(loop: Loop): void | Promise<void>;
  /** The loss of a step has arrived, some steps late. */
  loss?(loop: Loop, at: Position): void;
  /** A step was handed to the device. After the last of an epoch the epoch's record stands at the end of the history. */
  step?(loop: Loop, at: Position): void | Promise<void>;
  /** What to add to the record of an epoch. All steps are done. */
  facts?(loop: Loop, at: Position): Promise<Readonly<Record<string, number>>>;
  /** The epoch's record is complete, and stands at the end of the history. */
  epoch?(loop: Loop, at: Position): void | Promise<void>;
  /** The state is about to be saved: what a resumed loop will need of this hook has to be safe first. */
  saving?(loop: Loop): Promise<void>;
  /** The loop was told to stop; all steps are done. */
  stop?(loop: Loop): Promise<void>;
  /** All epochs are done. */
  finish?(loop: Loop): void | Promise<void>;
  /** Variables to return in place of the last ones. */
  result?(carry: Carry): Variables;
  /** The loop is over, however it ended. */
  dispose?(): void;
}

/** Progress, at most ten times a second. */
export function meter(report: ((progress: Progress) => void) | undefined): Hook {
  let shown: Meter | null = null;
  return {
    name: 'meter',
    start: (loop) => {
      shown = new Meter(loop.input.name, loop.schedule, report);
    },
    loss: (loop, at) => shown?.show(at, loop.note.samples, loop.loss),
    finish: () => shown?.finish(),
  };
}

interface Saving {
  readonly checkpoint?: CheckpointStore;
  readonly saveEverySeconds?: number;
}

/** Takes up a saved state at the start, saves after each epoch but the last, now and then between, and when told to stop. */
export function checkpoints({ checkpoint, saveEverySeconds = 20 }: Saving): Hook {
  let saved = performance.now();
  const due = (seconds: number): boolean =>
    checkpoint !== undefined && performance.now() - saved >= 1000 * seconds && (checkpoint.due?.() ?? true);
  const keep = async (loop: Loop): Promise<void> => {
    await loop.drain();
    for (const hook of loop.hooks) await hook.saving?.(loop);
    await save(checkpoint, loop.identity, loop.carry, { ...loop.note, seconds: loop.seconds });
    saved = performance.now();
  };
  return {
    name: 'checkpoints',
    async start(loop) {
      const restored = await load(checkpoint, loop.identity, loop.carry);
      if (!restored) return;
      loop.carry = restored.carry;
      loop.note = restored.note;
    },
    async step(loop, at) {
      const last = at.within + 1 === at.epochSteps;
      if (!last && due(checkpoint?.due ? 1 : saveEverySeconds)) await keep(loop);
    },
    async epoch(loop, at) {
      if (at.epoch + 1 < loop.schedule.epochs && due(0)) await keep(loop);
    },
    stop: keep,
  };
}

/** What an epoch's record says of mixed precision. @throws LetheError 'value' where no scale helps. */
export const scalingFacts: Hook = {
  name: 'scaling',
  async facts(loop, at): Promise<Readonly<Record<string, number>>> {
    if (loop.carry.scaling === null) return {};
    const { scale, good, skipped } = loop.carry.scaling;
    const [lossScale, row, skippedSteps] = await Promise.all([scale.item(), good.item(), skipped.item()]);
    if (lossScale === 1 && row === 0) {
      const what = 'gradients are beyond float16 even without a loss scale';
      throw await diverged(loop, what, at, "train with precision 'float32'");
    }
    return { skippedSteps, lossScale };
  },
};

/** Measures the variables after each epoch; they are borrowed. */
export const measured = (
  measure: (variables: Variables, epoch: number) => Promise<Readonly<Record<string, number>>>,
): Hook => ({ name: 'measured', facts: (loop, at) => measure(loop.carry.variables, at.epoch) });

/**
 * Measures the variables after the steps with these numbers, counted from 1; 0 is before the first. They are borrowed, and
 * the loop goes on when the measure is done.
 */
export const measuredAt = (
  steps: readonly number[],
  measure: (variables: Variables, step: number) => Promise<void>,
): Hook => {
  const at = async (loop: Loop, step: number): Promise<void> => {
    if (steps.includes(step)) await measure(loop.carry.variables, step);
  };
  return { name: 'measuredAt', start: (loop) => at(loop, 0), step: (loop, { step }) => at(loop, step + 1) };
};

/** Told after each epoch, with its record at the end of the history. */
export const told = (tell: (history: readonly EpochRecord[]) => void): Hook => ({
  name: 'told',
  epoch: (loop) => tell(loop.note.history),
});

/** Returns the variables of the epoch in which this fact was best, the first of equals. */
export function keepBest(fact: string, better: 'higher' | 'lower'): Hook {
  const sign = better === 'higher' ? 1 : -1;
  const name = 'best';
  return {
    name,
    start: (loop) => loop.put(name, copyOf(loop.carry.variables)),
    epoch: (loop) => {
      const { history } = loop.note;
      const last = history[history.length - 1];
      if (!history.slice(0, -1).every((before) => sign * last[fact] > sign * before[fact])) return;
      disposeTree(loop.carry.extra[name]);
      loop.put(name, copyOf(loop.carry.variables));
    },
    result: ({ extra }) => extra[name] as unknown as Variables,
  };
}

/**
 * Keeps the variables of all epochs, and returns those of the epoch whose fact is nearest to a number that is known when the
 * last epoch is done. Memory and checkpoints hold a network for each epoch.
 * @param reference that number, from the last variables; they are borrowed.
 */
export function rewound(fact: string, reference: (last: Variables) => Promise<number>): Hook {
  const name = 'epochs';
  const kept = (extra: Carry['extra']) => extra[name] as unknown as readonly Variables[];
  let epoch = 0;
  return {
    name,
    start: (loop) => {
      const { schedule, carry } = loop;
      loop.put(
        name,
        Array.from({ length: schedule.epochs }, () => copyOf(carry.variables)),
      );
    },
    epoch: (loop, at) => {
      const all = kept(loop.carry.extra);
      disposeTree(all[at.epoch]);
      loop.put(
        name,
        all.map((v, epoch) => (epoch === at.epoch ? copyOf(loop.carry.variables) : v)),
      );
    },
    finish: async (loop) => {
      epoch = nearestEpoch(loop.note.history, fact, await reference(loop.carry.variables));
    },
    result: ({ extra }) => kept(extra)[epoch],
  };
}

/** The epoch (from 0) whose fact is nearest to a number, the first of equals. */
export function nearestEpoch(history: readonly EpochRecord[], fact: string, to: number): number {
  const far = history.map((epoch) => Math.abs(epoch[fact] - to));
  return far.indexOf(Math.min(...far));
}

/**
 * Keeps an exponential moving average of the parameters, average = decay average + (1 - decay) parameters after each step,
 * and returns it in place of the last ones (Polyak and Juditsky 1992; the form of Ho et al. 2020). The network's state,
 * such as batch-norm statistics, is that of the last step.
 * @param decay in [0, 1), such as 0.999.
 */
export function movingAverage(decay: number): Hook {
  const name = 'ema';
  type Params = Variables['params'];
  const update = lt.jit(
    (average: Params, params: Params) =>
      lt.tree.map((a: lt.Tensor, p: lt.Tensor) => a.mul(decay).add(p.mul(1 - decay)), average, params),
    { donate: [0], name: 'moving average' },
  );
  return {
    name,
    start: (loop) => loop.put(name, aliasesOf(loop.carry.variables.params)),
    step: (loop) => loop.put(name, update(loop.carry.extra[name], loop.carry.variables.params)),
    dispose: () => update.dispose(),
    result: ({ extra, variables }) => ({ params: extra[name], state: variables.state }),
  };
}
