// The numbers, to the last bit. RECORD_METRICS=1 records them anew: for a change that is meant to move them.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { cases } from './cases.ts';

const path = fileURLToPath(new URL('recorded.json', import.meta.url));
const named = (_: string, value: unknown) => (Number.isNaN(value) ? 'NaN' : value);
const plain = (value: unknown) => JSON.parse(JSON.stringify(value, named));

it('every metric of every case is what was recorded', () => {
  const found = Object.fromEntries(Object.entries(cases).map(([name, measure]) => [name, plain(measure())]));
  if (process.env.RECORD_METRICS) writeFileSync(path, `${JSON.stringify(found, null, 2)}\n`);
  expect(found).toEqual(JSON.parse(readFileSync(path, 'utf8')));
});
