// What must hold for every method, whatever it does: the kit of unlearn/check, each failing check failing the test with its
// line.

import { expect } from 'vitest';
import { examine } from '../../../unlearn/check/index.ts';
import * as check from '../../../unlearn/check/settings.ts';
import type { AnyMethod } from '../../../unlearn/methods/define.ts';
import type { MethodRecord } from '../../../unlearn/methods/record.ts';
import type { UnlearnInput } from '../../../unlearn/types.ts';

export { problem, without } from '../../../unlearn/check/problem.ts';
export { differing } from '../../../unlearn/check/settings.ts';

/** What a method needs beside quick values for something to happen on the tiny problem. */
const particular: Readonly<Record<string, object>> = {
  ssd: { alpha: 1 },
  // A third of the data goes: the others need room to make up for it.
  puma: { bound: 10 },
  // Ten noisy steps with gradients clipped.
  certified: { gradientNorm: 100 },
};

/** Settings to try one of Lethe's methods with. */
export const settingsOf = (record: MethodRecord) => check.settingsOf(record, particular[record.name]);

/** What does not apply to each of Lethe's methods. */
const MAY_SKIP = ['mask'];

/** @param thorough also stops and resumes it, and all else that takes more than one run. */
export async function checkMethod(
  make: AnyMethod,
  settings: object,
  input: UnlearnInput,
  thorough = true,
): Promise<void> {
  const wrong: string[] = [];
  for await (const { check, state, reason } of examine(make, settings, input, { thorough }))
    if (state === 'failed' || (state === 'skipped' && !MAY_SKIP.includes(check)))
      wrong.push(`${check}: ${reason}`);
  expect(wrong).toEqual([]);
}
