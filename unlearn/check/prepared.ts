// What must hold for every method with a preparation of its own: that forgetting comes to the bits of a preparation without
// the samples, where the method is exact, and what holds for any (unlearning.ts). The runs are made once.

import * as lt from '../../index.ts';
import { memoryStore } from '../artifact.ts';
import type { PreparedArtifact, PreparedMethod } from '../methods/prepared.ts';
import type { Progress } from '../types.ts';
import {
  type Check,
  isJson,
  nothingLeft,
  once,
  stopped,
  stoppedBy,
  type Verdict,
  wholeProgress,
} from './finding.ts';
import { CLASSES, stripes, tinyCnn, without } from './problem.ts';

/** A method, what it prepares on and what it is to forget. */
export class PreparedTrial {
  readonly input = { model: tinyCnn(), data: stripes(60), key: lt.random.key(4) };
  readonly ids = [7, 8, 31];

  constructor(
    /** Makes the method anew, with further options. */
    readonly make: (options?: object) => PreparedMethod,
  ) {}

  readonly first = once(async () => {
    const seen: Progress[] = [];
    let prepared = {} as PreparedArtifact;
    const leaks = await lt.findLeaks(async () => {
      prepared = await this.make().prepare({ ...this.input, onProgress: (p) => seen.push(p) });
    });
    return { prepared, seen, leaks, digest: this.make().digest(prepared) };
  });
  /** The digest after forgetting these, of one artifact after the other. */
  async forget(...requests: readonly (readonly number[])[]): Promise<string> {
    let { prepared } = await this.first();
    for (const ids of requests) prepared = await this.make().forget(prepared, { ids });
    return this.make().digest(prepared);
  }
  readonly forgotten = once(async () => {
    const { prepared } = await this.first();
    const artifact = await this.make().forget(prepared, { ids: this.ids });
    return { artifact, digest: this.make().digest(artifact) };
  });
  /** The digest of a preparation that never saw them. */
  async anew(ids: readonly number[]): Promise<string> {
    const data = without(this.input.data, ids);
    return this.make().digest(await this.make().prepare({ ...this.input, data }));
  }
  get exact(): boolean {
    return this.make().record.kind === 'exact';
  }
}

type Checks = Readonly<Record<string, Check<PreparedTrial>>>;

/** What one preparation and one removal show. */
export const ofOneRemoval: Checks = {
  runs,
  cost,
  details,
  progress,
  leaks,
  effect,
  inputUntouched,
  lessWork,
  exact,
  predicts,
};

/** What takes further ones. */
export const ofMoreRemovals: Checks = {
  deterministic,
  oneByOne,
  severalClasses,
  nothingToForget,
  cancellation,
  resumedForgetting,
  resumedPreparation,
};

const inexact = { skipped: 'it does not claim to be exact' };

const same = (found: string, expected: string, what: string): Verdict =>
  found === expected ? null : `expected the digest of ${what}, ${short(expected)}, found ${short(found)}`;
const short = (digest: string) => digest.slice(0, 12);

async function runs(trial: PreparedTrial): Promise<Verdict> {
  await trial.forgotten();
  return null;
}

async function cost(trial: PreparedTrial): Promise<Verdict> {
  const { cost } = (await trial.first()).prepared;
  for (const key of ['seconds', 'gradientSteps', 'samplesVisited'] as const)
    if (!(cost[key] > 0)) return `expected cost.${key} of the preparation above 0, found ${cost[key]}`;
  return null;
}

async function details(trial: PreparedTrial): Promise<Verdict> {
  const { prepared } = await trial.first();
  return isJson(prepared.details) ?? isJson((await trial.forgotten()).artifact.details);
}

async function progress(trial: PreparedTrial): Promise<Verdict> {
  return wholeProgress((await trial.first()).seen);
}
async function leaks(trial: PreparedTrial): Promise<Verdict> {
  return nothingLeft((await trial.first()).leaks);
}

async function effect(trial: PreparedTrial): Promise<Verdict> {
  const [{ digest }, forgotten] = [await trial.first(), await trial.forgotten()];
  return forgotten.digest === digest ? 'expected another digest after forgetting, found the same' : null;
}

/** The same key gives the same bits. */
async function deterministic(trial: PreparedTrial): Promise<Verdict> {
  const { digest } = await trial.first();
  return same(await trial.anew([]), digest, 'the first preparation');
}

/** What was prepared stays as it was when something is forgotten. */
async function inputUntouched(trial: PreparedTrial): Promise<Verdict> {
  const { prepared, digest } = await trial.first();
  await trial.forgotten();
  return same(trial.make().digest(prepared), digest, 'the preparation before forgetting');
}

async function lessWork(trial: PreparedTrial): Promise<Verdict> {
  const [all, some] = [(await trial.first()).prepared, (await trial.forgotten()).artifact].map(
    ({ cost }) => cost.samplesVisited,
  );
  return some < all ? null : `expected fewer samples visited than by the preparation, ${all}, found ${some}`;
}

/** The bits of never having seen the samples. */
async function exact(trial: PreparedTrial): Promise<Verdict> {
  if (!trial.exact) return inexact;
  return same((await trial.forgotten()).digest, await trial.anew(trial.ids), 'a preparation without them');
}

/** One after the other comes to the same. */
async function oneByOne(trial: PreparedTrial): Promise<Verdict> {
  if (!trial.exact) return inexact;
  const [first, ...others] = trial.ids;
  return same(
    await trial.forget(others, [first]),
    (await trial.forgotten()).digest,
    'forgetting all at once',
  );
}

async function severalClasses(trial: PreparedTrial): Promise<Verdict> {
  const { ids, labels } = trial.input.data;
  const gone = [...ids].filter((_, position) => labels[position] < CLASSES - 1);
  const digest = await trial.forget(gone);
  return trial.exact ? same(digest, await trial.anew(gone), 'a preparation without them') : null;
}

/** Nothing to forget, or what nobody knows, changes nothing. */
async function nothingToForget(trial: PreparedTrial): Promise<Verdict> {
  const { digest } = await trial.first();
  return (
    same(await trial.forget([]), digest, 'the preparation, as nothing was to be forgotten') ??
    same(await trial.forget([9999]), digest, 'the preparation, which never had such an id')
  );
}

async function predicts(trial: PreparedTrial): Promise<Verdict> {
  const { data } = trial.input;
  const { artifact } = await trial.forgotten();
  const answers = await trial.make().predict(artifact, data);
  if (answers.length !== data.size * CLASSES)
    return `expected ${data.size} x ${CLASSES} answers, found ${answers.length}`;
  const at = answers.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? null : `expected finite answers, found ${answers[at]}`;
}

/** Aborts when it has heard as many reports. */
function stopAfter(reports: number) {
  const stop = new AbortController();
  let heard = 0;
  const onProgress = () => {
    if (heard++ === reports) stop.abort();
  };
  return { signal: stop.signal, onProgress };
}

async function cancellation(trial: PreparedTrial): Promise<Verdict> {
  const { prepared } = await trial.first();
  const { input, ids, make } = trial;
  const listen = stopAfter(0);
  const gone = { signal: AbortSignal.abort() };
  const before = 'before it began';
  return (
    stoppedBy(gone.signal, await stopped(() => make().prepare({ ...input, ...gone })), before) ??
    stoppedBy(gone.signal, await stopped(() => make().forget(prepared, { ids }, gone)), before) ??
    stoppedBy(
      listen.signal,
      await stopped(() => make().prepare({ ...input, ...listen })),
      'after its first progress',
    )
  );
}

/** Stopped after any number of reports, and taken up where it stands. */
const STOPS = [0, 2, 3];

async function resumedForgetting(trial: PreparedTrial): Promise<Verdict> {
  const { prepared } = await trial.first();
  const { digest } = await trial.forgotten();
  const { ids, make } = trial;
  for (const reports of STOPS) {
    const store = memoryStore();
    await stopped(() => make().forget(prepared, { ids }, { store, ...stopAfter(reports) }));
    const resumed = make().digest(await make().forget(prepared, { ids }, { store }));
    const wrong = same(resumed, digest, `a run that was not stopped (after ${reports} reports)`);
    if (wrong) return wrong;
  }
  return null;
}

async function resumedPreparation(trial: PreparedTrial): Promise<Verdict> {
  const { digest } = await trial.first();
  const { input, make } = trial;
  for (const reports of STOPS) {
    const store = memoryStore();
    await stopped(() => make().prepare({ ...input, store, ...stopAfter(reports) }));
    const resumed = make().digest(await make().prepare({ ...input, store }));
    const wrong = same(resumed, digest, `a run that was not stopped (after ${reports} reports)`);
    if (wrong) return wrong;
  }
  return null;
}
