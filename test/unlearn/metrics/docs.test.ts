// docs/metrics.md says what the records say.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { withMetricTables } from '../../../unlearn/report/reference.ts';

it('docs/metrics.md is up to date (UPDATE_DOCS=1 rewrites its tables)', () => {
  const path = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));
  const page = readFileSync(path, 'utf8');
  if (process.env.UPDATE_DOCS) writeFileSync(path, withMetricTables(page));
  expect(readFileSync(path, 'utf8')).toBe(withMetricTables(page));
});

it('a page without a table is refused', () => {
  expect(() => withMetricTables('# Metrics\n')).toThrow(/no table between "<!-- table: card -->"/);
});
