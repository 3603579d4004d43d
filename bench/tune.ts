// `lethe bench tune`: the products of the bench's cases, or of a recipe's training step, tuned one class after the other,
// into the table of this adapter. What was found is written after every class: a run that is stopped loses nothing.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Backend } from '../engine/backend.ts';
import { LetheError } from '../engine/error.ts';
import type { Program } from '../engine/program.ts';
import { device } from '../engine/runtime.ts';
import * as lt from '../index.ts';
import type { WebGpuBackend } from '../kernels/backend.ts';
import { readChoice } from '../kernels/choice.ts';
import { readTuning, tuningFile } from '../kernels/node.ts';
import { KERNELS, type TuningTable } from '../kernels/tuning.ts';
import { makeFolder, writeFileAtomic } from '../unlearn/files.ts';
import { lockFile } from '../unlearn/run/lock.ts';
import { reasonOf } from '../unlearn/text.ts';
import { type Case, casesLike } from './cases.ts';
import { startProfile } from './profile.ts';
import { subjectsOf, type Tuned, tuneProduct } from './search.ts';

export interface TuningRun {
  /** Only cases whose suite or name contains this text. */
  readonly filter?: string;
  /** The file of a recipe whose training step is tuned for, instead of the cases. */
  readonly recipe?: string;
  /** The folder with its data set. */
  readonly data?: string;
  /** Seconds for each class of products. */
  readonly seconds: number;
  /** The table; default: this adapter's in the cache. */
  readonly out?: string;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** Tunes on WebGPU and writes the table. Errors as those of `init`, of the table that is added to, 'io' and 'state'. */
export async function runTuning(run: TuningRun): Promise<{ file: string; adapter: string; tuned: Tuned[] }> {
  const { filter = '', recipe, out, onLine = () => {} } = run;
  const cases = recipe === undefined ? casesLike(filter) : [];
  await lt.init({ device: 'webgpu' });
  const backend = device().backend as WebGpuBackend;
  const adapter = String(backend.info.adapter);
  const file = out ?? tuningFile(adapter);
  await makeFolder(dirname(file));
  // The table is read, added to and written: by one at a time, or choices would be lost.
  const unlock = await lockFile(file, onLine);
  try {
    return { file, adapter, tuned: await tuneInto(file, adapter, backend, cases, run) };
  } finally {
    await unlock().catch((cause) => onLine(`warning: ${reasonOf(cause)}`));
  }
}

async function tuneInto(
  file: string,
  adapter: string,
  backend: WebGpuBackend,
  cases: readonly Case[],
  { recipe, data, seconds, out, signal, onLine = () => {} }: TuningRun,
): Promise<Tuned[]> {
  const before = existsSync(file) ? await readTuning(file) : null;
  if (before && out !== undefined && before.adapter !== adapter)
    throw new LetheError(
      'data',
      `${file}: a table of another adapter ("${before.adapter}"); this is "${adapter}"`,
    );
  onLine(`${adapter}; tuning ${backend.info.tuning}`);
  const programs =
    recipe === undefined ? cases.map(programOf) : await programsOfRecipe(backend, recipe, data);
  await backend.sync();
  const choices: Record<string, string> = before?.kernels === KERNELS ? { ...before.choices } : {};
  const tuned: Tuned[] = [];
  const subjects = subjectsOf(programs, backend);
  for (const [n, subject] of subjects.entries()) {
    if (signal?.aborted) break;
    const last = readChoice(choices[subject.key] ?? '');
    const found = await tuneProduct(backend, subject, seconds, last ? [last] : []);
    tuned.push(found);
    choices[found.key] = found.choice;
    const table: TuningTable = { format: 1, kernels: KERNELS, adapter, choices };
    await writeFileAtomic(file, `${JSON.stringify(table, null, 2)}\n`);
    onLine(`${n + 1}/${subjects.length} ${lineOf(found)}`);
    for (const reason of found.refused) onLine(`  refused: ${reason}`);
  }
  return tuned;
}

function programOf(c: Case): Program {
  const prepared = c.prepare();
  prepared.dispose();
  return prepared.program;
}

/** The programs that run when a step of the recipe's training, and a look at the result, are measured. */
export async function programsOfRecipe(backend: Backend, path: string, data?: string): Promise<Program[]> {
  const { readRecipe } = await import('../unlearn/run.ts');
  const { defaultParts } = await import('../unlearn/run/default-parts.ts');
  const recipe = await readRecipe(path);
  const parts = defaultParts();
  const runData = await parts.load(recipe, data);
  const stop = startProfile(backend);
  try {
    await parts.measure(recipe, runData);
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
  return [...new Set((await stop()).map((k) => k.program))];
}

function lineOf({ key, choice, gflop, ms, heuristic, heuristicMs, tried }: Tuned): string {
  const rate = (gflop / ms) * 1000;
  const gain = heuristicMs / ms;
  const against =
    choice === heuristic ? 'as the heuristic has it' : `${gain.toFixed(2)}x as fast as ${heuristic}`;
  return `${key}: ${choice}, ${ms.toFixed(3)} ms, ${rate.toFixed(1)} GFLOP/s, ${against}; ${tried} tried`;
}
