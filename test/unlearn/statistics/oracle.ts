// What test/oracles/representation.py answered, and its arrays as points.

import { readFileSync } from 'node:fs';
import type { Points } from '../../../unlearn/statistics/rbf.ts';

export const oracle = JSON.parse(
  readFileSync(new URL('../../oracles/representation.json', import.meta.url), 'utf8'),
);

/** Rows of d numbers. */
export const rowsOf = (values: readonly number[], d: number): Points => ({
  x: Float64Array.from(values),
  n: values.length / d,
  d,
});
