// docs/recipes.md says what the schema says, and every shipped recipe is a good one.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { recipeReference } from '../../unlearn/recipe/reference.ts';
import { parseRecipe } from '../../unlearn/recipe.ts';

const root = new URL('../../', import.meta.url);

it('docs/recipes.md is up to date (UPDATE_DOCS=1 rewrites it)', () => {
  const path = fileURLToPath(new URL('docs/recipes.md', root));
  if (process.env.UPDATE_DOCS) writeFileSync(path, recipeReference());
  expect(readFileSync(path, 'utf8')).toBe(recipeReference());
});

it.each(readdirSync(new URL('recipes/', root)))('recipes/%s is a good recipe', (name) => {
  const recipe = parseRecipe(readFileSync(new URL(`recipes/${name}`, root), 'utf8'), name);
  expect(`${recipe.name}.yaml`).toBe(name);
  expect([...new Set(recipe.methods.map((m) => m.name))].sort()).toEqual(
    ['retrain', 'finetune', 'randomLabels', 'gradientAscent', 'boundaryShrink', 'boundaryExpanding'].sort(),
  );
});
