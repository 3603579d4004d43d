// What a recipe says of a method's search: `false`, or ranges in place of those of its record. Checked against the method's
// own options, so that no trial can be refused for its values.

import * as v from 'valibot';
import type { Range } from '../methods/record.ts';
import type { OptionsSection } from '../options/fields.ts';
import type { Path, Problem } from '../options/problems.ts';
import { hint } from '../options/suggest.ts';
import { show } from '../text.ts';

/** Ranges by the options they are of. */
export type Ranges = Readonly<Record<string, Range>>;

const bounds = v.strictObject({ from: v.number(), to: v.number(), log: v.optional(v.boolean(), false) });
const expected = 'a list of values, or { from, to } with from below to (and log: true, both above 0)';

/** Adds what is wrong with the ranges of one method to `problems`. */
export function checkRanges(
  ranges: Readonly<Record<string, unknown>>,
  { entries }: OptionsSection,
  path: Path,
  problems: Problem[],
): void {
  for (const [name, range] of Object.entries(ranges)) {
    const at = [...path, name];
    if (!Object.hasOwn(entries, name)) {
      const known = Object.keys(entries);
      problems.push({ path, at, message: `unknown key ${show(name)}${hint(name, known)}`, kind: 'unknown' });
      continue;
    }
    const values = valuesOf(range);
    const schema = entries[name] as v.GenericSchema;
    const wrong = values?.find((value) => value === undefined || !v.is(schema, value));
    if (values === null) problems.push({ path: at, message: `expected ${expected}, got ${show(range)}` });
    else if (wrong !== undefined)
      problems.push({ path: at, message: `${show(wrong)} is no value of ${name}; expected ${expected}` });
  }
}

/** The values that a range names, its bounds among them; null where it is none. */
function valuesOf(range: unknown): readonly unknown[] | null {
  if (Array.isArray(range)) return range.length > 0 ? range : null;
  const read = v.safeParse(bounds, range);
  if (!read.success) return null;
  const { from, to, log } = read.output;
  return from < to && (!log || from > 0) ? [from, to] : null;
}

/** The ranges that a method is searched over: those stated, else those of its record; none where it is not searched. */
export const rangesOf = (stated: false | Ranges | undefined, own: Ranges): Ranges =>
  stated === false ? {} : (stated ?? own);
