// What must hold for every method that turns weights into weights, whatever it does. Each promise is one check; the runs
// they look at are made once.

import * as lt from '../../index.ts';
import { takeSplit } from '../data/split.ts';
import { takesMask } from '../options/training.ts';
import { reasonOf } from '../text.ts';
import { disposeTree } from '../train/feed.ts';
import type { Method, Progress, Split, UnlearnInput, UnlearnResult } from '../types.ts';
import {
  type Check,
  isJson,
  nothingLeft,
  once,
  sameBits,
  stopped,
  stoppedBy,
  type Verdict,
  wholeProgress,
} from './finding.ts';
import { cut, MemoryStore, stripes, type Values, valuesOf } from './problem.ts';

/** What is left of a run once its tensors are gone. */
interface Ran extends Omit<UnlearnResult, 'variables'> {
  readonly values: Values;
  readonly seen: readonly Progress[];
  readonly leaks: readonly lt.Leak[];
}

/** A method and what it works on. */
export class Trial {
  constructor(
    /** Makes the method anew, with further options. */
    readonly make: (options?: object) => Method,
    readonly input: UnlearnInput,
  ) {}

  readonly original = once(() => valuesOf(this.input.variables));
  readonly first = once(() => this.run({}));

  /** A run with another input, or by a method that is made otherwise. */
  async run(change: Partial<UnlearnInput>, make = () => this.make()): Promise<Ran> {
    await this.original();
    const seen: Progress[] = [];
    let result = {} as UnlearnResult;
    const leaks = await lt.findLeaks(async () => {
      result = await make().unlearn({ onProgress: (p) => seen.push(p), ...this.input, ...change });
      return result;
    });
    const { variables, cost, details } = result;
    try {
      return { values: await valuesOf(variables), cost, details, seen, leaks };
    } finally {
      disposeTree(variables);
    }
  }

  /** A run that is stopped at its first report; null where there is none before its end. */
  readonly stopped = once(async () => {
    const { seen } = await this.first();
    if (!seen.some(({ fraction }) => fraction < 1)) return null;
    const stop = new AbortController();
    const checkpoint = new MemoryStore();
    const onProgress = () => stop.abort();
    const input = { ...this.input, signal: stop.signal, checkpoint, onProgress };
    const end = await stopped(() => this.make().unlearn(input));
    return { ...end, signal: stop.signal, checkpoint };
  });
}

type Checks = Readonly<Record<string, Check<Trial>>>;

/** What one run shows. */
export const ofOneRun: Checks = {
  runs,
  inputUntouched,
  parametersKept,
  effect,
  cost,
  details,
  progress,
  leaks,
};

/** What takes further runs. */
export const ofMoreRuns: Checks = {
  deterministic,
  cancellation,
  resume,
  nothingToForget,
  severalClasses,
  mask,
};

async function runs(trial: Trial): Promise<Verdict> {
  await trial.first();
  return null;
}

async function inputUntouched(trial: Trial): Promise<Verdict> {
  return sameBits(await valuesOf(trial.input.variables), await trial.original());
}

/** The parameters and state of the original, finite. */
async function parametersKept(trial: Trial): Promise<Verdict> {
  const [{ values }, original] = [await trial.first(), await trial.original()];
  const [found, expected] = [values, original].map((tree) =>
    Object.entries(tree).map(([path, { length }]) => `${path} (${length})`),
  );
  const odd = found.find((path, i) => path !== expected[i]) ?? expected.find((path, i) => path !== found[i]);
  if (odd) return `expected ${expected.join(', ')}, found ${found.join(', ')}`;
  return allFinite(values);
}

function allFinite(values: Values): Verdict {
  for (const [path, list] of Object.entries(values)) {
    const at = list.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) return `expected finite values, found ${list[at]} at ${path}[${at}]`;
  }
  return null;
}

async function effect(trial: Trial): Promise<Verdict> {
  const { values } = await trial.first();
  return sameBits(values, await trial.original()) === null
    ? 'expected some value to change, found the values it was given'
    : null;
}

async function cost(trial: Trial): Promise<Verdict> {
  const { cost } = await trial.first();
  // A method that edits weights without looking at a sample visits none, and its record says so.
  const least = estimateOf(trial, trial.input) > 0 ? Number.MIN_VALUE : 0;
  for (const [key, from] of [
    ['seconds', Number.MIN_VALUE],
    ['gradientSteps', least],
    ['samplesVisited', least],
  ] as const)
    if (!(cost[key] >= from))
      return `expected cost.${key} ${from > 0 ? 'above 0' : 'of at least 0'}, found ${cost[key]}`;
  return withinEstimate(trial, trial.input, cost.samplesVisited);
}

function estimateOf({ make }: Trial, { forget, retain }: UnlearnInput): number {
  const { record, options } = make();
  const { train, infer } = record.cost({ forget: forget.size, retain: retain.size }, options as never);
  return train + infer;
}

function withinEstimate(trial: Trial, input: UnlearnInput, visited: number): Verdict {
  const estimate = estimateOf(trial, input);
  return visited <= estimate
    ? null
    : `expected cost.samplesVisited to be at most the estimate of record.cost, ${estimate}, found ${visited}`;
}

async function details(trial: Trial): Promise<Verdict> {
  return isJson((await trial.first()).details);
}
async function progress(trial: Trial): Promise<Verdict> {
  return wholeProgress((await trial.first()).seen);
}
async function leaks(trial: Trial): Promise<Verdict> {
  return nothingLeft((await trial.first()).leaks);
}

/** The same key gives the same bits. */
async function deterministic(trial: Trial): Promise<Verdict> {
  const { values } = await trial.first();
  return sameBits((await trial.run({})).values, values);
}

/** Stops when its signal aborts, before it begins and after its first report, and leaves nothing. */
async function cancellation(trial: Trial): Promise<Verdict> {
  const signal = AbortSignal.abort();
  const before = await stopped(() => trial.make().unlearn({ ...trial.input, signal }));
  const end = await trial.stopped();
  return (
    stoppedBy(signal, before, 'before it began') ??
    (end
      ? stoppedBy(end.signal, end, 'after its first progress')
      : { skipped: 'it reports no progress before its end, so it was only stopped before it began' })
  );
}

/** Goes on from the checkpoint of a run that was stopped to the bits of one that was not. */
async function resume(trial: Trial): Promise<Verdict> {
  const end = await trial.stopped();
  if (!end) return { skipped: 'it reports no progress before its end, so it was not stopped' };
  const { values } = await trial.first();
  return sameBits((await trial.run({ checkpoint: end.checkpoint })).values, values);
}

/** With an empty forget set the values come back as they were. */
async function nothingToForget(trial: Trial): Promise<Verdict> {
  const forget = takeSplit(trial.input.forget as Split, []);
  return sameBits((await trial.run({ forget })).values, await trial.original());
}

/** Two classes go at once. */
async function severalClasses(trial: Trial): Promise<Verdict> {
  const sets = cut(stripes(36), 1, 2);
  const { values, cost } = await trial.run(sets);
  return allFinite(values) ?? withinEstimate(trial, { ...trial.input, ...sets }, cost.samplesVisited);
}

/** Where the mask it is given is false, parameters keep their bits; a method that takes none refuses it. */
async function mask(trial: Trial): Promise<Verdict> {
  const { entries } = trial.make().record.options;
  const entry = entries.mask as { wrapped?: { options?: readonly unknown[] } } | undefined;
  const kind = entry?.wrapped?.options?.find((value) => value !== 'none');
  // Every other value may move.
  const every = (t: lt.Tensor) => Uint8Array.from({ length: t.size }, (_, i) => i % 2);
  const given = lt.scope(() =>
    lt.tree.map(
      (t: lt.Tensor) => lt.tensor(every(t), { shape: t.shape, dtype: 'bool' }),
      trial.input.variables.params,
    ),
  );
  try {
    if (!takesMask(entries)) {
      const end = await stopped(() => trial.make().unlearn({ ...trial.input, mask: given }));
      if (end.error === undefined) return 'expected a mask to be refused, found that it ran';
      return { skipped: entry ? `it refuses masks: ${reasonOf(end.error)}` : 'it has no option mask' };
    }
    const { values } = await trial.run({ mask: given } as object, () => trial.make({ mask: kind }));
    const fixed = (all: Values): Values =>
      Object.fromEntries(
        Object.entries(all)
          .filter(([path]) => path.startsWith('params.'))
          .map(([path, list]) => [path, list.filter((_, i) => i % 2 === 0)]),
      );
    return sameBits(fixed(values), fixed(await trial.original()));
  } finally {
    disposeTree(given);
  }
}
