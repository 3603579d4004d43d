// Runs a schema over a value and says what is wrong in words: what was found, what was expected, which key was probably
// meant. The schemas are options.ts and schema.ts.

import * as v from 'valibot';
import { docOf } from './fields.ts';
import { hint } from './suggest.ts';

export type Path = readonly (string | number)[];
export interface Problem {
  readonly path: Path;
  readonly message: string;
  /** Where to point, if that is further down than `path`. */
  readonly at?: Path;
}

/** Runs one schema; on failure adds its problems and returns null. */
export function check(schema: v.GenericSchema, value: unknown, path: Path, problems: Problem[]): unknown {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  for (const issue of result.issues) {
    const at = (issue.path ?? []).map((item) => item.key as string | number);
    const whole = [...path, ...at];
    if (issue.type === 'strict_object' && issue.expected === 'never') {
      const known = Object.keys((at.slice(0, -1).reduce(descend, schema) as { entries: object }).entries);
      const key = String(at.at(-1));
      problems.push({
        path: whole.slice(0, -1),
        message: `unknown key "${key}"${hint(key, known)}`,
        at: whole,
      });
    } else if (issue.type === 'strict_object' && issue.received === 'undefined') {
      const missing = at.reduce(descend, schema) as v.GenericSchema | undefined;
      problems.push({
        path: whole,
        message: `missing; expected ${(missing && docOf(missing).expected) || 'a value'}`,
      });
    } else {
      const guess = issue.type === 'picklist' && typeof issue.input === 'string' ? picked(issue) : null;
      problems.push({ path: whole, message: guess ?? `${issue.message}, got ${show(issue.input)}` });
    }
  }
  return null;
}

function picked(issue: v.BaseIssue<unknown>): string {
  const known = (issue as unknown as { requirement: { options: string[] } }).requirement?.options ?? [];
  const words = known.length > 0 ? known : issue.message.replace('expected one of ', '').split(', ');
  return `no such choice "${issue.input}"${hint(String(issue.input), words)}`;
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

export function show(value: unknown): string {
  if (value === null) return 'nothing';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
