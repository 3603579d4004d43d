// The docs say what the records and the schema say, and every shipped recipe is a good one.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { auditTables } from '../../unlearn/reference/audits.ts';
import { datasetTables } from '../../unlearn/reference/datasets.ts';
import { withTables } from '../../unlearn/reference/markdown.ts';
import { methodTables } from '../../unlearn/reference/methods.ts';
import { metricTables } from '../../unlearn/reference/metrics.ts';
import { recipeReference } from '../../unlearn/reference/recipes.ts';
import { readRecipe } from '../../unlearn/run.ts';

const root = new URL('../../', import.meta.url);

const pages: Record<string, (page: string) => string> = {
  'recipes.md': recipeReference,
  'metrics.md': (page) => withTables(page, metricTables()),
  'methods.md': (page) => withTables(page, methodTables()),
  'audits.md': (page) => withTables(page, auditTables()),
  'data.md': (page) => withTables(page, datasetTables()),
};

it.each(Object.entries(pages))('docs/%s is up to date (UPDATE_DOCS=1 rewrites it)', (name, make) => {
  const path = fileURLToPath(new URL(`docs/${name}`, root));
  const now = make(readFileSync(path, 'utf8'));
  if (process.env.UPDATE_DOCS) writeFileSync(path, now);
  expect(readFileSync(path, 'utf8')).toBe(now);
});

it('a page without a table is refused', () => {
  expect(() => withTables('# Metrics\n', { card: '' })).toThrow(/no table between "<!-- table: card -->"/);
});

const shipped = readdirSync(new URL('recipes/', root)).filter((name) => name.endsWith('.yaml'));
it.each(shipped)('recipes/%s is a good recipe', async (name) => {
  const recipe = await readRecipe(fileURLToPath(new URL(`recipes/${name}`, root)));
  expect(`${recipe.name}.yaml`).toBe(name);
  expect(recipe.methods[0].name).toBe('retrain');
  // Pictures side by side have room for few.
  expect(recipe.methods.length).toBeGreaterThan(name === 'att-faces-attention.yaml' ? 2 : 5);
});
