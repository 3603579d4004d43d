// Single steps on checkpoints, for `lethe train`, `unlearn` and `evaluate`: the same parts and the same stores as a
// whole run, without its folder, records and report. Each writes one file, whole or not at all; or one artifact, in a
// folder.

import { basename, dirname } from 'node:path';
import { check, LetheError } from '../../engine/error.ts';
import type { ByteSource } from '../../engine/io/index.ts';
import { Artifact } from '../artifact.ts';
import { folderStore } from '../artifact-folder.ts';
import {
  fileSource,
  isIo,
  makeFolder,
  namesIn,
  sha256File,
  sweepTemporary,
  writeFileAtomic,
} from '../files.ts';
import type { MethodTable } from '../methods/index.ts';
import { againstRetrain } from '../metrics/measure.ts';
import { knownMethods } from '../recipe/own.ts';
import { seedsOf } from '../recipe/seeds.ts';
import { checkSingle } from '../recipe/vary.ts';
import { type MethodEntry, methodEntry, type Recipe } from '../recipe.ts';
import { hashed } from '../sha256.ts';
import { reasonOf } from '../text.ts';
import type { Metrics } from '../types.ts';
import { version } from './environment.ts';
import { hashOf } from './key.ts';
import { lockFile } from './lock.ts';
import { progressTo, type RunEvent, tidy } from './log.ts';
import type { ArtifactTask, Evaluation, Making, Outcome, Output, Parts, Task } from './parts.ts';
import { type Cell, planCells } from './plan.ts';
import { FileStore } from './store.ts';

/** Options of single steps. */
export interface SingleOptions {
  readonly data?: string;
  readonly device?: Recipe['device'];
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  readonly parts?: Parts;
}

export interface Written {
  /** The file, or the folder of an artifact. */
  readonly file: string;
  /** Of the file; the digest of an artifact. */
  readonly sha256: string;
  readonly cost: Outcome['cost'];
  readonly details: Outcome['details'];
}

/** What every step begins with: the recipe for one seed, its device in use, its data. */
export async function prepare(given: Recipe, options: SingleOptions, methods?: MethodTable) {
  checkSingle(given);
  const seeds = [options.seed ?? given.seeds[0]];
  const recipe: Recipe = { ...given, device: options.device ?? given.device, seeds };
  const parts = options.parts ?? (await import('./default-parts.ts')).defaultParts({ methods });
  const device = await parts.open(recipe.device);
  const runData = await parts.load(recipe, options.data);
  return { recipe, parts, device, runData, runDataOf: () => runData };
}

/** Weights into one file; methods that leave more need the folder of a run. */
class FileOutput implements Output {
  sha256 = '';

  constructor(readonly path: string) {}

  async weights(given: Parameters<Output['weights']>[0]): Promise<void> {
    const { parts, digest } = hashed(given);
    await writeFileAtomic(this.path, parts);
    this.sha256 = digest().sha256;
  }

  async put(name: string): Promise<void> {
    throw new LetheError('value', `${this.path}: ${name} does not fit beside the weights; use lethe run`);
  }
}

/** Carries out one step that makes weights, keeping its progress beside `out`. */
async function make(
  out: string,
  key: string,
  task: Omit<Task, 'onProgress'>,
  options: SingleOptions,
  action: 'train' | 'unlearn',
  work: (task: Making) => Promise<Outcome>,
): Promise<Written> {
  const { tell, note } = talk(options);
  const store = new FileStore(`${out.replace(/\.safetensors$/, '')}.unfinished.safetensors`, {
    key,
    everySeconds: task.recipe.checkpointSeconds,
    signal: options.signal,
    onNote: note,
  });
  return alone(out, options, async () => {
    const own = [out, store.path, store.previous].map((path) => basename(path));
    await sweepTemporary(dirname(out), (name) => own.includes(name));
    tell({ type: 'start', cell: out, action, index: 1, total: 1 });
    store.start();
    const onProgress = progressTo(tell, out, action);
    const output = new FileOutput(out);
    const product = await work({ ...task, checkpoint: store, timed: store.timed, onProgress, output });
    const cost = { ...product.cost, seconds: store.seconds };
    await tidy(tell, () => store.clear());
    const { seconds, skippedSteps } = cost;
    tell({ type: 'end', cell: out, action, seconds, skippedSteps });
    return { file: out, sha256: output.sha256, cost, details: product.details };
  });
}

export function talk({ onEvent: tell = () => {} }: SingleOptions) {
  return { tell, note: (message: string) => tell({ type: 'note', level: 'warning', message }) };
}

/** Works while nobody else writes `out`. */
export async function alone<T>(out: string, options: SingleOptions, work: () => Promise<T>): Promise<T> {
  const { tell, note } = talk(options);
  await makeFolder(dirname(out));
  const unlock = await lockFile(out, note);
  try {
    return await work();
  } catch (cause) {
    if (options.signal?.aborted && !isIo(cause))
      throw new LetheError('state', 'stopped; the same command goes on from here');
    throw cause;
  } finally {
    await tidy(tell, unlock);
  }
}

/** Trains the original of a recipe into a safetensors file. */
export async function trainFile(given: Recipe, out: string, options: SingleOptions): Promise<Written> {
  const { recipe, parts, device, runData, runDataOf } = await prepare(given, options);
  const needsOf = (method: MethodEntry) => parts.needs(recipe, runData, method);
  const [cell] = planCells({ ...recipe, methods: [] }, runDataOf, device, version, needsOf);
  const task = { recipe, runData, seed: cell.seed, signal: options.signal };
  return make(out, cell.key, task, options, 'train', (t) => parts.train({ ...t, options: recipe.train }));
}

/**
 * Runs one method on given weights, or on the folder that a run left of what a method prepares; then `out` is a folder, too.
 * `name` is a label of the recipe, or any method, then with its defaults.
 */
export async function unlearnFile(
  given: Recipe,
  from: string,
  name: string,
  out: string,
  options: SingleOptions,
): Promise<Written> {
  const { table } = await knownMethods(given);
  const method: MethodEntry =
    given.methods.find((m) => m.label === name) ?? methodEntry(name, {}, given.train, table);
  const folder = (await namesIn(from)) !== null;
  const weights = folder ? null : await openWeights(from);
  const { recipe, parts, device, runData, runDataOf } = await prepare(given, options, table);
  const needsOf = (one: MethodEntry) => parts.needs(recipe, runData, one);
  const { original, preparation } = needsOf(method);
  const [, cell] = planCells({ ...recipe, methods: [method] }, runDataOf, device, version, needsOf);
  const task = { recipe, runData, seed: cell.seed, signal: options.signal };
  check(
    !(original && preparation),
    'value',
    () => `${name}: needs a record of the original's training, which lethe run makes; take lethe run`,
  );
  if (preparation) {
    check(
      folder,
      'value',
      () =>
        `${name} does not start from weights; expected the folder that lethe run prepared, RUN/checkpoints/${cell.prepared?.id}`,
    );
    return forgetFolder(from, out, cell, options, (own) => parts.forget({ ...task, ...own, method }));
  }
  const file = weights ?? (await openWeights(from));
  const key = hashOf([cell.key, await sha256File(from)]);
  const start = original ? file : null;
  return make(out, key, task, options, 'unlearn', (t) => parts.unlearn({ ...t, method, weights: start }));
}

/** Forgets from a copy of a prepared artifact, in another folder; what was begun there is taken up. */
async function forgetFolder(
  from: string,
  out: string,
  { key, prepared }: Cell,
  options: SingleOptions,
  work: (own: Pick<ArtifactTask, 'artifact' | 'timed' | 'onProgress'>) => Promise<Outcome>,
): Promise<Written> {
  const before = await Artifact.open(folderStore(from));
  check(
    before.key === prepared?.key,
    'value',
    () => `${from}: prepared with another recipe, data, seed or device; expected one of these`,
  );
  return alone(out, options, async () => {
    const { tell } = talk(options);
    const store = folderStore(out);
    const found = await Artifact.find(store);
    check(
      found === null || found.key === key,
      'value',
      () => `${out}: holds another artifact; expected an empty folder, or the one that this was begun in`,
    );
    const artifact = found ?? (await before.fork(store, { key }));
    tell({ type: 'start', cell: out, action: 'unlearn', index: 1, total: 1 });
    const onProgress = progressTo(tell, out, 'unlearn');
    const { cost, details } = await work({ artifact, onProgress, timed: (timed) => timed() });
    await artifact.commit();
    tell({ type: 'end', cell: out, action: 'unlearn', seconds: cost.seconds });
    return { file: out, sha256: artifact.digest(), cost, details };
  });
}

/** Evaluates weights; with retrained weights of the same seed also their distance from those. */
export async function evaluateFile(
  given: Recipe,
  from: string,
  retrained: string | undefined,
  options: SingleOptions,
): Promise<Evaluation> {
  const weights = await openWeights(from);
  const target = retrained === undefined ? null : await openWeights(retrained);
  const { recipe, parts, runData } = await prepare(given, options);
  const [{ train: seed }] = seedsOf(recipe);
  const look = async (cell: string, weights: ByteSource) => {
    options.onEvent?.({ type: 'start', cell, action: 'evaluate', index: 1, total: 1 });
    const onProgress = progressTo(options.onEvent ?? (() => {}), cell, 'evaluate');
    return parts.evaluate({ recipe, runData, seed, signal: options.signal, onProgress, weights });
  };
  const found = await look(from, weights);
  if (target === null) return found;
  const reference = await look(retrained as string, target);
  return { ...found, metrics: againstRetrain(found.metrics, reference.metrics) as Metrics };
}

async function openWeights(path: string): Promise<ByteSource> {
  try {
    return await fileSource(path);
  } catch (cause) {
    throw new LetheError('value', `weights: ${reasonOf(cause)}`, { cause });
  }
}
