// The kit: what every method promises, checked on a tiny problem. The tests run it on Lethe's own methods, `lethe
// check-method` and checkMethod on anybody's.

import { check } from '../../engine/error.ts';
import type { AnyMethod } from '../methods/define.ts';
import type { PreparedMethod } from '../methods/prepared.ts';
import type { Method, UnlearnInput } from '../types.ts';
import { type Finding, findings, type Listening } from './finding.ts';
import { ofMoreRemovals, ofOneRemoval, PreparedTrial } from './prepared.ts';
import { problem } from './problem.ts';
import { differing, settingsOf } from './settings.ts';
import { ofMoreRuns, ofOneRun, Trial } from './unlearning.ts';

export type { Finding } from './finding.ts';

/** A finding, and the options it was made with. */
export interface MethodFinding extends Finding {
  /** The options that differ from those of the first findings, in words; empty for these. */
  readonly options: string;
}

/** Options of checkMethod. */
export interface CheckMethodOptions {
  /** Options of the method; of the others those that cost time get small values. */
  readonly options?: object;
  /** Stops between two checks when it aborts. */
  readonly signal?: AbortSignal;
  /** Told of each check before it is made, with how many are done of how many. */
  readonly onCheck?: (check: string, done: number, total: number) => void;
}

/**
 * Checks what every method promises, on a tiny problem on the device in use: the same key gives the same bits, the input
 * is left alone, an empty forget set changes nothing, a signal stops it, a checkpoint resumes to the same bits, cost is
 * counted, nothing leaks, and more. All of it with small options, then what one run shows with each other value of each
 * choice and switch. A method with a preparation of its own is checked for what it claims: that forgetting comes to the
 * bits of never having seen the samples, where it is exact.
 * @returns the findings as they are made.
 * @throws LetheError 'value' for options that the method refuses, and a method that does not run on classification; what
 * the signal was aborted with.
 */
export async function* checkMethod(
  make: AnyMethod,
  { options = {}, signal, onCheck }: CheckMethodOptions = {},
): AsyncGenerator<MethodFinding> {
  const { name, tasks } = make.record;
  check(
    tasks === 'any' || tasks.includes('classification'),
    'value',
    () => `${name}: runs on ${(tasks as readonly string[]).join(', ')}; the checks need classification`,
  );
  const all = settingsOf(make.record, options);
  make(all[0]);
  const input = await problem();
  const checks = make.record.prepare ? prepared : unlearning;
  const counts = all.map((_, i) => Object.keys(checks(i === 0)).length);
  const total = counts.reduce((a, b) => a + b, 0);
  let done = 0;
  for (const [i, settings] of all.entries()) {
    const how = { thorough: i === 0, signal, onCheck: (name: string) => onCheck?.(name, done, total) };
    for await (const finding of examine(make, settings, input, how)) {
      done++;
      yield { ...finding, options: differing(settings, all[0]) };
    }
  }
}

/** The findings with these options. `thorough`: what takes more than one run, too. */
export function examine(
  make: AnyMethod,
  settings: object,
  input: UnlearnInput,
  { thorough = true, ...listening }: { readonly thorough?: boolean } & Listening = {},
): AsyncGenerator<Finding> {
  const made = (more?: object) => make({ ...settings, ...more });
  if (make.record.prepare) {
    const trial = new PreparedTrial(made as (more?: object) => PreparedMethod);
    return findings(prepared(thorough), trial, listening);
  }
  return findings(unlearning(thorough), new Trial(made as (more?: object) => Method, input), listening);
}

const unlearning = (thorough: boolean) => (thorough ? { ...ofOneRun, ...ofMoreRuns } : ofOneRun);
const prepared = (thorough: boolean) => (thorough ? { ...ofOneRemoval, ...ofMoreRemovals } : ofOneRemoval);
