// What a check is: a function of a trial, the runs of a method that the checks share. It gives null where the promise is
// kept, else one line: what was expected and what was found.

import * as lt from '../../index.ts';
import { reasonOf } from '../text.ts';
import type { Progress } from '../types.ts';
import type { Values } from './problem.ts';

/** Why a check does not apply. */
interface Skipped {
  readonly skipped: string;
}

/** Null: the promise is kept. Text: what was expected and what was found. */
export type Verdict = null | string | Skipped;
export type Check<Trial> = (trial: Trial) => Promise<Verdict>;

/** What came of a check. */
export interface Finding {
  /** The promise, in a few words. */
  readonly check: string;
  /** Whether it is kept; skipped where it does not apply to the method. */
  readonly state: 'passed' | 'failed' | 'skipped';
  /** One line: what was expected and what was found, or why it was skipped. Empty where it passed. */
  readonly reason: string;
}

/** What listens to checks. */
export interface Listening {
  /** Stops between two checks when it aborts. */
  readonly signal?: AbortSignal;
  /** Told of each check before it is made. */
  readonly onCheck?: (check: string) => void;
}

/**
 * The findings of checks, in their order. The first says whether the method runs at all: where it fails, the others are
 * skipped.
 * @throws what the signal was aborted with.
 */
export async function* findings<Trial>(
  checks: Readonly<Record<string, Check<Trial>>>,
  trial: Trial,
  { signal, onCheck }: Listening = {},
): AsyncGenerator<Finding> {
  let runs = true;
  for (const [i, [key, check]] of Object.entries(checks).entries()) {
    signal?.throwIfAborted();
    const name = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    onCheck?.(name);
    const verdict: Verdict = runs
      ? await check(trial).catch((cause) => `expected no error, got ${errorOf(cause)}`)
      : { skipped: 'the method does not run' };
    if (i === 0) runs = verdict === null;
    if (verdict === null) yield { check: name, state: 'passed', reason: '' };
    else if (typeof verdict === 'string') yield { check: name, state: 'failed', reason: verdict };
    else yield { check: name, state: 'skipped', reason: verdict.skipped };
  }
}

/** An error in one line, with its kind, where it is none of ours. */
const errorOf = (cause: unknown): string => {
  const { name = 'Error' } = (cause ?? {}) as Partial<Error>;
  return `${name === 'LetheError' ? '' : `${name}: `}${reasonOf(cause)}`;
};

/** Null where both hold the same bits under the same paths; else the first value that differs, and how many do. */
export function sameBits(found: Values, expected: Values): string | null {
  const [these, those] = [found, expected].map((values) => Object.keys(values).join(', '));
  if (these !== those) return `expected the parameters ${those}, found ${these}`;
  let count = 0;
  let total = 0;
  let first = '';
  for (const [path, wanted] of Object.entries(expected)) {
    total += wanted.length;
    const values = found[path];
    if (values.length !== wanted.length)
      return `expected ${wanted.length} values in ${path}, found ${values.length}`;
    for (let i = 0; i < wanted.length; i++) {
      if (Object.is(values[i], wanted[i])) continue;
      if (count++ === 0) first = `expected ${wanted[i]} at ${path}[${i}], found ${values[i]}`;
    }
  }
  return count === 0 ? null : `${first}; ${count} of ${total} values differ`;
}

/** Null where nothing was left; `leaks` are what lt.findLeaks gives. */
export const nothingLeft = (leaks: readonly lt.Leak[]): string | null =>
  leaks.length === 0
    ? null
    : `expected no tensor beside the result, found ${leaks.length}: ${leaks[0].tensor} made ${leaks[0].site.trim()}`;

/** Null where it goes from 0 to 1 and ends there. */
export function wholeProgress(seen: readonly Progress[]): string | null {
  const odd = seen.find(({ fraction }) => !(fraction >= 0 && fraction <= 1));
  if (odd) return `expected fractions from 0 to 1, found ${odd.fraction} in ${odd.phase}`;
  const last = seen.at(-1)?.fraction;
  return last === 1 ? null : `expected onProgress to end with fraction 1, found ${last ?? 'no call'}`;
}

/** Null where details survive a file. */
export function isJson(details: unknown): string | null {
  const odd = (value: unknown, path: string): string | null => {
    // What is undefined is left out.
    if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return null;
    if (typeof value === 'number')
      return Number.isFinite(value) ? null : `expected ${path} to be JSON, found ${value}`;
    const plain =
      typeof value === 'object' &&
      (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype);
    if (!plain) return `expected ${path} to be JSON, found a ${value?.constructor?.name ?? typeof value}`;
    return Object.entries(value)
      .map(([key, inner]) => odd(inner, `${path}.${key}`))
      .reduce((a, b) => a ?? b, null);
  };
  return odd(details, 'details');
}

/** The work of one run that was stopped. */
interface Stopped {
  readonly leaks: readonly lt.Leak[];
  /** What it threw; undefined where it came to its end. */
  readonly error: unknown;
}

/** Runs what is expected to throw. */
export async function stopped(work: () => Promise<unknown>): Promise<Stopped> {
  let error: unknown;
  const leaks = await lt.findLeaks(() =>
    work().then(
      (result) => result,
      (cause) => {
        error = cause;
      },
    ),
  );
  return { leaks, error };
}

/** Null where a run threw what its signal was aborted with, and left nothing. */
export function stoppedBy(signal: AbortSignal, { leaks, error }: Stopped, when: string): string | null {
  if (error === undefined) return `expected it to stop ${when}, found it ran to its end`;
  if (error !== signal.reason)
    return `expected it to throw what the signal was aborted with (${when}), got ${errorOf(error)}`;
  return nothingLeft(leaks);
}

/** What is computed once, when it is first asked for. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= work());
}
