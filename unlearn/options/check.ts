// Runs a schema over a value and says what is wrong in words: what was found, what was expected, which key was probably
// meant. The schemas are recipe/options.ts and recipe/schema.ts.

import * as v from 'valibot';
import { show } from '../text.ts';
import { docOf } from './fields.ts';
import type { Path, Problem } from './problems.ts';
import { hint, nearest } from './suggest.ts';

/** Unknown keys of one map that get a suggestion: guessing costs time, and more are no misprints. */
const GUESSES = 50;

/** Runs one schema; on failure adds its problems and returns null. */
export function check(schema: v.GenericSchema, value: unknown, path: Path, problems: Problem[]): unknown {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  for (const issue of result.issues) {
    const at = (issue.path ?? []).map((item) => item.key as string | number);
    const whole = [...path, ...at];
    if (issue.type === 'strict_object' && issue.expected === 'never') {
      const entries = (at.slice(0, -1).reduce(descend, unwrap(schema)) as { entries: object }).entries;
      problems.push(
        ...unknownKeys(issue.path?.at(-1)?.input as object, Object.keys(entries), whole.slice(0, -1)),
      );
    } else if (issue.type === 'strict_object' && issue.received === 'undefined') {
      const missing = at.reduce(descend, schema) as v.GenericSchema | undefined;
      problems.push({
        path: whole,
        message: `missing; expected ${(missing && docOf(missing).expected) || 'a value'}`,
        kind: 'missing',
      });
    } else {
      const word = issue.type === 'picklist' && typeof issue.input === 'string' ? issue.input : null;
      problems.push(
        word === null
          ? { path: whole, message: `${issue.message}, got ${show(issue.input)}` }
          : { path: whole, ...unknownWord('no such choice', word, choicesOf(issue)) },
      );
    }
  }
  return null;
}

/** All of them: valibot tells only the first. */
function unknownKeys(map: object, known: readonly string[], path: Path): Problem[] {
  const unknown = Object.keys(map).filter((key) => !known.includes(key));
  return unknown.map((key, i) => ({
    path,
    ...unknownWord('unknown key', key, known, i < GUESSES),
    kind: 'unknown',
    at: [...path, key],
  }));
}

function unknownWord(what: string, word: string, known: readonly string[], guessing = true) {
  const guess = guessing ? nearest(word, known) : null;
  return { message: `${what} ${show(word)}${hint(word, guessing ? known : [], guess)}`, guess };
}

function choicesOf(issue: v.BaseIssue<unknown>): string[] {
  const known = (issue as unknown as { requirement: { options: string[] } }).requirement?.options ?? [];
  return known.length > 0 ? known : issue.message.replace('expected one of ', '').split(', ');
}

/** The schema one step down a path. */
function descend(schema: unknown, key: string | number): unknown {
  const inner = unwrap(schema);
  return unwrap(inner.entries?.[key] ?? inner.item);
}

function unwrap(schema: unknown): { entries?: Record<string, unknown>; item?: unknown; wrapped?: unknown } {
  let s = schema as { wrapped?: unknown };
  while (s?.wrapped) s = s.wrapped as { wrapped?: unknown };
  return s ?? {};
}
